/* The edge around the upload machine: a catalog whose commits are durable, a spool that
 * can be read again until it is released, reads that answer later. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "domain/squeeze.h"
#include "sim.h"

void edge_begin_upload(struct sim *s, struct sim_edge *e)
{
	const struct sim_pipe *p = edge_pipe(e);

	if (!e->is_up || !p || p->is_stopped)
		return;
	e->u = upload_new(p->assigned, p->released, p->released_nonce,
			  p->durable, SIM_ATTEMPTS);
	if (p->id & 1) /* a slow way: small entries refer too */
		upload_ahead(e->u, UPLOAD_REFER_MIN * UPLOAD_REFER_PART);
	e->has_room = true;
	e->releasable = 0;
	e->told_durable = p->durable > p->released ? p->durable : p->released;
	e->told_applied = p->released;
	patience_init(&e->patience, s->plant == PLANT_WALL_CLOCK
					    ? (uint64_t)s->wall_ms
					    : s->mono_ms);
	e->away_ms = e->retry_ms = s->mono_ms;
	e->is_away = true;
}

void edge_start(struct sim *s, struct sim_edge *e)
{
	e->is_up = true;
	edge_begin_upload(s, e);
}

static void take_unused(struct sim_edge *e)
{
	void *p;

	while ((p = upload_take_unused(e->u)) != NULL) {
		free(p);
		e->n_buffers--;
	}
}

/* The link is gone, by whoever's hand. */
void edge_cut(struct sim *s, struct sim_edge *e)
{
	if (!e->link)
		return;
	link_close_edge(e->link);
	e->link = NULL;
	upload_cut(e->u);
	e->has_room = true;
	upload_room(e->u, true);
	take_unused(e);
	edge_pump(s, e);
}

void edge_end_upload(struct sim *s, struct sim_edge *e)
{
	if (!e->u)
		return;
	edge_cut(s, e);
	s->stats[STAT_RESENT_KIB] += upload_resent_bytes(e->u) >> 10;
	upload_free(e->u);
	e->u = NULL;
	e->n_reads = e->n_fetches = 0;
	e->nonce_asked = 0;
	if (e->n_buffers != 0)
		sim_broken(s, "no buffer is lost", "%u are", e->n_buffers);
}

static void end_farewells(struct sim *s, const struct sim_edge *e)
{
	for (size_t i = 0; i < SIM_LINKS; i++)
		if (s->links[i].is_used && s->links[i].farewell &&
		    s->links[i].edge == e->index)
			link_close_edge(&s->links[i]);
}

void edge_kill(struct sim *s, struct sim_edge *e)
{
	edge_end_upload(s, e);
	end_farewells(s, e);
	e->is_up = false;
}

/* ---- histories ---- */

/* What was told to be applied may be gone here. */
static uint64_t floor_of(struct sim_edge *e)
{
	uint64_t applied = upload_applied_serial(e->u),
		 released = edge_live(e)->released;

	return applied > released ? applied : released;
}

/* Whether what the WELCOME says contradicts what this edge knows (design, section 3). */
static bool is_unfit(struct sim_edge *e, const struct msg_welcome *m)
{
	const struct sim_pipe *p = edge_live(e);
	uint64_t floor = floor_of(e);

	if (m->durable > p->assigned || m->durable < floor ||
	    m->applied < floor)
		return true;
	return m->durable > 0 && m->durable_nonce != p->nonces[m->durable];
}

static void pretend(const struct sim *s, struct sim_edge *e,
		    struct msg_welcome *m)
{
	const struct sim_pipe *p = edge_live(e);

	if (s->plant == PLANT_NO_FLOOR && m->durable < floor_of(e)) {
		m->durable = m->applied = floor_of(e);
		m->durable_nonce = p->nonces[m->durable];
	}
	if (s->plant == PLANT_APPLIED_BACK && m->applied < floor_of(e) &&
	    m->durable >= floor_of(e))
		m->applied = floor_of(e);
	if (s->plant == PLANT_NO_CEILING && m->durable > p->assigned) {
		m->durable = p->assigned;
		m->durable_nonce = m->durable ? p->nonces[m->durable] : 0;
		if (m->applied > m->durable)
			m->applied = m->durable;
	}
	if (s->plant == PLANT_FALSE_STOP && m->durable > 0 &&
	    m->durable % 3 == 0)
		m->durable_nonce ^= 1;
	if (s->plant == PLANT_NO_NONCE && m->durable > 0 &&
	    m->durable <= p->assigned)
		m->durable_nonce = p->nonces[m->durable];
}

