#include <string.h>

#include "fuzz.h"
#include "ground/bytes.h"
#include "tests/proto_again.h"

/* u16 type, u64 serial, then the message: what decodes must encode to the same bytes,
 * so that no two messages mean the same and no decoder takes what is not there. The
 * input is no frame, because no mutation would survive a frame's sum. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_over(data, size);
	struct frame f = {.type = rd_u16(&r), .serial = rd_u64(&r)};
	CLEANUP(buf_release) struct buf b;

	f.p = r.p;
	f.len = (uint32_t)rd_left(&r);
	buf_init(&b, FRAME_HEAD_LEN + FRAME_LEN_MAX);
	if (f.len == 0 || f.len > msg_len_max(f.type) ||
	    proto_again(&f, &b) < 0)
		return 0;
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(b.len == FRAME_HEAD_LEN + f.len);
	FUZZ_MUST(memcmp(buf_data(&b) + FRAME_HEAD_LEN, f.p, f.len) == 0);
	return 0;
}
