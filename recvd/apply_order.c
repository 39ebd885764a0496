#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apply_batch.h"
#include "session.h"
#include "turn.h"

/* RETRY and SKIP: an operator's word about quarantined entries, in one transaction. */

struct gather {
	struct quarantine_row *rows;
	size_t n, cap;
	struct catalog *c;
};

static void add_row(struct gather *g, const struct quarantine_row *row)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 4;
		struct quarantine_row *more = xcalloc(cap, sizeof *more);

		if (g->n)
			memcpy(more, g->rows, g->n * sizeof *more);
		free(g->rows);
		g->rows = more;
		g->cap = cap;
	}
	g->rows[g->n++] = *row;
}

static int find_one(struct apply_order *o, struct catalog *c, struct gather *g,
		    struct err *e)
{
	struct quarantine_row row = {0};
	int r = catalog_find_quarantine(c, o->id, &row, e);

	if (r < 0)
		return r;
	if (r == 0)
		return err_say(e, ERR_REFUSED, ENOENT,
			       "There is no quarantined entry %lld. (SHOW "
			       "QUARANTINE lists them)",
			       (long long)o->id);
	if (row.state == ENTRY_RELEASED && o->is_skip)
		return err_say(e, ERR_REFUSED, EBUSY,
			       "Entry %lld is being tried again, SKIP it when "
			       "that failed.",
			       (long long)o->id);
	if (row.state == ENTRY_QUARANTINED)
		add_row(g, &row);
	return 0;
}

static int find_all(struct apply_order *o, struct catalog *c, struct gather *g,
		    struct err *e)
{
	struct quarantine_row row = {0};
	int64_t id = 0;
	int r;

	(void)o;
	while ((r = catalog_next_quarantine(c, id, &row, e)) > 0) {
		id = row.id;
		if (row.state == ENTRY_QUARANTINED)
			add_row(g, &row);
	}
	return r;
}

static int order_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	struct apply_order *o = CONTAINER_OF(t, struct apply_order, task);
	struct gather g = {0};
	int r = o->id ? find_one(o, c, &g, e) : find_all(o, c, &g, e);

	o->rows = g.rows;
	o->n_rows = g.n;
	for (size_t i = 0; r >= 0 && i < g.n; i++)
		r = o->is_skip ? catalog_end_entry(c, g.rows[i].incarnation,
						   g.rows[i].serial, e)
			       : catalog_release_entry(c, g.rows[i].incarnation,
						       g.rows[i].serial, e);
	if (r >= 0 && o->is_skip && g.n)
		r = catalog_advance(c, g.rows[0].incarnation, &o->applied, e);
	return r;
}

static struct domain *find_domain(struct incarnation *i, int64_t id)
{
	struct domain *dom = i ? i->domains : NULL;

	while (dom && dom->id != id)
		dom = dom->next;
	return dom;
}

static void take_skipped(struct recvd *d, struct incarnation *i,
			 struct domain *dom, const struct apply_order *o,
			 const struct quarantine_row *row)
{
	dom->n_entries--;
	i->row.applied = o->applied;
	d->room.staged_bytes -= row->payload_len;
	i->sender->staged_bytes -= row->payload_len;
	events_add(d->events, LOG_WARN_, "apply",
		   &(struct log_about){.sender = i->sender->row.name,
				       .pipe = i->row.pipe,
				       .serial = row->serial,
				       .entry = row->entry},
		   "%s/%s: entry %llu was skipped by an operator: %s",
		   i->sender->row.name, i->row.pipe,
		   (unsigned long long)row->serial, row->entry);
	session_discard(d, i, row->serial);
	if (i->session) {
		session_quarantine(i->session, row, true);
		session_applied(i->session);
	}
}

static void take_order(struct apply *a, const struct apply_order *o)
{
	for (size_t n = 0; n < o->n_rows; n++) {
		const struct quarantine_row *row = &o->rows[n];
		struct incarnation *i =
			senders_incarnation(&a->d->senders, row->incarnation);
		struct domain *dom = find_domain(i, row->domain);

		if (!dom)
			continue;
		dom->n_quarantined--;
		turn_let_go(dom);
		dom->not_before_ms = 0;
		i->n_quarantined--;
		if (o->is_skip)
			take_skipped(a->d, i, dom, o, row);
	}
}

static void order_done(struct catalog_task *t)
{
	struct apply_order *o = CONTAINER_OF(t, struct apply_order, task);
	struct apply *a = o->apply;

	if (t->result < 0) {
		o->done(o, &t->err);
		return;
	}
	take_order(a, o);
	apply_kick(a);
	o->done(o, NULL);
}

void apply_order(struct apply *a, struct apply_order *o)
{
	o->apply = a;
	o->task.run = order_run;
	o->task.done = order_done;
	catalog_submit(a->d->catalog, &o->task);
}

void apply_order_free(struct apply_order *o)
{
	free(o->rows);
	free(o);
}
