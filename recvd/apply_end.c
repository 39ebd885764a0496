#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apply_batch.h"
#include "ground/backoff.h"
#include "ground/clock.h"
#include "retain.h"
#include "session.h"
#include "turn.h"

/* The end of a batch: results into the catalog in one transaction, then the loop's
 * counters, the edges, and last the staged files. Killed in between, the same entries
 * are applied once more, which a loader must bear (tsferry-loader(7)). */

/* ---- on the keeper ---- */

static int record_applied(struct catalog *c, struct apply_item *it,
			  struct err *e)
{
	int64_t seq = it->pick->seq;
	int r = 0;

	if (it->was_quarantined)
		r = catalog_quarantine_id(c, seq, it->parts.serial,
					  &it->quarantine_id, e);
	for (unsigned i = 0; r >= 0 && i < it->n_cures; i++) {
		r = catalog_release_entry(c, seq, it->cures[i], e);
		it->n_cured += r > 0;
	}
	if (r >= 0 && it->parts.kind == ENTRY_FILE && !it->pick->is_delivered)
		r = catalog_set_delivered(c, it->pick->id, e);
	if (r >= 0 && it->is_retained)
		r = catalog_retain_entry(c, seq, it->parts.serial, e);
	return r < 0 ? r : catalog_end_entry(c, seq, it->parts.serial, e);
}

static int record_quarantine(struct catalog *c, struct apply_item *it,
			     const char *paths, int64_t now_ms, struct err *e)
{
	return catalog_quarantine(c, it->pick->seq, it->parts.serial, now_ms,
				  it->text ? it->text : "", paths,
				  &it->quarantine_id, e);
}

static int record_item(struct catalog *c, struct apply_item *it, int64_t now_ms,
		       struct err *e)
{
	switch (it->result) {
	case JOB_APPLIED:
		return record_applied(c, it, e);
	case JOB_QUARANTINE:
		return record_quarantine(c, it, NULL, now_ms, e);
	case JOB_MISMATCH:
		return record_quarantine(c, it, it->paths ? it->paths : "",
					 now_ms, e);
	case JOB_NONE:
	case JOB_RETRY:
	case JOB_STOP:
	case JOB_HELD:
		return 0;
	}
	return 0;
}

static int end_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	struct apply_batch *b = CONTAINER_OF(t, struct apply_batch, task);
	int64_t now_ms = clock_wall_ms();
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < b->n_items; i++)
		r = record_item(c, &b->items[i], now_ms, e);
	for (unsigned i = 0; r >= 0 && i < b->n_reach; i++)
		r = catalog_advance(c, b->reach[i].seq, &b->reach[i].applied,
				    e);
	return r;
}

/* ---- on the loop again ---- */

static void tell_quarantine(struct recvd *d, struct incarnation *i,
			    const struct apply_item *it, bool is_over)
{
	struct quarantine_row row = {.id = it->quarantine_id,
				     .incarnation = i->row.seq,
				     .serial = it->parts.serial};

	(void)snprintf(row.reason, sizeof row.reason, "%s",
		       it->text ? it->text : "");
	if (!is_over)
		events_add(d->events, LOG_WARN_, "apply",
			   &(struct log_about){.sender = i->sender->row.name,
					       .pipe = i->row.pipe,
					       .serial = row.serial},
			   "%s/%s: entry %llu is quarantined (RETRY %lld or "
			   "SKIP %lld): %s",
			   i->sender->row.name, i->row.pipe,
			   (unsigned long long)row.serial, (long long)row.id,
			   (long long)row.id, row.reason);
	if (i->session)
		session_quarantine(i->session, &row, is_over);
}

static void forget_retry(struct domain *dom)
{
	dom->n_retries = 0;
	free(dom->retry_text);
	dom->retry_text = NULL;
}

static void take_applied(struct recvd *d, struct apply_item *it)
{
	struct domain *dom = it->pick->domain;

	dom->n_entries--;
	dom->n_quarantined -= it->n_cured;
	dom->incarnation->n_quarantined -= it->n_cured;
	dom->is_delivered |= it->parts.kind == ENTRY_FILE;
	forget_retry(dom);
	d->room.staged_bytes -= it->payload_len;
	dom->incarnation->sender->staged_bytes -= it->payload_len;
	d->counted.applied++;
	if (it->is_retained)
		d->room.retained_bytes += it->payload_len + RETAINED_COST;
	if (it->was_quarantined)
		tell_quarantine(d, dom->incarnation, it, true);
}

static void take_quarantined(struct recvd *d, struct apply_item *it)
{
	struct domain *dom = it->pick->domain;

	dom->n_quarantined++;
	dom->incarnation->n_quarantined++;
	/* Of a mismatch it is found out with the next batch: a SCHEMA may pass. */
	if (d->settings.quarantine == QUARANTINE_HOLD &&
	    it->result == JOB_QUARANTINE)
		turn_hold(dom, it->pick->n_freed);
	forget_retry(dom);
	d->counted.quarantined++;
	tell_quarantine(d, dom->incarnation, it, false);
}

