/* Up to two batches are with the catalog's thread: while one waits for the disk the
 * next is ready behind it. */
#include "capture.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "coverage.h"
#include "covered.h"
#include "ground/backoff.h"
#include "ground/clock.h"
#include "ground/fileio.h"
#include "lost.h"
#include "pin.h"
#include "pipes.h"
#include "seen.h"
#include "warm.h"

#define BATCHES_UNDER_WAY 2
#define SYNCFS_FROM 16	       /* files: from here one syncfs(2) is cheaper */
#define DEVICES_MAX (1u << 20) /* bytes of names of one file */
#define RETRY_MS 250	       /* doubled each time, up to */
#define RETRY_MAX_MS 5000

struct batch {
	struct outbox_job job;
	struct capture *capture;
	int64_t pipe;
	struct pin_cut cut;
	bool may_copy;
	bool is_kept_back; /* deletions since the first capture do not travel */
	char min_free[24];
	struct pin_place places[DATA_DIRS_MAX];
	size_t n_places;
	size_t n;
	struct pin pins[CAPTURE_BATCH];
	uint8_t place_of[CAPTURE_BATCH];
	bool is_again[CAPTURE_BATCH];  /* known before, and wanted again */
	bool was_entry[CAPTURE_BATCH]; /* the receiver may hold it */
	struct capture_list *list_of[CAPTURE_BATCH];
	/* out */
	struct warm warm; /* of a file that came alone */
	size_t n_done, n_outside;
	uint64_t assigned, assigned_bytes;
	bool is_dropped; /* the pipe is gone: nobody is told */
	enum pin_block block;
	struct err refused;
};

struct capture {
	struct edge *edge;
	struct capture_list *first, **last;
	size_t n_waiting;
	unsigned n_under_way;
	bool is_paused;
	struct loop_timer retry;
	unsigned n_pauses; /* one behind the other; 0: capture goes on */
	int64_t newest_sealed_ms;
	struct seen seen; /* the catalog's thread's */
	void (*resumed)(void *arg);
	void *arg;
};

static void pump(struct capture *c);

/* ---- on the catalog's thread ---- */

static bool is_repeated(const struct batch *b, size_t i)
{
	const struct fileid *f = &b->pins[i].file;
	size_t k;

	for (k = 0; k < i; k++) {
		if (b->pins[k].file.t == f->t && b->pins[k].file.v == f->v &&
		    b->pins[k].result == PIN_DONE &&
		    fileid_equal(&b->pins[k].file, f))
			return true;
	}
	return false;
}

static int open_place(struct batch *b, struct pin_place *pl)
{
	int r;

	if (pl->spool_fd >= 0)
		return 0;
	r = pin_place_open(pl, b->min_free, &b->job.err);
	if (r)
		b->block = PIN_BLOCK_OTHER;
	return r;
}

static int is_known(struct batch *b, struct outbox_writer *w, size_t i)
{
	int r;

	if (is_repeated(b, i))
		return 1;
	if (!b->is_again[i])
		return outbox_is_known(w, b->pipe, &b->pins[i].file,
				       &b->job.err);
	r = outbox_was_entry(w, b->pipe, &b->pins[i].file, &b->job.err);
	b->was_entry[i] = r == 1;
	return r < 0 ? r : 0;
}

/* What devices it has must be known as soon as it may be in the cloud: once it is gone here, nobody
 * else could name them to a RESTATE. */
struct naming {
	struct seen *seen;
	const struct fileid *file;
	struct tsfile_visit visit;
	struct buf lines; /* owned */
};

static void naming_release(struct naming *n)
{
	buf_release(&n->lines);
}

static int name_device(void *arg, const struct tsfile_device *d)
{
	struct naming *n = arg;

	if (!seen_is_news(n->seen, n->file->database, n->file->region, d))
		return 0;
	buf_add(&n->lines, d->path, d->path_len);
	buf_adds(&n->lines, "\n");
	return 0;
}

