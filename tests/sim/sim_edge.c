/* The edge around the upload machine: an outbox whose commits are durable, a spool that
 * can always be read again until it is released, reads that answer later. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

void edge_catalog_release(struct sim_edge_catalog *c)
{
	free(c->nonces);
	memset(c, 0, sizeof(*c));
}

void edge_catalog_copy(struct sim_edge_catalog *to,
		       const struct sim_edge_catalog *from)
{
	edge_catalog_release(to);
	*to = *from;
	to->nonces = xcalloc(from->cap + 1, sizeof(*to->nonces));
	if (from->cap)
		memcpy(to->nonces, from->nonces,
		       from->cap * sizeof(*to->nonces));
}

static uint64_t edge_assign(struct sim *s)
{
	struct sim_edge_catalog *c = &s->edge.cat;
	uint64_t serial = c->assigned + 1;

	if (serial >= c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		uint64_t *more = xcalloc(cap, sizeof(*more));

		if (c->cap)
			memcpy(more, c->nonces, c->cap * sizeof(*more));
		free(c->nonces);
		c->nonces = more;
		c->cap = cap;
	}
	c->nonces[serial] = sim_truth_new(s, serial)->nonce;
	s->stats[STAT_ENTRIES]++;
	return c->assigned = serial;
}

void edge_start(struct sim *s)
{
	struct sim_edge *e = &s->edge;

	e->u = upload_new(e->cat.assigned, e->cat.released,
			  e->cat.released_nonce, e->cat.durable, SIM_ATTEMPTS);
	e->has_room = true;
	e->releasable = 0;
	e->told_durable = e->cat.durable;
	e->told_applied = e->cat.released;
}

static void take_unused(struct sim *s)
{
	void *p;

	while ((p = upload_take_unused(s->edge.u)) != NULL) {
		free(p);
		s->edge.n_buffers--;
	}
}

/* The link is gone, by whoever's hand. */
void edge_cut(struct sim *s)
{
	struct sim_edge *e = &s->edge;

	if (!e->link)
		return;
	link_close_edge(s, e->link);
	e->link = NULL;
	upload_cut(e->u);
	e->has_room = true;
	upload_room(e->u, true);
	take_unused(s);
	edge_pump(s);
}

void edge_kill(struct sim *s)
{
	struct sim_edge *e = &s->edge;

	if (!e->u)
		return;
	edge_cut(s);
	s->stats[STAT_RESENT_KIB] += upload_resent_bytes(e->u) >> 10;
	upload_free(e->u);
	e->u = NULL;
	e->n_reads = e->n_fetches = 0;
	e->nonce_asked = 0;
	if (e->n_buffers != 0)
		sim_broken(s, "no buffer is lost", "%u are", e->n_buffers);
}

/* Whether the two catalogs really contradict each other. */
bool edge_is_history_broken(struct sim *s)
{
	const struct sim_edge_catalog *c = &s->edge.cat;
	uint64_t durable = s->cloud.cat.durable, applied = s->cloud.cat.applied;

	if (durable > c->assigned || applied < c->released)
		return true;
	if (s->edge.u && applied < upload_applied_serial(s->edge.u))
		return true;
	return durable > 0 &&
	       s->cloud.cat.rows[durable].nonce != c->nonces[durable];
}

static void act_error(struct sim *s, const struct upload_act *a)
{
	sim_say(s, "edge ERROR: %s", a->text);
	edge_cut(s);
	if (strstr(a->text, "RESYNC PIPE")) {
		if (!edge_is_history_broken(s))
			sim_broken(s, "no false stop", "%s", a->text);
		s->stats[STAT_REFUSED_HISTORY]++;
		s->is_over = true;
	} else if (strstr(a->text, "failed to verify") && s->is_plain) {
		s->edge.is_error = true;
	} else {
		sim_broken(s, "no false stop", "%s", a->text);
	}
}

static void act_close(struct sim *s, const struct upload_act *a)
{
	sim_say(s, "edge closes (%d): %s", (int)a->why, a->text);
	if (!s->is_plain &&
	    (a->why == BYE_PROTOCOL || a->why == BYE_MISMATCH ||
	     (a->why == 0 && !strstr(a->text, "can not be read now"))))
		sim_broken(s, "honest peers", "%s", a->text);
	edge_cut(s);
}

