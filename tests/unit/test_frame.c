#include <errno.h>

#include "domain/proto.h"
#include "ground/bytes.h"
#include "test.h"
#include "tests/proto_samples.h"

#define OUT_MAX (4u << 20)

static int take(struct frame *f, const struct buf *b)
{
	return frame_take(f, buf_data(b), b->len, msg_len_max);
}

/* Whatever a damaged byte says now: it is found, but in bulk, which has a digest. */
static void every_flipped_bit(void)
{
	for (unsigned form = 0; form < N_FORMS; form++) {
		CLEANUP(buf_release) struct buf b;
		struct frame f;
		size_t bulk = form == 3 ? 18 : form == 6 || form == 20 ? 5 : 0;

		buf_init(&b, OUT_MAX);
		make(form, &b);
		for (size_t bit = 0; bit < 8 * b.len; bit++) {
			int n;

			buf_data(&b)[bit / 8] ^= (uint8_t)(1u << bit % 8);
			n = take(&f, &b);
			CHECK(bit / 8 < b.len - bulk ? n <= 0
						     : n == (int)b.len);
			buf_data(&b)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		CHECK(take(&f, &b) == (int)b.len);
	}
}

static void frames_at_every_split(void)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, OUT_MAX);
	for (unsigned form = 0; form < N_FORMS; form++)
		make(form, &b);
	for (size_t split = 0; split <= b.len; split++) {
		CLEANUP_FREE uint8_t *copy = calloc(1, split ? split : 1);
		size_t at = 0, end = 0;
		struct frame f;
		int n;

		memcpy(copy, buf_data(&b), split);
		while ((n = frame_take(&f, copy + at, split - at,
				       msg_len_max)) > 0)
			at += (size_t)n;
		CHECK(n == 0);
		/* what is left is less than the next frame */
		n = frame_take(&f, buf_data(&b) + at, b.len - at, msg_len_max);
		end = at + (size_t)n;
		CHECK(at <= split && (split < end || at == b.len));
	}
}

static int head(uint32_t len, uint16_t type, uint16_t flags, struct frame *f)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, OUT_MAX);
	wr_u32(&b, len);
	wr_u16(&b, type);
	wr_u16(&b, flags);
	wr_u64(&b, 0);
	wr_u64(&b, 0); /* bulk and sum */
	return take(f, &b);
}

/* All of a message as bulk: nothing of it would be summed. */
static void nothing_but_bulk(void)
{
	CLEANUP(buf_release) struct buf b;
	struct frame f;

	for (uint32_t bulk = 4; bulk <= 6; bulk++) {
		buf_init(&b, OUT_MAX);
		wr_u32(&b, 5);
		wr_u16(&b, MSG_ENTRY);
		wr_u16(&b, 0);
		wr_u64(&b, 0);
		wr_u32(&b, bulk);
		wr_u32(&b, 0);
		CHECK(take(&f, &b) == (bulk < 5 ? 0 : -EBADMSG));
		buf_release(&b);
	}
	buf_init(&b, 1);
}

static void hostile_heads(void)
{
	struct frame f;

	CHECK(head(1, MSG_PONG, 0, &f) == 0);
	CHECK(head(0, MSG_PONG, 0, &f) == -EBADMSG);
	CHECK(head(2, MSG_PONG, 0, &f) == -EBADMSG);
	CHECK(head(UINT32_MAX, MSG_ENTRY, 0, &f) == -EBADMSG);
	CHECK(head(msg_len_max(MSG_ENTRY), MSG_ENTRY, 0, &f) == 0);
	CHECK(head(msg_len_max(MSG_ENTRY) + 1, MSG_ENTRY, 0, &f) == -EBADMSG);
	CHECK(head(1, 0, 0, &f) == -EBADMSG);
	CHECK(head(1, 18, 0, &f) == -EBADMSG);
	CHECK(head(1, 65535, 0, &f) == -EBADMSG);
	CHECK(head(1, MSG_PONG, 2, &f) == -EBADMSG);
	CHECK(head(1, MSG_PONG, 0x8000, &f) == -EBADMSG);
	CHECK(head(1, 16, FRAME_OPTIONAL | 4, &f) == -EBADMSG);
}

/* A later version may say more to a peer that can pass over it. */
static void optional_frames(void)
{
	CLEANUP(buf_release) struct buf b;
	struct frame f;
	size_t at;
	int n;

	CHECK(head(0, 700, FRAME_OPTIONAL, &f) == -EBADMSG);
	CHECK(head(FRAME_LEN_MAX, 700, FRAME_OPTIONAL, &f) == 0);
	CHECK(head(FRAME_LEN_MAX + 1, 700, FRAME_OPTIONAL, &f) == -EBADMSG);
	buf_init(&b, OUT_MAX);
	at = frame_begin(&b, 700, FRAME_OPTIONAL, 1);
	buf_adds(&b, "something new");
	frame_finish(&b, at);
	msg_pong_encode(&b);
	n = take(&f, &b);
	CHECK(n == FRAME_HEAD_LEN + 13);
	CHECK(msg_len_max(f.type) == 0);
	CHECK(frame_take(&f, buf_data(&b) + n, b.len - (size_t)n,
			 msg_len_max) == FRAME_HEAD_LEN + 1);
	CHECK(f.type == MSG_PONG);
}

int main(void)
{
	test_run("frames are taken off at every split", frames_at_every_split);
	test_run("a message is not all bulk", nothing_but_bulk);
	test_run("every flipped bit outside bulk is found", every_flipped_bit);
	test_run("impossible heads are refused before their message comes",
		 hostile_heads);
	test_run("optional frames of unknown types can be passed over",
		 optional_frames);
	return test_end();
}
