#include "plan_job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"
#include "pipes.h"

struct planning {
	struct outbox_job job;
	struct edge *edge;
	int64_t pipe;
	struct partition key; /* a copy with its own name */
	struct plan plan;
	void (*fn)(void *arg, struct partition *p, int result);
	void *arg;
	struct partition *of;
	bool has_entries; /* out, with the next two */
	uint64_t assigned, assigned_bytes;
};

/* Of a pipe that is dropped meanwhile nothing more is asked. */
static int write_deletions(struct planning *pl, struct outbox_writer *w)
{
	struct deletions *d = &pl->plan.deletions;
	struct err *e = &pl->job.err;
	int r;

	if (!d->n && !d->n_read)
		return 0;
	r = outbox_live_pipe(w, pl->pipe, &pl->assigned, &pl->assigned_bytes,
			     e);
	if (r != 1)
		return r < 0 ? r : -ENOENT;
	r = deletions_write(d, w, pl->pipe, &pl->key, &pl->assigned,
			    &pl->assigned_bytes, e);
	if (r && !e->sys)
		(void)err_set(e, -r, "deletions: %s", err_words(-r));
	pl->has_entries |= r == 0 && d->n;
	return r ? r
		 : outbox_set_assigned(w, pl->pipe, pl->assigned,
				       pl->assigned_bytes, e);
}

static int write_spans(struct planning *pl, struct outbox_writer *w)
{
	const struct known_list *l = &pl->plan.learned;
	struct fileid file;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < l->n; i++) {
		partition_file(&pl->key, &l->v[i].f, &file);
		r = outbox_learn(w, pl->pipe, &file, l->v[i].range.first,
				 l->v[i].range.last,
				 l->v[i].has_sum ? &l->v[i].row_sum : NULL,
				 &pl->job.err);
	}
	return r;
}

/* Products take the place of their sources at once, or not at all. */
static int write_products(struct planning *pl, struct outbox_writer *w)
{
	const struct plan *p = &pl->plan;
	struct fileid file;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < p->products.n; i++) {
		const struct known_file *k = &p->products.v[i];

		partition_file(&pl->key, &k->f, &file);
		r = outbox_add_derived(w, pl->pipe, &file, k->serial,
				       k->serial_low, k->mods_seen,
				       &pl->job.err);
		if (r == 0 && k->range.any)
			r = outbox_learn(w, pl->pipe, &file, k->range.first,
					 k->range.last, NULL, &pl->job.err);
	}
	for (i = 0; r == 0 && i < p->gone.n; i++) {
		partition_file(&pl->key, &p->gone.v[i], &file);
		r = outbox_forget_known(w, pl->pipe, &file, &pl->job.err);
	}
	return r;
}

static int write_journals(struct planning *pl, struct outbox_writer *w)
{
	const struct plan *p = &pl->plan;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < p->n_journals; i++)
		r = outbox_put_compaction(w, pl->key.database, pl->key.region,
					  pl->key.partition,
					  p->journals[i].name,
					  p->journals[i].body, &pl->job.err);
	return r;
}

static int write_debts(struct planning *pl, struct outbox_writer *w)
{
	const struct living_list *l = &pl->plan.owed;
	struct fileid file;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < l->n; i++) {
		partition_file(&pl->key, &l->v[i], &file);
		r = outbox_owe(w, pl->pipe, &file, &pl->job.err);
	}
	return r;
}

static int write_devices(struct planning *pl, struct outbox_writer *w)
{
	const char *line = buf_str(&pl->plan.devices);
	int r = 0;

	for (; r == 0 && *line; line += strcspn(line, "\n") + 1) {
		size_t n = strcspn(line, "\n");

		if (!line[n])
			break; /* cut short */
		r = outbox_add_device(w, pl->key.database, pl->key.region, line,
				      n, &pl->job.err);
	}
	return r;
}

