#include "plan_job.h"

#include <string.h>

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
};

static int run_plan(struct outbox_job *j, struct outbox_writer *w)
{
	struct planning *pl = CONTAINER_OF(j, struct planning, job);
	const struct plan *p = &pl->plan;
	struct fileid file;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < p->n_learned; i++) {
		const struct known_file *k = &p->learned[i];

		partition_file(&pl->key, &k->f, &file);
		r = outbox_set_span(w, pl->pipe, &file, k->range.first,
				    k->range.last, &j->err);
	}
	for (i = 0; r == 0 && i < p->owed.n; i++) {
		partition_file(&pl->key, &p->owed.v[i], &file);
		r = outbox_owe(w, pl->pipe, &file, &j->err);
	}
	return r;
}

static void tell_news(struct planning *pl)
{
	const struct pipe *p = pipes_by_id(pl->edge->pipes, pl->pipe);
	char *line = (char *)(uintptr_t)buf_str(&pl->plan.news), *end;

	for (; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		events_add(pl->edge->events, LOG_INFO_, p ? p->row.name : NULL,
			   "%s", line);
	}
}

static void planned(struct outbox_job *j)
{
	struct planning *pl = CONTAINER_OF(j, struct planning, job);

	if (j->result < 0)
		edge_note(pl->edge, NOTE_CATALOG, j->err.text);
	else
		tell_news(pl);
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
