/* Numbers and strings in bytes: a bounded reader for what we do not trust, and
 * its mirror image over `struct buf`. Little endian (rd_u16 ...) for our own wire,
 * big endian (rd_be32 ...) for IoTDB's formats.
 *
 * A read past the end answers 0 or NULL and marks the cursor; rd_end() reports
 * that, and also bytes left over, so a decoder that ends in `return rd_end(&r)`
 * cannot forget the check. Nothing here allocates. */
#ifndef TSFERRY_BYTES_H
#define TSFERRY_BYTES_H

#include <stdbool.h>

#include "buf.h"

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

struct rd rd_over(const void *p, size_t n);
size_t rd_left(const struct rd *r);

uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
int64_t rd_i64(struct rd *r);
uint32_t rd_be32(struct rd *r);
uint64_t rd_be64(struct rd *r);
const void *rd_bytes(struct rd *r, size_t n); /* NULL if short */
void rd_copy(struct rd *r, void *to, size_t n); /* zeros if short */

/* u16 length and bytes into `to`, NUL-terminated. Longer than size - 1, or with a
 * NUL inside: bad, and `to` is "". */
void rd_str(struct rd *r, char *to, size_t size);

/* LEB128 of at most 32 bits; a sixth byte or a value above UINT32_MAX is bad. */
uint32_t rd_uvarint(struct rd *r);
int32_t rd_svarint(struct rd *r); /* zig-zag */

/* 0, or -EBADMSG when something was short or is left over. */
int rd_end(const struct rd *r) MUST_CHECK;

void wr_u8(struct buf *b, uint8_t v);
void wr_u16(struct buf *b, uint16_t v);
void wr_u32(struct buf *b, uint32_t v);
void wr_u64(struct buf *b, uint64_t v);
void wr_i64(struct buf *b, int64_t v);
void wr_be32(struct buf *b, uint32_t v);
void wr_be64(struct buf *b, uint64_t v);
void wr_str(struct buf *b, const char *s); /* longer than 65535: failed */
void wr_svarint(struct buf *b, int32_t v);

#endif
