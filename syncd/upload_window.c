/* What is under way: heads that were fetched, blocks being read, frames to send, and
 * what the receiver has not yet made durable.
 *
 * Reads run ahead of sends by at most UPLOAD_READS blocks; both walk the same serials
 * and blocks in the same order, so that no queue of frames is needed: the next act is
 * computed from the two cursors of a lane. Which lane is read next is decided once for each
 * block; it is sent in that order. A block that the receiver holds is skipped by the
 * reader and its digest is fed to the entry's list by the sender. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "upload_inside.h"

#define RING(n) ((n) % UPLOAD_READS)

static struct entry *head_of(struct upload *u, uint64_t serial)
{
	return &u->heads[serial % UPLOAD_HEADS];
}

static uint64_t blocks_of(const struct entry *en)
{
	return block_count(entry_payload_len(en));
}

static void drop_runs(struct upload *u)
{
	for (size_t i = 0; i < u->n_runs; i++)
		free(u->runs[i].digests);
	free(u->runs);
	u->runs = NULL;
	u->n_runs = 0;
	u->next.read_run = u->next.send_run = 0;
	u->later.read_run = u->later.send_run = 0;
	u->n_have = 0;
}

void upload_keep_unused(struct upload *u, void *data)
{
	if (!data)
		return;
	assert(u->n_unused < UPLOAD_READS);
	u->unused[u->n_unused++] = data;
}

void *upload_take_unused(struct upload *u)
{
	return u->n_unused ? u->unused[--u->n_unused] : NULL;
}

static void lane_begins(struct upload_lane *lane)
{
	if (lane->send_open)
		digest_list_release(&lane->list);
	lane->read_open = lane->send_open = false;
	lane->read_index = lane->send_index = 0;
	lane->read_run = lane->send_run = 0;
}

void upload_window_stop(struct upload *u)
{
	for (unsigned i = 0; i < u->n_reads; i++)
		u->reads[RING(u->first_read + i)].is_stale = true;
	for (; u->n_done > 0; u->n_done--) {
		upload_keep_unused(u, u->done[u->first_done].data);
		u->first_done = RING(u->first_done + 1);
	}
	for (size_t i = 0; i < UPLOAD_HEADS; i++)
		entry_release(&u->heads[i]);
	lane_begins(&u->next);
	lane_begins(&u->later);
	u->window_bytes = 0;
	upload_lane_stop(u);
	upload_refer_stop(u);
	drop_runs(u);
}

static int compare_runs(const void *a, const void *b)
{
	const struct upload_run *x = a, *y = b;

	if (x->serial != y->serial)
		return x->serial < y->serial ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

void upload_window_start(struct upload *u)
{
	if (u->n_runs > 1)
		qsort(u->runs, u->n_runs, sizeof(*u->runs), compare_runs);
	u->n_early = u->early_bytes = 0;
	u->send_serial = u->read_serial = u->durable + 1;
	u->heads_end = u->fetch_end = u->durable + 1;
}

/* What does not fit is forgotten: those blocks are sent again. */
void upload_window_partial(struct upload *u, const struct msg_partial *m)
{
	struct upload_run *run;
	size_t size = (size_t)m->n * sizeof(struct digest);

	if (m->n == 0 || u->n_runs == UPLOAD_RUNS_MAX ||
	    m->n > UPLOAD_HAVE_MAX - u->n_have || m->first > UINT64_MAX - m->n)
		return;
	if (!u->runs)
		u->runs = xcalloc(UPLOAD_RUNS_MAX, sizeof(*u->runs));
	run = &u->runs[u->n_runs];
	run->digests = malloc(size);
	if (!run->digests)
		return;
	memcpy(run->digests, m->digests, size);
	run->serial = m->serial;
	run->nonce = m->nonce;
	run->first = m->first;
	run->n = m->n;
	u->n_runs++;
	u->n_have += m->n;
}

/* The digest of a block that the receiver holds, or NULL. `cursor` only moves forward:
 * ask in order of (serial, index). */