static void admitted(struct sim_edge *e)
{
	if (!e->link || e->link->is_unfit)
		return;
	e->error = EDGE_FINE;
	e->is_away = false;
	patience_online(&e->patience);
}

/* PLANT_NO_EARLY_NONCE: what is told behind the WELCOME is as it is here. */
static void as_here(const struct sim_pipe *p, const struct msg_early *m,
		    struct buf *ones)
{
	for (uint32_t i = 0; i < m->n; i++) {
		struct early_one one = msg_early_one(m, i);

		if (one.serial > p->assigned)
			continue;
		one.nonce = p->nonces[one.serial];
		early_one_add(&one, ones);
	}
}

static void pretend_early(struct sim *s, struct sim_edge *e,
			  const struct msg_early *m)
{
	struct buf ones CLEANUP(buf_release) = {0};
	struct msg_early all = *m;

	buf_init(&ones, EARLY_MAX * sizeof(struct early_one));
	if (s->plant == PLANT_NO_EARLY_NONCE && upload_awaits_early(e->u)) {
		as_here(edge_live(e), m, &ones);
		all.n = (uint32_t)(ones.len / sizeof(struct early_one));
		all.ones = buf_data(&ones);
	}
	if (s->plant == PLANT_RELEASE_PASSED && m->n)
		e->releasable = msg_early_one(m, m->n - 1).serial;
	upload_early(e->u, &all);
}

void edge_early(struct sim *s, struct sim_edge *e, const struct msg_early *m)
{
	const struct sim_pipe *p = edge_live(e);
	bool is_first = upload_awaits_early(e->u);

	for (uint32_t i = 0; i < m->n; i++) {
		struct early_one one = msg_early_one(m, i);

		e->link->is_unfit |=
			is_first && (one.serial > p->assigned ||
				     p->nonces[one.serial] != one.nonce);
	}
	pretend_early(s, e, m);
	edge_pump(s, e);
	if (is_first)
		admitted(e);
}

void edge_welcome(struct sim *s, struct sim_edge *e, struct msg_welcome *m)
{
	e->link->is_unfit = is_unfit(e, m);
	pretend(s, e, m);
	upload_welcome(e->u, m);
	edge_pump(s, e);
	if (e->u && !upload_awaits_early(e->u))
		admitted(e);
}

void edge_applied(struct sim *s, struct sim_edge *e, struct msg_applied *m)
{
	if (s->plant == PLANT_NO_CEILING &&
	    m->serial > upload_durable_serial(e->u))
		m->serial = upload_durable_serial(e->u);
	upload_applied(e->u, m);
}

/* What the pipe stops for must be so. */
static void check_error(struct sim *s, bool unfit, const char *text)
{
	bool is_right = unfit;

	if (strstr(text, "was dropped here"))
		is_right = true;
	if (!is_right)
		sim_broken(s, "no false stop", "%s", text);
}

static void act_error(struct sim *s, struct sim_edge *e,
		      const struct upload_act *a)
{
	bool unfit = e->link && e->link->is_unfit;

	sim_say(s, "edge %u ERROR: %s", e->index, a->text);
	if (strstr(a->text, "RESYNC PIPE")) {
		check_error(s, unfit, a->text);
		s->stats[STAT_REFUSED_HISTORY]++;
		e->error = EDGE_HISTORY;
	} else if (strstr(a->text, "failed to verify") && s->is_plain) {
		e->error = EDGE_MISMATCH;
	} else {
		sim_broken(s, "no false stop", "%s", a->text);
	}
	edge_cut(s, e);
	edge_away(s, e);
}

static const struct sim_inc *inc_of(const struct sim *s,
				    const struct sim_pipe *p)
{
	for (unsigned seq = s->cloud.cat.n; seq > 0; seq--)
		if (s->cloud.cat.inc[seq].pipe == p->id &&
		    s->cloud.cat.inc[seq].sender == p->sender)
			return &s->cloud.cat.inc[seq];
	return NULL;
}

