/* Bytes of one range of a TsFile, in order, through a small window: an index of any
 * size is read in constant memory. Big endian, varints, strings as in tsfile-format,
 * section 0.2.
 *
 * The first failure stays with the source (`failed` and its sentence): every later
 * read answers 0, so that decoders are straight lines and look once, at the end and
 * in every loop. Blocks on the disk. */
#ifndef TSFERRY_TSFILE_SPAN_H
#define TSFERRY_TSFILE_SPAN_H

#include <stdbool.h>

#include "ground/err.h"

#define TSFILE_WINDOW 8192

struct tsfile_source {
	int fd;		 /* borrowed */
	uint64_t end;	 /* nothing at or behind it is read */
	uint64_t budget; /* bytes that may still be read */
	int failed;	 /* 0, or -errno of the first failure */
	struct err *e;
};

struct tsfile_window {
	uint64_t at;
	size_t len;
	uint8_t bytes[TSFILE_WINDOW];
};

struct tsfile_span {
	struct tsfile_source *src;
	struct tsfile_window *window; /* may be shared by spans read in turns */
	uint64_t at, end;
};

/* Fails at the span's position: "damaged TsFile index at BYTE: expected ...". */
void span_fail(struct tsfile_span *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline uint64_t span_left(const struct tsfile_span *s)
{
	return s->end - s->at;
}

uint8_t span_u8(struct tsfile_span *s);
uint32_t span_be32(struct tsfile_span *s);
uint64_t span_be64(struct tsfile_span *s);
uint32_t span_count(struct tsfile_span *s); /* a uvarint of 2^31 - 1 at most */
void span_skip(struct tsfile_span *s, uint64_t n);
void span_copy(struct tsfile_span *s, void *to, size_t n);

/* A varstr of at most `most` bytes into `to`, which may be NULL to skip it; no NUL is
 * put behind it. Its length, or -1 for null and when it fails. */
int32_t span_name(struct tsfile_span *s, char *to, size_t most);

/* An i32 length, -1 only where null is possible, and as many bytes: skipped. */
void span_skip_binary(struct tsfile_span *s, bool may_be_null);

#endif