static const struct digest *find_run(struct upload *u, size_t *cursor,
				     const struct entry *en, uint64_t index)
{
	for (; *cursor < u->n_runs; (*cursor)++) {
		const struct upload_run *run = &u->runs[*cursor];

		if (run->serial > en->serial)
			return NULL;
		if (run->serial < en->serial || run->nonce != en->nonce ||
		    run->first + run->n <= index)
			continue;
		return run->first <= index ? &run->digests[index - run->first]
					   : NULL;
	}
	return NULL;
}

void upload_window_durable(struct upload *u, uint64_t serial)
{
	u->known_serial = serial;
	u->known_nonce = upload_sent_of(u, serial)->nonce;
	while (u->durable < serial) {
		struct upload_sent *sent = upload_sent_of(u, ++u->durable);

		u->window_bytes -= sent->bytes;
		upload_early_passed(u, sent);
	}
	upload_refer_durable(u);
	if (u->n_runs && u->durable >= u->runs[u->n_runs - 1].serial)
		drop_runs(u);
}

void upload_entry(struct upload *u, struct entry *en)
{
	/* A late answer of an earlier link names another serial, or this very entry. */
	if (u->state != UPLOAD_LIVE || en->serial != u->heads_end ||
	    u->heads_end >= u->fetch_end) {
		entry_release(en);
		return;
	}
	entry_release(head_of(u, en->serial));
	*head_of(u, en->serial) = *en;
	u->is_held[en->serial % UPLOAD_HEADS] = false;
	en->devices = NULL;
	u->heads_end++;
}

/* Heads in chunks, not further than the window lets them be sent. */
static int fetch_next(struct upload *u, struct upload_act *act)
{
	uint64_t end = u->send_serial + UPLOAD_HEADS;

	if (u->fetch_end - u->read_serial >= UPLOAD_HEADS / 2)
		return 0;
	if (end > u->durable + UPLOAD_WINDOW_ENTRIES + 1)
		end = u->durable + UPLOAD_WINDOW_ENTRIES + 1;
	if (end > u->assigned + 1)
		end = u->assigned + 1;
	if (end <= u->fetch_end)
		return 0;
	act->kind = UP_FETCH;
	act->serial = u->fetch_end;
	act->n = end - u->fetch_end;
	u->fetch_end = end;
	return 1;
}

/* What counts of the window. The oldest entry always passes, however large, and does not
 * count: small ones behind it are not to wait for the receiver to sync it. */
static uint64_t behind_oldest(struct upload *u)
{
	return u->window_bytes - upload_sent_of(u, u->durable + 1)->bytes;
}

/* Whether the window has room for entry `serial`, or for `len` more bytes of it. */
static bool has_window(struct upload *u, uint64_t serial, uint32_t len)
{
	return serial == u->durable + 1 ||
	       (serial <= u->durable + UPLOAD_WINDOW_ENTRIES &&
		(len ? behind_oldest(u) + len <= UPLOAD_WINDOW_BYTES
		     : behind_oldest(u) < UPLOAD_WINDOW_BYTES));
}

/* The entry at a lane's read cursor begins. */
static bool lane_opens(struct upload *u, struct upload_lane *lane,
		       const struct entry *en, bool is_held)
{
	int refers;

	if (!has_window(u, en->serial, 0))
		return false;
	refers = upload_refer_begins(u, en, is_held);
	/* What was put off waits for nobody: others may be waiting for it. */
	if (refers < 0 && lane == &u->later)
		refers = 0;
	if (refers < 0)
		return false;
	lane->read_open = true;
	lane->read_index = 0;
	*upload_sent_of(u, en->serial) = (struct upload_sent){
		.nonce = en->nonce,
		.len = entry_payload_len(en),
		.may_refer = refers,
		.is_later = lane == &u->later,
	};
	return true;
}

/* What the receiver has already, if it is the same: its place is taken. */
static bool skips(struct upload *u, const struct entry *en)
{
	const struct early_one *one = upload_was_early(u, en->serial);

	if (!one)
		return false;
	if (one->nonce == en->nonce)
		upload_skip_early(u, en);
	else
		upload_stop(
			u,
			"entry %" PRIu64
			" at the receiver is not the one that was assigned "
			"here: this edge was rolled back to an older copy, or "
			"is a clone; RESYNC PIPE opens a new incarnation and "
			"sends again what is here",
			en->serial);
	return true;
}

