/* The statements about a pipe that is there. None of them needs the receiver: what it has
 * to know, it learns at the next HELLO (statement reference, section 2). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "ground/clock.h"
#include "lost.h"
#include "resync.h"
#include "scan.h"
#include "schema.h"
#include "stmt.h"

struct pipe *stmt_find_pipe(struct edge *e, const char *name, struct err *err)
{
	struct pipe *p = pipes_find(e->pipes, name);

	if (p)
		return p;
	if (pipes_live(e->pipes, NULL))
		(void)err_say(err, ERR_REFUSED, ENOENT,
			      "There is no existing pipe %s.", name);
	else
		(void)err_say(err, ERR_REFUSED, ENOENT,
			      "There is no existing pipe.");
	return NULL;
}

/* A time in the edge's precision, in milliseconds. */
static int64_t instant_ms(const struct edge *e, int64_t t)
{
	const char *precision = e->set.facts.precision;
	int64_t per_ms = strcmp(precision, "ns") == 0	? 1000000
			 : strcmp(precision, "us") == 0 ? 1000
							: 1;

	return t / per_ms - (t % per_ms < 0);
}

int stmt_check_from(const struct edge *e, const struct stmt *st,
		    struct err *err)
{
	char from[CLOCK_TEXT_LEN], now[CLOCK_TEXT_LEN];
	int64_t from_ms = instant_ms(e, st->from), now_ms = clock_wall_ms();

	if (!st->has_from || from_ms <= now_ms)
		return 0;
	return err_say(err, ERR_REFUSED, EINVAL,
		       "Start time %s is later than current time %s, this is "
		       "not supported yet.",
		       clock_text(from_ms, from), clock_text(now_ms, now));
}

void stmt_query_text(const struct edge *e, const struct pipe_row *p, char *to,
		     size_t size)
{
	char when[CLOCK_TEXT_LEN + 8];

	if (!p->has_from) {
		(void)snprintf(to, size, "select ** from root");
		return;
	}
	(void)clock_text_offset(instant_ms(e, p->from), when);
	(void)snprintf(to, size, "select ** from root where time %s %s",
		       p->is_exclusive ? ">" : ">=", when);
}

/* ---- START, STOP, DROP ---- */

static int check_state(struct change *c, enum pipe_state state, struct err *e)
{
	struct pipe *p = stmt_find_pipe(c->edge, c->rq->stmt.name, e);

	if (!p)
		return -ENOENT;
	c->pipe = p->row;
	c->pipe.state = state;
	c->pipe.error[0] = '\0';
	return 0;
}

static int check_start(struct change *c, struct err *e)
{
	int r = check_state(c, PIPE_RUNNING, e);

	c->pipe.is_started_once = true;
	return r;
}

static int check_stop(struct change *c, struct err *e)
{
	return check_state(c, PIPE_STOP, e);
}

static int check_drop(struct change *c, struct err *e)
{
	return check_state(c, PIPE_DROP, e);
}

static int commit_state(struct change *c, struct outbox_writer *w,
			struct err *e)
{
	return outbox_save_pipe(w, &c->pipe, e);
}

static void effect_state(struct change *c)
{
	struct pipe *p = pipes_by_id(c->edge->pipes, c->pipe.id);

	if (p)
		pipe_set_state(c->edge->pipes, p, c->pipe.state);
}

static void begin_state(struct edge *e, struct request *rq,
			int (*check)(struct change *, struct err *))
{
	struct change *c = change_new(e, rq);

	c->check = check;
	c->commit = commit_state;
	c->effect = effect_state;
	change_begin(c);
}

void stmt_start_pipe(struct edge *e, struct request *rq)
{
	begin_state(e, rq, check_start);
}

void stmt_stop_pipe(struct edge *e, struct request *rq)
{
	begin_state(e, rq, check_stop);
}

void stmt_drop_pipe(struct edge *e, struct request *rq)
{
	begin_state(e, rq, check_drop);
}

/* ---- RESYNC ---- */

static int check_resync(struct change *c, struct err *e)
{
	const struct stmt *st = &c->rq->stmt;
	struct pipe *p = stmt_find_pipe(c->edge, st->name, e);
	struct pipe_row *row = &c->pipe;
	int r = p ? stmt_check_from(c->edge, st, e) : -ENOENT;

	if (r)
		return r;
	c->old = p->row;
	c->old.state = PIPE_DROP;
	c->old.is_superseded = true;
	*row = p->row;
	row->create_ms = clock_wall_ms();
	row->is_resync = true;
	id_random(row->incarnation, ID_LEN);
	row->assigned = row->assigned_bytes = 0;
	row->durable = row->applied = 0;
	row->released = row->released_nonce = row->released_bytes = 0;
	/* What the ERROR asked for is done now: the pipe runs again. */
	if (row->error[0])
		row->state = PIPE_RUNNING;
	row->error[0] = '\0';
	if (st->has_from) {
		row->has_from = true;
		row->is_exclusive = st->from_is_exclusive;
		row->from = st->from;
		stmt_query_text(c->edge, row, row->query, sizeof(row->query));
	}
	return 0;
}

static int commit_resync(struct change *c, struct outbox_writer *w,
			 struct err *e)
{
	int r = outbox_save_pipe(w, &c->old, e);

	if (r == 0)
		r = outbox_add_pipe(w, &c->pipe, e);
	return r ? r : resync_carry(w, &c->edge->spool, &c->old, c->pipe.id, e);
}

static void effect_resync(struct change *c)
{
	struct pipes *ps = c->edge->pipes;
	struct pipe *old = pipes_by_id(ps, c->old.id), *p;

	p = pipes_add(ps, &c->pipe);
	events_add(c->edge->events, LOG_INFO_, NULL,
		   &(struct log_about){.pipe = p->row.name},
		   "RESYNC: a new incarnation begins, the old one is dropped");
	if (old) {
		old->row.is_superseded = true;
		pipe_set_state(ps, old, PIPE_DROP);
	}
	lost_note(c->edge, p);
	pipe_set_state(ps, p, p->row.state);
	if (p->row.is_started_once) {
		schema_pipe_begins(c->edge->schema);
		scan_everything(c->edge->scan);
	}
}

void stmt_resync_pipe(struct edge *e, struct request *rq)
{
	struct change *c = change_new(e, rq);

	c->check = check_resync;
	c->commit = commit_resync;
	c->effect = effect_resync;
	change_begin(c);
}

/* ---- SHOW ---- */

static void show_pipe(const struct pipes *ps, const struct pipe *p,
		      struct request *rq)
{
	char when[CLOCK_TEXT_LEN];
	CLEANUP(buf_release) struct buf message;
	const char *row[6] = {NULL};

	buf_init(&message, 8192);
	pipe_message_cell(ps, p, &message);
	row[0] = clock_text(p->row.create_ms, when);
	row[1] = p->row.name;
	row[2] = p->row.sink;
	row[3] = pipe_state_text(p->row.state);
	row[4] = buf_str(&message);
	control_row(rq, row);
}

void stmt_show_pipes(struct edge *e, struct request *rq)
{
	static const char *const heading[] = {
		"create time", "name", "pipeSink", "status", "message", NULL};
	const struct pipe *p;

	control_heading(rq, heading);
	for (p = e->pipes->pipes; p; p = p->next) {
		if (p->row.is_superseded ||
		    (rq->stmt.name[0] &&
		     strcmp(rq->stmt.name, p->row.name) != 0))
			continue;
		show_pipe(e->pipes, p, rq);
	}
	control_done(rq);
}
