/* Who is it, and what do we have of it: as recvd/session_hello.c does it, in steps
 * between which anything may happen. A new incarnation goes into the catalog; what an
 * earlier connection handed over is committed; its half-received files are read. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

/* A second connection of one sender takes over. */
static void take_over(struct sim *s, struct sim_link *l)
{
	unsigned *session = &s->cloud.session[l->sender];
	struct sim_link *old = *session ? link_by_id(s, *session) : NULL;

	if (old && old != l && s->plant != PLANT_TWO_SESSIONS) {
		s->stats[STAT_TAKEOVERS]++;
		receive_refuse(old->r, BYE_TAKEN_OVER,
			       "another connection took over");
		cloud_pump(s, old);
	}
	*session = l->id;
}

static unsigned find_inc(const struct sim *s, const struct sim_link *l)
{
	for (unsigned seq = s->cloud.cat.n; seq > 0; seq--)
		if (s->cloud.cat.inc[seq].pipe == l->pipe &&
		    s->cloud.cat.inc[seq].sender == l->sender)
			return seq;
	return 0;
}

static void refuse(struct sim *s, struct sim_link *l, enum bye_why why,
		   const char *text)
{
	receive_refuse(l->r, why, text);
	cloud_pump(s, l);
}

static void look_up(struct sim *s, struct sim_link *l)
{
	struct sim_adding *adding = &s->cloud.adding[l->sender];
	struct incarnation *i;

	l->seq = find_inc(s, l);
	i = l->seq ? cloud_incarnation(s, l->seq) : NULL;
	if (i && i->row.dropped) {
		refuse(s, l, BYE_HISTORY,
		       "this incarnation of pipe p was dropped here, a newer "
		       "one took its place (RESYNC PIPE p opens a new one)");
	} else if (adding->pipe) {
		refuse(s, l, BYE_BUSY, "another connection is being let in");
	} else if (i) {
		l->state = SESSION_FOUND;
	} else {
		*adding = (struct sim_adding){l->pipe, l->id};
		s->cloud.n_adding++;
		l->state = SESSION_ADDING;
	}
}

static void find_early(const struct sim_inc *inc, struct early *early)
{
	for (uint64_t i = inc->durable + 1; i <= inc->end; i++)
		if (inc_has(inc, i))
			early_add(early,
				  &(struct early_one){i, inc->rows[i].nonce});
}

static void find_fills(struct sim *s, const struct sim_inc *inc,
		       struct early *fills)
{
	for (uint64_t i = 1; i <= inc->end; i++)
		if (inc_has(inc, i) &&
		    sim_content_of(s, inc->rows[i].nonce)->only_fills)
			early_add_fill(fills, &(struct early_one){
						      i, inc->rows[i].nonce});
}

static void answer(struct sim *s, struct sim_link *l)
{
	const struct sim_inc *inc = &s->cloud.cat.inc[l->seq];
	struct incarnation *i = cloud_incarnation(s, l->seq);
	bool must_read = i->is_doubtful || sim_chance(s, 200);
	struct receive_known k = {
		.durable = inc->durable,
		.durable_nonce =
			inc->durable ? inc->rows[inc->durable].nonce : 0,
		.applied = inc->applied,
		.n_quarantined = i->n_quarantined,
	};
	struct early early = {0}, fills = {0};

	if (s->plant != PLANT_FORGET_FILLS)
		find_fills(s, inc, &fills);
	k.fills = &fills;
	if (s->plant != PLANT_FORGET_EARLY)
		find_early(inc, &early);
	k.early = &early;
	if (s->plant == PLANT_LEAP && early.n) {
		k.durable = inc->end;
		k.durable_nonce = inc->rows[inc->end].nonce;
		early_pass(&early, k.durable);
	}
	store_settle_writes(s, l->seq);
	if (s->plant != PLANT_NO_PARTIALS)
		k.n_partials = partial_all(s, l->seq, must_read, &k.partials);
	k.is_doubted = l->is_looking = !must_read && k.n_partials > 0;
	i->is_doubtful = false;
	l->state = SESSION_WELCOME;
	receive_known(l->r, &k);
	free(k.partials);
	early_release(&early);
	early_release(&fills);
	cloud_pump(s, l);
}

/* What was told as its lists had it is read, at any moment behind that. */
static bool try_look(struct sim *s, struct sim_link *l)
{
	if (!l->cloud_open || l->state != SESSION_WELCOME || !l->is_looking)
		return false;
	l->is_looking = false;
	if (partial_is_whole(s, l->seq)) {
		receive_believed(l->r);
		cloud_pump(s, l);
	} else {
		cloud_incarnation(s, l->seq)->is_doubtful = true;
		cloud_fail_session(s, l, "a half-received block is not there");
	}
	return true;
}

