/* One seed: faults and work mixed at random, then calm until everything has drained. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define CALM_STEPS_MAX 2000000u

typedef bool step_fn(struct sim *s);

static step_fn *const steps[] = {
	link_step_up,	     link_step_up,	 link_step_down,
	edge_step_read,	     edge_step_assign,	 edge_step_connect,
	edge_step_catalog,   edge_step_release,	 cloud_step_lookup,
	store_step_write,    store_step_group,	 load_step,
	link_step_eof,	     load_step_operator, fault_step_mend,
	link_step_heartbeat, link_step_up,	 store_step_group,
	edge_step_read,
};

/* How readily the rarer ones happen: a crash lasts, an operator sleeps. */
static bool is_time(struct sim *s, step_fn *step)
{
	if (step == edge_step_assign)
		return sim_chance(s, s->is_burst ? 500 : 150);
	if (s->is_calm)
		return true;
	if (step == fault_step_mend || step == load_step_operator)
		return sim_chance(s, 200);
	if ((step == store_step_write && s->slow_writes) ||
	    (step == store_step_group && s->slow_groups) ||
	    (step == edge_step_read && s->slow_reads) ||
	    (step == load_step && s->slow_loader))
		return sim_chance(s, 20);
	return true;
}

/* One possible step, from a random one on. A step that chooses among links at random
 * may miss: only several rounds without any say that nothing is possible. */
static bool one_step(struct sim *s)
{
	for (unsigned tries = 0; tries < 40; tries++) {
		uint64_t at = sim_random(s, ARRAY_LEN(steps));

		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			step_fn *step = steps[(at + i) % ARRAY_LEN(steps)];

			if (is_time(s, step) && step(s))
				return true;
			if (s->broken)
				return false;
		}
	}
	return false;
}

static bool is_drained(const struct sim *s)
{
	const struct sim_edge_catalog *e = &s->edge.cat;

	return s->edge.u && s->cloud.is_up && s->edge.n_assign_left == 0 &&
	       s->cloud.cat.durable == e->assigned &&
	       s->cloud.cat.applied == e->assigned &&
	       e->released == e->assigned && s->edge.n_reads == 0 &&
	       !s->cloud.writes;
}

static void check_end(struct sim *s)
{
	const struct sim_edge_catalog *e = &s->edge.cat;

	for (uint64_t i = 1; i <= e->assigned; i++) {
		const struct sim_row *row = &s->cloud.cat.rows[i];
		const struct sim_truth *t = sim_truth_of(s, e->nonces[i]);

		if (row->nonce != e->nonces[i] || row->serial != i)
			sim_broken(s, "both catalogs agree",
				   "entry %" PRIu64
				   " is another one at the receiver",
				   i);
		else if (!t->is_applied && !t->is_skipped)
			sim_broken(s, "nothing is lost", "entry %" PRIu64, i);
	}
	for (const struct sim_file *f = s->cloud.disk.files; f; f = f->next)
		if (f->is_linked)
			sim_broken(s, "no orphan files", "%s", f->name);
	if (s->edge.n_buffers != 0)
		sim_broken(s, "no buffer is lost", "%u are", s->edge.n_buffers);
}

static void calm(struct sim *s)
{
	s->is_calm = true;
	s->fail_sync = s->fail_read = false;
	sim_say(s, "calm");
	for (unsigned n = 0; !s->broken && !s->is_over && !is_drained(s); n++) {
		s->n_steps++;
		if (n == CALM_STEPS_MAX || (!one_step(s) && !s->broken))
			sim_broken(s, "everything drains",
				   "assigned %" PRIu64 ", durable %" PRIu64
				   ", applied %" PRIu64 ", released %" PRIu64
				   " (%s)",
				   s->edge.cat.assigned, s->cloud.cat.durable,
				   s->cloud.cat.applied, s->edge.cat.released,
				   n == CALM_STEPS_MAX ? "too many steps"
						       : "stuck");
		link_reap(s);
	}
	if (!s->broken && !s->is_over)
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
	s->answers_at_once = sim_chance(s, 500);
	s->slow_writes = sim_chance(s, s->is_edge_put_back ? 600 : 200);
	s->slow_groups = sim_chance(s, s->is_burst ? 500 : 200);
	s->slow_reads = !s->is_burst && sim_chance(s, 100);
	s->slow_loader = sim_chance(s, 200);
	s->edge.n_assign_left = s->is_burst ? 2000 + sim_random(s, 8000)
					    : 5 + sim_random(s, 50);
	s->cloud.is_up = true;
}

void sim_run(struct sim *s, uint64_t seed, enum sim_plant plant,
	     bool is_verbose)
{
	uint64_t n_steps;

	memset(s, 0, sizeof(*s));
	s->seed = s->random = seed;
	s->plant = plant;
	s->is_verbose = is_verbose;
	choose(s);
	n_steps = 300 + sim_random(s, 1500);
	edge_start(s);
	while (s->n_steps < n_steps && !s->broken && !s->is_over) {
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
	edge_kill(s);
	for (size_t i = 0; i < SIM_LINKS; i++) {
		if (!s->links[i].is_used)
			continue;
		link_close_edge(s, &s->links[i]);
		link_close_cloud(s, &s->links[i]);
	}
	link_reap(s);
	store_crash(s, false);
	disk_release(&s->cloud.disk);
	disk_release(&s->cloud.old_disk);
	cloud_catalog_release(&s->cloud.cat);
	cloud_catalog_release(&s->cloud.old);
	edge_catalog_release(&s->edge.cat);
	edge_catalog_release(&s->edge.old);
	free(s->cloud.staged);
	free(s->truths);
}
