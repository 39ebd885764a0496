#include "lost.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gap_line.h"
#include "ground/fileio.h"
#include "link.h"
#include "scan.h"
#include "spool.h"

#define FILL_MAX 1024 /* entries of one transaction */
#define LOOK_MAX 4096 /* entries looked at behind the one that was asked for */
#define PATH_LEN (DATA_DIR_LEN + FILEID_PATH_MAX + 16)

struct filling {
	struct outbox_job job;
	struct edge *edge;
	int64_t pipe;
	uint64_t from;
	int err; /* errno of the entry at `from` */
	uint64_t
		beyond; /* the receiver may have what stands behind it, up to here */
	char why[MESSAGE_LEN / 2];
	struct spool spool; /* a copy */

	struct {
		const struct volume *volume; /* of the copy; NULL: no file */
		uint64_t nonce;
	} old[FILL_MAX];

	size_t n, n_gaps, n_again;
};

/* ---- what is left of a file ---- */

enum source {
	SOURCE_UNKNOWN, /* that cannot be told now: its disk is away */
	SOURCE_GONE,
	SOURCE_SAME,  /* as long as what was captured */
	SOURCE_OTHER, /* another file under its name */
};

static const char *source_path(const struct volume *v, const struct fileid *f,
			       char to[PATH_LEN])
{
	char file[FILEID_PATH_MAX];

	(void)snprintf(to, PATH_LEN, "%s/%s", v->data_dir,
		       fileid_path(f, file));
	return to;
}

static enum source look_at_source(const struct volume *v,
				  const struct entry *en, struct stat *st)
{
	char path[PATH_LEN];

	if (!v || !spool_is_data_dir(v))
		return SOURCE_UNKNOWN;
	if (stat(source_path(v, &en->file, path), st) == 0)
		return (uint64_t)st->st_size == en->body_len ? SOURCE_SAME
							     : SOURCE_OTHER;
	return errno == ENOENT || errno == ENOTDIR ? SOURCE_GONE
						   : SOURCE_UNKNOWN;
}

/* 1, or 0 when it is not; -errno when that cannot be told now. */
static int is_pinned(const struct volume *v, const struct entry *en,
		     enum mods_kind kind, uint64_t len, struct stat *st)
{
	char path[SPOOL_PATH_LEN];