bool cloud_step_look(struct sim *s)
{
	return sim_any_link(s, try_look);
}

static bool try_lookup(struct sim *s, struct sim_link *l)
{
	if (!l->cloud_open ||
	    (l->state != SESSION_ASKED && l->state != SESSION_FOUND))
		return false;
	if (l->state == SESSION_FOUND) {
		if (!group_is_through(s, l->seq))
			return false;
		answer(s, l);
	} else if (s->cloud.is_stopped) {
		refuse(s, l, BYE_STOPPING, "PIPESERVER is off");
	} else if (!s->is_calm && sim_chance(s, 30)) {
		refuse(s, l, BYE_BUSY, "no room");
	} else {
		take_over(s, l);
		look_up(s, l);
	}
	return true;
}

bool cloud_step_lookup(struct sim *s)
{
	return sim_any_link(s, try_lookup);
}

/* PLANT_DROP_DURABLE: what was durable of an older incarnation is thrown away. */
static void throw_away(struct sim *s, unsigned seq)
{
	struct sim_inc *inc = &s->cloud.cat.inc[seq];

	for (uint64_t n = inc->applied + 1; n <= inc->end; n++)
		inc->rows[n].state = ROW_SKIPPED;
	inc->applied = inc->durable;
	for (unsigned db = 0; db < SIM_DATABASES; db++) {
		struct domain *dom = cloud_domain(s, seq, db);

		dom->n_entries = dom->n_quarantined = 0;
		s->cloud.slots[inc->sender][db].seq = 0;
	}
}

static void drop_older(struct sim *s, unsigned seq)
{
	struct sim_catalog *cat = &s->cloud.cat;

	for (unsigned i = 1; i < seq; i++) {
		struct sim_inc *inc = &cat->inc[i];

		if (inc->sender != cat->inc[seq].sender)
			continue;
		if (!cloud_incarnation(s, i)->row.dropped)
			s->cloud.sweep_due[i] = true;
		inc->is_dropped = true;
		cloud_incarnation(s, i)->row.dropped = true;
		if (s->plant == PLANT_DROP_DURABLE)
			throw_away(s, i);
	}
}

static void add_incarnation(struct sim *s, unsigned pipe, unsigned sender)
{
	struct sim_catalog *cat = &s->cloud.cat;
	struct incarnation_row row = {.seq = ++cat->n};
	struct sender_row sender_row = {.state = SENDER_ADMITTED};
	struct sender *x;

	cat->inc[cat->n] = (struct sim_inc){.pipe = pipe, .sender = sender};
	pipe_id(pipe, row.id);
	sender_row.id[0] = (uint8_t)(sender + 1);
	x = senders_by_id(&s->cloud.senders, sender_row.id);
	if (!x)
		x = senders_add(&s->cloud.senders, &sender_row);
	(void)incarnation_add(&s->cloud.senders, x, &row);
	drop_older(s, cat->n);
}

/* The catalog took the new incarnation; only now it exists. */
bool cloud_step_add(struct sim *s)
{
	struct sim_adding *adding = s->cloud.adding;
	unsigned sender = 0;
	struct sim_link *l;

	if (!s->cloud.is_up || s->cloud.n_adding == 0)
		return false;
	for (; !adding->pipe; sender++)
		adding++;
	add_incarnation(s, adding->pipe, sender);
	l = link_by_id(s, adding->link_id);
	*adding = (struct sim_adding){0};
	s->cloud.n_adding--;
	if (l) {
		l->seq = s->cloud.cat.n;
		l->state = SESSION_FOUND;
	}
	return true;
}

void cloud_drop(struct sim *s, unsigned seq)
{
	cloud_incarnation(s, seq)->row.dropped = true;
	s->cloud.drop_due[seq] = s->cloud.sweep_due[seq] = true;
}

/* A DROP reaches the catalog; half-received files go once nothing of the incarnation
 * is on its way to a commit. */
bool cloud_step_drop(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	if (!c->is_up)
		return false;
	for (unsigned seq = 1; seq <= c->cat.n; seq++) {
		if (c->drop_due[seq]) {
			c->drop_due[seq] = false;
			c->cat.inc[seq].is_dropped = true;
			return true;
		}
		if (c->sweep_due[seq] && group_is_through(s, seq)) {
			c->sweep_due[seq] = false;
			store_sweep(s, seq);
			return true;
		}
	}
	return false;
}
