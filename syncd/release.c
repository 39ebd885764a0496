#include "release.h"

#include <stdio.h>
#include <string.h>

#include "progress.h"
#include "sources.h"

#define RELEASE_BATCH 256
#define KEEP_MIN 65536u /* what is shorter is hardly a source */
#define RETRY_MS 2000

struct releasing {
	struct outbox_job job;
	struct job unlink;
	struct edge *edge;
	int64_t pipe;
	bool is_dropped;
	uint64_t keep_max; /* bytes of sources (sources.h); 0 = none is kept */
	uint64_t durable, applied;
	size_t n;
	struct outbox_gone gone[RELEASE_BATCH];
	const struct volume *volumes[RELEASE_BATCH];
};

static void go_on(struct releasing *r);

static int run_release(struct outbox_job *j, struct outbox_writer *w)
{
	struct releasing *r = CONTAINER_OF(j, struct releasing, job);
	int n;

	if (r->is_dropped) {
		n = outbox_purge(w, r->pipe, r->gone, RELEASE_BATCH, &j->err);
	} else {
		n = outbox_save_progress(w, r->pipe, r->durable, r->applied,
					 &j->err);
		if (n == 0)
			n = outbox_release(w, r->pipe, r->applied, r->gone,
					   RELEASE_BATCH, &j->err);
	}
	r->n = n > 0 ? (size_t)n : 0;
	return n;
}

static void run_unlink(struct job *j)
{
	struct releasing *r = CONTAINER_OF(j, struct releasing, unlink);
	const struct volume *kept_in = NULL;
	size_t i;

	for (i = 0; i < r->n; i++) {
		const struct outbox_gone *g = &r->gone[i];

		if (!r->volumes[i])
			continue;
		if (r->keep_max && g->body_len >= KEEP_MIN && !g->is_loose) {
			sources_keep(r->volumes[i]->spool_dir, g->nonce,
				     &g->file);
			kept_in = r->volumes[i];
		} else {
			spool_unpin(r->volumes[i]->spool_dir, g->nonce);
		}
	}
	if (kept_in)
		sources_trim(kept_in->spool_dir,
			     kept_in->over_bytes ? 0 : r->keep_max);
}

static void finish(struct releasing *r)
{
	struct pipe *p = pipes_by_id(r->edge->pipes, r->pipe);

	if (p) {
		p->is_releasing = false;
		if (r->is_dropped && r->job.result == 0)
			p->is_unreleased = false;
	}
	if (p && !r->is_dropped && p->is_unreleased)
		release_dropped(r->edge->pipes, p); /* dropped meanwhile */
	else if (p && !r->is_dropped)
		progress_moved(r->edge->pipes, p);
	else
		pipes_push_out(r->edge->pipes);
	free(r);
}

static void unlinked(struct job *j)
{
	struct releasing *r = CONTAINER_OF(j, struct releasing, unlink);

	if (r->edge->is_ending)
		finish(r);
	else
		go_on(r);
}

/* What is not released now is tried again; nothing is lost meanwhile but room. */
static void tell_failure(const struct releasing *r, struct pipe *p)
{
	char text[SENTENCE_MAX + 1];

	(void)snprintf(text, sizeof text,
		       "applied or dropped entries keep their room: %.900s",
		       r->job.err.text);
	edge_note(r->edge, NOTE_RELEASE, text);
	if (!p)
		return;
	p->is_progress_unsaved = !r->is_dropped;
	loop_timer_set(r->edge->loop, &r->edge->pipes->save, RETRY_MS);
}

static void released(struct outbox_job *j)
{
	struct releasing *r = CONTAINER_OF(j, struct releasing, job);
	struct pipe *p = pipes_by_id(r->edge->pipes, r->pipe);
	size_t i;

	if (j->result < 0)
		tell_failure(r, p);
	else
		edge_note_over(r->edge, NOTE_RELEASE);
	if (j->result <= 0) {
		finish(r);
		return;
	}
	if (p && !r->is_dropped) {
		const struct outbox_gone *last = &r->gone[r->n - 1];

		p->row.released = last->serial;
		p->row.released_nonce = last->wire_nonce;
		p->row.released_bytes = last->total;
	}
	for (i = 0; i < r->n; i++)
		r->volumes[i] =
			spool_volume(&r->edge->spool, r->gone[i].volume);
	r->keep_max = r->is_dropped ? 0 : (uint64_t)r->edge->set.diff_max_bytes;
	r->unlink.run = run_unlink;
	r->unlink.done = unlinked;
	worker_submit(r->edge->names, &r->unlink);
}

static void submit(struct releasing *r)
{
	memset(&r->job, 0, sizeof(r->job));
	r->job.run = run_release;
	r->job.done = released;
	outbox_submit(r->edge->outbox, &r->job);
}

static void go_on(struct releasing *r)
{
	struct pipe *p = pipes_by_id(r->edge->pipes, r->pipe);

	if (r->is_dropped) {
		submit(r);
		return;
	}
	if (!p || p->row.state == PIPE_DROP ||
	    p->row.released >= p->row.applied) {
		finish(r);
		return;
	}
	r->durable = p->row.durable;
	r->applied = p->row.applied;
	submit(r);
}

void release_applied(struct pipes *ps, struct pipe *p)
{
	struct releasing *r;

	if (p->is_releasing || p->row.released >= p->row.applied ||
	    ps->edge->is_ending)
		return;
	r = xcalloc(1, sizeof(*r));
	r->edge = ps->edge;
	r->pipe = p->row.id;
	p->is_releasing = true;
	p->is_progress_unsaved = false;
	go_on(r);
}

void release_dropped(struct pipes *ps, struct pipe *p)
{
	struct releasing *r;

	p->is_unreleased = true;
	if (p->is_releasing || ps->edge->is_ending)
		return;
	r = xcalloc(1, sizeof(*r));
	r->edge = ps->edge;
	r->pipe = p->row.id;
	r->is_dropped = true;
	p->is_releasing = true;
	go_on(r);
}
