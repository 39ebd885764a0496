#include "frame.h"

#include <assert.h>
#include <errno.h>

#include "ground/bytes.h"

int frame_take(struct frame *f, const uint8_t *p, size_t n,
	       uint32_t (*max_len)(uint16_t type))
{
	struct rd r = rd_over(p, n);
	uint32_t max;

	if (n < FRAME_HEAD_LEN)
		return 0;
	f->len = rd_u32(&r);
	f->type = rd_u16(&r);
	f->flags = rd_u16(&r);
	f->serial = rd_u64(&r);
	max = max_len(f->type);
	if (f->flags & ~FRAME_OPTIONAL)
		return -EBADMSG;
	if (max == 0 && (f->flags & FRAME_OPTIONAL))
		max = FRAME_LEN_MAX;
	if (f->len == 0 || f->len > max || f->len > FRAME_LEN_MAX)
		return -EBADMSG;
	f->p = r.p;
	if (rd_left(&r) < f->len)
		return 0;
	return (int)(FRAME_HEAD_LEN + f->len);
}

size_t frame_begin(struct buf *b, uint16_t type, uint16_t flags,
		   uint64_t serial)
{
	size_t at = b->len;

	wr_u32(b, 0);
	wr_u16(b, type);
	wr_u16(b, flags);
	wr_u64(b, serial);
	return at;
}

void frame_finish(struct buf *b, size_t at)
{
	uint8_t *head;
	size_t len;

	if (b->failed)
		return;
	head = buf_data(b) + at;
	len = b->len - at - FRAME_HEAD_LEN;
	assert(len > 0 && len <= FRAME_LEN_MAX);
	for (unsigned i = 0; i < 4; i++)
		head[i] = (uint8_t)(len >> (8 * i));
}