static void devices_begin(struct naming *n, struct batch *b, struct pin *p)
{
	n->seen = &b->capture->seen;
	n->file = &p->file;
	n->visit = (struct tsfile_visit){.device = name_device, .arg = n};
	buf_init(&n->lines, DEVICES_MAX);
	p->visit = &n->visit;
}

/* What has no room, or was not pinned, is told again by the survey, or by other files. */
static int devices_end(struct naming *n, struct batch *b,
		       struct outbox_writer *w, struct pin *p)
{
	const char *line = buf_str(&n->lines);
	int r = 0;

	p->visit = NULL;
	if (p->result != PIN_DONE || buf_end(&n->lines)) {
		if (n->lines.len)
			seen_forget(n->seen);
		return 0;
	}
	while (r == 0 && *line) {
		size_t len = strcspn(line, "\n");

		r = outbox_add_device(w, p->file.database, p->file.region, line,
				      len, &b->job.err);
		line += len + 1;
	}
	return r;
}

static int pin_one(struct batch *b, struct outbox_writer *w, size_t i)
{
	struct pin *p = &b->pins[i];
	struct pin_place *pl = &b->places[b->place_of[i]];
	CLEANUP(coverage_release) struct coverage kept = {0};
	CLEANUP(naming_release) struct naming naming = {.file = NULL};
	struct err e = {0};
	int r = is_known(b, w, i);

	if (r < 0)
		return r;
	if (r == 1) {
		p->result = PIN_KNOWN;
		return 0;
	}
	r = open_place(b, pl);
	if (r)
		return r;
	coverage_init(&kept);
	if (b->is_again[i] && b->is_kept_back) {
		r = covered_before(w, b->pipe, &p->file, &kept, &b->job.err);
		if (r < 0)
			return r;
		p->kept = r == 1 ? &kept : NULL;
	}
	devices_begin(&naming, b, p);
	pin_file(p, pl, &b->cut, b->may_copy, &e);
	p->kept = NULL;
	r = devices_end(&naming, b, w, p);
	if (r) {
		pin_undo(p, pl);
		p->result = PIN_BLOCKED;
		return r;
	}
	if (p->result == PIN_REFUSED)
		b->refused = e;
	if (p->result != PIN_BLOCKED)
		return 0;
	b->block = p->block;
	b->job.err = e;
	return e.sys ? -e.sys : -EIO;
}

/* Descriptors are only kept while each file is synced by itself. */
static int pin_all(struct batch *b, struct outbox_writer *w)
{
	uint64_t nonces[CAPTURE_BATCH];
	size_t i;
	int r = 0;

	id_random(nonces, b->n * sizeof(nonces[0]));
	for (i = 0; i < b->n; i++)
		b->pins[i].nonce = nonces[i] ? nonces[i] : 1;
	for (i = 0; r == 0 && i < b->n; i++) {
		r = pin_one(b, w, i);
		if (r == 0 && b->pins[i].result == PIN_DONE) {
			b->n_done++;
			if (b->n >= SYNCFS_FROM)
				pin_close(&b->pins[i]);
		} else if (r == 0 && b->pins[i].result == PIN_OUTSIDE) {
			b->n_outside++;
		}
	}
	return r;
}

static int sync_place(struct batch *b, struct pin_place *pl)
{
	int r = 0;

	if (pl->spool_fd < 0)
		return 0;
	if (b->n >= SYNCFS_FROM) {
		if (syncfs(pl->spool_fd))
			r = -errno;
	} else {
		r = file_sync_dir(pl->spool_fd);
	}
	return r ? err_set(&b->job.err, -r, "spool %s cannot be synced: %s",
			   pl->spool_dir, err_words(-r))
		 : 0;
}

static int sync_all(struct batch *b)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && b->n < SYNCFS_FROM && i < b->n; i++) {
		if (b->pins[i].result == PIN_DONE)
			r = pin_sync(&b->pins[i], &b->job.err);
	}
	for (i = 0; r == 0 && i < b->n_places; i++)
		r = sync_place(b, &b->places[i]);
	return r;
}

