/* WAIT PIPE: everything that is sealed now is captured (a walk that begins now has
 * ended and nothing is under way), the schema of now is taken up where the edge IoTDB is
 * asked, then everything assigned by then is applied. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "progress.h"
#include "scan.h"
#include "schema.h"
#include "stmt.h"

#define WAIT_SECONDS 60

struct wait {
	struct wait *next;
	struct edge *edge;
	struct request *rq;
	int64_t pipe;
	struct scan_waiter scanned;
	struct schema_waiter listed;
	struct progress_waiter applied;
	bool is_scanned;
	struct loop_timer deadline;
	int64_t seconds;
};

static void release_wait(struct wait *w)
{
	loop_timer_stop(w->edge->loop, &w->deadline);
	scan_unwait(w->edge->scan, &w->scanned);
	schema_unwait(w->edge->schema, &w->listed);
	progress_unwait(w->edge->pipes, &w->applied);
	free(w);
}

static void free_wait(struct wait *w)
{
	struct wait **at = &w->edge->waits;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	release_wait(w);
}

static void tell_refusal(struct wait *w, int sys, const char *text)
{
	struct err e = {0};

	(void)err_say(&e, ERR_REFUSED, sys, "%s", text);
	control_fail(w->rq, &e);
}

static void refuse(struct wait *w, int sys, const char *text)
{
	tell_refusal(w, sys, text);
	free_wait(w);
}

static void all_applied(struct progress_waiter *pw)
{
	struct wait *w = CONTAINER_OF(pw, struct wait, applied);

	control_done(w->rq);
	free_wait(w);
}

static void all_assigned(struct wait *w)
{
	const struct pipe *p = pipes_by_id(w->edge->pipes, w->pipe);

	if (!p || p->row.state == PIPE_DROP) {
		refuse(w, ENOENT, "The pipe was dropped.");
		return;
	}
	w->applied.pipe = w->pipe;
	w->applied.serial = p->row.assigned;
	w->applied.fn = all_applied;
	progress_wait(w->edge->pipes, &w->applied);
}

static void all_listed(struct schema_waiter *lw)
{
	all_assigned(CONTAINER_OF(lw, struct wait, listed));
}

static void all_captured(struct scan_waiter *sw)
{
	struct wait *w = CONTAINER_OF(sw, struct wait, scanned);

	w->is_scanned = true;
	w->listed.fn = all_listed;
	if (!schema_wait(w->edge->schema, &w->listed))
		all_assigned(w);
}

static void too_late(struct loop_timer *t)
{
	struct wait *w = CONTAINER_OF(t, struct wait, deadline);
	const struct pipe *p = pipes_by_id(w->edge->pipes, w->pipe);
	char text[512];

	if (!p || p->row.state == PIPE_DROP)
		(void)snprintf(text, sizeof(text), "The pipe was dropped.");
	else
		(void)snprintf(
			text, sizeof(text),
			"%" PRIu64 " entries of pipe %.100s are not applied "
			"after %" PRId64 " s%s; it is %s and may still get "
			"there (cat /pipes/%.100s/link and progress).",
			p->row.assigned - p->row.applied, p->row.name,
			w->seconds,
			w->is_scanned ? ""
				      : " and sealed files are not all "
					"captured",
			pipe_state_text(p->row.state), p->row.name);
	refuse(w, ETIMEDOUT, text);
}

/* Nobody reads the answer any more. */
static void gone(struct request *rq)
{
	struct wait *w = rq->arg;

	refuse(w, ECANCELED, "The client went away.");
}

void stmt_wait_pipe(struct edge *e, struct request *rq)
{
	struct err err = {0};
	struct pipe *p = stmt_find_pipe(e, rq->stmt.name, &err);
	struct wait *w;

	if (!p) {
		control_fail(rq, &err);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->edge = e;
	w->rq = rq;
	w->pipe = p->row.id;
	w->seconds = rq->stmt.has_seconds ? rq->stmt.seconds : WAIT_SECONDS;
	w->next = e->waits;
	e->waits = w;
	rq->arg = w;
	rq->gone = gone;
	w->deadline.fn = too_late;
	loop_timer_set(e->loop, &w->deadline, (uint64_t)w->seconds * 1000);
	w->scanned.fn = all_captured;
	if (p->row.is_started_once)
		scan_wait(e->scan, &w->scanned);
	else
		all_assigned(w);
}

void stmt_end_waits(struct edge *e)
{
	while (e->waits) {
		struct wait *w = e->waits;

		e->waits = w->next;
		tell_refusal(w, ESHUTDOWN, "syncd is stopping");
		release_wait(w);
	}
}
