/* What goes wrong. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

static struct sim_edge *some_edge(struct sim *s)
{
	struct sim_edge *e =
		&s->edges[s->edges[1].is_used ? sim_random(s, SIM_EDGES) : 0];

	return e->is_up ? e : NULL;
}

static struct sim_link *some_link(struct sim *s)
{
	struct sim_edge *e = some_edge(s);

	return e ? e->link : NULL;
}

/* Bytes on their way are lost from some point on. */
static void lose_tail(struct sim *s, struct buf *b)
{
	b->len -= sim_random(s, b->len + 1);
}

static void fault_cut(struct sim *s)
{
	struct sim_link *l = some_link(s);

	if (!l)
		return;
	s->stats[STAT_CUTS]++;
	sim_say(s, "cut of link %u", l->id);
	lose_tail(s, &l->up);
	edge_cut(s, &s->edges[l->edge]);
	edge_away(s, &s->edges[l->edge]);
	if (sim_chance(s, 500) && l->cloud_open)
		cloud_session_end(s, l); /* else it learns later, or never */
}

/* The cloud sees the end of the stream, the edge not yet. */
static void fault_cut_cloud(struct sim *s)
{
	struct sim_link *l = some_link(s);

	if (!l || !l->cloud_open)
		return;
	s->stats[STAT_CUTS]++;
	lose_tail(s, &l->down);
	cloud_session_end(s, l);
}

static void fault_kill_edge(struct sim *s)
{
	struct sim_edge *e = some_edge(s);
	struct sim_pipe *p = e ? edge_pipe(e) : NULL;

	if (!e)
		return;
	s->stats[STAT_EDGE_KILLS]++;
	sim_say(s, "edge %u dies", e->index);
	if (e->link)
		lose_tail(s, &e->link->up);
	/* What it knew of the receiver was perhaps not yet saved. */
	if (p && p->durable > p->released && sim_chance(s, 500))
		p->durable = p->released;
	edge_kill(s, e);
}

static void fault_kill_cloud(struct sim *s)
{
	if (!s->cloud.is_up)
		return;
	s->stats[STAT_CLOUD_KILLS]++;
	sim_say(s, "cloud: kill -9");
	cloud_crash(s, false);
}

static void fault_power_cut(struct sim *s)
{
	s->stats[STAT_POWER_CUTS]++;
	sim_say(s, "cloud: power cut");
	cloud_crash(s, true);
}

static void fault_flip(struct sim *s)
{
	if (s->is_plain)
		link_flip(s);
}

static void fault_duplicate(struct sim *s)
{
	if (s->is_plain)
		link_duplicate(s);
}

/* A bit of a half-received file, while nobody reads it: the receiver is down. */
static void fault_flip_staged(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	uint64_t skip = sim_random(s, 16);

	if (c->is_up)
		return;
	for (struct sim_file *f = c->disk.files; f; f = f->next) {
		if (!f->is_linked || f->len == 0 || f->dir > c->cat.n ||
		    inc_has(&c->cat.inc[f->dir], f->serial) || skip-- > 0)
			continue;
		skip = sim_random(s, f->len);
		f->now[skip] ^= (uint8_t)(1u << sim_random(s, 8));
		f->kept[skip] = f->now[skip];
		s->stats[STAT_FLIPS_STAGED]++;
		return;
	}
}

/* A bit of a pinned file rots, perhaps after its first block was read. */
static void fault_rot(struct sim *s)
{
	struct sim_edge *e = some_edge(s);
	struct sim_content *c;

	if (!e || e->n_files == 0)
		return;
	c = &s->contents[e->files[e->n_files - 1 -
				  sim_random(s,
					     e->n_files < 8 ? e->n_files : 8)]];
	if (c->has_rot)
		return;
	c->has_rot = true;
	c->rot_at = (uint32_t)sim_random(s, c->len);
	s->stats[STAT_FLIPS_SPOOL]++;
}