static void fill_entry(struct outbox_entry *en, const struct pin *p,
		       int64_t volume, int64_t now_ms)
{
	memset(en, 0, sizeof(*en));
	en->entry.nonce = p->nonce;
	en->entry.kind = ENTRY_FILE;
	en->entry.file = p->file;
	en->entry.body_len = p->body_len;
	en->entry.mods_len = p->mods_len;
	en->entry.mods_kind = p->mods_len ? p->mods_kind : MODS_NONE;
	en->mods_seen = p->mods_seen;
	en->range = &p->range;
	en->volume = volume;
	en->captured_ms = now_ms;
}

static int add_entry(struct batch *b, struct outbox_writer *w, size_t i,
		     int64_t now_ms)
{
	const struct pin_place *pl = &b->places[b->place_of[i]];
	CLEANUP(buf_release) struct buf covered, line;
	const struct pin *p = &b->pins[i];
	struct outbox_entry en;
	int r = 0;

	buf_init(&covered, COVERAGE_MAX);
	buf_init(&line, OUTBOX_GAP_LEN);
	fill_entry(&en, p, pl->volume, now_ms);
	if (p->mods_len)
		r = covered_of_pin(p, pl, &covered, &b->job.err);
	if (r)
		return r;
	if (p->mods_len)
		en.covered = &covered;
	if (p->is_loose)
		lost_line(p, pl->data_dir, &line);
	en.is_loose = p->is_loose;
	en.is_again = b->was_entry[i];
	en.body = p->is_loose ? &line : NULL;
	en.entry.serial = ++b->assigned;
	b->assigned_bytes += entry_payload_len(&en.entry);
	en.total = b->assigned_bytes;
	return outbox_add_entry(w, b->pipe, &en, &b->job.err);
}

/* Known, so that it is not read again; without an entry: serial 0. */
static int add_outside(struct batch *b, struct outbox_writer *w, size_t i)
{
	struct outbox_entry en;

	fill_entry(&en, &b->pins[i], 0, 0);
	return outbox_add_known(w, b->pipe, &en, &b->job.err);
}

static int add_entries(struct batch *b, struct outbox_writer *w)
{
	int64_t now_ms = clock_wall_ms();
	size_t i;
	int r = outbox_live_pipe(w, b->pipe, &b->assigned, &b->assigned_bytes,
				 &b->job.err);

	if (r != 1) {
		b->is_dropped = r == 0;
		return r < 0 ? r : -ENOENT;
	}
	for (i = 0, r = 0; r == 0 && i < b->n; i++) {
		if (b->pins[i].result == PIN_DONE)
			r = add_entry(b, w, i, now_ms);
		else if (b->pins[i].result == PIN_OUTSIDE)
			r = add_outside(b, w, i);
	}
	return r ? r
		 : outbox_set_assigned(w, b->pipe, b->assigned,
				       b->assigned_bytes, &b->job.err);
}

static void undo_all(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		if (b->pins[i].result == PIN_OUTSIDE)
			b->pins[i].result = PIN_BLOCKED;
		if (b->pins[i].result != PIN_DONE)
			continue;
		pin_undo(&b->pins[i], &b->places[b->place_of[i]]);
		b->pins[i].result = PIN_BLOCKED;
	}
	b->n_done = b->n_outside = 0;
}

/* Pins, syncs, adds. What was pinned before a block is kept; *blocked is the block. */
static int fill_transaction(struct batch *b, struct outbox_writer *w,
			    int *blocked)
{
	int r = 0;

	*blocked = pin_all(b, w);
	if (!b->n_done && !b->n_outside)
		return 0;
	if (b->n == 1 && b->n_done && !b->pins[0].mods_len &&
	    !b->pins[0].is_loose)
		warm_read(&b->warm, b->pins[0].fd, b->pins[0].body_len);
	r = sync_all(b);
	return r ? r : add_entries(b, w);
}

/* One transaction for all of it: what is known is asked many times, and nobody else
 * writes to the catalog meanwhile. */
