/* CREATE, ALTER, DROP and SHOW of pipeSinks. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "change.h"
#include "ground/net.h"
#include "stmt.h"

#define SINK_TYPE "IoTDB"
#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_PORT 6670

static int no_such_sink(const char *name, struct err *e)
{
	return err_say(e, ERR_REFUSED, ENOENT, "PipeSink %s is not exist.",
		       name);
}

static int check_type(const char *type, struct err *e)
{
	char lower[SQL_NAME_MAX + 1];
	size_t i;

	if (strcasecmp(type, SINK_TYPE) == 0)
		return 0;
	for (i = 0; type[i] && i < SQL_NAME_MAX; i++)
		lower[i] = (char)tolower((unsigned char)type[i]);
	lower[i] = '\0';
	return err_say(e, ERR_REFUSED, EINVAL,
		       "Do not support pipeSink type %s", lower);
}

/* What the statement gives, over what stands in `s`. */
static int take_attributes(struct sink_row *s, const struct stmt *st,
			   struct err *e)
{
	uint8_t id[KEY_ID_LEN];

	if (st->has_ip && !net_is_host(st->ip))
		return err_say(e, ERR_REFUSED, EINVAL,
			       "ip=%s has wrong format, require for TEXT.",
			       st->ip);
	if (st->has_key && st->key[0] && keys_parse(st->key, id))
		return err_say(e, ERR_REFUSED, EINVAL,
			       "key=%s has wrong format, expected 64 "
			       "hexadecimal digits (cat /pipes/server/key at "
			       "the receiver).",
			       st->key);
	if (st->has_ip)
		memcpy(s->host, st->ip, sizeof(s->host));
	if (st->has_port)
		s->port = st->port;
	if (st->has_key && st->key[0])
		keys_text(id, s->key);
	else if (st->has_key)
		s->key[0] = '\0';
	return 0;
}

static int commit_sink(struct change *c, struct outbox_writer *w, struct err *e)
{
	return outbox_put_sink(w, &c->sink, e);
}

/* ---- CREATE PIPESINK ---- */

static int check_create(struct change *c, struct err *e)
{
	const struct stmt *st = &c->rq->stmt;
	int r;

	if (pipes_sink(c->edge->pipes, st->name))
		return err_say(e, ERR_REFUSED, EEXIST,
			       "There is a pipeSink named %s in IoTDB, please "
			       "drop it.",
			       st->name);
	r = check_type(st->type, e);
	if (r == 0)
		r = sql_check_sink_name(st->name, e);
	if (r)
		return r;
	memcpy(c->sink.name, st->name, sizeof(c->sink.name));
	(void)snprintf(c->sink.host, sizeof(c->sink.host), DEFAULT_HOST);
	c->sink.port = DEFAULT_PORT;
	return take_attributes(&c->sink, st, e);
}

static void tell(const struct change *c, const char *what)
{
	char text[NET_ENDPOINT_LEN];

	events_add(c->edge->events, LOG_INFO_, NULL, NULL, "pipeSink %s %s: %s",
		   c->sink.name, what,
		   net_endpoint(c->sink.host, c->sink.port, text));
}

static void effect_create(struct change *c)
{
	(void)pipes_put_sink(c->edge->pipes, &c->sink);
	tell(c, "created");
}

void stmt_create_sink(struct edge *e, struct request *rq)
{
	struct change *c = change_new(e, rq);

	c->check = check_create;
	c->commit = commit_sink;
	c->effect = effect_create;
	change_begin(c);
}

/* ---- ALTER PIPESINK ---- */

static const struct pipe *user_of(const struct pipes *ps, const char *sink)
{
	const struct pipe *p = ps->pipes;

	while (p &&
	       (p->row.state == PIPE_DROP || strcmp(p->row.sink, sink) != 0))
		p = p->next;
	return p;
}

/* No two live pipes to one receiver: the newer would be the other's DROP there. */
static int check_alone(const struct pipes *ps, const struct sink_row *row,
		       struct err *e)
{
	const struct sink *s;

