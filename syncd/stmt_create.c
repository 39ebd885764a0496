/* CREATE PIPE: the receiver is asked first, outside of any turn, because that may take
 * ten seconds; then everything is checked again with what it said. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "ground/clock.h"
#include "probe.h"
#include "stmt.h"

/* In the original's order: existing pipe, sink, start time, attributes. */
static int check_room(const struct edge *e, const struct stmt *st,
		      struct err *err)
{
	struct pipe *first = NULL, *same = pipes_find(e->pipes, st->name);
	size_t n = pipes_live(e->pipes, &first);

	if (same)
		first = same;
	if (same || n >= (size_t)e->set.max_pipes)
		return err_say(err, ERR_REFUSED, EEXIST,
			       "Pipe %s is %s, please retry after drop it.",
			       first->row.name,
			       pipe_state_text(first->row.state));
	if (!pipes_sink_like(e->pipes, st->sink))
		return err_say(err, ERR_REFUSED, ENOENT,
			       "Can not find pipeSink %s.", st->sink);
	if (stmt_check_from(e, st, err))
		return -EINVAL;
	if (st->unknown_attr[0])
		return err_say(err, ERR_REFUSED, EINVAL,
			       "Can not recognition attribute %s",
			       st->unknown_attr);
	return sql_check_pipe_name(st->name, err);
}

/* A receiver takes one connection of each sender. */
static int check_alone(const struct edge *e, const struct sink_row *sink,
		       const char *key, struct err *err)
{
	const struct pipe *p;

	for (p = e->pipes->pipes; p; p = p->next) {
		const struct sink *s = pipes_sink(e->pipes, p->row.sink);

		if (p->row.state == PIPE_DROP || !s)
			continue;
		if (strcmp(s->row.name, sink->name) == 0 ||
		    (key[0] && strcmp(s->row.key, key) == 0))
			return err_say(err, ERR_REFUSED, EBUSY,
				       "Pipe %s already goes to this receiver "
				       "(drop it, or use another receiver).",
				       p->row.name);
	}
	return 0;
}

static void fill_row(struct change *c)
{
	const struct stmt *st = &c->rq->stmt;
	struct pipe_row *row = &c->pipe;

	memcpy(row->name, st->name, sizeof(row->name));
	memcpy(row->sink, c->sink.name, sizeof(row->sink));
	row->create_ms = clock_wall_ms();
	id_random(row->incarnation, ID_LEN);
	row->has_from = st->has_from;
	row->is_exclusive = st->from_is_exclusive;
	row->from = st->from;
	row->sync_del_op = st->sync_del_op;
	row->state = PIPE_STOP;
	stmt_query_text(c->edge, row, row->query, sizeof(row->query));
}

static int check_create(struct change *c, struct err *e)
{
	const struct stmt *st = &c->rq->stmt;
	const struct sink *s;
	int r = check_room(c->edge, st, e);

	if (r)
		return r;
	s = pipes_sink_like(c->edge->pipes, st->sink);
	c->sink = s->row;
	if (!c->sink.key[0])
		memcpy(c->sink.key, c->key, sizeof(c->sink.key));
	r = check_alone(c->edge, &c->sink, c->sink.key, e);
	if (r == 0)
		fill_row(c);
	return r;
}

static int commit_create(struct change *c, struct outbox_writer *w,
			 struct err *e)
{
	int r = outbox_put_sink(w, &c->sink, e);

	return r ? r : outbox_add_pipe(w, &c->pipe, e);
}

static void effect_create(struct change *c)
{
	(void)pipes_put_sink(c->edge->pipes, &c->sink);
	(void)pipes_add(c->edge->pipes, &c->pipe);
	events_begin(c->edge->events, c->pipe.name);
	events_add(c->edge->events, LOG_INFO_, NULL,
		   &(struct log_about){.pipe = c->pipe.name},
		   "created, to pipeSink %s", c->sink.name);
}

static void probed(void *arg, const char *key, const struct err *e)
{
	struct change *c = arg;

	if (e->sys) {
		control_fail(c->rq, e);
		free(c);
		return;
	}
	(void)snprintf(c->key, sizeof(c->key), "%s", key);
	change_begin(c);
}

void stmt_create_pipe(struct edge *e, struct request *rq)
{
	struct err err = {0};
	struct change *c;

	if (check_room(e, &rq->stmt, &err)) {
		control_fail(rq, &err);
		return;
	}
	c = change_new(e, rq);
	c->check = check_create;
	c->commit = commit_create;
	c->effect = effect_create;
	probe_begin(e, &pipes_sink_like(e->pipes, rq->stmt.sink)->row,
		    rq->stmt.name, probed, c);
}
