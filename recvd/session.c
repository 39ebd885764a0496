#include "session.h"

#include <stdio.h>
#include <string.h>

#include "ground/clock.h"

/* A session's life: its stream, its end, and what the other parts tell it. The stream is
 * never freed inside one of its own calls: an end only marks the session, and a
 * deferred task finishes the stream. */

void session_send(struct session *s, struct buf *b)
{
	if (s->stream && buf_end(b) == 0)
		stream_send(s->stream, buf_data(b), b->len);
	buf_release(b);
}

static size_t stream_data(void *arg, const uint8_t *p, size_t n)
{
	return session_data(arg, p, n);
}

static void stream_opened(void *arg)
{
	struct session *s = arg;

	s->is_open = true;
	session_time_silence(s);
	session_breathe(s);
}

static void stream_closed(void *arg, const struct err *why)
{
	struct session *s = arg;

	if (s->incarnation)
		events_add(s->d->events, LOG_INFO_, "session",
			   &(struct log_about){.sender = s->sender->row.name},
			   "%s (%s): gone: %s", s->address, s->sender->row.name,
			   why->sys ? why->text : "closed by the edge");
	else
		log_debug("session", "%s: gone: %s", s->address, why->text);
	if (!s->is_open) {
		s->refusal = REFUSED_GREETING;
		session_count(s);
	}
	session_end(s);
}

static const struct stream_events stream_events = {
	.opened = stream_opened,
	.data = stream_data,
	.drained = session_drained,
	.closed = stream_closed,
};

/* ---- life ---- */

static void finish_due(struct loop_task *t)
{
	struct session *s = CONTAINER_OF(t, struct session, finish);

	if (s->stream)
		stream_finish(steal_ptr(&s->stream));
	if (!s->n_jobs)
		loop_defer(s->d->loop, &s->d->reap);
}

int session_new(struct recvd *d, int fd, const struct net_addr *from,
		struct err *e)
{
	struct session *s = xcalloc(1, sizeof *s);
	const struct keys *keys =
		d->settings.transport == TRANSPORT_TLS ? &d->keys : NULL;
	int r = stream_new(&s->stream, d->loop, fd, STREAM_ACCEPT, keys,
			   &stream_events, s, e);

	if (r < 0) {
		free(s);
		return r;
	}
	s->d = d;
	s->rx = receive_new();
	s->from = *from;
	(void)net_text(from, s->address);
	s->refusal = N_REFUSALS;
	s->finish.fn = finish_due;
	s->since_ms = clock_wall_ms();
	session_time_silence(s);
	s->next = d->sessions;
	if (s->next)
		s->next->prev = s;
	d->sessions = s;
	d->counted.sessions++;
	return 0;
}

static void leave_incarnation(struct session *s)
{
	struct sender *x = s->sender;

	if (s->incarnation && s->incarnation->session == s) {
		s->incarnation->session = NULL;
		s->incarnation->changed_ms = s->incarnation->heard_ms =
			clock_wall_ms();
	}
	if (x && x->session == s) {
		x->session = NULL;
		x->row.last_seen_ms = x->changed_ms = clock_wall_ms();
		recvd_put_sender(s->d, x);
	}
}

void session_end(struct session *s)
{
	if (s->state == SESSION_ENDED)
		return;
	session_lookup_stop(s);
	session_look_stop(s);
	leave_incarnation(s);
	s->state = SESSION_ENDED;
	s->d->n_live -= s->is_live;
	s->is_live = false;
	loop_timer_stop(s->d->loop, &s->silence);
	loop_timer_stop(s->d->loop, &s->frame);
	loop_timer_stop(s->d->loop, &s->slow);
	while (s->files)
		session_drop_file(s, s->files->serial, false);
	if (!s->is_pumping) {
		receive_free(s->rx);
		s->rx = NULL;
	}
	loop_defer(s->d->loop, &s->finish);
}

static void session_free(struct session *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		s->d->sessions = s->next;
	if (s->next)
		s->next->prev = s->prev;
	loop_timer_stop(s->d->loop, &s->silence);
	loop_undefer(s->d->loop, &s->finish);
	stream_free(s->stream);
	receive_free(s->rx);
	stage_partials_free(s->partials, s->n_partials);
	free(s->waits);
	free(s);
}

void sessions_reap(struct loop_task *t)
{
	struct recvd *d = CONTAINER_OF(t, struct recvd, reap);
	struct session *s, *next;

	for (s = d->sessions; s; s = next) {
		next = s->next;
		if (s->state == SESSION_ENDED && !s->stream && !s->n_jobs)
			session_free(s);
	}
}

void sessions_free(struct recvd *d)
{
	while (d->sessions) {
		session_end(d->sessions);
		session_free(d->sessions);
	}
}

/* ---- from the other parts ---- */

void session_bye(struct session *s, enum bye_why why, const char *sentence)
{
	if (!s->rx || s->state == SESSION_ENDED)
		return;
	receive_refuse(s->rx, why, sentence);
	session_pump(s);
}

void session_failed(struct session *s, const char *sentence)
{
	if (!s->rx || s->state == SESSION_ENDED)
		return;
	receive_failed(s->rx, sentence);
	session_pump(s);
}

void session_committed(struct session *s, uint64_t serial)
{
	if (!s->rx || s->state != SESSION_LIVE)
		return;
	receive_committed(s->rx, serial);
	session_pump(s);
	session_crowd_moved(s);
}

void session_early(struct session *s, const struct early_one *one)
{
	if (!s->rx || s->state != SESSION_LIVE)
		return;
	receive_early(s->rx, one);
}

void session_applied(struct session *s)
{
	if (!s->rx || s->state != SESSION_LIVE)
		return;
	receive_applied(s->rx, s->incarnation->row.applied,
			s->incarnation->n_quarantined);
	session_pump(s);
}

void session_quarantine(struct session *s, const struct quarantine_row *row,
			bool is_over)
{
	struct msg_quarantine m = {.id = (uint64_t)row->id,
				   .serial = row->serial,
				   .is_over = is_over};
	struct buf b;

	if (s->state != SESSION_LIVE)
		return;
	if (!is_over)
		(void)snprintf(m.reason, sizeof m.reason, "%s", row->reason);
	buf_init(&b, FRAME_BUF_MAX);
	msg_quarantine_encode(&m, &b);
	session_send(s, &b);
}

void session_waits(struct session *s, const char *reason)
{
	struct msg_waits m;
	struct buf b;

	if (s->state != SESSION_LIVE || !s->incarnation ||
	    strcmp(s->waits ? s->waits : "", reason) == 0)
		return;
	free(s->waits);
	s->waits = xstrdup(reason);
	(void)snprintf(m.reason, sizeof m.reason, "%s", reason);
	buf_init(&b, FRAME_BUF_MAX);
	msg_waits_encode(&m, &b);
	session_send(s, &b);
}

void sessions_bye(struct recvd *d, enum bye_why why, const char *sentence)
{
	for (struct session *s = d->sessions; s; s = s->next)
		session_bye(s, why, sentence);
}

void sessions_check_peers(struct recvd *d, const struct net_list *allowed)
{
	char sentence[128];

	for (struct session *s = d->sessions; s; s = s->next) {
		if (net_list_has(allowed, &s->from))
			continue;
		(void)snprintf(sentence, sizeof sentence,
			       "%s is not in ip_white_list", s->address);
		session_bye(s, BYE_REFUSED, sentence);
	}
}