/* A serial that is durable, early or not, keeps its entry. */
static void check_fill(struct sim *s, const struct sim_edge *e,
		       const struct sim_pipe *p, uint64_t serial)
{
	const struct sim_inc *inc = inc_of(s, p);

	if (inc && inc_has(inc, serial) && e->link &&
	    e->link->epoch == s->cloud.epoch && !s->edges[1].is_used &&
	    inc->rows[serial].nonce == p->nonces[serial])
		sim_broken(s, "only what is not durable is filled",
			   "entry %" PRIu64, serial);
}

/* What the receiver has behind a filled serial it has under the nonce that the edge knows. */
static void check_passed(struct sim *s, struct sim_edge *e, uint64_t serial)
{
	const struct sim_pipe *p = edge_live(e);
	const struct sim_inc *inc = inc_of(s, p);

	for (uint64_t i = serial + 1; inc && i <= inc->end; i++)
		if (inc_has(inc, i) && (i > p->assigned ||
					inc->rows[i].nonce != p->nonces[i]))
			sim_broken(s, "what passed keeps its nonce",
				   "entry %" PRIu64, i);
}

/* What cannot be read any more must be gone, or have been refused by the disk. */
static void act_lost(struct sim *s, struct sim_edge *e,
		     const struct upload_act *a)
{
	const struct sim_pipe *p = edge_live(e);
	bool is_now = e->link && e->link->epoch == s->cloud.epoch &&
		      !s->edges[1].is_used;

	sim_say(s, "edge %u: entry %" PRIu64 " is lost: %s", e->index,
		a->serial, a->text);
	if (a->serial <= upload_durable_serial(e->u))
		sim_broken(s, "only what is not durable is filled",
			   "entry %" PRIu64, a->serial);
	check_fill(s, e, p, a->serial);
	if (a->n != EIO && a->serial > e->gone[p->id])
		sim_broken(s, "no false loss", "%s", a->text);
	edge_cut(s, e);
	edge_away(s, e);
	edge_fill(s, e, a->serial, a->beyond);
	if (is_now)
		check_passed(s, e, a->serial);
}

static void act_close(struct sim *s, struct sim_edge *e,
		      const struct upload_act *a)
{
	sim_say(s, "edge %u closes (%d): %s", e->index, (int)a->why, a->text);
	if (!s->is_plain &&
	    (a->why == BYE_PROTOCOL ||
	     (a->why == BYE_MISMATCH && !sim_may_mismatch(s)) ||
	     (a->why == 0 && !strstr(a->text, "cannot be read"))))
		sim_broken(s, "honest peers", "%s", a->text);
	edge_cut(s, e);
	edge_away(s, e);
}

/* What the edge is told is durable: the other catalog says the same. */
static void act_durable(struct sim *s, struct sim_edge *e, uint64_t serial)
{
	struct sim_pipe *p = edge_live(e);
	const struct sim_inc *inc = inc_of(s, p);
	/* What an older copy of the cloud had said may arrive after it was put back. */
	bool is_now = e->link && e->link->epoch == s->cloud.epoch;

	if (serial <= e->told_durable)
		sim_broken(s, "progress only grows", "durable %" PRIu64,
			   serial);
	e->told_durable = serial;
	for (uint64_t i = p->durable + 1; i <= serial && is_now; i++)
		if (!inc || i > inc->durable ||
		    inc->rows[i].nonce != p->nonces[i])
			sim_broken(s, "both catalogs agree",
				   "entry %" PRIu64
				   " is durable for the edge only",
				   i);
	if (serial > p->durable)
		p->durable = serial;
	e->told_epoch = e->link ? e->link->epoch : 0;
	if (s->plant == PLANT_RELEASE_EARLY)
		e->releasable = serial;
}

static void act_applied(struct sim *s, struct sim_edge *e, uint64_t serial)
{
	if (serial <= e->told_applied)
		sim_broken(s, "progress only grows", "applied %" PRIu64,
			   serial);
	e->releasable = e->told_applied = serial;
	e->told_epoch = e->link ? e->link->epoch : 0;
}

