#include "bounds.h"

#include <string.h>

#include "sources.h"

#define BATCH 1024 /* pins given up in one transaction */

struct given_up {
	int64_t pipe;
	uint64_t serial, nonce;
};

struct one_volume {
	struct volume v; /* a copy */
	struct err why;
	uint64_t freed;
};

struct judging {
	struct outbox_job job;
	struct edge *edge;
	struct one_volume volumes[DATA_DIRS_MAX];
	size_t n_volumes, n_freed;
	struct one_volume *now; /* the one that is looked at */
	struct given_up batch[BATCH];
	size_t n;
};

static bool is_enough(const struct one_volume *o)
{
	return o->freed >= o->v.over_bytes;
}

/* A pin whose file IoTDB still has takes no room. */
static int take_pin(void *arg, int64_t pipe, uint64_t serial, uint64_t nonce)
{
	struct judging *j = arg;
	char path[SPOOL_PATH_LEN];
	struct stat st;

	if (stat(spool_path(j->now->v.spool_dir, nonce, MODS_NONE, path),
		 &st) ||
	    st.st_nlink != 1)
		return 0;
	j->batch[j->n++] = (struct given_up){pipe, serial, nonce};
	j->now->freed += (uint64_t)st.st_size;
	return is_enough(j->now) || j->n == BATCH;
}

static int give_up(struct judging *j, struct outbox_writer *w)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < j->n; i++)
		r = outbox_set_loose(w, j->batch[i].pipe, j->batch[i].serial,
				     &j->job.err);
	return r;
}

static int one_batch(struct judging *j, struct outbox_writer *w)
{
	size_t i;
	int r = outbox_begin(w, &j->job.err);

	if (r)
		return r;
	j->n = 0;
	r = outbox_each_durable_pin(w, j->now->v.id, take_pin, j, &j->job.err);
	if (r >= 0)
		r = give_up(j, w);
	if (r == 0)
		r = outbox_commit(w, &j->job.err);
	else
		outbox_rollback(w);
	for (i = 0; r == 0 && i < j->n; i++)
		spool_unpin(j->now->v.spool_dir, j->batch[i].nonce);
	j->n_freed += r == 0 ? j->n : 0;
	return r;
}

static int run_judging(struct outbox_job *job, struct outbox_writer *w)
{
	struct judging *j = CONTAINER_OF(job, struct judging, job);
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < j->n_volumes; i++) {
		j->now = &j->volumes[i];
		/* These only save bytes; they go before any pin does. */
		sources_trim(j->now->v.spool_dir, 0);
		do {
			r = one_batch(j, w);
		} while (r == 0 && j->n == BATCH && !is_enough(j->now));
	}
	return r;
}

static void set_full(struct edge *e, int64_t id, bool is_full)
{
	size_t i;

	for (i = 0; i < e->spool.n_configured; i++) {
		if (e->spool.volumes[i].id == id)
			e->spool.volumes[i].is_full = is_full;
	}
}

static void judged(struct outbox_job *job)
{
	struct judging *j = CONTAINER_OF(job, struct judging, job);
	struct edge *e = j->edge;
	const char *why = NULL;
	size_t i;

	for (i = 0; i < j->n_volumes; i++) {
		struct one_volume *o = &j->volumes[i];

		set_full(e, o->v.id, !is_enough(o));
		if (!is_enough(o))
			why = o->why.text;
	}
	if (j->n_freed)
		events_add(e->events, LOG_INFO_, NULL, NULL,
			   "%zu pinned files that the receiver has were given "
			   "up for room",
			   j->n_freed);
	if (why)
		edge_note(e, NOTE_FULL, why);
	else
		edge_note_over(e, NOTE_FULL);
	free(j);
}

void bounds_judge(struct edge *e, const struct err why[])
{
	struct judging *j = xcalloc(1, sizeof(*j));
	size_t i;

	for (i = 0; i < e->spool.n_configured; i++) {
		struct volume *v = &e->spool.volumes[i];
		struct one_volume *o = &j->volumes[j->n_volumes];

		if (!v->over_bytes) {
			v->is_full = false;
			continue;
		}
		*o = (struct one_volume){.v = *v, .why = why[i]};
		j->n_volumes++;
	}
	if (!j->n_volumes) {
		edge_note_over(e, NOTE_FULL);
		free(j);
		return;
	}
	j->edge = e;
	j->job.is_bare = true;
	j->job.run = run_judging;
	j->job.done = judged;
	outbox_submit(e->outbox, &j->job);
}
