#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain/proto.h"
#include "ground/net.h"
#include "ground/stream.h"

/* The look-up outlives the call when a name server does not answer. */
struct lookup {
	struct job job;
	struct call *call; /* NULL: nobody waits any more */
	char host[HOST_LEN];
	unsigned port;
	struct net_addr addr;
	struct err err;
	int result;
};

struct call {
	struct edge *edge;
	struct sink_row sink;
	const struct call_events *ev;
	void *arg;
	struct lookup *lookup; /* under way; freed by its end */
	struct stream *stream;
	bool is_reading; /* frames are handed out: freed behind them */
	bool is_dead;
	char address[NET_TEXT_LEN + 16];
};

static void run_lookup(struct job *j)
{
	struct lookup *l = CONTAINER_OF(j, struct lookup, job);

	l->result = net_resolve(l->host, l->port, &l->addr, &l->err);
}

static void prefix_address(const struct call *c, const struct err *why,
			   struct err *out)
{
	*out = *why;
	if (!out->sys)
		(void)err_set(out, ECONNRESET, "the receiver hung up");
	(void)err_wrap(out, "%s", c->address);
}

static void end(struct call *c, enum call_end how, const struct err *why)
{
	const struct call_events *ev = c->ev;

	ev->closed(c->arg, how, why);
}

static bool check_key(struct call *c, char key[KEY_TEXT_LEN], struct err *e)
{
	const uint8_t *id = stream_peer_key(c->stream);

	key[0] = '\0';
	if (!id)
		return true;
	keys_text(id, key);
	if (!c->sink.key[0] || strcmp(c->sink.key, key) == 0)
		return true;
	(void)err_set(e, EKEYREJECTED,
		      "receiver %s has another key: expected %s, found %s "
		      "(if the receiver was set up anew: ALTER PIPESINK %s "
		      "(key='%s'))",
		      c->address, c->sink.key, key, c->sink.name, key);
	return false;
}

static void on_opened(void *arg)
{
	struct call *c = arg;
	char key[KEY_TEXT_LEN];
	struct err e = {0};

	if (check_key(c, key, &e))
		c->ev->opened(c->arg, key);
	else
		end(c, CALL_OTHER_KEY, &e);
}

static void broken(struct call *c)
{
	struct err e = {0};

	(void)err_set(&e, EPROTO,
		      "%s: what came is no message of the protocol, or it was "
		      "damaged on its way",
		      c->address);
	end(c, CALL_FOREIGN, &e);
}

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct call *c = arg;
	size_t used = 0;

	c->is_reading = true;
	while (!c->is_dead) {
		struct frame f;
		int r = frame_take(&f, p + used, n - used, msg_len_max);

		if (r == 0)
			break;
		if (r < 0) {
			broken(c);
			break;
		}
		used += (size_t)r;
		c->ev->frame(c->arg, &f);
	}
	c->is_reading = false;
	if (c->is_dead)
		free(c);
	return used;
}

static void on_drained(void *arg)
{
	struct call *c = arg;

	if (c->ev->drained)
		c->ev->drained(c->arg);
}

/* The kernel's own refusal has its own words; anything else is the receiver's sentence. */
static bool has_said_no(const struct err *why)
{
	return why->sys == ECONNREFUSED &&
	       strcmp(why->text, err_words(ECONNREFUSED)) != 0;
}

static void on_closed(void *arg, const struct err *why)
{
	struct call *c = arg;
	struct err e;

	prefix_address(c, why, &e);
	if (why->sys == EPROTO) {
		end(c, CALL_FOREIGN, &e);
	} else if (has_said_no(why)) {
		end(c, CALL_SAID_NO, why);
	} else {
		end(c, CALL_AWAY, &e);
	}
}

static const struct stream_events stream_events = {
	.opened = on_opened,
	.data = on_data,
	.drained = on_drained,
	.closed = on_closed,
};

static int connect_to(struct call *c, const struct net_addr *addr,
		      struct err *e)
{
	char text[NET_TEXT_LEN];
	const struct keys *keys =
		c->edge->set.transport == TRANSPORT_TLS ? &c->edge->keys : NULL;
	int fd;

	(void)snprintf(c->address, sizeof(c->address),
		       addr->ss.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		       net_text(addr, text), c->sink.port);
	fd = net_connect(addr);
	if (fd < 0)
		return err_set(e, -fd, "%s: %s", c->address, err_words(-fd));
	return stream_new(&c->stream, c->edge->loop, fd, STREAM_CONNECT, keys,
			  &stream_events, c, e);
}

static void looked_up(struct job *j)
{
	struct lookup *l = CONTAINER_OF(j, struct lookup, job);
	struct call *c = l->call;
	struct err e = l->err;
	int r = l->result;

	if (c) {
		c->lookup = NULL;
		if (r == 0)
			r = connect_to(c, &l->addr, &e);
		if (r < 0)
			end(c, CALL_AWAY, &e);
	}
	free(l);
}

struct call *call_new(struct edge *e, const struct sink_row *sink,
		      const struct call_events *ev, void *arg)
{
	struct call *c = xcalloc(1, sizeof(*c));
	struct lookup *l = xcalloc(1, sizeof(*l));

	c->edge = e;
	c->sink = *sink;
	c->ev = ev;
	c->arg = arg;
	(void)snprintf(c->address, sizeof(c->address), "%.60s:%u", sink->host,
		       sink->port);
	c->lookup = l;
	l->call = c;
	memcpy(l->host, sink->host, sizeof(l->host));
	l->port = sink->port;
	l->job.run = run_lookup;
	l->job.done = looked_up;
	worker_submit(e->names, &l->job);
	return c;
}

static void forget(struct call *c)
{
	if (c->lookup)
		c->lookup->call = NULL;
	c->is_dead = true;
	if (!c->is_reading)
		free(c);
}

void call_free(struct call *c)
{
	if (!c)
		return;
	stream_free(c->stream);
	forget(c);
}

void call_finish(struct call *c)
{
	if (c->stream)
		stream_finish(c->stream);
	forget(c);
}

void call_send(struct call *c, const struct buf *b)
{
	if (c->stream && b->len)
		stream_send(c->stream, buf_data(b), b->len);
}

size_t call_queued(const struct call *c)
{
	return c->stream ? stream_queued(c->stream) : 0;
}

uint64_t call_bytes_out(const struct call *c)
{
	return c->stream ? stream_bytes_out(c->stream) : 0;
}

int call_path(const struct call *c, struct net_path *out)
{
	return c->stream ? stream_path(c->stream, out) : -ENOTCONN;
}

int call_unsent(const struct call *c, uint32_t bytes)
{
	return c->stream ? stream_unsent(c->stream, bytes) : -ENOTCONN;
}

const char *call_address(const struct call *c)
{
	return c->address;
}
