/* The edge's catalog as a model: pipes with their entries, and what statements do to
 * them. A commit is durable and whole; what was committed is there after a crash. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

void pipe_id(unsigned pipe, uint8_t id[ID_LEN])
{
	memset(id, 0xa5, ID_LEN);
	memcpy(id, &pipe, sizeof(pipe));
}

unsigned pipe_of_id(const uint8_t id[ID_LEN])
{
	unsigned pipe;

	memcpy(&pipe, id, sizeof(pipe));
	return pipe;
}

void edge_catalog_release(struct sim_outbox *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->pipes[i].nonces);
	memset(c, 0, sizeof(*c));
}

void edge_catalog_copy(struct sim_outbox *to, const struct sim_outbox *from)
{
	edge_catalog_release(to);
	*to = *from;
	for (unsigned i = 0; i < from->n; i++) {
		const struct sim_pipe *p = &from->pipes[i];

		to->pipes[i].nonces = xcalloc(p->cap + 1, sizeof(*p->nonces));
		if (p->cap)
			memcpy(to->pipes[i].nonces, p->nonces,
			       p->cap * sizeof(*p->nonces));
	}
}

struct sim_pipe *edge_pipe(struct sim_edge *e)
{
	struct sim_pipe *p = e->cat.n ? &e->cat.pipes[e->cat.n - 1] : NULL;

	return p && !p->is_dropped ? p : NULL;
}

struct sim_pipe *edge_live(struct sim_edge *e)
{
	assert(e->cat.n > 0);
	return &e->cat.pipes[e->cat.n - 1];
}

uint64_t edge_assign(struct sim *s, struct sim_edge *e, uint32_t content)
{
	struct sim_pipe *p = edge_live(e);
	uint64_t serial = p->assigned + 1;

	sim_grow(&p->nonces, serial, &p->cap, sizeof(*p->nonces));
	p->nonces[serial] = sim_truth_new(s, p->id, serial, content)->nonce;
	s->stats[STAT_ENTRIES]++;
	p->assigned = serial;
	return serial;
}

/* What was assigned behind a filled serial travels under other nonces, so that an older
 * copy, which knows the entry that was there, finds out by any of them (syncd/fork.h). */
static void fork_history(struct sim *s, struct sim_edge *e, uint64_t serial)
{
	struct sim_pipe *p = edge_live(e);

	for (uint64_t i = serial + 1; i <= p->assigned; i++) {
		uint64_t was = p->nonces[i];

		p->nonces[i] = sim_truth_new(s, p->id, i,
					     sim_truth_of(s, was)->content)
				       ->nonce;
		if (e->rotten == was)
			e->rotten = p->nonces[i];
	}
}

/* Its serial gets another entry, which is its head; a file is captured once more. */
void edge_fill(struct sim *s, struct sim_edge *e, uint64_t serial,
	       uint64_t beyond)
{
	struct sim_pipe *p = edge_live(e);
	const struct sim_truth *lost = sim_truth_of(s, p->nonces[serial]);
	uint32_t content = lost->content;
	bool is_file = s->contents[content].kind == ENTRY_FILE;
	uint32_t filler = sim_content_empty(s);

	/* The copy that knows most of what the receiver will have by the same nonces. */
	if (beyond && s->is_edge_put_back && sim_chance(s, 500)) {
		edge_catalog_copy(&e->old, &e->cat);
		e->has_old = true;
		e->n_filled = s->stats[STAT_FILLED];
	}
	s->contents[filler].db = s->contents[content].db;
	p->nonces[serial] = sim_truth_new(s, p->id, serial, filler)->nonce;
	s->stats[STAT_FILLED]++;
	e->filled = serial;
	e->passed = beyond;
	if (s->plant != PLANT_NO_FORK)
		fork_history(s, e,
			     beyond && s->plant != PLANT_FORK_EARLY ? beyond
								    : serial);
	if (is_file)
		upload_assigned(e->u, edge_assign(s, e, content));
}

void edge_add_file(struct sim_edge *e, uint32_t content)
{
	size_t cap = e->cap_files;

	sim_grow(&e->files, e->n_files, &cap, sizeof(*e->files));
	e->cap_files = (unsigned)cap;
	e->files[e->n_files++] = content;
}

static void forget_pipe(struct sim_edge *e, unsigned at)
{
	free(e->cat.pipes[at].nonces);
	e->cat.n--;
	memmove(&e->cat.pipes[at], &e->cat.pipes[at + 1],
		(e->cat.n - at) * sizeof(e->cat.pipes[0]));
	memset(&e->cat.pipes[e->cat.n], 0, sizeof(e->cat.pipes[0]));
}

void edge_create_pipe(struct sim *s, struct sim_edge *e)
{
	struct sim_pipe *p;

	if (s->n_pipes == SIM_PIPES || e->cat.n == SIM_PIPES) {
		sim_broken(s, "few incarnations", "more than %u", SIM_PIPES);
		return;
	}
	p = &e->cat.pipes[e->cat.n++];
	*p = (struct sim_pipe){.id = ++s->n_pipes, .sender = e->sender};
	if (s->plant == PLANT_RESYNC_FORGETS && e->n_files > 2)
		p->n_captured = e->n_files;
	s->stats[STAT_INCARNATIONS]++;
	e->error = EDGE_FINE;
	sim_say(s, "edge %u: CREATE PIPE, incarnation %u", e->index, p->id);
	edge_begin_upload(s, e);
}