/* ---- acts ---- */

static void act_later(struct sim *s, struct sim_edge *e,
		      const struct upload_act *a)
{
	struct msg_later m = {.serial = a->serial};

	s->stats[STAT_LATER]++;
	memcpy(m.database, a->entry->file.database, sizeof(m.database));
	if (s->plant == PLANT_LIE_LATER)
		m.database[0] = 'R';
	msg_later_encode(&m, &e->link->up);
	if (s->plant == PLANT_LEAVE_HOLE && !e->link->left)
		e->link->left = a->serial;
}

static void act_hello(const struct sim *s, struct sim_edge *e,
		      const struct upload_act *a)
{
	const struct sim_pipe *p = edge_live(e);
	struct msg_hello m = {
		.sender_name = "edge",
		.program = "sim",
		.pipe = "p",
		.assigned = a->n,
		.released = a->serial,
	};

	m.sender_id[0] = (uint8_t)(p->sender + 1);
	pipe_id(p->id, m.incarnation);
	msg_hello_offer(&m);
	if (s->is_version_2)
		m.version_max = 2;
	msg_hello_encode(&m, &e->link->up);
}

/* The act's bytes become their frame, when the way is slow and they give way: its length;
 * 0: they are what they were. */
static uint32_t squeeze_some(struct sim *s, const struct upload_act *a)
{
	uint32_t n;

	if (!a->data || a->may_refer || a->digest.b[0] % 3)
		return 0;
	n = squeeze(&s->packers.squeezer, a->data, a->len);
	s->stats[STAT_SQUEEZED] += n > 0;
	return n;
}

static void send_held(struct sim_edge *e, const struct upload_act *a)
{
	struct msg_held m = {0};

	prefix_names(a->entry, &m);
	msg_held_encode(&m, &e->link->up);
}

static uint64_t content_at(struct sim *s, struct sim_edge *e, uint64_t serial)
{
	return sim_truth_of(s, edge_live(e)->nonces[serial])->content;
}

/* A block by its own place in the file that came before, whole or in two parts; or what of
 * it differs from ranges of that file and another. */
static void send_block(struct sim *s, struct sim_edge *e,
		       const struct upload_act *a)
{
	struct msg_block m = {.serial = a->serial,
			      .index = a->index,
			      .how = BLOCK_LITERAL,
			      .digest = a->digest,
			      .data = a->data,
			      .data_len = a->len};
	uint32_t front = (uint32_t)sim_random(s, a->len);
	uint64_t at = a->index * BLOCK_LEN;
	uint32_t packed = squeeze_some(s, a);

	if (packed) {
		m.how = BLOCK_SQUEEZED;
		m.data_len = packed;
	}

	if (a->may_refer && sim_chance(s, 300)) {
		(void)prefix_send(s, a, content_at(s, e, a->serial), &m);
	} else if (a->may_refer && sim_chance(s, 900)) {
		s->stats[STAT_REFERRED]++;
		m.how = BLOCK_REFERENCE;
		m.n_ranges = front ? 2 : 1;
		m.ranges[0] =
			(struct held_range){0, at, front ? front : a->len};
		m.ranges[1] =
			(struct held_range){0, at + front, a->len - front};
		m.data_len = 0;
	}
	msg_block_encode(&m, &e->link->up);
}

static void act_send(struct sim *s, struct sim_edge *e,
		     const struct upload_act *a)
{
	struct buf *up = &e->link->up;

	if (e->link->left && a->serial == e->link->left) {
		; /* PLANT_LEAVE_HOLE */
	} else if (a->kind == UP_SEND_ENTRY) {
		struct msg_entry m = {
			.entry = *a->entry,
			.is_inline = a->is_inline,
			.digest = a->digest,
			.data = a->data,
			.data_len = a->len,
		};
		uint32_t packed = squeeze_some(s, a);

		if (packed) {
			m.is_squeezed = true;
			m.data_len = packed;
		}
		msg_entry_encode(&m, up);
		if (a->may_refer)
			send_held(e, a);
	} else if (a->kind == UP_SEND_BLOCK) {
		send_block(s, e, a);
	} else {
		struct msg_end m = {a->serial, a->digest};

		msg_end_encode(&m, up);
	}
	if (a->data) {
		free(a->data);
		e->n_buffers--;
	}
}

