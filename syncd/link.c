/* When to connect, when to give up, what to say about it. */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain/statedir.h"
#include "ground/clock.h"
#include "link_inside.h"

static uint16_t random16(void)
{
	uint16_t r;

	id_random(&r, sizeof(r));
	return r;
}

static void retry_after(struct link *l, uint64_t ms)
{
	l->retry_at_ms = clock_mono_ms() + ms;
	loop_timer_set(l->edge->loop, &l->retry, ms);
}

#define FILLING_MS 500 /* lost.c kicks it earlier */

#define WHITE_LIST_CURE                                                    \
	" (put it there and LOAD CONFIGURATION at the receiver; the pipe " \
	"then runs again by itself)"

static void hang_up(struct link *l)
{
	struct loop *loop = l->edge->loop;

	call_free(l->call);
	l->call = NULL;
	kept_free(l->kept);
	l->kept = NULL;
	l->n_pongs = l->kept_pongs = 0;
	l->state = LINK_WAITING;
	loop_timer_stop(loop, &l->beat);
	loop_timer_stop(loop, &l->silence);
	loop_timer_stop(loop, &l->refill);
	buf_clear(&l->out);
	upload_cut(l->upload);
}

static void say_offline(struct link *l, const char *reason)
{
	if (strcmp(l->reason, reason) == 0 && !l->was_online)
		return;
	events_add(l->edge->events, LOG_INFO_, NULL,
		   &(struct log_about){.pipe = l->pipe->row.name},
		   "offline: %s", reason);
	(void)snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

static void stop_disconnected(struct link *l)
{
	char text[MESSAGE_LEN];

	(void)snprintf(text, sizeof(text),
		       "stopped after %lld s without the receiver "
		       "(stop_after_disconnected): %.800s (START PIPE %.60s "
		       "goes on)",
		       (long long)(l->edge->set.stop_after_ms / 1000),
		       l->reason, l->pipe->row.name);
	pipe_stopped_by(l->edge->pipes, l->pipe, text, false);
}

void link_offline(struct link *l, const char *reason)
{
	hang_up(l);
	say_offline(l, reason);
	if (l->was_online)
		l->since_ms = clock_wall_ms();
	l->was_online = false;
	patience_offline(&l->patience, clock_mono_ms());
	if (l->pipe->row.state == PIPE_STOP) {
		/* An ERROR stopped it: it asks again within a minute. */
		retry_after(l, patience_error_pause(random16()));
		return;
	}
	if (patience_is_over(&l->patience, clock_mono_ms(),
			     (uint64_t)l->edge->set.stop_after_ms)) {
		stop_disconnected(l);
		return;
	}
	retry_after(l, patience_pause(&l->patience, random16()));
}

void link_error(struct link *l, const char *text)
{
	char with_cure[MESSAGE_LEN];

	(void)snprintf(with_cure, sizeof(with_cure), "%s%s", text,
		       call_is_ban(text) ? WHITE_LIST_CURE : "");
	pipe_stopped_by(l->edge->pipes, l->pipe, with_cure, true);
	link_offline(l, text);
}

/* ---- the call's events ---- */

static void on_opened(void *arg, const char *key)
{
	struct link *l = arg;

	(void)key;
	l->state = LINK_GREETING;
	rate_begin(&l->rate, clock_mono_ms());
	upload_connected(l->upload);
	link_pace(l);
	link_heard(l);
	loop_timer_set(l->edge->loop, &l->silence, LINK_LISTEN_MS);
	link_pump(l);
}

static void on_frame(void *arg, const struct frame *f)
{
	link_frame(arg, f);
}

static void on_drained(void *arg)
{
	struct link *l = arg;

	link_pace(l);
	link_pump(l);
}

/* What came before the end may be the reason for it, and wait for its pump still. */
static bool hear_out(struct link *l)
{
	l->n_jobs++; /* so long the link stays */
	link_pump(l);
	l->n_jobs--;
	if (l->pipe)
		return l->call != NULL;
	link_free(l, false);
	return false;
}

static void on_closed(void *arg, enum call_end end, const struct err *why)
{
	struct link *l = arg;

	if (!hear_out(l))
		return;
	switch (end) {
	case CALL_OTHER_KEY:
		link_error(l, why->text);
		break;
	case CALL_SAID_NO:
		if (call_is_ban(why->text))
			link_error(l, why->text);
		else
			link_offline(l, why->text);
		break;
	case CALL_AWAY:
		/* The host is there; its program is not, or not yet again. */
		if (why->sys == ECONNREFUSED ||
		    (l->was_online && why->sys == ECONNRESET))
			patience_quick(&l->patience);
		link_offline(l, why->text);
		break;
	case CALL_FOREIGN:
		patience_busy(&l->patience);
		link_offline(l, why->text);
		break;
	}
}

static const struct call_events call_events = {
	.opened = on_opened,
	.frame = on_frame,
	.drained = on_drained,
	.closed = on_closed,
};

static void connect_now(struct link *l)
{
	const struct sink *s = pipes_sink(l->edge->pipes, l->pipe->row.sink);

	loop_timer_stop(l->edge->loop, &l->retry);
	if (l->pipe->is_filling) {
		retry_after(l, FILLING_MS);
		return;
	}
	if (!s) {
		link_offline(l, "its sink is gone");
		return;
	}
	l->state = LINK_CALLING;
	link_pace_begin(l);
	l->call = call_new(l->edge, &s->row, &call_events, l);
}

void link_welcome(struct link *l)
{
	if (l->state == LINK_ONLINE)
		return;
	l->state = LINK_ONLINE;
	/* A machine that says UP_ERROR now does so in this pump; what is left online
	 * after it is admitted. */
	link_pump(l);
	if (l->state != LINK_ONLINE)
		return;
	l->was_online = true;
	patience_online(&l->patience);
	l->since_ms = clock_wall_ms();
	l->reason[0] = '\0';
	(void)snprintf(l->address, sizeof(l->address), "%s",
		       call_address(l->call));
	events_add(l->edge->events, LOG_INFO_, NULL,
		   &(struct log_about){.pipe = l->pipe->row.name}, "online %s",
		   l->address);
	pipe_admitted(l->edge->pipes, l->pipe);
	link_ask_kept(l);
	link_send_status(l);
	loop_timer_set(l->edge->loop, &l->beat, LINK_BEAT_MS);
}

void link_heard(struct link *l)
{
	l->heard_ms = clock_mono_ms();
}

/* ---- timers ---- */

static void time_to_connect(struct loop_timer *t)
{
	connect_now(CONTAINER_OF(t, struct link, retry));
}

static void time_to_beat(struct loop_timer *t)
{
	struct link *l = CONTAINER_OF(t, struct link, beat);

	link_send_status(l);
	link_rate_sample(l);
	loop_timer_set(l->edge->loop, &l->beat, LINK_BEAT_MS);
}

/* Bytes that arrive there are a sign of life too: on a thin link an answer may have to
 * wait for them. */
static void time_to_listen(struct loop_timer *t)
{
	struct link *l = CONTAINER_OF(t, struct link, silence);
	char text[64];

	if (link_has_moved(l))
		link_heard(l);
	if (clock_mono_ms() - l->heard_ms < LINK_SILENCE_MS) {
		loop_timer_set(l->edge->loop, &l->silence, LINK_LISTEN_MS);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s for %d s",
		       l->state == LINK_ONLINE ? "nothing came"
					       : "the receiver did not answer",
		       LINK_SILENCE_MS / 1000);
	link_offline(l, text);
}

/* ---- the owner's side ---- */

struct link *link_new(struct edge *e, struct pipe *p)
{
	const struct pipe_row *row = &p->row;
	struct link *l = xcalloc(1, sizeof(*l));

	l->edge = e;
	l->pipe = p;
	l->upload =
		upload_new(row->assigned, row->released, row->released_nonce,
			   row->durable, (unsigned)e->set.max_retries + 1);
	l->retry.fn = time_to_connect;
	l->beat.fn = time_to_beat;
	l->silence.fn = time_to_listen;
	l->refill.fn = link_refilled;
	patience_init(&l->patience, clock_mono_ms());
	l->since_ms = clock_wall_ms();
	l->resent_before = p->resent_bytes;
	reader_init(&l->reader);
	buf_init(&l->out, 4u << 20);
	(void)snprintf(l->reason, sizeof(l->reason), "not connected yet");
	retry_after(l, row->error[0] ? patience_error_pause(random16()) : 0);
	return l;
}

static void say_farewell(struct link *l)
{
	link_send_status(l);
	call_finish(l->call);
	l->call = NULL;
}

static void destroy(struct link *l)
{
	loop_undefer(l->edge->loop, &l->pump);
	link_io_release(l);
	upload_free(l->upload);
	free(l);
}

void link_free(struct link *l, bool is_orderly)
{
	if (!l)
		return;
	if (l->pipe) {
		l->pipe->resent_bytes = link_resent_bytes(l);
		if (is_orderly && l->state == LINK_ONLINE)
			say_farewell(l);
		hang_up(l);
		loop_timer_stop(l->edge->loop, &l->retry);
		l->pipe = NULL;
	}
	if (!l->n_jobs && !l->is_pumping)
		destroy(l);
}

void link_kick(struct link *l)
{
	patience_again(&l->patience);
	if (l->state == LINK_WAITING)
		connect_now(l);
}

void link_again(struct link *l)
{
	if (l->state != LINK_WAITING) {
		hang_up(l);
		say_offline(l, "the sink was altered");
		l->since_ms = clock_wall_ms();
		l->was_online = false;
		patience_restart(&l->patience, clock_mono_ms());
	}
	link_kick(l);
}

void link_assigned(struct link *l, uint64_t last)
{
	upload_assigned(l->upload, last);
	link_pump(l);
}

void link_changed(struct link *l)
{
	link_send_status(l);
}

void link_ask_kept(struct link *l)
{
	if (l->state != LINK_ONLINE || l->kept)
		return;
	l->kept = kept_ask(l->edge, l->pipe, &l->out);
	if (!l->kept)
		return;
	link_send_status(l); /* its PONG ends the waiting */
	l->kept_pongs = l->n_pongs;
}

void link_rate_changed(struct link *l)
{
	l->allowance = 0;
	l->allowance_at_ms = clock_mono_ms();
	if (l->call)
		loop_timer_set(l->edge->loop, &l->refill, 1);
}

bool link_is_online(const struct link *l)
{
	return l->state == LINK_ONLINE && l->was_online;
}

uint64_t link_rate(struct link *l)
{
	link_rate_sample(l);
	return link_is_online(l) ? l->rate.per_second : 0;
}

uint64_t link_resent_bytes(const struct link *l)
{
	return l->resent_before + upload_resent_bytes(l->upload);
}

void link_early(const struct link *l, uint64_t *entries, uint64_t *bytes)
{
	*entries = upload_early_entries(l->upload);
	*bytes = upload_early_bytes(l->upload);
}

bool link_is_early(const struct link *l, uint64_t serial)
{
	return l && upload_is_early(l->upload, serial);
}

void link_print(const struct link *l, struct buf *out)
{
	char when[CLOCK_TEXT_LEN];
	uint64_t now = clock_mono_ms();

	(void)clock_text(l->since_ms, when);
	if (link_is_online(l)) {
		buf_addf(out, "online %s since %s\n", l->address, when);
		return;
	}
	buf_addf(out, "offline since %s: %s; ", when, l->reason);
	if (l->state != LINK_WAITING)
		buf_adds(out, "trying now\n");
	else
		buf_addf(out, "next try in %.1f s\n",
			 l->retry_at_ms > now
				 ? (double)(l->retry_at_ms - now) / 1000.0
				 : 0.0);
}