/* What the edge is told is durable: the other catalog says the same. */
static void act_durable(struct sim *s, uint64_t serial)
{
	struct sim_edge *e = &s->edge;

	if (serial <= e->told_durable)
		sim_broken(s, "progress only grows", "durable %" PRIu64,
			   serial);
	e->told_durable = serial;
	/* What an older copy of the cloud had said may arrive after it was put back. */
	for (uint64_t i = e->cat.durable + 1; i <= serial; i++)
		if (!e->link || e->link->epoch != s->cloud.epoch)
			break;
		else if (i > s->cloud.cat.durable ||
			 s->cloud.cat.rows[i].nonce != e->cat.nonces[i])
			sim_broken(s, "both catalogs agree",
				   "entry %" PRIu64
				   " is durable for the edge only",
				   i);
	if (serial > e->cat.durable)
		e->cat.durable = serial;
	if (s->plant == PLANT_RELEASE_EARLY)
		e->releasable = serial;
}

static void act_hello(struct sim *s, const struct upload_act *a)
{
	struct msg_hello m = {
		.sender_name = "edge",
		.program = "sim",
		.pipe = "p",
		.assigned = a->n,
		.released = a->serial,
	};

	msg_hello_offer(&m);
	msg_hello_encode(&m, &s->edge.link->up);
}

static void act_send(struct sim *s, const struct upload_act *a)
{
	struct buf *up = &s->edge.link->up;

	if (a->kind == UP_SEND_ENTRY) {
		struct msg_entry m = {
			.entry = *a->entry,
			.is_inline = a->is_inline,
			.digest = a->digest,
			.data = a->data,
			.data_len = a->len,
		};

		msg_entry_encode(&m, up);
	} else if (a->kind == UP_SEND_BLOCK) {
		struct msg_block m = {a->serial, a->index, BLOCK_LITERAL,
				      a->digest, a->data,  a->len};

		msg_block_encode(&m, up);
	} else {
		struct msg_end m = {a->serial, a->digest};

		msg_end_encode(&m, up);
	}
	if (a->data) {
		free(a->data);
		s->edge.n_buffers--;
	}
}

static void act_read(struct sim *s, const struct upload_act *a)
{
	struct sim_edge *e = &s->edge;

	if (e->n_reads == UPLOAD_READS || a->entry->serial != a->serial) {
		sim_broken(s, "reads are bounded", "%u are under way",
			   e->n_reads);
		return;
	}
	e->reads[(e->first_read + e->n_reads++) % UPLOAD_READS] =
		(struct sim_read){a->serial, a->index, a->entry->nonce, a->len};
}

static void answer_fetch(struct sim *s, uint64_t serial, uint64_t n)
{
	struct sim_edge *e = &s->edge;

	for (uint64_t i = serial; i < serial + n; i++) {
		struct sim_truth *t =
			i <= e->cat.assigned ? sim_truth_of(s, e->cat.nonces[i])
					     : NULL;
		struct entry en;

		if (!t || i <= e->cat.released) {
			sim_broken(s, "asked for what is there",
				   "head of entry %" PRIu64, i);
			return;
		}
		sim_truth_entry(t, &en);
		upload_entry(e->u, &en);
	}
}

static void act_fetch(struct sim *s, const struct upload_act *a)
{
	struct sim_edge *e = &s->edge;

	if (s->answers_at_once)
		answer_fetch(s, a->serial, a->n);
	else if (e->n_fetches < ARRAY_LEN(e->fetches))
		e->fetches[e->n_fetches++] =
			(struct sim_read){a->serial, a->n, 0, 0};
	else
		sim_broken(s, "fetches are bounded", "%u are under way",
			   e->n_fetches);
}

static void do_act(struct sim *s, const struct upload_act *a)
{
	switch (a->kind) {
	case UP_SEND_HELLO:
		act_hello(s, a);
		return;
	case UP_FETCH:
		act_fetch(s, a);
		return;
	case UP_NONCE:
		s->edge.nonce_asked = a->serial;
		return;
	case UP_READ:
		act_read(s, a);
		return;
	case UP_SEND_ENTRY:
	case UP_SEND_BLOCK:
	case UP_SEND_END:
		act_send(s, a);
		return;
	case UP_DURABLE:
		act_durable(s, a->serial);
		return;
	case UP_APPLIED:
		if (a->serial <= s->edge.told_applied)
			sim_broken(s, "progress only grows", "applied %" PRIu64,
				   a->serial);
		s->edge.releasable = s->edge.told_applied = a->serial;
		return;
	case UP_ATTEMPT:
		s->stats[STAT_MISMATCHES]++;
		return;
	case UP_ERROR:
		act_error(s, a);
		return;
	case UP_CLOSE:
		act_close(s, a);
		return;
	case UP_NONE:
		return;
	}
}