static void act_read(struct sim *s, struct sim_edge *e,
		     const struct upload_act *a)
{
	if (e->n_reads == UPLOAD_READS || a->entry->serial != a->serial) {
		sim_broken(s, "reads are bounded", "%u are under way",
			   e->n_reads);
		return;
	}
	e->reads[(e->first_read + e->n_reads++) % UPLOAD_READS] =
		(struct sim_read){a->serial, a->index, a->entry->nonce, a->len};
}

void edge_answer_fetch(struct sim *s, struct sim_edge *e, uint64_t serial,
		       uint64_t n)
{
	const struct sim_pipe *p = edge_live(e);

	for (uint64_t i = serial; i < serial + n; i++) {
		struct sim_truth *t =
			i <= p->assigned ? sim_truth_of(s, p->nonces[i]) : NULL;
		struct entry en;

		/* Asked for, and then passed by a DURABLE before the answer. */
		bool is_passed = i <= upload_durable_serial(e->u);

		if (!t || (i <= p->released && !is_passed)) {
			sim_broken(s, "asked for what is there",
				   "head of entry %" PRIu64, i);
			return;
		}
		sim_truth_entry(s, t, &en);
		upload_entry(e->u, &en);
		if (s->refers)
			upload_hold(e->u, i);
	}
}

static void act_fetch(struct sim *s, struct sim_edge *e,
		      const struct upload_act *a)
{
	if (s->answers_at_once)
		edge_answer_fetch(s, e, a->serial, a->n);
	else if (e->n_fetches < ARRAY_LEN(e->fetches))
		e->fetches[e->n_fetches++] =
			(struct sim_read){a->serial, a->n, 0, 0};
	else
		sim_broken(s, "fetches are bounded", "%u are under way",
			   e->n_fetches);
}

static bool is_send(enum upload_act_kind kind)
{
	return kind == UP_SEND_LATER || kind == UP_SEND_ENTRY ||
	       kind == UP_SEND_BLOCK || kind == UP_SEND_END;
}

static void do_act(struct sim *s, struct sim_edge *e,
		   const struct upload_act *a)
{
	switch (a->kind) {
	case UP_SEND_HELLO:
		act_hello(s, e, a);
		return;
	case UP_FETCH:
		act_fetch(s, e, a);
		return;
	case UP_NONCE:
		e->nonce_asked = a->serial;
		return;
	case UP_READ:
		act_read(s, e, a);
		return;
	case UP_SEND_LATER:
		act_later(s, e, a);
		return;
	case UP_SEND_ENTRY:
	case UP_SEND_BLOCK:
	case UP_SEND_END:
		act_send(s, e, a);
		return;
	case UP_DURABLE:
		act_durable(s, e, a->serial);
		return;
	case UP_APPLIED:
		act_applied(s, e, a->serial);
		return;
	case UP_ATTEMPT:
		s->stats[STAT_MISMATCHES]++;
		return;
	case UP_LOST:
		act_lost(s, e, a);
		return;
	case UP_ERROR:
		act_error(s, e, a);
		return;
	case UP_CLOSE:
		act_close(s, e, a);
		return;
	case UP_NONE:
		return;
	}
}

static bool check_act(struct sim *s, const struct sim_edge *e,
		      const struct upload_act *a)
{
	if (!e->link && (is_send(a->kind) || a->kind == UP_SEND_HELLO))
		sim_broken(s, "nothing without a link", "act %d", (int)a->kind);
	else if (is_send(a->kind) && e->link->is_unfit)
		sim_broken(s, "histories that do not fit stop the pipe",
			   "entry %" PRIu64 " is sent", a->serial);
	return !s->broken;
}

void edge_pump(struct sim *s, struct sim_edge *e)
{
	struct upload_act a;

	while (e->u && !s->broken && upload_next(e->u, &a)) {
		if (!check_act(s, e, &a))
			return;
		do_act(s, e, &a);
		if (e->link && e->has_room && e->link->up.len > link_room(s)) {
			e->has_room = false;
			upload_room(e->u, false);
		}
	}
	if (e->u)
		take_unused(e);
}
