/* What people do: statements at random moments, and the cure that a sentence names. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

/* ---- statements that nobody had to say ---- */

static void resync(struct sim *s, struct sim_edge *e)
{
	if (!edge_pipe(e) || s->n_resyncs == 0)
		return;
	s->n_resyncs--;
	edge_resync(s, e, "an operator's word");
}

static void drop(struct sim *s, struct sim_edge *e)
{
	if (!edge_pipe(e) || s->n_resyncs == 0)
		return;
	s->n_resyncs--;
	edge_drop_pipe(s, e);
	if (sim_chance(s, 300))
		edge_create_pipe(s, e);
}

static void stop(struct sim *s, struct sim_edge *e)
{
	if (edge_pipe(e) && !edge_live(e)->is_stopped)
		edge_stop_pipe(s, e);
}

static void start(struct sim *s, struct sim_edge *e)
{
	if (edge_pipe(e))
		edge_start_pipe(s, e);
}

static void load_configuration(struct sim *s, struct sim_edge *e)
{
	struct sim_cloud *c = &s->cloud;

	(void)e;
	c->is_pass = !c->is_pass;
	c->was_pass |= c->is_pass;
}

static void stop_server(struct sim *s, struct sim_edge *e)
{
	(void)e;
	s->stats[STAT_STOPS]++;
	s->cloud.is_stopped = true;
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (!l->is_used || !l->cloud_open)
			continue;
		receive_refuse(l->r, BYE_STOPPING, "PIPESERVER is off");
		cloud_pump(s, l);
	}
}

static const struct {
	unsigned weight;
	void (*run)(struct sim *s, struct sim_edge *e);
} words[] = {
	{6, resync}, {4, drop},	       {6, stop},
	{4, start},  {3, stop_server}, {4, load_configuration},
};

bool operator_step(struct sim *s)
{
	struct sim_edge *e =
		&s->edges[s->edges[1].is_used ? sim_random(s, SIM_EDGES) : 0];
	uint64_t total = 0, at;

	if (!e->is_up)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		total += words[i].weight;
	at = sim_random(s, total);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (at < words[i].weight) {
			words[i].run(s, e);
			return true;
		}
		at -= words[i].weight;
	}
	return false;
}

/* ---- cures ---- */

/* Its catalog is gone: an older copy, or a new state directory with or without the key
 * that was there. */
static void cure_edge_loss(struct sim *s, struct sim_edge *e)
{
	e->is_lost = false;
	if (e->has_old) {
		edge_catalog_copy(&e->cat, &e->old);
		e->sender = e->cat.sender;
		edge_start(s, e);
	} else if (sim_chance(s, 500) && s->n_senders < SIM_SENDERS) {
		edge_new_identity(s, e);
		edge_start(s, e);
	} else {
		edge_catalog_release(&e->cat);
		e->cat.sender = e->sender;
		edge_start(s, e);
		edge_create_pipe(s, e);
	}
}

static bool cure_edge(struct sim *s, struct sim_edge *e)
{
	const struct sim_pipe *p = edge_pipe(e);

	if (!e->is_up && e->is_lost) {
		s->stats[STAT_REFUSED_STARTS]++;
		cure_edge_loss(s, e);
	} else if (!e->is_up) {
		edge_start(s, e);
	} else if (e->is_clone && (s->is_calm || sim_chance(s, 30))) {
		edge_new_identity(s, e);
	} else if (!p) {
		edge_create_pipe(s, e);
	} else if (e->error == EDGE_HISTORY &&
		   (s->is_calm || sim_chance(s, 300))) {
		edge_resync(s, e, "as the sentence says");
	} else if (p->is_stopped || e->error == EDGE_MISMATCH) {
		edge_start_pipe(s, e);
	} else {
		return false;
	}
	return true;
}

bool operator_step_mend(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	if (!c->is_up) {
		if (!cloud_restart(s))
			cloud_cure_loss(s);
		return true;
	}
	for (size_t i = 0; i < SIM_EDGES; i++)
		if (s->edges[i].is_used && cure_edge(s, &s->edges[i]))
			return true;
	if (c->is_stopped)
		c->is_stopped = false;
	else if (s->no_space)
		s->no_space = false;
	else
		return false;
	return true;
}
