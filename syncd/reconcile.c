/* Both jobs may be lost with the daemon: the next listing, or the next start, finds the
 * same again. */
#include "reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipes.h"

struct forgetting {
	struct outbox_job job;
	int64_t pipe;
	struct partition key; /* a copy with its own name */
	struct living *files; /* owned */
	size_t n;
};

static int run_forget(struct outbox_job *j, struct outbox_writer *w)
{
	struct forgetting *f = CONTAINER_OF(j, struct forgetting, job);
	struct fileid file;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < f->n; i++) {
		partition_file(&f->key, &f->files[i], &file);
		r = outbox_note_gone(w, f->pipe, &file, &j->err);
		if (r == 0)
			r = outbox_forget_known(w, f->pipe, &file, &j->err);
	}
	return r;
}

static void forgotten(struct outbox_job *j)
{
	struct forgetting *f = CONTAINER_OF(j, struct forgetting, job);

	/* On failure the next listing finds them again. */
	free(f->key.database);
	free(f->files);
	free(f);
}

void reconcile_gone(struct edge *e, const struct partition *p, int64_t pipe,
		    struct living *files, size_t n)
{
	struct forgetting *f = xcalloc(1, sizeof(*f));

	f->pipe = pipe;
	f->key.database = xstrdup(p->database);
	f->key.region = p->region;
	f->key.partition = p->partition;
	f->files = files;
	f->n = n;
	f->job.run = run_forget;
	f->job.done = forgotten;
	outbox_submit(e->outbox, &f->job);
}

struct sweeping {
	struct outbox_job job;
	struct edge *edge;
	struct spool spool; /* a copy */
	struct spool_sweep found;
};

static int run_sweep(struct outbox_job *j, struct outbox_writer *w)
{
	struct sweeping *sw = CONTAINER_OF(j, struct sweeping, job);

	return spool_sweep(&sw->spool, w, &sw->found, &j->err);
}

static void swept(struct outbox_job *j)
{
	struct sweeping *sw = CONTAINER_OF(j, struct sweeping, job);
	struct events *ev = sw->edge->events;
	const struct spool_sweep *f = &sw->found;
	const struct pipe *p =
		pipes_by_id(sw->edge->pipes, f->first_missing_pipe);

	if (j->result < 0)
		events_add(ev, LOG_WARN_, NULL, NULL,
			   "the spools were not swept: %s", j->err.text);
	if (f->n_removed)
		events_add(
			ev, LOG_INFO_, NULL, NULL,
			"%llu files without an entry removed from the spools",
			(unsigned long long)f->n_removed);
	if (f->n_missing)
		events_add(
			ev, LOG_WARN_, NULL,
			&(struct log_about){.pipe = p ? p->row.name : NULL},
			"%llu entries have lost their pinned file, the first "
			"is entry %llu",
			(unsigned long long)f->n_missing,
			(unsigned long long)f->first_missing.serial);
	free(sw);
}

void reconcile_spools(struct edge *e)
{
	struct sweeping *sw = xcalloc(1, sizeof(*sw));

	sw->edge = e;
	sw->spool = e->spool;
	sw->job.is_bare = true;
	sw->job.run = run_sweep;
	sw->job.done = swept;
	outbox_submit(e->outbox, &sw->job);
}
