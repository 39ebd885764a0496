#include "tidy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apply.h"

struct kept_dir {
	int64_t seq;
	char dir[STAGE_DIR_MAX];
	bool is_dropped;
	uint64_t durable;
	struct early early; /* owned */
};

struct tidying {
	struct job job;
	struct recvd *d;
	struct stage *stage;
	char catalog[SETTINGS_PATH_MAX + 16];
	struct kept_dir *dirs; /* owned */
	size_t n;
	/* out */
	int n_removed; /* or -errno */
	struct err err;
};

struct serials {
	uint64_t *v; /* owned */
	size_t n, cap;
};

static void serials_release(struct serials *s)
{
	free(s->v);
}

static int add_serial(void *arg, uint64_t serial)
{
	struct serials *s = arg;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 256;
		uint64_t *more = realloc(s->v, cap * sizeof *more);

		if (!more)
			return -ENOMEM;
		s->v = more;
		s->cap = cap;
	}
	s->v[s->n++] = serial;
	return 0;
}

static int tidy_one(struct tidying *t, struct catalog_reader *reader,
		    const struct kept_dir *k)
{
	CLEANUP(serials_release) struct serials files = {0};
	int r = catalog_each_file(reader, k->seq, add_serial, &files, &t->err);

	return r < 0 ? r
		     : stage_clean(t->stage, k->dir, !k->is_dropped, k->durable,
				   &k->early, files.v, files.n, &t->err);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int tidy_unknown(struct tidying *t)
{
	CLEANUP_FREE const char **known = xcalloc(t->n + 1, sizeof *known);

	for (size_t i = 0; i < t->n; i++)
		known[i] = t->dirs[i].dir;
	qsort(known, t->n, sizeof *known, compare_names);
	return stage_clean_unknown(t->stage, known, t->n, &t->err);
}

static int tidy(struct tidying *t, struct catalog_reader *reader)
{
	int r, n = 0;

	for (size_t i = 0; i < t->n; i++) {
		r = tidy_one(t, reader, &t->dirs[i]);
		if (r < 0)
			return r;
		n += r;
	}
	r = tidy_unknown(t);
	return r < 0 ? r : n + r;
}

static void tidy_run(struct job *j)
{
	struct tidying *t = CONTAINER_OF(j, struct tidying, job);
	struct catalog_reader reader = {.entries = NULL};

	t->n_removed = catalog_reader_open(&reader, t->catalog, &t->err);
	if (t->n_removed >= 0)
		t->n_removed = tidy(t, &reader);
	catalog_reader_close(&reader);
}

static void tidy_done(struct job *j)
{
	struct tidying *t = CONTAINER_OF(j, struct tidying, job);

	if (t->n_removed < 0)
		events_add(t->d->events, LOG_ERR_, "stage", NULL,
			   "%s; what nothing explains there stays until the "
			   "next start",
			   t->err.text);
	else if (t->n_removed)
		events_add(t->d->events, LOG_INFO_, "stage", NULL,
			   "%d names removed from staging that no durable "
			   "entry explains",
			   t->n_removed);
	t->d->is_tidy = true;
	apply_kick(t->d->apply);
	for (size_t i = 0; i < t->n; i++)
		early_release(&t->dirs[i].early);
	free(t->dirs);
	free(t);
}

static size_t count(const struct recvd *d)
{
	size_t n = 0;

	for (struct sender *x = d->senders.first; x; x = x->next)
		for (struct incarnation *i = x->newest; i; i = i->older)
			n++;
	return n;
}

void tidy_staging(struct recvd *d)
{
	struct tidying *t = xcalloc(1, sizeof *t);

	t->d = d;
	t->stage = &d->stage;
	(void)snprintf(t->catalog, sizeof t->catalog, "%s/catalog.db",
		       d->settings.state_dir);
	t->dirs = xcalloc(count(d) + 1, sizeof *t->dirs);
	for (struct sender *x = d->senders.first; x; x = x->next)
		for (struct incarnation *i = x->newest; i; i = i->older) {
			struct kept_dir *k = &t->dirs[t->n++];

			k->seq = i->row.seq;
			k->is_dropped = i->row.dropped;
			k->durable = i->row.durable;
			early_copy(&k->early, &i->early);
			(void)snprintf(k->dir, sizeof k->dir, "%s", i->dir);
		}
	t->job.run = tidy_run;
	t->job.done = tidy_done;
	worker_submit(d->writer, &t->job);
}
