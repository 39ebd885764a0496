/* What the receiver still has of an incarnation that is over: ASK_KEPT, KEPT. */
#include <assert.h>
#include <errno.h>

#include "proto_wire.h"

#define RUN_LEN 16u

void msg_ask_kept_encode(const struct msg_ask_kept *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_ASK_KEPT, FRAME_OPTIONAL, 0);

	buf_add(b, m->incarnation, ID_LEN);
	frame_finish(b, at);
}

int msg_ask_kept_decode(struct msg_ask_kept *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_ASK_KEPT);

	rd_copy(&r, m->incarnation, ID_LEN);
	return msg_close(&r, f, 0, true);
}

void msg_kept_run(const struct msg_kept *m, uint32_t i, uint64_t *first,
		  uint64_t *last)
{
	struct rd r = rd_over(m->runs + (size_t)i * RUN_LEN, RUN_LEN);

	assert(i < m->n);
	*first = rd_u64(&r);
	*last = rd_u64(&r);
}

void msg_kept_encode(const struct msg_kept *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_KEPT, FRAME_OPTIONAL, 0);

	assert(m->n <= KEPT_RUNS_MAX);
	buf_add(b, m->incarnation, ID_LEN);
	wr_u64(b, m->durable);
	wr_u8(b, m->is_last);
	wr_u32(b, m->n);
	if (m->n)
		buf_add(b, m->runs, (size_t)m->n * RUN_LEN);
	frame_finish(b, at);
}

static bool are_runs(const struct msg_kept *m)
{
	uint64_t first, last, before = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		msg_kept_run(m, i, &first, &last);
		if (first <= before || last < first || last > ENTRY_SERIAL_MAX)
			return false;
		before = last;
	}
	return true;
}

int msg_kept_decode(struct msg_kept *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_KEPT);
	uint8_t is_last;

	rd_copy(&r, m->incarnation, ID_LEN);
	m->durable = rd_u64(&r);
	is_last = rd_u8(&r);
	m->is_last = is_last == 1;
	m->n = rd_u32(&r);
	if (r.bad || m->n > KEPT_RUNS_MAX || is_last > 1 ||
	    m->durable > ENTRY_SERIAL_MAX)
		return -EBADMSG;
	m->runs = rd_bytes(&r, (size_t)m->n * RUN_LEN);
	return msg_close(&r, f, 0, m->n == 0 || (m->runs && are_runs(m)));
}