/* The next of those in turn; what need not travel now is left behind. NULL: none. */
static struct entry *turn_opens(struct upload *u)
{
	while (!u->next.read_open && u->read_serial < u->heads_end) {
		struct entry *en = head_of(u, u->read_serial);
		bool is_held = u->is_held[en->serial % UPLOAD_HEADS];
		int is_later;

		if (u->read_serial > u->durable + UPLOAD_WINDOW_ENTRIES)
			return NULL;
		if (skips(u, en)) {
			if (u->state != UPLOAD_LIVE)
				return NULL;
			u->read_serial++;
			continue;
		}
		is_later = upload_puts_off(u, en);
		if (is_later < 0)
			return NULL;
		if (is_later) {
			upload_put_off(u, en, is_held);
			u->read_serial++;
		} else if (!lane_opens(u, &u->next, en, is_held)) {
			return NULL;
		}
	}
	return u->next.read_open ? head_of(u, u->read_serial) : NULL;
}

static struct entry *later_opens(struct upload *u)
{
	struct upload_later *l = upload_later_read(u);

	if (l && !u->later.read_open &&
	    !lane_opens(u, &u->later, &l->en, l->is_held))
		return NULL;
	return l ? &l->en : NULL;
}

/* The entry of which the lane's read cursor is on a block that has to travel; NULL: there is
 * none now. */
static const struct entry *read_seek(struct upload *u, struct upload_lane *lane)
{
	bool is_later = lane == &u->later;
	const struct entry *en;

	while ((en = is_later ? later_opens(u) : turn_opens(u)) != NULL) {
		while (lane->read_index < blocks_of(en) &&
		       find_run(u, &lane->read_run, en, lane->read_index))
			lane->read_index++;
		if (lane->read_index < blocks_of(en))
			return en;
		lane->read_open = false;
		if (is_later)
			u->read_later++;
		else
			u->read_serial++;
	}
	return NULL;
}

/* Whether one more block of `len` may be on its way between disk and link. */
static bool may_go_ahead(const struct upload *u, uint32_t len)
{
	uint64_t bytes = len;

	if (u->n_reads + u->n_done == 0)
		return true;
	for (unsigned i = 0; i < u->n_reads; i++)
		bytes += u->reads[RING(u->first_read + i)].len;
	for (unsigned i = 0; i < u->n_done; i++)
		bytes += u->done[RING(u->first_done + i)].len;
	return bytes <= u->ahead && bytes <= UPLOAD_AHEAD_MAX;
}

struct upload_read *upload_add_read(struct upload *u, const struct entry *en,
				    uint64_t index, struct upload_act *act)
{
	struct upload_read *rd = &u->reads[RING(u->first_read + u->n_reads++)];

	*rd = (struct upload_read){
		.serial = en->serial,
		.index = index,
		.len = block_len(entry_payload_len(en), index),
	};
	act->kind = UP_READ;
	act->entry = en;
	act->serial = rd->serial;
	act->index = rd->index;
	act->offset = rd->index * BLOCK_LEN;
	act->len = rd->len;
	return rd;
}

/* 1: act; 0: the lane has nothing to read now; -1: it has, when others are sent. */
static int read_lane(struct upload *u, struct upload_lane *lane,
		     struct upload_act *act)
{
	const struct entry *en = read_seek(u, lane);
	uint32_t len;

	if (!en)
		return 0;
	len = block_len(entry_payload_len(en), lane->read_index);
	if (!has_window(u, en->serial, len))
		return 0;
	if (!may_go_ahead(u, len))
		return -1;
	(void)upload_add_read(u, en, lane->read_index++, act);
	act->may_refer = upload_refer_block(u, en->serial);
	u->window_bytes += len;
	upload_sent_of(u, en->serial)->bytes += len;
	u->passed_bytes = lane == &u->later ? 0 : u->passed_bytes + len;
	return 1;
}

/* What is in its turn goes first, but no more than a block of it before one of what was
 * put off. */