	for (s = ps->sinks; s && row->key[0] && user_of(ps, row->name);
	     s = s->next)
		if (strcmp(s->row.name, row->name) != 0 &&
		    strcmp(s->row.key, row->key) == 0 &&
		    user_of(ps, s->row.name))
			return err_say(e, ERR_REFUSED, EBUSY,
				       "Pipe %s already goes to this receiver "
				       "(drop it, or use another receiver).",
				       user_of(ps, s->row.name)->row.name);
	return 0;
}

static int check_alter(struct change *c, struct err *e)
{
	const struct stmt *st = &c->rq->stmt;
	const struct sink *s = pipes_sink(c->edge->pipes, st->name);
	int r;

	if (!s)
		return no_such_sink(st->name, e);
	c->sink = s->row;
	r = take_attributes(&c->sink, st, e);
	return r ? r : check_alone(c->edge->pipes, &c->sink, e);
}

static void effect_alter(struct change *c)
{
	(void)pipes_put_sink(c->edge->pipes, &c->sink);
	tell(c, "altered");
	pipes_sink_moved(c->edge->pipes, c->sink.name);
}

void stmt_alter_sink(struct edge *e, struct request *rq)
{
	struct change *c = change_new(e, rq);

	c->check = check_alter;
	c->commit = commit_sink;
	c->effect = effect_alter;
	change_begin(c);
}

/* ---- DROP PIPESINK ---- */

static int check_drop(struct change *c, struct err *e)
{
	const char *name = c->rq->stmt.name;
	const struct sink *s = pipes_sink(c->edge->pipes, name);
	const struct pipe *p = user_of(c->edge->pipes, name);

	if (!s)
		return no_such_sink(name, e);
	if (p)
		return err_say(e, ERR_REFUSED, EBUSY,
			       "Can not drop pipeSink %s, because pipe %s is "
			       "using it.",
			       name, p->row.name);
	c->sink = s->row;
	return 0;
}

static int commit_drop(struct change *c, struct outbox_writer *w, struct err *e)
{
	return outbox_remove_sink(w, c->sink.name, e);
}

static void effect_drop(struct change *c)
{
	struct sink *s = pipes_sink(c->edge->pipes, c->sink.name);

	if (s)
		pipes_remove_sink(c->edge->pipes, s);
	events_add(c->edge->events, LOG_INFO_, NULL, NULL,
		   "pipeSink %s dropped", c->sink.name);
}

void stmt_drop_sink(struct edge *e, struct request *rq)
{
	struct change *c = change_new(e, rq);

	c->check = check_drop;
	c->commit = commit_drop;
	c->effect = effect_drop;
	change_begin(c);
}

/* ---- SHOW ---- */

void stmt_sink_attributes(const struct sink_row *s, struct buf *out)
{
	buf_addf(out, "ip='%s',port=%u", s->host, s->port);
}

void stmt_show_sinks(struct edge *e, struct request *rq)
{
	static const char *const heading[] = {"name", "type", "attributes",
					      NULL};
	const struct sink *s;

	control_heading(rq, heading);
	for (s = e->pipes->sinks; s; s = s->next) {
		CLEANUP(buf_release) struct buf attributes;
		const char *row[4] = {s->row.name, SINK_TYPE, NULL, NULL};

		if (rq->stmt.name[0] && strcmp(rq->stmt.name, s->row.name) != 0)
			continue;
		buf_init(&attributes, 1024);
		stmt_sink_attributes(&s->row, &attributes);
		row[2] = buf_str(&attributes);
		control_row(rq, row);
	}
	control_done(rq);
}

void stmt_show_sink_types(struct edge *e, struct request *rq)
{
	static const char *const heading[] = {"type", NULL};
	static const char *const row[] = {SINK_TYPE, NULL};

	(void)e;
	control_heading(rq, heading);
	control_row(rq, row);
	control_done(rq);
}
