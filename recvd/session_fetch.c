#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "held.h"
#include "session.h"

/* Blocks made from held files: a job of the writer, like a block that came. */

struct fetch_job {
	struct job job;
	struct session *session;
	struct sender *sender;
	struct held *held;
	struct held_owner of;
	struct stage_file *file;
	uint64_t serial, index;
	struct digest digest;
	enum block_how how;
	unsigned n_ranges;
	struct held_range ranges[HELD_RANGES_MAX];
	struct fileid *files; /* owned; of each range */
	uint8_t *data;	      /* a buffer of the room: the block */
	uint32_t len;
	bool is_last;
	bool is_found; /* and written, unless result < 0 */
	int result;
	struct err err;
};

/* The ranges one behind the other, from the k-th place of each file that has so many, or
 * its last. -ENOENT: no file has so many places. */
static int read_ranges(const struct fetch_job *w, unsigned k, uint8_t *to)
{
	bool is_new = k == 0;
	uint32_t at = 0;

	for (unsigned i = 0; i < w->n_ranges; i++) {
		const struct held_range *x = &w->ranges[i];
		unsigned place = k;
		int r;

		do
			r = held_read(w->held, &w->of, &w->files[i], place,
				      x->offset, to + at, x->len);
		while (r < 0 && place-- > 0);
		if (r < 0)
			return r;
		is_new |= place == k;
		at += x->len;
	}
	return is_new ? 0 : -ENOENT;
}

static int make_block(const struct fetch_job *w, unsigned k)
{
	struct digest d;
	int r = w->how == BLOCK_REFERENCE ? read_ranges(w, k, w->data)
					  : -ENOTSUP;

	if (r < 0)
		return r;
	d = digest_block(w->data, w->len);
	return digest_equal(&d, &w->digest) ? 1 : 0;
}

static void fetch_run(struct job *j)
{
	struct fetch_job *w = CONTAINER_OF(j, struct fetch_job, job);
	int r = 0;

	for (unsigned k = 0; r == 0 && k <= HELD_CANDIDATES; k++)
		r = make_block(w, k);
	w->is_found = r > 0;
	if (w->is_found)
		w->result = stage_file_write(w->file, w->index, w->data, w->len,
					     &w->digest, &w->err);
	if (w->is_last)
		held_close_files(w->held);
}

static void fetch_done(struct job *j)
{
	struct fetch_job *w = CONTAINER_OF(j, struct fetch_job, job);
	struct session *s = w->session;

	session_block_done(s, w->sender, w->data);
	if (w->result < 0 && s->rx) {
		session_write_failed(s, &w->err);
	} else if (s->rx) {
		if (w->is_found)
			session_block_written(s, w->serial);
		receive_fetched(s->rx, w->serial, w->index, w->is_found);
		session_pump(s);
	}
	session_job_returned(s);
	free(w->files);
	free(w);
}

static void copy_ranges(struct fetch_job *w, const struct receive_act *act)
{
	const struct msg_block *m = act->block;

	w->how = m->how;
	w->n_ranges = m->n_ranges;
	memcpy(w->ranges, m->ranges, m->n_ranges * sizeof *w->ranges);
	w->files = xcalloc(m->n_ranges, sizeof *w->files);
	for (unsigned i = 0; i < m->n_ranges; i++)
		w->files[i] = act->held[m->ranges[i].file];
}

void session_fetch(struct session *s, const struct receive_act *act)
{
	struct session_file *f = session_find_file(s, act->serial);
	uint8_t *data = f ? session_block_begins(s) : NULL;
	struct fetch_job *w;

	if (!data) {
		session_failed(s, "receiver is out of memory");
		return;
	}
	w = xcalloc(1, sizeof *w);
	copy_ranges(w, act);
	w->session = s;
	w->sender = s->sender;
	w->held = s->d->held;
	memcpy(w->of.id, s->sender->row.id, sizeof w->of.id);
	memcpy(w->of.name, s->sender->row.name, sizeof w->of.name);
	w->file = f->file;
	w->serial = act->serial;
	w->index = act->index;
	w->digest = act->digest;
	w->data = data;
	w->len = act->len;
	w->is_last = act->index + 1 == f->n_blocks;
	w->job.run = fetch_run;
	w->job.done = fetch_done;
	s->n_jobs++;
	worker_submit(s->d->writer, &w->job);
}