	if (stat(spool_path(v->spool_dir, en->nonce, kind, path), st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	return kind == MODS_NONE ? (uint64_t)st->st_size == len
				 : (uint64_t)st->st_size >= len;
}

enum fate {
	FATE_SENT, /* nothing is lost, as far as can be told */
	FATE_GAP, /* its serial is filled; what it held is not there any more */
	FATE_AGAIN, /* the same, but its source stands and is captured once more */
};

static bool is_same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static enum fate judge_file(const struct filling *f, const struct volume *v,
			    const struct outbox_entry *en)
{
	const struct entry *e = &en->entry;
	struct stat st, pin = {.st_ino = 0}, mods;
	enum source source = look_at_source(v, e, &st);
	bool is_asked = e->serial == f->from;
	int has_pin, has_mods = 1;

	if (source == SOURCE_UNKNOWN)
		return FATE_SENT;
	has_pin = is_pinned(v, e, MODS_NONE, e->body_len, &pin);
	if (e->mods_len)
		has_mods = is_pinned(v, e, e->mods_kind, e->mods_len, &mods);
	if (has_pin < 0 || has_mods < 0)
		return FATE_SENT;
	/* Unreadable, and IoTDB has no other copy: captured again it would end here
	 * again. */
	if (is_asked && f->err == EIO)
		return source == SOURCE_GONE ||
				       (has_mods &&
					(!has_pin || is_same_inode(&st, &pin)))
			       ? FATE_GAP
			       : FATE_AGAIN;
	if (has_mods && (has_pin || source == SOURCE_SAME))
		return FATE_SENT;
	return source == SOURCE_GONE ? FATE_GAP : FATE_AGAIN;
}

/* What is no file stands in the catalog: only the one that was asked for is known to be
 * lost. */
static enum fate judge(const struct filling *f, const struct volume *v,
		       const struct outbox_entry *en)
{
	if (en->entry.kind != ENTRY_FILE)
		return en->entry.serial == f->from ? FATE_GAP : FATE_SENT;
	return judge_file(f, v, en);
}

/* ---- the line ---- */

void lost_line(const struct pin *p, const char *data_dir, struct buf *out)
{
	char file[FILEID_PATH_MAX], path[PATH_LEN];
	const struct gap g = {
		.file = &p->file, .range = p->range, .path = path};

	(void)snprintf(path, sizeof(path), "%s/%s", data_dir,
		       fileid_path(&p->file, file));
	gap_line(&g, out,
		 "IoTDB removed %s before it could be sent, while the spool "
		 "was full",
		 file);
}

static int file_line(struct filling *f, struct outbox_writer *w,
		     const struct volume *v, const struct entry *en,
		     struct buf *out)
{
	char file[FILEID_PATH_MAX], path[SPOOL_PATH_LEN];
	struct gap g = {.file = &en->file, .w = w};
	bool is_asked = en->serial == f->from;
	int r = outbox_times(w, f->pipe, &en->file, &g.range, &f->job.err);

	g.path = spool_path(v->spool_dir, en->nonce, MODS_NONE, path);
	(void)fileid_path(&en->file, file);
	if (r >= 0 && is_asked && f->err == EIO)
		gap_line(&g, out, "%s was given up: %s", file, f->why);
	else if (r >= 0)
		gap_line(&g, out,
			 "%s was lost from the spool before it could be sent, "
			 "and IoTDB has removed it",
			 file);
	return r < 0 ? r : 0;
}

static int line_of(struct filling *f, struct outbox_writer *w,
		   const struct volume *v, const struct outbox_entry *en,
		   const char *line, struct buf *out)
{
	struct gap g = {.file = &en->entry.file};

	if (en->entry.kind == ENTRY_FILE && !line[0])
		return file_line(f, w, v, &en->entry, out);
	if (line[0])
		buf_adds(out, line);
	else
		gap_line(&g, out, "the catalog has lost it: %s", f->why);
	return 0;
}

/* ---- filling ---- */

/* A product that was not sent because what is lost here was on its way: it is sent now.
 * 1 when one still stands. */
static int free_products(struct filling *f, struct outbox_writer *w,
			 const struct volume *v, const struct entry *en)
{
	struct fileid product = en->file;
	char path[PATH_LEN];
	int r, n = 0;

	while ((r = outbox_product_of(w, f->pipe, en->serial, &product,
				      &f->job.err)) == 1) {
		n |= file_size_at(AT_FDCWD, source_path(v, &product, path)) !=
		     -ENOENT;
		r = outbox_forget_known(w, f->pipe, &product, &f->job.err);
		if (r < 0)
			break;
	}
	return r < 0 ? r : n;
}

static int put_filler(struct filling *f, struct outbox_writer *w,
		      const struct entry *lost)
{
	struct entry en = {.serial = lost->serial,
			   .kind = ENTRY_RESTATE,
			   .file = lost->file};

	do {
		id_random(&en.nonce, sizeof(en.nonce));
	} while (!en.nonce);
	return outbox_fill(w, f->pipe, &en, &f->job.err);
}

static int tell_gap(struct filling *f, struct outbox_writer *w,
		    const struct volume *v, const struct outbox_entry *en,
		    const char *kept)
{
	CLEANUP(buf_release) struct buf line;
	struct stat st;
	/* A RESYNC tries what stands there once more. */
	bool is_final = en->entry.kind != ENTRY_FILE ||
			look_at_source(v, &en->entry, &st) == SOURCE_GONE;
	int r;

	buf_init(&line, OUTBOX_GAP_LEN);
	r = line_of(f, w, v, en, kept, &line);
	f->n_gaps++;
	return r < 0 ? r
		     : outbox_add_gap(w, f->pipe, buf_str(&line), is_final,
				      &f->job.err);
}

/* The same name again is a new file, but for one that stands there and is as unreadable
 * as its pin. */
static int forget(struct filling *f, struct outbox_writer *w,
		  const struct volume *v, const struct entry *en,
		  enum fate fate)
{
	struct stat st;
	int r;

	if (en->kind != ENTRY_FILE ||
	    (fate == FATE_GAP && look_at_source(v, en, &st) == SOURCE_SAME))
		return 0;
	r = outbox_forget_known(w, f->pipe, &en->file, &f->job.err);
	/* It is told of already: a RESYNC shall not do so again. */
	return r ? r : outbox_forget_gone(w, f->pipe, &en->file, &f->job.err);
}

static int fill_one(struct filling *f, struct outbox_writer *w,
		    const struct volume *v, const struct outbox_entry *lost,
		    const char *line, enum fate fate)
{
	const struct entry *en = &lost->entry;
	int n = 0, r = put_filler(f, w, en);

	if (r == 0 && en->kind == ENTRY_FILE)
		n = free_products(f, w, v, en);
	if (r == 0 && n >= 0 && fate == FATE_GAP && n == 0)
		r = tell_gap(f, w, v, lost, line);
	f->n_again += fate == FATE_AGAIN || n > 0;
	if (r == 0 && n >= 0)
		r = forget(f, w, v, en, fate);
	return n < 0 ? n : r;
}

/* 1: there was an entry at *from or behind it, which is now looked at. */
static int fill_next(struct filling *f, struct outbox_writer *w, uint64_t *from)
{
	char line[OUTBOX_GAP_LEN];
	struct outbox_entry en;
	const struct volume *v;
	enum fate fate;
	int r = outbox_next(w, f->pipe, *from, &en, line, &f->job.err);

	if (r != 1)
		return r;
	*from = en.entry.serial + 1;
	v = spool_volume(&f->spool, en.volume);
	fate = judge(f, v, &en);
	if (fate != FATE_SENT) {
		f->old[f->n].volume = v;
		f->old[f->n++].nonce = en.entry.nonce;
		r = fill_one(f, w, v, &en, line, fate);
		r = r < 0 ? r : 1;
	}
	entry_release(&en.entry);
	return r;
}

static int run_filling(struct outbox_job *job, struct outbox_writer *w)
{
	struct filling *f = CONTAINER_OF(job, struct filling, job);
	uint64_t from = f->from;
	size_t i, n_looked = 0;
	int r = outbox_begin(w, &job->err);

	if (r)
		return r;
	do {
		r = fill_next(f, w, &from);
	} while (r == 1 && !f->beyond && f->n < FILL_MAX &&
		 ++n_looked < LOOK_MAX);
	if (r >= 0 && f->n)
		r = outbox_fork(w, f->pipe, f->beyond ? f->beyond + 1 : f->from,
				&job->err);
	if (r >= 0 && f->n)
		r = outbox_commit(w, &job->err);
	else
		outbox_rollback(w);
	for (i = 0; r >= 0 && i < f->n; i++) {
		if (f->old[i].volume)
			spool_unpin(f->old[i].volume->spool_dir,
				    f->old[i].nonce);
	}
	return r;
}

static void tell(const struct filling *f, const struct pipe *p)
{
	events_add(f->edge->events, LOG_WARN_, NULL,
		   &(struct log_about){.pipe = p->row.name},
		   "%zu entries cannot be sent any more, the first is %" PRIu64
		   " (%s): %zu are lines of gaps, %zu are captured again",
		   f->n, f->from, f->why, f->n_gaps, f->n_again);
}

static void filled(struct outbox_job *job)
{
	struct filling *f = CONTAINER_OF(job, struct filling, job);
	struct pipe *p = pipes_by_id(f->edge->pipes, f->pipe);

	if (job->result < 0)
		edge_note(f->edge, NOTE_CATALOG, job->err.text);
	if (p)
		p->is_filling = false;
	if (p && job->result >= 0 && f->n) {
		tell(f, p);
		pipe_note_over(f->edge->pipes, p, NOTE_ATTEMPT);
		lost_note(f->edge, p);
		if (f->n_again)
			scan_everything(f->edge->scan);
		if (p->link)
			link_kick(p->link);
	}
	free(f);
}

void lost_fill(struct edge *e, struct pipe *p, uint64_t serial, int err,
	       uint64_t beyond, const char *why)
{
	struct filling *f = xcalloc(1, sizeof(*f));

	f->edge = e;
	f->pipe = p->row.id;
	f->from = serial;
	f->err = err;
	f->beyond = beyond;
	(void)snprintf(f->why, sizeof(f->why), "%s", why);
	f->spool = e->spool;
	f->job.is_bare = true;
	f->job.run = run_filling;
	f->job.done = filled;
	p->is_filling = true;
	outbox_submit(e->outbox, &f->job);
}

void lost_note(struct edge *e, struct pipe *p)
{
	uint64_t n = outbox_count_gaps(e->outbox, p->row.id);
	char text[MESSAGE_LEN];

	if (!n) {
		pipe_note_over(e->pipes, p, NOTE_GAPS);
		return;
	}
	(void)snprintf(text, sizeof(text),
		       "%" PRIu64 " ranges are missing in the cloud and will "
		       "not come by themselves: see gaps (RESYNC PIPE %.200s "
		       "sends what the edge still has)",
		       n, p->row.name);
	pipe_note(e->pipes, p, NOTE_GAPS, text);
}