static int run_batch(struct outbox_job *j, struct outbox_writer *w)
{
	struct batch *b = CONTAINER_OF(j, struct batch, job);
	int blocked = 0, r = outbox_begin(w, &j->err);
	size_t i;

	if (r)
		return r;
	r = fill_transaction(b, w, &blocked);
	if (r == 0 && (b->n_done || b->n_outside))
		r = outbox_commit(w, &j->err);
	else
		outbox_rollback(w);
	if (r)
		undo_all(b);
	if (r || (!b->n_done && !b->n_outside))
		seen_forget(&b->capture->seen);
	for (i = 0; i < b->n_places; i++)
		pin_place_close(&b->places[i]);
	return r ? r : blocked;
}

/* ---- on the loop ---- */

void capture_list_free(struct capture_list *l)
{
	free(l->files);
	free(l);
}

static void finish_files(struct capture_list *l, size_t n)
{
	l->n_finished += n;
	if (l->n_finished == l->n)
		l->done(l->arg, l);
}

/* What waits is handed back; what is under way comes back by itself. */
static void hand_back(struct capture *c)
{
	struct capture_list *l = c->first, *next;

	c->first = NULL;
	c->last = &c->first;
	c->n_waiting = 0;
	for (; l; l = next) {
		size_t left = l->n - l->n_taken;

		next = l->next;
		l->is_blocked = true;
		l->n_taken = l->n;
		finish_files(l, left);
	}
}

static void try_again(struct loop_timer *t)
{
	struct capture *c = CONTAINER_OF(t, struct capture, retry);

	c->is_paused = false;
	c->resumed(c->arg);
	pump(c);
}

static enum note_cause cause_of(const struct batch *b)
{
	switch (b->block) {
	case PIN_BLOCK_LINK:
		return NOTE_LINK;
	case PIN_BLOCK_SPACE:
		return NOTE_SPACE;
	case PIN_BLOCK_OTHER:
		return NOTE_SPOOL;
	case PIN_BLOCK_NONE:
		break;
	}
	return NOTE_CATALOG;
}

static void pause_for(struct capture *c, const struct batch *b)
{
	edge_note(c->edge, cause_of(b), b->job.err.text);
	c->is_paused = true;
	loop_timer_set(c->edge->loop, &c->retry,
		       backoff_ms(c->n_pauses++, RETRY_MS, RETRY_MAX_MS));
	hand_back(c);
}

static void clear_notes(struct edge *e)
{
	edge_note_over(e, NOTE_LINK);
	edge_note_over(e, NOTE_SPACE);
	edge_note_over(e, NOTE_CATALOG);
}

static void count_file(struct capture *c, const struct pin *p,
		       struct capture_list *l)
{
	switch (p->result) {
	case PIN_DONE:
		if (p->sealed_ms > c->newest_sealed_ms)
			c->newest_sealed_ms = p->sealed_ms;
		break;
	case PIN_KNOWN:
	case PIN_OUTSIDE:
		break;
	case PIN_GONE:
		l->n_gone++;
		break;
	case PIN_REFUSED:
		l->n_refused++;
		break;
	case PIN_BLOCKED:
		l->is_blocked = true;
		break;
	}
}

static void tell(struct capture *c, struct batch *b)
{
	if (b->n_done) {
		c->n_pauses = 0;
		clear_notes(c->edge);
		b->warm.serial = b->assigned;
		pipes_captured(c->edge->pipes, b->pipe, b->assigned,
			       b->assigned_bytes, &b->warm);
	}
	if (b->refused.sys)
		edge_note(c->edge, NOTE_FILE, b->refused.text);
	if (b->job.result < 0 && !b->is_dropped)
		pause_for(c, b);
}

static void batch_done(struct outbox_job *j)
{
	struct batch *b = CONTAINER_OF(j, struct batch, job);
	struct capture *c = b->capture;
	size_t i;

	c->n_under_way--;
	tell(c, b);
	for (i = 0; i < b->n; i++) {
		count_file(c, &b->pins[i], b->list_of[i]);
		finish_files(b->list_of[i], 1);
	}
	warm_release(&b->warm);
	free(b);
	pump(c);
}