static int read_next(struct upload *u, struct upload_act *act)
{
	bool is_later = u->passed_bytes >= BLOCK_LEN;
	int r;

	if (!u->has_room ||
	    u->n_reads + u->n_done + u->n_wanted + u->n_unused >= UPLOAD_READS)
		return 0;
	if (upload_refer_read(u, act))
		return 1;
	r = read_lane(u, is_later ? &u->later : &u->next, act);
	if (r == 0 && u->state == UPLOAD_LIVE)
		r = read_lane(u, is_later ? &u->next : &u->later, act);
	return r > 0;
}

/* Whether the entry's bytes are gone; anything else may pass, EIO only so often. */
static bool is_lost(int err)
{
	return err == ENOENT || err == ESTALE || err == ENODATA ||
	       err == EBADMSG;
}

static void read_failed(struct upload *u, uint64_t serial, uint64_t index,
			int err)
{
	char what[600] = "entry", text[SENTENCE_MAX + 1];
	const struct entry *en = upload_refer_entry(u, serial);
	const struct upload_later *later = upload_later_at(u, serial);

	if (later)
		en = &later->en;
	if (!en && serial < u->heads_end)
		en = head_of(u, serial);
	if (en)
		(void)entry_text(en, what, sizeof(what));
	(void)snprintf(text, sizeof(text),
		       "entry %" PRIu64 " (%s) cannot be read, block %" PRIu64
		       ": %s",
		       serial, what, index, err_words(err));
	if (is_lost(err) ||
	    (err == EIO && upload_failed(u, serial, text) >= u->max_attempts))
		upload_lost(u, serial, err, "%s", text);
	else
		upload_leave(u, 0, "%s", text);
}

void upload_block(struct upload *u, uint64_t serial, uint64_t index,
		  struct digest digest, void *data, uint32_t len, int err)
{
	struct upload_read rd;

	assert(u->n_reads > 0);
	rd = u->reads[u->first_read];
	assert(rd.serial == serial && rd.index == index);
	u->first_read = RING(u->first_read + 1);
	u->n_reads--;
	if (err == 0 && len != rd.len)
		err = ENODATA;
	/* What was asked for twice, or needlessly, may be durable by now, its bytes released. */
	if (serial <= u->durable || upload_is_early(u, serial))
		rd.is_stale = true;
	if (rd.is_stale || err != 0) {
		upload_keep_unused(u, data);
		if (!rd.is_stale)
			read_failed(u, serial, index, err < 0 ? -err : err);
		return;
	}
	if (rd.is_want)
		u->wanted[u->n_wanted++] =
			(struct upload_done){serial, index, len, digest, data};
	else
		u->done[RING(u->first_done + u->n_done++)] =
			(struct upload_done){serial, index, len, digest, data};
}

/* The block at a lane's send cursor, when it has been read; it is then the act's. */
static const struct upload_done *take_done(struct upload *u,
					   const struct upload_lane *lane,
					   const struct entry *en)
{
	struct upload_done *d = &u->done[u->first_done];

	if (u->n_done == 0 || d->serial != en->serial ||
	    d->index != lane->send_index)
		return NULL;
	u->first_done = RING(u->first_done + 1);
	u->n_done--;
	return d;
}

/* In which lane the entry was before does not matter. */
static bool is_again(const struct upload *u, const struct upload_lane *lane,
		     const struct upload_done *d)
{
	if (d->serial == u->next.mark_serial)
		return d->index <= u->next.mark_index;
	if (d->serial == u->later.mark_serial)
		return d->index <= u->later.mark_index;
	return d->serial < lane->mark_serial;
}

static void send_data(struct upload *u, struct upload_lane *lane,
		      struct upload_act *act, const struct upload_done *d)
{
	act->data = d->data;
	act->len = d->len;
	act->index = d->index;
	if (is_again(u, lane, d)) {
		u->resent_bytes += d->len;
		return;
	}
	lane->mark_serial = d->serial;
	lane->mark_index = d->index;
}

static void send_over(struct upload *u, struct upload_lane *lane)
{
	lane->send_open = false;
	lane->send_index = 0;
	if (lane == &u->later)
		upload_later_over(u);
	else
		u->send_serial++;
}

