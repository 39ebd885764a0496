#include "progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "ground/clock.h"
#include "link.h"
#include "scan.h"

/* Bytes of all entries up to `serial`. */
static uint64_t bytes_until(const struct pipes *ps, const struct pipe_row *row,
			    uint64_t serial)
{
	if (serial == row->assigned)
		return row->assigned_bytes;
	if (serial <= row->released)
		return row->released_bytes;
	return outbox_total(ps->edge->outbox, row->id, serial,
			    row->released_bytes);
}

static int64_t age_s(int64_t since_ms)
{
	int64_t age = since_ms ? clock_wall_ms() - since_ms : 0;

	return age > 0 ? age / 1000 : 0;
}

uint64_t pipe_oldest_unsent_s(const struct pipes *ps, const struct pipe *p)
{
	const struct pipe_row *row = &p->row;

	if (row->durable >= row->assigned)
		return 0;
	return (uint64_t)age_s(outbox_captured_ms(ps->edge->outbox, row->id,
						  row->durable + 1));
}

static uint64_t eta_s(uint64_t remaining, uint64_t rate)
{
	return rate ? (remaining + rate - 1) / rate : 0;
}

static void put(struct buf *out, const char *key, uint64_t value)
{
	buf_addf(out, "%s %" PRIu64 "\n", key, value);
}

void pipe_progress(const struct pipes *ps, const struct pipe *p,
		   struct buf *out)
{
	const struct pipe_row *row = &p->row;
	const struct edge *e = ps->edge;
	uint64_t sent = bytes_until(ps, row, row->durable);
	uint64_t left =
		row->assigned_bytes > sent ? row->assigned_bytes - sent : 0;
	uint64_t rate = p->link ? link_rate(p->link) : 0, n_early = 0,
		 early = 0;

	if (p->link)
		link_early(p->link, &n_early, &early);
	if (n_early > row->assigned - row->durable)
		n_early = row->assigned - row->durable;
	left = left > early ? left - early : 0;
	put(out, "remaining_entries", row->assigned - row->durable - n_early);
	put(out, "remaining_bytes", left);
	put(out, "sent_entries", row->durable + n_early);
	put(out, "sent_bytes", sent + early);
	put(out, "durable_serial", row->durable);
	put(out, "applied_serial", row->applied);
	put(out, "quarantined_entries", p->n_quarantined);
	put(out, "oldest_unsent_seconds", pipe_oldest_unsent_s(ps, p));
	put(out, "oldest_unsealed_seconds",
	    (uint64_t)age_s(scan_oldest_unsealed_ms(e->scan)));
	put(out, "newest_sealed_seconds",
	    (uint64_t)age_s(capture_newest_sealed_ms(e->capture)));
	put(out, "rate_bytes_per_second", rate);
	put(out, "eta_seconds", eta_s(left, rate));
	put(out, "retries", p->n_retries);
	put(out, "resent_bytes",
	    p->link ? link_resent_bytes(p->link) : p->resent_bytes);
	put(out, "saved_bytes",
	    p->saved_reference_bytes + p->saved_prefix_bytes +
		    p->saved_compressed_bytes);
	put(out, "saved_reference_bytes", p->saved_reference_bytes);
	put(out, "saved_prefix_bytes", p->saved_prefix_bytes);
	put(out, "saved_compressed_bytes", p->saved_compressed_bytes);
}

/* ---- saving ---- */

struct saving {
	struct outbox_job job;
	int64_t pipe;
	uint64_t durable, applied;
};

static int run_save(struct outbox_job *j, struct outbox_writer *w)
{
	struct saving *s = CONTAINER_OF(j, struct saving, job);

	return outbox_save_progress(w, s->pipe, s->durable, s->applied,
				    &j->err);
}

static void saved(struct outbox_job *j)
{
	/* What was not saved is told again by the receiver's WELCOME. */
	free(CONTAINER_OF(j, struct saving, job));
}

void progress_save(struct pipes *ps, const struct pipe *p)
{
	struct saving *s = xcalloc(1, sizeof(*s));

	s->pipe = p->row.id;
	s->durable = p->row.durable;
	s->applied = p->row.applied;
	s->job.run = run_save;
	s->job.done = saved;
	outbox_submit(ps->edge->outbox, &s->job);
}

/* ---- waiting ---- */

void progress_unwait(struct pipes *ps, struct progress_waiter *w)
{
	struct progress_waiter **at = &ps->waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

void progress_moved(struct pipes *ps, const struct pipe *p)
{
	struct progress_waiter *w = ps->waiters, *next;

	for (; w; w = next) {
		next = w->next;
		if (w->pipe != p->row.id || w->serial > p->row.applied ||
		    p->is_releasing)
			continue;
		progress_unwait(ps, w);
		w->fn(w);
	}
}

void progress_wait(struct pipes *ps, struct progress_waiter *w)
{
	const struct pipe *p = pipes_by_id(ps, w->pipe);

	w->next = ps->waiters;
	ps->waiters = w;
	if (p)
		progress_moved(ps, p);
}
