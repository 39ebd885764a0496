#include <endian.h>
#include <string.h>

#include "domain/proto.h"
#include "fuzz.h"

/* A stream of frames: what is taken off stays within the input and its bounds, and
 * encoding it again gives the same bytes. Nothing is decided later that was not
 * already so with fewer bytes. */

static void check_prefixes(const uint8_t *p, size_t n, int whole)
{
	struct frame f;
	size_t step = n < 64 ? 1 : n / 16;

	for (size_t k = 0; k < n && k < (size_t)whole; k += step) {
		int r = frame_take(&f, p, k, msg_len_max);

		FUZZ_MUST(r == 0);
	}
}

static void check_again(const struct frame *f, const uint8_t *p, int whole)
{
	CLEANUP(buf_release) struct buf b;
	uint32_t bulk;
	size_t at;

	memcpy(&bulk, p + 16, sizeof bulk);
	buf_init(&b, FRAME_HEAD_LEN + FRAME_LEN_MAX);
	at = frame_begin(&b, f->type, f->flags, f->serial);
	buf_add(&b, f->p, f->len);
	frame_finish_bulk(&b, at, le32toh(bulk));
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(b.len == (size_t)whole &&
		  memcmp(buf_data(&b), p, b.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;
	struct frame f;
	int n;

	while ((n = frame_take(&f, data + at, size - at, msg_len_max)) > 0) {
		FUZZ_MUST((size_t)n == FRAME_HEAD_LEN + f.len);
		FUZZ_MUST((size_t)n <= size - at);
		FUZZ_MUST(f.p == data + at + FRAME_HEAD_LEN);
		FUZZ_MUST(f.len > 0 && f.len <= FRAME_LEN_MAX);
		FUZZ_MUST((f.flags & ~FRAME_OPTIONAL) == 0);
		FUZZ_MUST(f.flags || f.len <= msg_len_max(f.type));
		check_prefixes(data + at, size - at, n);
		check_again(&f, data + at, n);
		at += (size_t)n;
	}
	return 0;
}
