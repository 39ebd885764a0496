/* One seed: faults, statements and work mixed at random, then calm until everything has
 * drained. */
#include <inttypes.h>
#include <zstd.h>

#include "domain/squeeze.h"
#include "sim.h"

#define PER_MILLE 1000u
#define CALM_STEPS_MAX 400000u
#define WALL_START 1700000000000ll

typedef bool step_fn(struct sim *s);

static const struct step {
	step_fn *run;
	enum sim_pace pace;
} steps[] = {
	{link_step_up, PACE_ALWAYS},
	{link_step_up, PACE_ALWAYS},
	{link_step_down, PACE_ALWAYS},
	{edge_step_read, PACE_READ},
	{edge_step_capture, PACE_CAPTURE},
	{edge_step_connect, PACE_ALWAYS},
	{edge_step_catalog, PACE_ALWAYS},
	{edge_step_release, PACE_ALWAYS},
	{cloud_step_lookup, PACE_ALWAYS},
	{cloud_step_look, PACE_ALWAYS},
	{store_step_write, PACE_WRITE},
	{group_step, PACE_GROUP},
	{load_step, PACE_LOAD},
	{link_step_room, PACE_ROOM},
	{link_step_eof, PACE_ALWAYS},
	{load_step_operator, PACE_PEOPLE},
	{operator_step_mend, PACE_PEOPLE},
	{link_step_heartbeat, PACE_ALWAYS},
	{link_step_up, PACE_ALWAYS},
	{group_step, PACE_GROUP},
	{edge_step_read, PACE_READ},
	{edge_step_wait, PACE_WAIT},
	{cloud_step_add, PACE_ALWAYS},
	{cloud_step_drop, PACE_ALWAYS},
	{edge_step_purge, PACE_ALWAYS},
	{edge_step_farewell, PACE_ALWAYS},
	{link_step_down, PACE_ALWAYS},
	{load_step, PACE_LOAD},
};

/* How readily the rarer ones happen: a crash lasts, an operator sleeps. */
static void set_paces(struct sim *s)
{
	unsigned slow = s->is_calm ? PER_MILLE : 20;

	for (size_t i = 0; i < PACE_N; i++)
		s->paces[i] = PER_MILLE;
	s->paces[PACE_CAPTURE] = s->is_burst ? 500 : 150;
	s->paces[PACE_WAIT] = 100;
	if (!s->is_calm)
		s->paces[PACE_PEOPLE] = 200;
	if (s->slow_writes)
		s->paces[PACE_WRITE] = slow;
	if (s->slow_groups)
		s->paces[PACE_GROUP] = slow;
	if (s->slow_reads)
		s->paces[PACE_READ] = slow;
	if (s->slow_room)
		s->paces[PACE_ROOM] = s->is_calm ? PER_MILLE : 100;
	if (s->slow_loader)
		s->paces[PACE_LOAD] = slow;
}

static bool is_time(struct sim *s, enum sim_pace pace)
{
	return s->paces[pace] == PER_MILLE || sim_chance(s, s->paces[pace]);
}

/* One possible step, from a random one on. When nothing else is left to do, the rare
 * ones happen too. */
