#include "lost.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "link.h"
#include "spool.h"

#define FILL_MAX 1024	  /* entries of one transaction */
#define DEVICES_SHOWN 400 /* bytes of a line */

/* ---- the line ---- */

struct naming {
	struct buf text; /* owned */
	size_t n_more;
};

static void naming_release(struct naming *n)
{
	buf_release(&n->text);
}

static int name_device(void *arg, const struct tsfile_device *d)
{
	struct naming *n = arg;
	char shown[DEVICES_SHOWN];

	if (n->text.len + d->path_len + 2 > DEVICES_SHOWN) {
		n->n_more++;
		return 0;
	}
	buf_addf(&n->text, "%s%s", n->text.len ? ", " : "",
		 name_shown(shown, sizeof(shown), d->path, d->path_len));
	return 0;
}

void lost_line(const struct pin *p, const char *data_dir, struct buf *out)
{
	char file[FILEID_PATH_MAX], path[DATA_DIR_LEN + FILEID_PATH_MAX + 2];
	CLEANUP(naming_release) struct naming n = {.n_more = 0};
	const struct tsfile_visit visit = {.device = name_device, .arg = &n};
	CLEANUP_CLOSE int fd = -1;
	struct tsfile_index ix;

	buf_init(&n.text, 2 * DEVICES_SHOWN);
	(void)snprintf(path, sizeof(path), "%s/%s", data_dir,
		       fileid_path(&p->file, file));
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || tsfile_index_read(fd, &visit, &ix, NULL))
		buf_clear(&n.text);
	buf_addf(out, "%s region %" PRIu32, p->file.database, p->file.region);
	if (p->range.any)
		buf_addf(out, " times %" PRId64 "..%" PRId64, p->range.first,
			 p->range.last);
	if (n.text.len)
		buf_addf(out, " devices %s", buf_str(&n.text));
	if (n.n_more)
		buf_addf(out, " and %zu more", n.n_more);
	buf_addf(out,
		 ": IoTDB removed %s before it could be sent, while the spool "
		 "was full",
		 file);
}

/* ---- filling ---- */

struct filling {
	struct outbox_job job;
	struct edge *edge;
	int64_t pipe;
	uint64_t from;
	struct spool spool; /* a copy */

	struct {
		const struct volume *volume; /* of the copy */
		uint64_t nonce;
	} old[FILL_MAX];

	size_t n;
};

/* 1: gone; 0: it stands; -errno: that cannot be told now. */
static int is_gone(const struct volume *v, const struct entry *en)
{
	char file[FILEID_PATH_MAX], path[DATA_DIR_LEN + FILEID_PATH_MAX + 2];
	struct stat st;

	if (!v || access(v->data_dir, F_OK))
		return -EAGAIN;
	(void)snprintf(path, sizeof(path), "%s/%s", v->data_dir,
		       fileid_path(&en->file, file));
	if (stat(path, &st) == 0)
		return (uint64_t)st.st_size != en->body_len;
	return errno == ENOENT || errno == ENOTDIR ? 1 : -errno;
}

static int fill_one(struct filling *f, struct outbox_writer *w,
		    const struct outbox_entry *lost, const char *line)
{
	struct entry en = {.serial = lost->entry.serial,
			   .kind = ENTRY_RESTATE,
			   .file = lost->entry.file};
	int r;

	do {
		id_random(&en.nonce, sizeof(en.nonce));
	} while (!en.nonce);
	r = outbox_fill(w, f->pipe, &en, &f->job.err);
	if (r == 0)
		r = outbox_add_gap(w, f->pipe, line, &f->job.err);
	/* The same name again is a new file. */
	return r ? r
		 : outbox_forget_known(w, f->pipe, &lost->entry.file,
				       &f->job.err);
}

static int fill_next(struct filling *f, struct outbox_writer *w, uint64_t *from)
{
	char line[OUTBOX_GAP_LEN];
	struct outbox_entry en;
	const struct volume *v;
	int gone, r = outbox_loose(w, f->pipe, *from, &en, line, &f->job.err);

	if (r != 1)
		return r;
	*from = en.entry.serial + 1;
	v = spool_volume(&f->spool, en.volume);
	gone = is_gone(v, &en.entry);
	if (gone == 1) {
		f->old[f->n].volume = v;
		f->old[f->n++].nonce = en.entry.nonce;
		r = fill_one(f, w, &en, line);
		r = r ? r : 1;
	}
	entry_release(&en.entry);
	return gone < 0 ? 0 : r;
}

static int run_filling(struct outbox_job *job, struct outbox_writer *w)
{
	struct filling *f = CONTAINER_OF(job, struct filling, job);
	uint64_t from = f->from;
	size_t i;
	int r = outbox_begin(w, &job->err);

	if (r)
		return r;
	do {
		r = fill_next(f, w, &from);
	} while (r == 1 && f->n < FILL_MAX);
	if (r >= 0)
		r = outbox_commit(w, &job->err);
	else
		outbox_rollback(w);
	for (i = 0; r == 0 && i < f->n; i++)
		spool_unpin(f->old[i].volume->spool_dir, f->old[i].nonce);
	return r;
}

static void filled(struct outbox_job *job)
{
	struct filling *f = CONTAINER_OF(job, struct filling, job);
	struct pipe *p = pipes_by_id(f->edge->pipes, f->pipe);

	if (job->result < 0)
		edge_note(f->edge, NOTE_CATALOG, job->err.text);
	if (p && job->result >= 0 && f->n) {
		lost_note(f->edge, p);
		if (p->link)
			link_kick(p->link);
	}
	free(f);
}

void lost_fill(struct edge *e, struct pipe *p, uint64_t serial)
{
	struct filling *f = xcalloc(1, sizeof(*f));

	f->edge = e;
	f->pipe = p->row.id;
	f->from = serial;
	f->spool = e->spool;
	f->job.is_bare = true;
	f->job.run = run_filling;
	f->job.done = filled;
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
