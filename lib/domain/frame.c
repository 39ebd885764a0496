#include "frame.h"

#include <assert.h>
#include <errno.h>
#include <xxhash.h>

#include "ground/bytes.h"

#define SUM_AT (FRAME_HEAD_LEN - 4)

static uint32_t sum_of(const uint8_t *frame, size_t summed)
{
	XXH64_hash_t seed = XXH3_64bits(frame, SUM_AT);

	return (uint32_t)XXH3_64bits_withSeed(frame + FRAME_HEAD_LEN, summed,
					      seed);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

int frame_take(struct frame *f, const uint8_t *p, size_t n,
	       uint32_t (*max_len)(uint16_t type))
{
	struct rd r = rd_over(p, n);
	uint32_t max, bulk, sum;

	if (n < FRAME_HEAD_LEN)
		return 0;
	f->len = rd_u32(&r);
	f->type = rd_u16(&r);
	f->flags = rd_u16(&r);
	f->serial = rd_u64(&r);
	bulk = rd_u32(&r);
	sum = rd_u32(&r);
	max = max_len(f->type);
	if (f->flags & ~FRAME_OPTIONAL)
		return -EBADMSG;
	if (max == 0 && (f->flags & FRAME_OPTIONAL))
		max = FRAME_LEN_MAX;
	if (f->len == 0 || f->len > max || f->len > FRAME_LEN_MAX ||
	    bulk >= f->len)
		return -EBADMSG;
	f->p = r.p;
	if (rd_left(&r) < f->len)
		return 0;
	if (sum_of(p, f->len - bulk) != sum)
		return -EBADMSG;
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
	wr_u32(b, 0);
	wr_u32(b, 0);
	return at;
}

void frame_finish_bulk(struct buf *b, size_t at, size_t bulk)
{
	uint8_t *head;
	size_t len;

	if (b->failed)
		return;
	head = buf_data(b) + at;
	len = b->len - at - FRAME_HEAD_LEN;
	assert(len > 0 && len <= FRAME_LEN_MAX && bulk < len);
	put_u32(head, (uint32_t)len);
	put_u32(head + 16, (uint32_t)bulk);
	put_u32(head + SUM_AT, sum_of(head, len - bulk));
}

void frame_finish(struct buf *b, size_t at)
{
	frame_finish_bulk(b, at, 0);
}