static bool one_step(struct sim *s)
{
	uint64_t ms = sim_random(s, 40);

	s->mono_ms += ms;
	s->wall_ms += (int64_t)ms;
	for (unsigned tries = 0; tries < 3; tries++) {
		uint64_t at = sim_random(s, ARRAY_LEN(steps));

		for (size_t i = 0; i < ARRAY_LEN(steps); i++, at++) {
			const struct step *step;

			at = at < ARRAY_LEN(steps) ? at : 0;
			step = &steps[at];
			if ((tries == 2 || is_time(s, step->pace)) &&
			    step->run(s))
				return true;
			if (s->broken)
				return false;
		}
	}
	return false;
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

static bool is_edge_drained(const struct sim *s, struct sim_edge *e)
{
	const struct sim_pipe *p = edge_pipe(e);
	const struct sim_inc *inc = p ? inc_of(s, p) : NULL;

	if (!e->is_used)
		return true;
	if (!e->is_up || !p || e->error || p->is_stopped || e->is_clone ||
	    e->n_new || e->n_reads || p->n_captured != e->n_files)
		return false;
	if (p->assigned == 0)
		return true;
	return inc && inc->durable == p->assigned &&
	       inc->applied == p->assigned && p->released == p->assigned;
}

/* Of an incarnation that is over nothing closes the hole. */
static bool has_early_left(const struct sim_inc *inc)
{
	for (uint64_t i = inc->durable + 1; i <= inc->end; i++)
		if (inc->rows[i].nonce && inc->rows[i].state != ROW_APPLIED &&
		    inc->rows[i].state != ROW_SKIPPED)
			return true;
	return false;
}

static bool is_drained(struct sim *s)
{
	const struct sim_cloud *c = &s->cloud;

	if (!c->is_up || c->writes || c->n_staged || c->n_group)
		return false;
	for (unsigned seq = 1; seq <= c->cat.n; seq++)
		if (c->cat.inc[seq].applied != c->cat.inc[seq].durable ||
		    has_early_left(&c->cat.inc[seq]) || c->sweep_due[seq] ||
		    c->drop_due[seq])
			return false;
	for (size_t i = 0; i < SIM_EDGES; i++)
		if (!is_edge_drained(s, &s->edges[i]))
			return false;
	return true;
}

/* ---- what must be true in the end ---- */

static void check_pipe(struct sim *s, const struct sim_pipe *p, bool *has)
{
	const struct sim_inc *inc = inc_of(s, p);

	for (uint64_t i = 1; i <= p->assigned && !s->broken; i++) {
		const struct sim_row *row = &inc->rows[i];
		const struct sim_truth *t = sim_truth_of(s, p->nonces[i]);

		if (row->nonce != p->nonces[i] || row->serial != i)
			sim_broken(s, "both catalogs agree",
				   "entry %" PRIu64
				   " is another one at the receiver",
				   i);
		else if (!t->is_applied && !t->is_skipped)
			sim_broken(s, "nothing is lost", "entry %" PRIu64, i);
		else
			has[t->content] = true;
	}
}

/* Every file of the edge has been carried by its newest incarnation. */
static void check_edge(struct sim *s, struct sim_edge *e)
{
	bool *has = xcalloc(s->n_contents + 1, sizeof(*has));

	check_pipe(s, edge_live(e), has);
	for (unsigned i = 0; i < e->n_files && !s->broken; i++)
		if (!has[e->files[i]])
			sim_broken(s, "after RESYNC everything arrives",
				   "file %u of edge %u is not in incarnation "
				   "%u",
				   i, e->index, edge_live(e)->id);
	free(has);
}

/* What was durable of incarnations that are over is applied, or was skipped. */
static void check_old(struct sim *s)
{
	for (unsigned seq = 1; seq <= s->cloud.cat.n; seq++) {
		const struct sim_inc *inc = &s->cloud.cat.inc[seq];

		for (uint64_t i = 1; i <= inc->end && !s->broken; i++) {
			const struct sim_truth *t =
				sim_truth_of(s, inc->rows[i].nonce);

			if (inc->rows[i].nonce && !t->is_applied &&
			    !t->is_skipped)
				sim_broken(s, "nothing is lost",
					   "entry %" PRIu64
					   " of incarnation %u",
					   i, inc->pipe);
		}
	}
}

static bool is_given_up(const struct sim *s, const struct sim_file *f)
{
	const struct sim_inc *inc = &s->cloud.cat.inc[f->dir];

	for (size_t i = 0; i < SIM_EDGES; i++)
		if (s->edges[i].is_used && s->edges[i].sender == inc->sender)
			return false;
	return !inc_has(inc, f->serial); /* FORGET SENDER is its end */
}

static void check_end(struct sim *s)
{
	for (size_t i = 0; i < SIM_EDGES; i++) {
		if (s->edges[i].is_used)
			check_edge(s, &s->edges[i]);
		if (s->edges[i].n_buffers != 0)
			sim_broken(s, "no buffer is lost", "%u are",
				   s->edges[i].n_buffers);
	}
	check_old(s);
	for (const struct sim_file *f = s->cloud.disk.files; f; f = f->next)
		if (f->is_linked && !is_given_up(s, f))
			sim_broken(s, "no orphan files", "%s", f->name);
}

static void say_stuck(struct sim *s, bool is_stuck)
{
	struct sim_edge *e = &s->edges[0];
	const struct sim_pipe *p;
	const struct sim_inc *inc;

	if (is_edge_drained(s, e))
		e = &s->edges[1];
	p = edge_pipe(e);
	inc = p ? inc_of(s, p) : NULL;
	sim_broken(s,
		   p && inc && inc->durable > p->assigned
			   ? "both catalogs agree"
			   : "everything drains",
		   "edge %u, incarnation %u: captured %u of %u, %u to come, "
		   "assigned %" PRIu64 ", durable %" PRIu64 ", applied %" PRIu64
		   ", released %" PRIu64 " (%s)",
		   e->index, p ? p->id : 0, p ? p->n_captured : 0, e->n_files,
		   e->n_new, p ? p->assigned : 0, inc ? inc->durable : 0,
		   inc ? inc->applied : 0, p ? p->released : 0,
		   is_stuck ? "stuck" : "too many steps");
}

static void calm(struct sim *s)
{
	s->is_calm = true;
	s->fail_sync = s->fail_read = false;
	s->limit_ms = 0;
	set_paces(s);
	sim_say(s, "calm");
	for (unsigned n = 0; !s->broken && !is_drained(s); n++) {
		bool is_stuck;

		s->n_steps++;
		is_stuck = !one_step(s);
		if (n == CALM_STEPS_MAX || is_stuck)
			say_stuck(s, is_stuck);
		link_reap(s);
	}
	if (!s->broken)
		check_end(s);
}

static void choose(struct sim *s)
{
	static const unsigned rates[] = {2, 10, 30, 80};

	s->fault_rate = rates[sim_random(s, ARRAY_LEN(rates))];
	s->is_plain = sim_chance(s, 300);
	s->is_burst = sim_chance(s, 10);
	s->is_edge_put_back = sim_chance(s, 120);
	s->is_cloud_put_back = !s->is_edge_put_back && sim_chance(s, 120);
	s->is_version_2 = sim_chance(s, s->is_edge_put_back ? 400 : 300);
	s->answers_at_once = sim_chance(s, 500);
	s->slow_writes = sim_chance(s, s->is_edge_put_back ? 600 : 200);
	s->slow_groups = sim_chance(s, s->is_burst ? 500 : 200);
	s->slow_reads = !s->is_burst && sim_chance(s, 100);
	s->slow_loader = sim_chance(s, 200);
	s->slow_room = sim_mix(~s->seed) % 4 == 0;
	s->n_resyncs = sim_chance(s, 400) ? 1 + (unsigned)sim_random(s, 4) : 0;
	s->n_put_backs = 1 + (unsigned)sim_random(s, 4);
	s->n_losses = sim_chance(s, 60);
	s->n_clones = sim_chance(s, 60);
	s->limit_ms = sim_chance(s, 150) ? 1000 + sim_random(s, 60000) : 0;
	s->refers = sim_chance(s, 600);
	s->has_tsfiles = s->refers && sim_mix(s->seed) % 5 == 0;
	s->held_lost = (unsigned)sim_random(s, 3) * 200;
	s->held_rot = (unsigned)sim_random(s, 3) * 50;
	s->cloud.is_pass = s->cloud.was_pass = sim_chance(s, 200);
}

static void begin(struct sim *s, const struct sim_run *how)
{
	struct sim_edge *e = &s->edges[0];

	*s = (struct sim){.packers = s->packers};
	s->seed = s->random = how->seed;
	s->plant = how->plant;
	s->is_verbose = how->is_verbose;
	s->mono_ms = 1000000;
	s->wall_ms = WALL_START;
	choose(s);
	set_paces(s);
	s->n_senders = 1;
	e->is_used = true;
	e->n_new = s->is_burst ? 200 + (unsigned)sim_random(s, 800)
			       : 5 + (unsigned)sim_random(s, 50);
	cloud_start(s);
	edge_start(s, e);
	edge_create_pipe(s, e);
}

void sim_run(struct sim *s, const struct sim_run *how)
{
	uint64_t n_steps;

	begin(s, how);
	n_steps = 300 + sim_random(s, 1500);
	while (s->n_steps < n_steps && !s->broken) {
		s->n_steps++;
		if (sim_chance(s, s->fault_rate))
			(void)fault_step(s);
		else
			(void)one_step(s);
		link_reap(s);
	}
	calm(s);
}

void sim_release(struct sim *s)
{
	for (size_t i = 0; i < SIM_EDGES; i++)
		edge_kill(s, &s->edges[i]);
	cloud_crash(s, false);
	for (size_t i = 0; i < SIM_LINKS; i++)
		if (s->links[i].is_used)
			link_close_edge(&s->links[i]);
	link_reap(s);
	senders_release(&s->cloud.senders);
	disk_release(&s->cloud.disk);
	cloud_catalog_release(&s->cloud.cat);
	cloud_copy_release(&s->cloud.old);
	for (size_t i = 0; i < SIM_EDGES; i++) {
		edge_catalog_release(&s->edges[i].cat);
		edge_catalog_release(&s->edges[i].old);
		free(s->edges[i].files);
	}
	free(s->cloud.staged);
	free(s->truths);
	for (size_t i = 0; i < s->n_contents; i++)
		free(s->contents[i].bytes);
	free(s->contents);
}

void sim_free(struct sim *s)
{
	squeezer_free(s->packers.squeezer);
	(void)ZSTD_freeCCtx(s->packers.behind);
	free(s);
}