void edge_pump(struct sim *s)
{
	struct sim_edge *e = &s->edge;
	struct upload_act a;

	while (e->u && !s->broken && upload_next(e->u, &a)) {
		if (!e->link &&
		    (a.kind == UP_SEND_ENTRY || a.kind == UP_SEND_BLOCK ||
		     a.kind == UP_SEND_END || a.kind == UP_SEND_HELLO)) {
			sim_broken(s, "nothing without a link", "act %d",
				   (int)a.kind);
			return;
		}
		do_act(s, &a);
		if (e->link && e->has_room &&
		    e->link->up.len > SIM_QUEUE_FULL) {
			e->has_room = false;
			upload_room(e->u, false);
		}
	}
	if (e->u)
		take_unused(s);
}

bool edge_step_assign(struct sim *s)
{
	struct sim_edge *e = &s->edge;
	uint64_t n =
		s->is_burst ? 1 + sim_random(s, 400) : 1 + sim_random(s, 3);

	if (!e->u || e->n_assign_left == 0)
		return false;
	for (; n > 0 && e->n_assign_left > 0; n--, e->n_assign_left--)
		upload_assigned(e->u, edge_assign(s));
	edge_pump(s);
	return true;
}

bool edge_step_connect(struct sim *s)
{
	struct sim_edge *e = &s->edge;

	if (!e->u || e->link || e->is_stopped || e->is_error || !s->cloud.is_up)
		return false;
	e->link = link_open(s);
	if (!e->link)
		return false;
	s->stats[STAT_CONNECTS]++;
	sim_say(s, "connect: link %u", e->link->id);
	e->has_room = true;
	upload_room(e->u, true);
	upload_connected(e->u);
	edge_pump(s);
	return true;
}

bool edge_step_read(struct sim *s)
{
	struct sim_edge *e = &s->edge;
	struct sim_read rd;
	struct sim_truth *t;
	uint8_t *data;

	if (!e->u || e->n_reads == 0)
		return false;
	rd = e->reads[e->first_read];
	e->first_read = (e->first_read + 1) % UPLOAD_READS;
	e->n_reads--;
	t = sim_truth_of(s, rd.nonce);
	if (!t || (e->link && rd.serial <= e->cat.released)) {
		sim_broken(s, "asked for what is there",
			   "block of entry %" PRIu64, rd.serial);
		return true;
	}
	data = xcalloc(1, BLOCK_LEN);
	e->n_buffers++;
	sim_truth_fill(t, rd.index, data);
	if (s->fail_read) {
		s->fail_read = false;
		s->stats[STAT_READ_ERRORS]++;
		upload_block(e->u, rd.serial, rd.index, (struct digest){{0}},
			     data, 0, -EMFILE);
	} else {
		upload_block(e->u, rd.serial, rd.index,
			     digest_block(data, rd.len), data, rd.len, 0);
	}
	edge_pump(s);
	return true;
}

/* The catalog answers what it was asked. */
bool edge_step_catalog(struct sim *s)
{
	struct sim_edge *e = &s->edge;
	struct sim_read f = e->fetches[0];
	uint64_t n = e->nonce_asked;

	if (!e->u || (e->n_fetches == 0 && n == 0))
		return false;
	if (n) {
		e->nonce_asked = 0;
		upload_nonce(e->u, n,
			     n < e->cat.released    ? 0
			     : n == e->cat.released ? e->cat.released_nonce
			     : n <= e->cat.assigned ? e->cat.nonces[n]
						    : 0);
	} else {
		e->n_fetches--;
		memmove(e->fetches, e->fetches + 1, e->n_fetches * sizeof(f));
		answer_fetch(s, f.serial, f.index);
	}
	edge_pump(s);
	return true;
}

bool edge_step_release(struct sim *s)
{
	struct sim_edge *e = &s->edge;
	uint64_t n = e->releasable;

	if (!e->u || n <= e->cat.released)
		return false;
	for (uint64_t i = e->cat.released + 1; i <= n; i++) {
		const struct sim_truth *t = sim_truth_of(s, e->cat.nonces[i]);

		if (!t->is_applied && !t->is_skipped)
			sim_broken(s, "released is applied",
				   "entry %" PRIu64
				   " was neither applied nor skipped",
				   i);
	}
	e->cat.released = n;
	e->cat.released_nonce = e->cat.nonces[n];
	return true;
}