static void take_places(struct batch *b, const struct spool *s)
{
	size_t i;

	b->n_places = s->n_configured;
	for (i = 0; i < s->n_configured; i++) {
		const struct volume *v = &s->volumes[i];

		b->places[i] = (struct pin_place){.volume = v->id,
						  .data_dir = v->data_dir,
						  .spool_dir = v->spool_dir,
						  .dev = v->dev,
						  .ino = v->ino,
						  .is_loose = v->is_full,
						  .spool_fd = -1};
	}
}

/* Rows before the start time must not travel; `>` excludes the instant itself. */
static void take_cut(struct batch *b, const struct pipe_row *row)
{
	if (!row->has_from || (!row->is_exclusive && row->from == INT64_MIN))
		return;
	b->cut.is_set = true;
	b->cut.last_deleted = row->is_exclusive ? row->from : row->from - 1;
}

static void take_file(struct batch *b, struct capture_list *l)
{
	const struct living *f = &l->files[l->n_taken++];
	struct pin *p = &b->pins[b->n];

	partition_file(l->of, f, &p->file);
	p->result = PIN_BLOCKED; /* until it was tried */
	p->fd = p->mods_fd = -1;
	b->place_of[b->n] = f->volume;
	b->is_again[b->n] = f->is_again;
	b->list_of[b->n] = l;
	b->n++;
}

static void fill_batch(struct capture *c, struct batch *b)
{
	while (c->first && c->first->pipe == b->pipe && b->n < CAPTURE_BATCH) {
		struct capture_list *l = c->first;

		while (l->n_taken < l->n && b->n < CAPTURE_BATCH) {
			take_file(b, l);
			c->n_waiting--;
		}
		if (l->n_taken < l->n)
			return;
		c->first = l->next;
		if (!c->first)
			c->last = &c->first;
	}
}

static void submit_batch(struct capture *c)
{
	struct edge *e = c->edge;
	const struct pipe *p = pipes_by_id(e->pipes, c->first->pipe);
	struct batch *b = xcalloc(1, sizeof(*b));

	b->capture = c;
	b->pipe = c->first->pipe;
	b->may_copy = e->set.spool_copy;
	memcpy(b->min_free, e->set.spool_min_free, sizeof(b->min_free));
	take_places(b, &e->spool);
	if (p)
		take_cut(b, &p->row);
	b->is_kept_back = p && !p->row.sync_del_op;
	fill_batch(c, b);
	b->job.is_bare = true;
	b->job.run = run_batch;
	b->job.done = batch_done;
	c->n_under_way++;
	outbox_submit(e->outbox, &b->job);
}

static void pump(struct capture *c)
{
	while (c->first && !c->is_paused && !c->edge->is_ending &&
	       c->n_under_way < BATCHES_UNDER_WAY)
		submit_batch(c);
}

void capture_add(struct capture *c, struct capture_list *l)
{
	assert(l->n > 0);
	l->next = NULL;
	*c->last = l;
	c->last = &l->next;
	c->n_waiting += l->n;
	if (c->is_paused)
		hand_back(c);
	pump(c);
}

bool capture_is_paused(const struct capture *c)
{
	return c->is_paused;
}

size_t capture_waiting(const struct capture *c)
{
	return c->n_waiting;
}

int64_t capture_newest_sealed_ms(const struct capture *c)
{
	return c->newest_sealed_ms;
}

struct capture *capture_new(struct edge *e, void (*resumed)(void *arg),
			    void *arg)
{
	struct capture *c = xcalloc(1, sizeof(*c));

	c->edge = e;
	c->last = &c->first;
	c->retry.fn = try_again;
	c->resumed = resumed;
	c->arg = arg;
	return c;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	assert(!c->n_under_way);
	seen_forget(&c->seen);
	loop_timer_stop(c->edge->loop, &c->retry);
	while (c->first) {
		struct capture_list *l = c->first;

		c->first = l->next;
		capture_list_free(l);
	}
	free(c);
}