void edge_resync(struct sim *s, struct sim_edge *e, const char *why)
{
	struct sim_pipe *p = edge_live(e);
	bool is_stopped = p->is_stopped && e->error == EDGE_FINE;

	sim_say(s, "edge %u: RESYNC (%s)", e->index, why);
	s->stats[STAT_RESYNCS]++;
	edge_end_upload(s, e);
	p->is_dropped = p->is_superseded = true;
	edge_create_pipe(s, e);
	if (is_stopped && !s->broken)
		edge_stop_pipe(s, e);
}

void edge_drop_pipe(struct sim *s, struct sim_edge *e)
{
	struct sim_pipe *p = edge_live(e);

	sim_say(s, "edge %u: DROP PIPE, incarnation %u", e->index, p->id);
	s->stats[STAT_DROPS]++;
	edge_end_upload(s, e);
	p->is_dropped = true;
	e->error = EDGE_FINE;
}

void edge_stop_pipe(struct sim *s, struct sim_edge *e)
{
	struct sim_pipe *p = edge_live(e);

	s->stats[STAT_STOPS]++;
	edge_end_upload(s, e);
	p->is_stopped = true;
	e->error = EDGE_FINE;
}

void edge_start_pipe(struct sim *s, struct sim_edge *e)
{
	struct sim_pipe *p = edge_live(e);

	p->is_stopped = false;
	e->error = EDGE_FINE;
	if (!e->u)
		edge_begin_upload(s, e);
	e->retry_ms = s->mono_ms;
}

/* A state directory of its own: new key, empty catalog; the files are still there. */
void edge_new_identity(struct sim *s, struct sim_edge *e)
{
	bool was_up = e->is_up;

	if (s->n_senders == SIM_SENDERS) {
		sim_broken(s, "few senders", "more than %u", SIM_SENDERS);
		return;
	}
	edge_kill(s, e);
	edge_catalog_release(&e->cat);
	edge_catalog_release(&e->old);
	e->has_old = false;
	e->is_clone = e->is_lost = false;
	e->sender = e->cat.sender = s->n_senders++;
	sim_say(s, "edge %u: a new state directory, sender %u", e->index,
		e->sender);
	e->is_up = was_up;
	edge_create_pipe(s, e);
}

/* Pins of dropped pipes go, a few at a time; then the row, when nobody needs it. */
static bool try_purge(struct sim *s, struct sim_edge *e)
{
	for (unsigned i = 0; i < e->cat.n; i++) {
		struct sim_pipe *p = &e->cat.pipes[i];
		uint64_t from =
			p->purged > p->released ? p->purged : p->released;

		if (!p->is_dropped)
			continue;
		if (from < p->assigned) {
			p->purged =
				from + 1 + sim_random(s, p->assigned - from);
			e->gone[p->id] = p->purged;
			return true;
		}
		if (p->is_superseded || p->is_told) {
			forget_pipe(e, i);
			return true;
		}
	}
	return false;
}

bool edge_step_purge(struct sim *s)
{
	return sim_any_edge(s, try_purge);
}

static struct sim_pipe *unsaid_pipe(struct sim_edge *e)
{
	for (unsigned i = 0; i < e->cat.n; i++)
		if (e->cat.pipes[i].is_dropped && !e->cat.pipes[i].is_told &&
		    !e->cat.pipes[i].is_superseded)
			return &e->cat.pipes[i];
	return NULL;
}

static bool is_saying(const struct sim *s, const struct sim_edge *e)
{
	for (size_t i = 0; i < SIM_LINKS; i++)
		if (s->links[i].is_used && s->links[i].edge_open &&
		    s->links[i].farewell && s->links[i].edge == e->index)
			return true;
	return false;
}

/* Its first message; DROP follows the WELCOME. */
static void say_farewell(struct sim_link *l, const struct sim_pipe *p)
{
	struct msg_hello m = {
		.sender_name = "edge", .program = "sim", .pipe = "p"};

	m.sender_id[0] = (uint8_t)(p->sender + 1);
	pipe_id(p->id, m.incarnation);
	m.assigned = p->assigned;
	m.released = p->released;
	msg_hello_offer(&m);
	msg_hello_encode(&m, &l->up);
}

/* DROP is said to the receiver when no living pipe's HELLO says it. */
static bool try_farewell(struct sim *s, struct sim_edge *e)
{
	struct sim_pipe *p;
	struct sim_link *l;

	if (edge_pipe(e) || !s->cloud.is_up || is_saying(s, e) ||
	    !(p = unsaid_pipe(e)) || !(l = link_open(s, e)))
		return false;
	s->stats[STAT_FAREWELLS]++;
	l->farewell = p->id;
	say_farewell(l, p);
	return true;
}

bool edge_step_farewell(struct sim *s)
{
	return sim_any_edge(s, try_farewell);
}

void edge_told(struct sim_edge *e, unsigned pipe)
{
	for (unsigned i = 0; i < e->cat.n; i++)
		if (e->cat.pipes[i].id == pipe)
			e->cat.pipes[i].is_told = true;
}
