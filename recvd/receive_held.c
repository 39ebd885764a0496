/* Blocks that do not travel, or hardly: made from files that are held here. Whether what
 * is held is what the edge believes shows only when it is read; until then the block
 * is missing, also behind its END. What does not verify is asked for literally, once: a
 * reference in answer to that is none. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "receive_inside.h"

void receive_held(struct receive *r, const struct msg_held *m)
{
	struct rx_entry *x;

	rx_settle(r);
	if (rx_is_early(r, m->serial))
		return;
	x = rx_find_open(r, m->serial, "a HELD");
	if (!x)
		return;
	if (m->first > x->n_held || m->n > HELD_FILES_MAX - m->first) {
		rx_bye(r, BYE_PROTOCOL, m->serial,
		       "a HELD came for entry %" PRIu64
		       " that begins at file %u, expected at most %u",
		       m->serial, m->first, x->n_held);
		return;
	}
	if (m->first + m->n > x->n_held) {
		struct fileid *more =
			xcalloc(m->first + m->n, sizeof(*x->held));

		if (x->n_held)
			memcpy(more, x->held, x->n_held * sizeof(*more));
		free(x->held);
		x->held = more;
		x->n_held = m->first + m->n;
	}
	memcpy(&x->held[m->first], m->files, m->n * sizeof(*x->held));
}

static bool ranges_fit(const struct rx_entry *x, const struct msg_block *m)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < m->n_ranges; i++) {
		if (m->ranges[i].file >= x->n_held)
			return false;
		sum += m->ranges[i].len;
	}
	return m->how != BLOCK_REFERENCE ||
	       sum == block_len(entry_payload_len(&x->en), m->index);
}

void rx_block_held(struct receive *r, struct rx_entry *x,
		   const struct msg_block *m)
{
	assert(!r->fetching);
	if (x->present[m->index] == RX_BLOCK_WANTED || !ranges_fit(x, m)) {
		rx_bye(r, BYE_PROTOCOL, m->serial,
		       "block %" PRIu64 " of entry %" PRIu64
		       " refers to what was not named, or was asked for "
		       "literally",
		       m->index, m->serial);
		return;
	}
	x->present[m->index] = RX_BLOCK_FETCHED;
	x->digests[m->index] = m->digest;
	x->n_missing++;
	x->n_writing++;
	r->fetching = x;
	r->fetch = *m;
}

static void want(struct receive *r, uint64_t serial, uint64_t index)
{
	if (r->n_wants == r->cap_wants) {
		size_t cap = r->cap_wants ? 2 * r->cap_wants : 16;
		struct msg_want *more = xcalloc(cap, sizeof(*more));

		if (r->n_wants)
			memcpy(more, r->wants, r->n_wants * sizeof(*more));
		free(r->wants);
		r->wants = more;
		r->cap_wants = cap;
	}
	r->wants[r->n_wants++] = (struct msg_want){serial, index};
}

void receive_fetched(struct receive *r, uint64_t serial, uint64_t index,
		     bool is_good)
{
	struct rx_entry *x;

	rx_settle(r);
	x = rx_at(r, serial);
	if (!x)
		return;
	assert(index < x->n_blocks && x->n_writing > 0 &&
	       x->present[index] == RX_BLOCK_FETCHED);
	x->n_writing--;
	x->is_opening = false;
	rx_pass_anew(r);
	if (!is_good) {
		x->present[index] = RX_BLOCK_WANTED;
		want(r, serial, index);
		return;
	}
	x->present[index] = RX_BLOCK_HERE;
	x->n_missing--;
	x->n_have++;
	if (x->is_ending && x->n_missing == 0)
		rx_entry_whole(r, x);
}

int rx_held_next(struct receive *r, struct receive_act *act)
{
	const struct rx_entry *x = r->fetching;

	if (x) {
		act->kind = RX_FETCH;
		act->serial = x->en.serial;
		act->nonce = x->en.nonce;
		act->index = r->fetch.index;
		act->offset = r->fetch.index * BLOCK_LEN;
		act->entry = &x->en;
		act->digest = r->fetch.digest;
		act->len = block_len(entry_payload_len(&x->en), act->index);
		act->block = &r->fetch;
		act->held = x->held;
		r->fetching = NULL;
		return 1;
	}
	if (r->n_wants == 0 || r->state != RECEIVE_LIVE)
		return 0;
	/* The last one first: their order means nothing. */
	act->kind = RX_WANT;
	act->serial = r->wants[r->n_wants - 1].serial;
	act->index = r->wants[--r->n_wants].index;
	return 1;
}
