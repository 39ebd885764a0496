#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call.h"

#define PROBE_MS 10000
#define BUSY_PAUSE_MS 700 /* a receiver bounds how often a sender may come */

struct probe {
	struct edge *edge;
	struct call *call;
	struct sink_row sink;
	char pipe[NAME_LEN_MAX + 1];
	char key[KEY_TEXT_LEN];
	char busy[SENTENCE_MAX + 1]; /* why it shall come later; "" = not */
	struct loop_timer deadline, again;
	void (*done)(void *arg, const char *key, const struct err *e);
	void *arg;
};

static void probe_free(struct probe *p)
{
	loop_timer_stop(p->edge->loop, &p->deadline);
	loop_timer_stop(p->edge->loop, &p->again);
	call_free(p->call);
	free(p);
}

static void finish(struct probe *p, const struct err *e)
{
	p->done(p->arg, p->key, e);
	probe_free(p);
}

/* The original's words, then the cause (statement reference, section 2). */
static void refuse(struct probe *p, int sys, const char *cause)
{
	struct err e = {0};

	(void)err_say(&e, ERR_REFUSED, sys,
		      "Can not connect to pipeSink %s, please check net and "
		      "receiver is available, and try again.",
		      p->sink.name);
	(void)err_hint(&e, "%s", cause);
	finish(p, &e);
}

static void on_opened(void *arg, const char *key)
{
	struct probe *p = arg;
	CLEANUP(buf_release) struct buf b;
	struct msg_hello m = {0};

	(void)snprintf(p->key, sizeof(p->key), "%s", key);
	msg_hello_offer(&m);
	m.flags = HELLO_PROBE;
	memcpy(m.sender_id, p->edge->keys.id, SENDER_ID_LEN);
	memcpy(m.sender_name, p->edge->set.sender_name, sizeof(m.sender_name));
	(void)snprintf(m.program, sizeof(m.program), "%s", TSFERRY_VERSION);
	memcpy(m.pipe, p->pipe, sizeof(m.pipe));
	id_random(m.incarnation, ID_LEN);
	buf_init(&b, FRAME_LEN_MAX);
	msg_hello_encode(&m, &b);
	call_send(p->call, &b);
}

static void got_welcome(struct probe *p, const struct frame *f)
{
	const struct err none = {0};
	struct msg_welcome m;
	char cause[160];

	if (msg_welcome_decode(&m, f) < 0) {
		refuse(p, EPROTO, "the receiver's WELCOME is malformed");
	} else if (!proto_common(m.version, m.version)) {
		(void)snprintf(cause, sizeof(cause),
			       "the receiver chose version %u of the protocol, "
			       "offered were %u to %u: update the older side",
			       m.version, PROTO_VERSION_MIN, PROTO_VERSION_MAX);
		refuse(p, EPROTO, cause);
	} else {
		finish(p, &none);
	}
}

/* Not a no: it is asked again until the time is over. */
static void come_later(struct probe *p, const struct msg_bye *bye)
{
	call_free(p->call);
	p->call = NULL;
	(void)snprintf(p->busy, sizeof(p->busy), "%s", bye->text);
	loop_timer_set(p->edge->loop, &p->again, BUSY_PAUSE_MS);
}

static void on_frame(void *arg, const struct frame *f)
{
	struct probe *p = arg;
	struct msg_bye bye;

	if (f->type == MSG_WELCOME)
		got_welcome(p, f);
	else if (f->type != MSG_BYE || msg_bye_decode(&bye, f) < 0)
		return;
	else if (bye.why == BYE_BUSY)
		come_later(p, &bye);
	else
		refuse(p, bye.why == BYE_REFUSED ? EACCES : ECONNREFUSED,
		       bye.text);
}

static void on_closed(void *arg, enum call_end end, const struct err *why)
{
	struct probe *p = arg;

	switch (end) {
	case CALL_AWAY:
		refuse(p,
		       why->sys == ECONNREFUSED ? ECONNREFUSED : EHOSTUNREACH,
		       why->text);
		break;
	case CALL_SAID_NO:
		refuse(p, call_is_ban(why->text) ? EACCES : ECONNREFUSED,
		       why->text);
		break;
	case CALL_FOREIGN:
		refuse(p, ECONNREFUSED, why->text);
		break;
	case CALL_OTHER_KEY:
		refuse(p, EACCES, why->text);
		break;
	}
}

static const struct call_events call_events = {
	.opened = on_opened,
	.frame = on_frame,
	.closed = on_closed,
};

static void ask_again(struct loop_timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, again);

	p->call = call_new(p->edge, &p->sink, &call_events, p);
}

static void too_late(struct loop_timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, deadline);
	char cause[128];

	if (p->busy[0]) {
		refuse(p, EHOSTUNREACH, p->busy);
		return;
	}
	(void)snprintf(cause, sizeof(cause), "%.90s: no answer in 10 s",
		       call_address(p->call));
	refuse(p, EHOSTUNREACH, cause);
}

void probe_begin(struct edge *e, const struct sink_row *sink, const char *pipe,
		 void (*done)(void *arg, const char *key, const struct err *e),
		 void *arg)
{
	struct probe *p = xcalloc(1, sizeof(*p));

	p->edge = e;
	p->sink = *sink;
	(void)snprintf(p->pipe, sizeof(p->pipe), "%s", pipe);
	p->done = done;
	p->arg = arg;
	p->deadline.fn = too_late;
	p->again.fn = ask_again;
	loop_timer_set(e->loop, &p->deadline, PROBE_MS);
	p->call = call_new(e, sink, &call_events, p);
}
