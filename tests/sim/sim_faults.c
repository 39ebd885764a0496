/* What goes wrong, and how it is mended. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

/* Bytes on their way are lost from some point on, in both directions. */
static void lose_tail(struct sim *s, struct buf *b)
{
	b->len -= sim_random(s, b->len + 1);
}

static void fault_cut(struct sim *s)
{
	struct sim_link *l = s->edge.link;

	if (!l)
		return;
	s->stats[STAT_CUTS]++;
	sim_say(s, "cut of link %u", l->id);
	lose_tail(s, &l->up);
	edge_cut(s);
	if (sim_chance(s, 500) && l->cloud_open)
		cloud_session_end(s,
				  l); /* otherwise it learns later, or never */
}

/* The cloud sees the end of the stream, the edge not yet. */
static void fault_cut_cloud(struct sim *s)
{
	struct sim_link *l = s->edge.link;

	if (!l || !l->cloud_open)
		return;
	s->stats[STAT_CUTS]++;
	lose_tail(s, &l->down);
	cloud_session_end(s, l);
}

static void fault_kill_edge(struct sim *s)
{
	struct sim_link *l = s->edge.link;

	if (!s->edge.u)
		return;
	s->stats[STAT_EDGE_KILLS]++;
	sim_say(s, "edge dies");
	if (l)
		lose_tail(s, &l->up);
	/* What it knew of the receiver was perhaps not yet saved. */
	if (s->edge.cat.durable > s->edge.cat.released && sim_chance(s, 500))
		s->edge.cat.durable = s->edge.cat.released;
	edge_kill(s);
}

static void cloud_dies(struct sim *s, bool is_power_cut)
{
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (!l->is_used || !l->cloud_open)
			continue;
		lose_tail(s, &l->down);
		link_close_cloud(s, l);
	}
	store_crash(s, is_power_cut);
	load_crash(s);
	s->cloud.is_up = false;
	s->no_space = false;
}

static void fault_kill_cloud(struct sim *s)
{
	if (!s->cloud.is_up)
		return;
	s->stats[STAT_CLOUD_KILLS]++;
	sim_say(s, "cloud: kill -9");
	cloud_dies(s, false);
}

static void fault_power_cut(struct sim *s)
{
	s->stats[STAT_POWER_CUTS]++;
	sim_say(s, "cloud: power cut");
	cloud_dies(s, true);
}

static void fault_flip(struct sim *s)
{
	if (s->is_plain)
		link_flip(s);
}

static void fault_sync(struct sim *s)
{
	s->fail_sync = true;
}

static void fault_space(struct sim *s)
{
	s->stats[STAT_NO_SPACE] += !s->no_space;
	s->no_space = !s->no_space;
}

static void fault_read(struct sim *s)
{
	s->fail_read = true;
}

static void fault_stop_pipe(struct sim *s)
{
	s->stats[STAT_STOPS]++;
	s->edge.is_stopped = true;
	edge_cut(s);
}

static void fault_stop_server(struct sim *s)
{
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

static void fault_loader(struct sim *s)
{
	s->stats[STAT_LOADER_CRASHES]++;
	load_crash(s);
}

/* A copy of the edge's catalog is taken, and later put back. */
static void fault_edge_copy(struct sim *s)
{
	struct sim_edge *e = &s->edge;

	if (!s->is_edge_put_back)
		return;
	if (!e->has_old || sim_chance(s, 300)) {
		edge_catalog_copy(&e->old, &e->cat);
		e->has_old = true;
		return;
	}
	s->stats[STAT_PUT_BACK]++;
	edge_kill(s);
	edge_catalog_copy(&e->cat, &e->old);
	e->n_assign_left += 3;
	sim_say(s,
		"edge: catalog put back, assigned %" PRIu64
		" released %" PRIu64,
		e->cat.assigned, e->cat.released);
	/* It goes on assigning before it hears of the receiver. */
	edge_start(s);
	if (sim_chance(s, 600))
		(void)edge_step_assign(s);
}

static void newest_of_copy(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	memset(c->newest, 0, sizeof(c->newest));
	for (uint64_t i = 1; i <= c->cat.durable; i++)
		if (c->cat.rows[i].state == ROW_APPLIED)
			c->newest[sim_truth_of(s, c->cat.rows[i].nonce)->db] =
				i;
	for (unsigned db = 0; db < SIM_DATABASES; db++)
		c->was_cut[db] = true;
}

static void fault_cloud_copy(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	if (!s->is_cloud_put_back)
		return;
	if (!c->has_old || sim_chance(s, 300)) {
		disk_release(&c->old_disk);
		disk_copy(&c->old_disk, &c->disk);
		cloud_catalog_copy(&c->old, &c->cat);
		c->has_old = true;
		return;
	}
	s->stats[STAT_PUT_BACK]++;
	cloud_dies(s, false);
	disk_release(&c->disk);
	disk_copy(&c->disk, &c->old_disk);
	cloud_catalog_copy(&c->cat, &c->old);
	c->epoch++;
	newest_of_copy(s);
	sim_say(s, "cloud: put back, durable %" PRIu64 " applied %" PRIu64,
		c->cat.durable, c->cat.applied);
}

static const struct {
	unsigned weight;
	void (*run)(struct sim *s);
} faults[] = {
	{20, fault_cut},       {8, fault_cut_cloud},   {8, fault_kill_edge},
	{8, fault_kill_cloud}, {8, fault_power_cut},   {20, fault_flip},
	{8, fault_sync},       {6, fault_space},       {4, fault_read},
	{3, fault_stop_pipe},  {3, fault_stop_server}, {6, fault_loader},
	{8, fault_edge_copy},  {8, fault_cloud_copy},
};

bool fault_step(struct sim *s)
{
	uint64_t total = 0, at;

	if ((s->is_edge_put_back || s->is_cloud_put_back) &&
	    sim_chance(s, 200)) {
		fault_edge_copy(s);
		fault_cloud_copy(s);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		total += faults[i].weight;
	at = sim_random(s, total);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		if (at < faults[i].weight) {
			faults[i].run(s);
			return true;
		}
		at -= faults[i].weight;
	}
	return false;
}

bool fault_step_mend(struct sim *s)
{
	if (!s->cloud.is_up) {
		store_restart(s);
		s->cloud.is_up = true;
	} else if (!s->edge.u) {
		edge_start(s);
	} else if (s->edge.is_stopped) {
		s->edge.is_stopped = false;
	} else if (s->edge.is_error) {
		s->edge.is_error = false;
	} else if (s->cloud.is_stopped) {
		s->cloud.is_stopped = false;
	} else if (s->no_space) {
		s->no_space = false;
	} else {
		return false;
	}
	return true;
}
