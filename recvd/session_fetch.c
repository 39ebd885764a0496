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
	struct held_block block;
	struct fileid *files; /* owned */
	uint8_t *packed;      /* owned */
	uint8_t *data;	      /* a buffer of the room: the block */
	bool is_last;
	bool is_found; /* and written, unless result < 0 */
	int result;
	struct err err;
};

static void fetch_run(struct job *j)
{
	struct fetch_job *w = CONTAINER_OF(j, struct fetch_job, job);

	w->is_found = held_make(w->held, &w->of, &w->block, w->data);
	if (w->is_found)
		w->result = stage_file_write(w->file, w->index, w->data,
					     w->block.len, &w->block.digest,
					     &w->err);
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
	free(w->packed);
	free(w);
}

static void copy_block(struct fetch_job *w, const struct receive_act *act)
{
	const struct msg_block *m = act->block;
	struct held_block *b = &w->block;

	w->files = xcalloc(m->n_ranges, sizeof *w->files);
	for (unsigned i = 0; i < m->n_ranges; i++)
		w->files[i] = act->held[m->ranges[i].file];
	if (m->data_len) {
		w->packed = xcalloc(1, m->data_len);
		memcpy(w->packed, m->data, m->data_len);
	}
	*b = (struct held_block){.how = m->how,
				 .n_ranges = m->n_ranges,
				 .files = w->files,
				 .packed = w->packed,
				 .packed_len = m->data_len,
				 .digest = act->digest,
				 .len = act->len};
	memcpy(b->ranges, m->ranges, m->n_ranges * sizeof *b->ranges);
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
	copy_block(w, act);
	w->session = s;
	w->sender = s->sender;
	w->held = s->d->held;
	memcpy(w->of.id, s->sender->row.id, sizeof w->of.id);
	memcpy(w->of.name, s->sender->row.name, sizeof w->of.name);
	w->file = f->file;
	w->serial = act->serial;
	w->index = act->index;
	w->data = data;
	w->is_last = act->index + 1 == f->n_blocks;
	w->job.run = fetch_run;
	w->job.done = fetch_done;
	s->n_jobs++;
	worker_submit(s->d->writer, &w->job);
}