static int send_inline(struct upload *u, struct upload_lane *lane,
		       struct upload_act *act, const struct entry *en)
{
	const struct upload_done *d = NULL;

	if (blocks_of(en) > 0 && !(d = take_done(u, lane, en)))
		return 0;
	act->kind = UP_SEND_ENTRY;
	act->serial = en->serial;
	act->entry = en;
	act->is_inline = true;
	act->digest =
		digest_entry_single(d ? &d->digest : NULL, d ? d->len : 0);
	if (d)
		send_data(u, lane, act, d);
	send_over(u, lane);
	return 1;
}

static int send_begins(struct upload *u, struct upload_lane *lane,
		       struct upload_act *act, const struct entry *en)
{
	digest_list_init(&lane->list);
	lane->send_open = true;
	act->kind = UP_SEND_ENTRY;
	act->serial = en->serial;
	act->entry = en;
	act->may_refer = upload_sent_of(u, en->serial)->may_refer;
	return 1;
}

static int send_block(struct upload *u, struct upload_lane *lane,
		      struct upload_act *act, const struct entry *en)
{
	const struct upload_done *d = take_done(u, lane, en);

	if (!d)
		return 0;
	digest_list_add(&lane->list, d->len, &d->digest);
	act->kind = UP_SEND_BLOCK;
	act->serial = d->serial;
	act->digest = d->digest;
	act->may_refer = upload_refer_block(u, d->serial);
	send_data(u, lane, act, d);
	lane->send_index++;
	return 1;
}

static int send_end(struct upload *u, struct upload_lane *lane,
		    struct upload_act *act, const struct entry *en)
{
	act->kind = UP_SEND_END;
	act->serial = en->serial;
	act->digest = digest_list_end(&lane->list);
	send_over(u, lane);
	return 1;
}

/* Blocks that the receiver holds go into the list unread. */
static void feed_held(struct upload *u, struct upload_lane *lane,
		      const struct entry *en)
{
	uint64_t len = entry_payload_len(en);
	const struct digest *d;

	while (lane->send_index < blocks_of(en) &&
	       (d = find_run(u, &lane->send_run, en, lane->send_index)) !=
		       NULL) {
		digest_list_add(&lane->list, block_len(len, lane->send_index),
				d);
		lane->send_index++;
	}
}

static int send_lane(struct upload *u, struct upload_lane *lane,
		     struct upload_act *act, const struct entry *en)
{
	if (!lane->send_open) {
		/* What has no block has none there, whatever a PARTIAL says. */
		if (entry_payload_len(en) <= ENTRY_INLINE_MAX &&
		    !upload_sent_of(u, en->serial)->may_refer &&
		    (blocks_of(en) == 0 ||
		     !find_run(u, &lane->send_run, en, 0)))
			return send_inline(u, lane, act, en);
		return send_begins(u, lane, act, en);
	}
	feed_held(u, lane, en);
	if (lane->send_index == blocks_of(en))
		return send_end(u, lane, act, en);
	return send_block(u, lane, act, en);
}

static int send_in_turn(struct upload *u, struct upload_act *act)
{
	while (u->send_serial < u->read_serial &&
	       upload_sent_of(u, u->send_serial)->is_early)
		u->send_serial++;
	if (u->send_serial > u->read_serial ||
	    (u->send_serial == u->read_serial && !u->next.read_open))
		return 0;
	if (!upload_sent_of(u, u->send_serial)->is_later)
		return send_lane(u, &u->next, act, head_of(u, u->send_serial));
	act->kind = UP_SEND_LATER;
	act->serial = u->send_serial;
	act->entry = &upload_later_at(u, u->send_serial++)->en;
	return 1;
}

static int send_next(struct upload *u, struct upload_act *act)
{
	struct upload_later *l;

	if (upload_refer_send(u, act) || send_in_turn(u, act))
		return 1;
	l = upload_later_sent(u);
	return l ? send_lane(u, &u->later, act, &l->en) : 0;
}

int upload_window_next(struct upload *u, struct upload_act *act)
{
	return read_next(u, act) || (u->state == UPLOAD_LIVE &&
				     (send_next(u, act) || fetch_next(u, act)));
}
