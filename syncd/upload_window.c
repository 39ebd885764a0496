/* What is under way: heads that were fetched, blocks being read, frames to send, and
 * what the receiver has not yet made durable.
 *
 * Reads run ahead of sends by at most UPLOAD_READS blocks; both walk the same serials
 * and blocks in the same order, so that no queue of frames is needed: the next act is
 * computed from the two cursors. A block that the receiver holds is skipped by the
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

static struct upload_sent *sent_of(struct upload *u, uint64_t serial)
{
	return &u->sent[serial % UPLOAD_WINDOW_ENTRIES];
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
	u->n_runs = u->read_run = u->send_run = 0;
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
	if (u->send_open)
		digest_list_release(&u->list);
	u->read_open = u->send_open = false;
	u->window_bytes = 0;
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
	u->read_run = u->send_run = 0;
	u->send_serial = u->read_serial = u->durable + 1;
	u->heads_end = u->fetch_end = u->durable + 1;
	u->read_index = u->send_index = 0;
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
	u->known_nonce = sent_of(u, serial)->nonce;
	while (u->durable < serial)
		u->window_bytes -= sent_of(u, ++u->durable)->bytes;
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
	return u->window_bytes - sent_of(u, u->durable + 1)->bytes;
}

/* The entry at the read cursor begins. */
static bool read_opens(struct upload *u)
{
	int refers;

	if (u->read_open)
		return true;
	if (u->read_serial >= u->heads_end)
		return false;
	if (u->read_serial != u->durable + 1 &&
	    (u->read_serial > u->durable + UPLOAD_WINDOW_ENTRIES ||
	     behind_oldest(u) >= UPLOAD_WINDOW_BYTES))
		return false;
	refers = upload_refer_begins(u, head_of(u, u->read_serial));
	if (refers < 0)
		return false;
	u->read_open = true;
	u->read_index = 0;
	*sent_of(u, u->read_serial) = (struct upload_sent){
		.nonce = head_of(u, u->read_serial)->nonce,
		.may_refer = refers,
	};
	return true;
}

/* The read cursor on the next block that has to travel; false: there is none now. */
static bool read_seek(struct upload *u)
{
	const struct entry *en;

	while (read_opens(u)) {
		en = head_of(u, u->read_serial);
		while (u->read_index < blocks_of(en) &&
		       find_run(u, &u->read_run, en, u->read_index))
			u->read_index++;
		if (u->read_index < blocks_of(en))
			return true;
		u->read_serial++;
		u->read_open = false;
	}
	return false;
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

static int read_next(struct upload *u, struct upload_act *act)
{
	const struct entry *en;
	uint32_t len;

	if (!u->has_room ||
	    u->n_reads + u->n_done + u->n_wanted + u->n_unused >= UPLOAD_READS)
		return 0;
	if (upload_refer_read(u, act))
		return 1;
	if (!read_seek(u))
		return 0;
	en = head_of(u, u->read_serial);
	len = block_len(entry_payload_len(en), u->read_index);
	if (!may_go_ahead(u, len) ||
	    (u->read_serial != u->durable + 1 &&
	     behind_oldest(u) + len > UPLOAD_WINDOW_BYTES))
		return 0;
	(void)upload_add_read(u, en, u->read_index++, act);
	act->may_refer = upload_refer_block(u, u->read_serial);
	u->window_bytes += len;
	sent_of(u, u->read_serial)->bytes += len;
	return 1;
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
	/* What was asked for twice may be durable by now, its bytes released. */
	if (rd.is_want && serial <= u->durable)
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

/* The block at the send cursor, when it has been read; it is then the act's. */
static const struct upload_done *take_done(struct upload *u)
{
	struct upload_done *d = &u->done[u->first_done];

	if (u->n_done == 0 || d->serial != u->send_serial ||
	    d->index != u->send_index)
		return NULL;
	u->first_done = RING(u->first_done + 1);
	u->n_done--;
	return d;
}

static void send_data(struct upload *u, struct upload_act *act,
		      const struct upload_done *d)
{
	act->data = d->data;
	act->len = d->len;
	act->index = d->index;
	if (d->serial < u->mark_serial ||
	    (d->serial == u->mark_serial && d->index <= u->mark_index)) {
		u->resent_bytes += d->len;
		return;
	}
	u->mark_serial = d->serial;
	u->mark_index = d->index;
}

static int send_inline(struct upload *u, struct upload_act *act,
		       const struct entry *en)
{
	const struct upload_done *d = NULL;

	if (blocks_of(en) > 0 && !(d = take_done(u)))
		return 0;
	act->kind = UP_SEND_ENTRY;
	act->serial = en->serial;
	act->entry = en;
	act->is_inline = true;
	act->digest =
		digest_entry_single(d ? &d->digest : NULL, d ? d->len : 0);
	if (d)
		send_data(u, act, d);
	u->send_serial++;
	return 1;
}

static int send_begins(struct upload *u, struct upload_act *act,
		       const struct entry *en)
{
	digest_list_init(&u->list);
	u->send_open = true;
	act->kind = UP_SEND_ENTRY;
	act->serial = en->serial;
	act->entry = en;
	act->may_refer = sent_of(u, en->serial)->may_refer;
	return 1;
}

static int send_block(struct upload *u, struct upload_act *act)
{
	const struct upload_done *d = take_done(u);

	if (!d)
		return 0;
	digest_list_add(&u->list, d->len, &d->digest);
	act->kind = UP_SEND_BLOCK;
	act->serial = d->serial;
	act->digest = d->digest;
	act->may_refer = upload_refer_block(u, d->serial);
	send_data(u, act, d);
	u->send_index++;
	return 1;
}

static int send_end(struct upload *u, struct upload_act *act)
{
	act->kind = UP_SEND_END;
	act->serial = u->send_serial;
	act->digest = digest_list_end(&u->list);
	u->send_open = false;
	u->send_serial++;
	u->send_index = 0;
	return 1;
}

/* Blocks that the receiver holds go into the list unread. */
static void feed_held(struct upload *u, const struct entry *en)
{
	const struct digest *d;

	while (u->send_index < blocks_of(en) &&
	       (d = find_run(u, &u->send_run, en, u->send_index)) != NULL) {
		digest_list_add(&u->list,
				block_len(entry_payload_len(en), u->send_index),
				d);
		u->send_index++;
	}
}

static int send_next(struct upload *u, struct upload_act *act)
{
	const struct entry *en;

	if (upload_refer_send(u, act))
		return 1;
	if (u->send_serial > u->read_serial ||
	    (u->send_serial == u->read_serial && !u->read_open))
		return 0;
	en = head_of(u, u->send_serial);
	if (!u->send_open) {
		/* What has no block has none there, whatever a PARTIAL says. */
		if (entry_payload_len(en) <= ENTRY_INLINE_MAX &&
		    !sent_of(u, en->serial)->may_refer &&
		    (blocks_of(en) == 0 || !find_run(u, &u->send_run, en, 0)))
			return send_inline(u, act, en);
		return send_begins(u, act, en);
	}
	feed_held(u, en);
	if (u->send_index == blocks_of(en))
		return send_end(u, act);
	return send_block(u, act);
}

int upload_window_next(struct upload *u, struct upload_act *act)
{
	return read_next(u, act) || send_next(u, act) || fetch_next(u, act);
}
