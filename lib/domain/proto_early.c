/* What passes an entry that takes its time: LATER, EARLY. */
#include <assert.h>
#include <errno.h>

#include "proto_wire.h"

#define EARLY_LEN 16u

void msg_later_encode(const struct msg_later *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_LATER, 0, m->serial);

	wr_u64(b, m->serial);
	wr_str(b, m->database);
	frame_finish(b, at);
}

int msg_later_decode(struct msg_later *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_LATER);

	m->serial = rd_u64(&r);
	rd_str(&r, m->database, sizeof m->database);
	return msg_close(&r, f, m->serial,
			 m->serial > 0 && m->serial <= ENTRY_SERIAL_MAX &&
				 name_is_plain(m->database));
}

struct early_one msg_early_one(const struct msg_early *m, uint32_t i)
{
	struct rd r = rd_over(m->ones + (size_t)i * EARLY_LEN, EARLY_LEN);
	struct early_one one;

	assert(i < m->n);
	one.serial = rd_u64(&r);
	one.nonce = rd_u64(&r);
	return one;
}

size_t early_ones_below(const struct early_one *ones, size_t n, uint64_t serial)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ones[mid].serial < serial)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void early_one_add(const struct early_one *one, struct buf *b)
{
	wr_u64(b, one->serial);
	wr_u64(b, one->nonce);
}

void msg_early_encode(const struct msg_early *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_EARLY, 0, 0);

	assert(m->n <= EARLY_MAX);
	wr_u32(b, m->n);
	if (m->n)
		buf_add(b, m->ones, (size_t)m->n * EARLY_LEN);
	frame_finish(b, at);
}

static bool are_early(const struct msg_early *m)
{
	uint64_t before = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		struct early_one one = msg_early_one(m, i);

		if (one.serial <= before || one.serial > ENTRY_SERIAL_MAX ||
		    one.nonce == 0)
			return false;
		before = one.serial;
	}
	return true;
}

int msg_early_decode(struct msg_early *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_EARLY);

	m->n = rd_u32(&r);
	if (r.bad || m->n > EARLY_MAX)
		return -EBADMSG;
	m->ones = m->n ? rd_bytes(&r, (size_t)m->n * EARLY_LEN) : NULL;
	return msg_close(&r, f, 0, m->n == 0 || (m->ones && are_early(m)));
}