static void fault_clock(struct sim *s)
{
	int64_t day = 24ll * 3600 * 1000;

	s->stats[STAT_CLOCK_JUMPS]++;
	s->wall_ms += (int64_t)sim_random(s, 800 * (uint64_t)day) - 400 * day;
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

static void fault_loader(struct sim *s)
{
	s->stats[STAT_LOADER_CRASHES]++;
	load_crash(s);
}

/* ---- catalogs ---- */

static void put_edge_back(struct sim *s, struct sim_edge *e)
{
	bool with_spool = sim_chance(s, 700);

	s->n_put_backs--;
	s->stats[STAT_PUT_BACK]++;
	edge_kill(s, e);
	edge_catalog_copy(&e->cat, &e->old);
	e->sender = e->cat.sender;
	for (unsigned i = 0; with_spool && i < e->cat.n; i++)
		e->gone[e->cat.pipes[i].id] = e->cat.pipes[i].released;
	e->n_new += 3;
	e->error = EDGE_FINE;
	sim_say(s, "edge %u: catalog put back %s its spool", e->index,
		with_spool ? "with" : "without");
	/* It goes on assigning before it hears of the receiver. */
	edge_start(s, e);
	if (sim_chance(s, 600))
		(void)edge_step_capture(s);
}

/* A copy of the edge's catalog is taken, and later put back. */
static void fault_edge_copy(struct sim *s)
{
	struct sim_edge *e = some_edge(s);

	if (!s->is_edge_put_back || !e)
		return;
	/* One from before a serial was filled is worth keeping. */
	if (!e->has_old ||
	    (e->n_filled == s->stats[STAT_FILLED] && sim_chance(s, 300))) {
		edge_catalog_copy(&e->old, &e->cat);
		e->has_old = true;
		e->n_filled = s->stats[STAT_FILLED];
	} else if (s->n_put_backs > 0 && s->n_pipes < SIM_PIPES / 2) {
		put_edge_back(s, e);
	}
}

/* A copy from before a serial was filled, while the receiver's last serial is one that had passed
 * it: both know that one by the same nonce. */
static bool fault_behind_fill(struct sim *s)
{
	struct sim_edge *e = some_edge(s);

	if (!e || !e->has_old || e->n_filled == s->stats[STAT_FILLED] ||
	    !e->u || e->told_durable < e->filled ||
	    e->told_durable > e->passed || s->n_put_backs == 0 ||
	    s->n_pipes >= SIM_PIPES / 2)
		return false;
	put_edge_back(s, e);
	return true;
}

static void fault_cloud_copy(struct sim *s)
{
	if (!s->is_cloud_put_back)
		return;
	if (!s->cloud.old.is_there || sim_chance(s, 300)) {
		cloud_take_copy(s);
	} else if (s->n_put_backs > 0 && s->n_pipes < SIM_PIPES / 2) {
		s->n_put_backs--;
		cloud_put_back(s);
	}
}

/* The state directory, key and all, is copied to a second host, and both run. */
static void fault_clone(struct sim *s)
{
	struct sim_edge *e = &s->edges[0], *twin = &s->edges[1];

	if (s->n_clones == 0 || twin->is_used || !e->is_up || e->is_lost)
		return;
	s->n_clones--;
	s->stats[STAT_CLONES]++;
	sim_say(s, "edge 0 is cloned");
	twin->is_used = twin->is_clone = true;
	twin->index = 1;
	twin->sender = e->sender;
	edge_catalog_copy(&twin->cat, &e->cat);
	for (unsigned i = 0; i < e->n_files; i++)
		edge_add_file(twin, e->files[i]);
	memcpy(twin->gone, e->gone, sizeof(e->gone));
	twin->n_new = (unsigned)sim_random(s, 20);
	edge_start(s, twin);
}

static void fault_lost(struct sim *s)
{
	struct sim_edge *e = some_edge(s);

	if (s->n_losses == 0 || s->n_pipes > SIM_PIPES / 2)
		return;
	s->n_losses--;
	s->stats[STAT_LOST]++;
	if (e && sim_chance(s, 500)) {
		sim_say(s, "edge %u: its catalog is lost", e->index);
		edge_kill(s, e);
		e->is_lost = true;
		return;
	}
	sim_say(s, "cloud: its catalog is lost");
	cloud_crash(s, false);
	s->cloud.is_lost = true;
}

static const struct {
	unsigned weight;
	void (*run)(struct sim *s);
} faults[] = {
	{20, fault_cut},       {8, fault_cut_cloud},   {8, fault_kill_edge},
	{8, fault_kill_cloud}, {8, fault_power_cut},   {16, fault_flip},
	{8, fault_duplicate},  {4, fault_flip_staged}, {6, fault_rot},
	{8, fault_sync},       {6, fault_space},       {4, fault_read},
	{6, fault_loader},     {5, fault_clock},       {8, fault_edge_copy},
	{8, fault_cloud_copy}, {4, fault_clone},       {2, fault_lost},
};

bool fault_step(struct sim *s)
{
	uint64_t total = 0, at;

	if (s->is_edge_put_back && fault_behind_fill(s))
		return true;
	if ((s->is_edge_put_back || s->is_cloud_put_back) &&
	    sim_chance(s, 200)) {
		fault_edge_copy(s);
		fault_cloud_copy(s);
		s->fail_read |= s->is_edge_put_back && sim_chance(s, 300);
		return true;
	}
	if (sim_chance(s, 100))
		return operator_step(s);
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
