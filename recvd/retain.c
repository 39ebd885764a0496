#include "retain.h"

#include <stdio.h>

#include "apply.h"
#include "ground/fileio.h"

#define EVICT_MAX 256u
#define BACK_MAX 512u

/* ---- oldest out ---- */

struct retain {
	struct recvd *d;
	struct catalog_task task;
	bool is_busy, is_over;
	uint64_t bytes;		   /* to go */
	struct retained_row *rows; /* owned */
	int n_rows;
};

/* The files of a batch, on the writer, and what the disk has then. */
struct unlinking {
	struct job job;
	struct recvd *d;
	struct retained_row *rows;   /* owned */
	char (*dirs)[STAGE_DIR_MAX]; /* owned */
	int n;
	uint64_t free_bytes, total_bytes;
};

struct retain *retain_new(struct recvd *d)
{
	struct retain *r = xcalloc(1, sizeof *r);

	r->d = d;
	return r;
}

void retain_stop(struct retain *r)
{
	if (r)
		r->is_over = true;
}

void retain_free(struct retain *r)
{
	if (!r)
		return;
	free(r->rows);
	free(r);
}

bool retain_wants(const struct settings *s, uint64_t payload_len)
{
	return payload_len + RETAINED_COST <= (uint64_t)s->retain_max_bytes;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How much may stay when `need` bytes come. */
static uint64_t limit(const struct recvd *d, uint64_t need)
{
	const struct room *m = &d->room;
	const struct settings *s = &d->settings;
	uint64_t stays =
		least(m->retained_bytes, (uint64_t)s->retain_max_bytes);
	uint64_t taken = m->staged_bytes + m->reserved + need, keep;

	if (s->staging_max_bytes)
		stays = least(stays,
			      (uint64_t)s->staging_max_bytes -
				      least((uint64_t)s->staging_max_bytes,
					    taken));
	keep = settings_min_free(s, m->total_bytes) + ROOM_CATALOG +
	       m->reserved + m->flight + need;
	if (m->total_bytes && m->free_bytes < keep)
		stays = least(stays,
			      m->retained_bytes - least(m->retained_bytes,
							keep - m->free_bytes));
	return stays;
}

static void unlink_run(struct job *j)
{
	struct unlinking *u = CONTAINER_OF(j, struct unlinking, job);

	for (int i = 0; i < u->n; i++) {
		const struct retained_row *row = &u->rows[i];
		struct stage_parts parts = {
			.serial = row->serial,
			.kind = row->kind,
			.has_body = row->payload_len > 0,
			.mods_kind = row->mods_kind,
		};

		if (!row->is_row)
			stage_remove_parts(&u->d->stage, u->dirs[i], &parts);
	}
	(void)!file_space(u->d->stage.fd, &u->free_bytes, &u->total_bytes);
}

static void unlink_done(struct job *j)
{
	struct unlinking *u = CONTAINER_OF(j, struct unlinking, job);

	room_measured(&u->d->room, u->free_bytes, u->total_bytes);
	/* Only now it is known what that gave: archives may hold the same files. */
	u->d->retain->is_busy = false;
	retain_trim(u->d->retain, 0);
	free(u->rows);
	free(u->dirs);
	free(u);
}

static void unlink_rows(struct retain *r)
{
	struct unlinking *u = xcalloc(1, sizeof *u);

	u->d = r->d;
	u->n = r->n_rows;
	u->dirs = xcalloc((size_t)u->n, sizeof *u->dirs);
	for (int i = 0; i < u->n; i++) {
		const struct incarnation *in = senders_incarnation(
			&r->d->senders, r->rows[i].incarnation);

		if (in)
			(void)snprintf(u->dirs[i], sizeof u->dirs[i], "%s",
				       in->dir);
		else
			r->rows[i].is_row = true; /* nowhere to look */
	}
	u->rows = steal_ptr(&r->rows);
	u->job.run = unlink_run;
	u->job.done = unlink_done;
	worker_submit(r->d->writer, &u->job);
}

static int evict_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	struct retain *r = CONTAINER_OF(t, struct retain, task);

	r->rows = xcalloc(EVICT_MAX, sizeof *r->rows);
	r->n_rows = catalog_evict(c, r->bytes, r->rows, EVICT_MAX, e);
	return r->n_rows;
}

static void evict_done(struct catalog_task *t)
{
	struct retain *r = CONTAINER_OF(t, struct retain, task);
	uint64_t gone = 0;

	r->is_busy = t->result > 0;
	for (int i = 0; t->result >= 0 && i < r->n_rows; i++)
		gone += r->rows[i].payload_len + RETAINED_COST;
	if (t->result < 0)
		events_add(r->d->events, LOG_ERR_, "retain", NULL,
			   "letting go of retained entries: %s", t->err.text);
	r->d->room.retained_bytes -= least(gone, r->d->room.retained_bytes);
	if (t->result > 0) {
		r->d->counted.evicted += (uint64_t)r->n_rows;
		unlink_rows(r);
	}
	free(r->rows);
	r->rows = NULL;
}

void retain_trim(struct retain *r, uint64_t need)
{
	uint64_t stays = limit(r->d, need);

	if (r->is_busy || r->is_over || r->d->room.retained_bytes <= stays)
		return;
	r->is_busy = true;
	r->bytes = r->d->room.retained_bytes - stays;
	r->task = (struct catalog_task){.run = evict_run, .done = evict_done};
	catalog_submit(r->d->catalog, &r->task);
}

/* ---- RESYNC ---- */

static int back_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	struct retain_back *b = CONTAINER_OF(t, struct retain_back, task);
	int r = catalog_drop_all(c, b->sender->row.id, e);

	if (r < 0)
		return r;
	b->n_rows = catalog_put_back(c, b->sender->row.id, b->after, &b->last,
				     b->rows, BACK_MAX, e);
	return b->n_rows;
}

static struct domain *domain_of(struct recvd *d, const struct retained_row *row)
{
	struct incarnation *in =
		senders_incarnation(&d->senders, row->incarnation);
	struct domain *dom = in ? in->domains : NULL;

	while (dom && dom->id != row->domain)
		dom = dom->next;
	return dom;
}

/* It waits again, before everything that the new incarnation brings. */
static void take_back(struct recvd *d, const struct retained_row *row)
{
	struct domain *dom = domain_of(d, row);

	d->room.retained_bytes -=
		least(row->payload_len + RETAINED_COST, d->room.retained_bytes);
	d->room.staged_bytes += row->payload_len;
	if (!dom)
		return;
	dom->n_entries++;
	dom->incarnation->sender->staged_bytes += row->payload_len;
}

static void back_done(struct catalog_task *t)
{
	struct retain_back *b = CONTAINER_OF(t, struct retain_back, task);

	if (t->result < 0) {
		b->done(b, &t->err);
		return;
	}
	for (int i = 0; i < b->n_rows; i++)
		take_back(b->d, &b->rows[i]);
	b->n += (uint64_t)b->n_rows;
	apply_kick(b->d->apply);
	if (b->n_rows < (int)BACK_MAX) {
		b->done(b, NULL);
		return;
	}
	b->after = b->rows[b->n_rows - 1].seq;
	retain_bring_back(b);
}

void retain_bring_back(struct retain_back *b)
{
	if (!b->rows)
		b->rows = xcalloc(BACK_MAX, sizeof *b->rows);
	b->task = (struct catalog_task){.run = back_run, .done = back_done};
	catalog_submit(b->d->catalog, &b->task);
}

void retain_back_free(struct retain_back *b)
{
	free(b->rows);
	free(b);
}