static void take_retry(struct recvd *d, struct apply_item *it)
{
	struct domain *dom = it->pick->domain;
	uint64_t pause = backoff_ms(dom->n_retries++, APPLY_RETRY_MS,
				    APPLY_RETRY_MAX_MS);

	dom->not_before_ms = loop_now_ms(d->loop) + pause;
	free(dom->retry_text);
	dom->retry_text = xstrdup(it->text ? it->text : "");
	events_add(d->events, LOG_WARN_, "apply",
		   &(struct log_about){
			   .sender = dom->incarnation->sender->row.name,
			   .pipe = dom->incarnation->row.pipe,
			   .serial = it->parts.serial},
		   "%s/%s: entry %llu is tried again in %llu ms: %s",
		   dom->incarnation->sender->row.name,
		   dom->incarnation->row.pipe,
		   (unsigned long long)it->parts.serial,
		   (unsigned long long)pause, dom->retry_text);
}

static void take_stop(struct apply *a, const struct apply_item *it)
{
	uint64_t now = loop_now_ms(a->d->loop), pause;

	if (a->not_before_ms > now)
		return; /* another database of the same batch said so */
	pause = backoff_ms(a->n_stops++, APPLY_RETRY_MS, APPLY_STOP_MAX_MS);
	(void)snprintf(a->text, sizeof a->text, "%s",
		       it->text ? it->text : "the loader said stop");
	a->not_before_ms = now + pause;
	events_add(a->d->events, LOG_ERR_, "apply", NULL,
		   "nothing is applied for %llu s: %s",
		   (unsigned long long)pause / 1000, a->text);
}

static void take_results(struct apply_batch *b)
{
	struct recvd *d = b->apply->d;

	for (unsigned i = 0; i < b->n_items; i++) {
		struct apply_item *it = &b->items[i];

		switch (it->result) {
		case JOB_APPLIED:
			take_applied(d, it);
			b->apply->n_stops = 0;
			break;
		case JOB_QUARANTINE:
		case JOB_MISMATCH:
			take_quarantined(d, it);
			break;
		case JOB_RETRY:
			take_retry(d, it);
			break;
		case JOB_STOP:
			take_stop(b->apply, it);
			break;
		case JOB_NONE:
		case JOB_HELD:
			break;
		}
	}
	for (unsigned i = 0; i < b->n_picks; i++)
		if (b->picks[i].is_held)
			turn_hold(b->picks[i].domain, b->picks[i].n_freed);
}

static void tell_reach(struct apply_batch *b)
{
	int64_t now = clock_wall_ms();

	for (unsigned i = 0; i < b->n_reach; i++) {
		struct incarnation *in = b->reach[i].incarnation;

		in->row.applied = b->reach[i].applied;
		in->changed_ms = now;
		if (in->session)
			session_applied(in->session);
	}
}

/* ---- the staged files ---- */

static void unlink_run(struct job *j)
{
	struct apply_batch *b = CONTAINER_OF(j, struct apply_batch, job);

	for (unsigned i = 0; i < b->n_items; i++)
		if (b->items[i].result == JOB_APPLIED &&
		    (b->items[i].is_row || !b->items[i].is_retained))
			stage_remove_parts(b->stage, b->items[i].pick->dir,
					   &b->items[i].parts);
}

static void unlink_done(struct job *j)
{
	apply_batch_free(CONTAINER_OF(j, struct apply_batch, job));
}

static void unlink_files(struct apply_batch *b)
{
	b->job.run = unlink_run;
	b->job.done = unlink_done;
	worker_submit(b->apply->worker, &b->job);
}

static void end_done(struct catalog_task *t)
{
	struct apply_batch *b = CONTAINER_OF(t, struct apply_batch, task);
	struct apply *a = b->apply;

	if (t->result < 0) {
		events_add(a->d->events, LOG_ERR_, "apply", NULL,
			   "the catalog did not take results: %s", t->err.text);
		a->not_before_ms = loop_now_ms(a->d->loop) + APPLY_RETRY_MS;
		apply_batch_over(a, b);
		apply_batch_free(b);
		return;
	}
	take_results(b);
	tell_reach(b);
	apply_tell_all(a);
	retain_trim(a->d->retain, 0);
	apply_batch_over(a, b);
	unlink_files(b);
}

static void add_reach(struct apply_batch *b, struct incarnation *in)
{
	for (unsigned i = 0; i < b->n_reach; i++)
		if (b->reach[i].incarnation == in)
			return;
	b->reach[b->n_reach++] =
		(struct apply_reach){.incarnation = in, .seq = in->row.seq};
}

void apply_end(struct apply_batch *b)
{
	for (unsigned i = 0; i < b->n_items; i++)
		if (b->items[i].result == JOB_APPLIED ||
		    b->items[i].result == JOB_QUARANTINE ||
		    b->items[i].result == JOB_MISMATCH)
			add_reach(b, b->items[i].pick->domain->incarnation);
	for (unsigned i = 0; i < b->n_items; i++)
		b->items[i].is_retained = retain_wants(&b->apply->d->settings,
						       b->items[i].payload_len);
	b->task = (struct catalog_task){.run = end_run, .done = end_done};
	catalog_submit(b->apply->d->catalog, &b->task);
}