static void fill_restate(const struct planning *pl,
			 const struct plan_restate *rs, uint64_t serial,
			 struct outbox_entry *en)
{
	memset(en, 0, sizeof(*en));
	id_random(&en->entry.nonce, sizeof(en->entry.nonce));
	en->entry.nonce |= en->entry.nonce == 0;
	en->entry.serial = serial;
	en->entry.kind = ENTRY_RESTATE;
	(void)snprintf(en->entry.file.database, sizeof(en->entry.file.database),
		       "%s", pl->key.database);
	en->entry.file.region = pl->key.region;
	en->entry.time_min = rs->time_min;
	en->entry.time_max = rs->time_max;
	en->entry.held = rs->is_held;
	en->entry.devices = rs->devices; /* the plan's */
	en->captured_ms = clock_wall_ms();
	en->total = pl->assigned_bytes;
}

/* They have no payload, and no volume. */
static int write_restates(struct planning *pl, struct outbox_writer *w)
{
	const struct plan *p = &pl->plan;
	struct outbox_entry en;
	size_t i;
	int r;

	if (!p->n_restates)
		return 0;
	r = outbox_live_pipe(w, pl->pipe, &pl->assigned, &pl->assigned_bytes,
			     &pl->job.err);
	if (r != 1)
		return r;
	for (i = 0, r = 0; r == 0 && i < p->n_restates; i++) {
		fill_restate(pl, &p->restates[i], ++pl->assigned, &en);
		r = outbox_add_entry(w, pl->pipe, &en, &pl->job.err);
	}
	pl->has_entries = r == 0;
	return r ? r
		 : outbox_set_assigned(w, pl->pipe, pl->assigned,
				       pl->assigned_bytes, &pl->job.err);
}

static int run_plan(struct outbox_job *j, struct outbox_writer *w)
{
	struct planning *pl = CONTAINER_OF(j, struct planning, job);
	int r = write_spans(pl, w);

	if (r == 0)
		r = write_devices(pl, w);
	if (r == 0)
		r = write_products(pl, w);
	if (r == 0)
		r = write_journals(pl, w);
	if (r == 0)
		r = write_restates(pl, w);
	if (r == 0)
		r = write_debts(pl, w);
	return r ? r : write_deletions(pl, w);
}

static void tell_news(struct planning *pl)
{
	const struct pipe *p = pipes_by_id(pl->edge->pipes, pl->pipe);
	char *line = (char *)(uintptr_t)buf_str(&pl->plan.news), *end;

	for (; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		events_add(pl->edge->events, LOG_INFO_, NULL,
			   &(struct log_about){.pipe = p ? p->row.name : NULL},
			   "%s", line);
	}
}

static void planned(struct outbox_job *j)
{
	struct planning *pl = CONTAINER_OF(j, struct planning, job);

	if (j->result < 0) {
		if (j->err.sys)
			edge_note(pl->edge, NOTE_CATALOG, j->err.text);
	} else {
		edge_note_over(pl->edge, NOTE_CATALOG);
		if (pl->has_entries)
			pipes_captured(pl->edge->pipes, pl->pipe, pl->assigned,
				       pl->assigned_bytes, NULL);
		tell_news(pl);
	}
	pl->fn(pl->arg, pl->of, j->result);
	plan_release(&pl->plan);
	free(pl->key.database);
	free(pl);
}

void plan_submit(struct edge *e, struct partition *p, int64_t pipe,
		 struct plan *plan,
		 void (*fn)(void *arg, struct partition *p, int result),
		 void *arg)
{
	struct planning *pl = xcalloc(1, sizeof(*pl));

	pl->edge = e;
	pl->pipe = pipe;
	pl->key.database = xstrdup(p->database);
	pl->key.region = p->region;
	pl->key.partition = p->partition;
	pl->plan = *plan;
	plan_init(plan);
	pl->fn = fn;
	pl->arg = arg;
	pl->of = p;
	pl->job.run = run_plan;
	pl->job.done = planned;
	outbox_submit(e->outbox, &pl->job);
}
