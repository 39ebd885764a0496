#include "farewell.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "link.h"

#define FIRST_TRY_MS 100
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 300000
#define ANSWER_MS 30000

struct farewell {
	struct farewell *next;
	struct edge *edge;
	int64_t pipe;
	struct sink_row sink; /* a copy: the sink may be dropped next */
	struct call *call;
	bool is_said;
	uint64_t backoff_ms;
	struct loop_timer timer; /* the next try, or the end of this one */
};

static void release_farewell(struct farewell *f)
{
	loop_timer_stop(f->edge->loop, &f->timer);
	call_free(f->call);
	free(f);
}

static void free_farewell(struct farewell *f)
{
	struct farewell **at = &f->edge->pipes->farewells;

	while (*at && *at != f)
		at = &(*at)->next;
	if (*at)
		*at = f->next;
	release_farewell(f);
}

static void again_later(struct farewell *f)
{
	call_free(f->call);
	f->call = NULL;
	loop_timer_set(f->edge->loop, &f->timer, f->backoff_ms);
	if (f->backoff_ms < BACKOFF_MAX_MS)
		f->backoff_ms *= 2;
}

static void send_hello(struct farewell *f, const struct pipe_row *row)
{
	CLEANUP(buf_release) struct buf b;
	struct msg_hello m = {0};

	msg_hello_offer(&m);
	memcpy(m.sender_id, f->edge->keys.id, SENDER_ID_LEN);
	memcpy(m.sender_name, f->edge->set.sender_name, sizeof(m.sender_name));
	(void)snprintf(m.program, sizeof(m.program), "%s", TSFERRY_VERSION);
	memcpy(m.pipe, row->name, sizeof(m.pipe));
	memcpy(m.incarnation, row->incarnation, ID_LEN);
	m.create_time_ms = row->create_ms;
	m.assigned = row->assigned;
	m.released = row->released;
	buf_init(&b, FRAME_LEN_MAX);
	msg_hello_encode(&m, &b);
	call_send(f->call, &b);
}

static void send_drop(struct farewell *f, const struct pipe_row *row)
{
	CLEANUP(buf_release) struct buf b;
	struct msg_drop m;

	memcpy(m.incarnation, row->incarnation, ID_LEN);
	buf_init(&b, FRAME_LEN_MAX);
	msg_drop_encode(&m, &b);
	call_send(f->call, &b);
	f->is_said = true;
}

static void on_opened(void *arg, const char *key)
{
	struct farewell *f = arg;
	const struct pipe *p = pipes_by_id(f->edge->pipes, f->pipe);

	(void)key;
	if (p)
		send_hello(f, &p->row);
}

/* The receiver knows of pipe `id` to this sink, and so that the ones before it are over. */
static void told(struct pipes *ps, const char *sink, int64_t id)
{
	struct farewell *f, *next;

	for (f = ps->farewells; f; f = next) {
		struct pipe *p = pipes_by_id(ps, f->pipe);

		next = f->next;
		if (f->pipe > id || strcmp(f->sink.name, sink) != 0)
			continue;
		if (p)
			pipe_told(ps, p);
		free_farewell(f);
	}
}

static void on_frame(void *arg, const struct frame *frame)
{
	struct farewell *f = arg;
	const struct pipe *p = pipes_by_id(f->edge->pipes, f->pipe);
	struct msg_bye bye;

	if (frame->type == MSG_WELCOME && p && !f->is_said)
		send_drop(f, &p->row);
	/* It has kept it, now or before. */
	if (frame->type == MSG_BYE && p && msg_bye_decode(&bye, frame) == 0 &&
	    bye.why == BYE_HISTORY)
		told(f->edge->pipes, p->row.sink, f->pipe);
}

/* Whether the DROP arrived is not known: another HELLO asks. */
static void on_closed(void *arg, enum call_end end, const struct err *why)
{
	(void)end;
	(void)why;
	again_later(arg);
}

static const struct call_events call_events = {
	.opened = on_opened,
	.frame = on_frame,
	.closed = on_closed,
};

/* A newer pipe to the same sink, whose HELLO or farewell says it too; a second connection
 * would take that one over. */
static const struct pipe *said_by(const struct pipes *ps, const struct pipe *p)
{
	const struct pipe *o;

	for (o = ps->pipes; o; o = o->next) {
		if (o->row.id > p->row.id && o->row.is_started_once &&
		    !o->row.is_told && strcmp(o->row.sink, p->row.sink) == 0)
			return o;
	}
	return NULL;
}

static void time_up(struct loop_timer *t)
{
	struct farewell *f = CONTAINER_OF(t, struct farewell, timer);
	struct pipes *ps = f->edge->pipes;
	const struct pipe *p = pipes_by_id(ps, f->pipe);
	const struct pipe *o = p ? said_by(ps, p) : NULL;

	if (!p) {
		free_farewell(f);
	} else if (o && o->link && link_is_online(o->link)) {
		told(ps, o->row.sink, p->row.id);
	} else if (f->call || o) {
		again_later(f);
	} else {
		f->is_said = false;
		f->call = call_new(f->edge, &f->sink, &call_events, f);
		loop_timer_set(f->edge->loop, &f->timer, ANSWER_MS);
	}
}

void farewell_begin(struct pipes *ps, struct pipe *p)
{
	const struct sink *s = pipes_sink(ps, p->row.sink);
	struct farewell *f;

	if (p->row.is_told || !p->row.is_started_once || !s ||
	    ps->edge->is_ending)
		return;
	f = xcalloc(1, sizeof(*f));
	f->sink = s->row;
	f->edge = ps->edge;
	f->pipe = p->row.id;
	f->timer.fn = time_up;
	f->backoff_ms = BACKOFF_MIN_MS;
	f->next = ps->farewells;
	ps->farewells = f;
	loop_timer_set(ps->edge->loop, &f->timer, FIRST_TRY_MS);
}

void farewell_end_all(struct pipes *ps)
{
	while (ps->farewells) {
		struct farewell *f = ps->farewells;

		ps->farewells = f->next;
		release_farewell(f);
	}
}
