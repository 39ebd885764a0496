#include <stdio.h>

#include "session.h"

/* Which sessions are read, and how long one may take. Not reading is the back-pressure of
 * everything: a sender that is not read fills its own socket, and nobody else's memory. */

/* A sender's part of the buffers: all of them when it is alone. */
static uint64_t share(const struct recvd *d)
{
	uint64_t n = d->n_live ? d->n_live : 1;
	uint64_t one = ROOM_FLIGHT_MAX / n;

	return one < QUOTA_FLIGHT_LEAST ? QUOTA_FLIGHT_LEAST : one;
}

bool session_is_held(const struct session *s)
{
	return s->state == SESSION_LOOKUP || s->d->room.is_full ||
	       s->is_unread || s->is_slowed || s->is_crowded ||
	       (s->sender && s->d->n_live > 1 &&
		s->sender->flight >= share(s->d));
}

void session_breathe(struct session *s)
{
	if (s->stream && s->is_open && s->state != SESSION_ENDED)
		stream_pause(s->stream, session_is_held(s));
}

/* Beginning with another one each time, so that those at the end of a long list get their
 * part of the room too. */
void sessions_breathe(struct recvd *d)
{
	size_t n = 0, first;
	struct session *s;

	for (s = d->sessions; s; s = s->next)
		n++;
	if (!n)
		return;
	first = d->turn++ % n;
	for (size_t round = 0; round < 2; round++) {
		size_t i = 0;

		for (s = d->sessions; s; s = s->next, i++)
			if ((i >= first) == (round == 0))
				session_breathe(s);
	}
}

void session_flight(struct recvd *d, struct sender *x, uint64_t more,
		    uint64_t less)
{
	(void)d;
	x->flight = x->flight + more - less;
	if (x->session)
		session_breathe(x->session);
}

/* ---- entries a second ---- */

static void slow_due(struct loop_timer *t)
{
	struct session *s = CONTAINER_OF(t, struct session, slow);

	s->is_slowed = false;
	session_breathe(s);
}

/* Whether the next entry may be taken now; if not, it is read again when it may. */
static bool may_take_entry(struct session *s)
{
	uint64_t rate = (uint64_t)s->d->settings.sender_max_rate, wait;

	if (!rate || !s->sender)
		return true;
	wait = quota_wait_ms(&s->sender->entries, loop_now_ms(s->d->loop), rate,
			     rate * 1000);
	if (!wait)
		return quota_take(&s->sender->entries, loop_now_ms(s->d->loop),
				  rate, rate * 1000);
	s->is_slowed = true;
	s->slow.fn = slow_due;
	loop_timer_set(s->d->loop, &s->slow, wait);
	session_breathe(s);
	return false;
}

/* What is under way ends by itself: the disk has it, and the next commit. Refusing the entry
 * behind it would cut it off, each time anew. */
bool session_crowds(struct session *s)
{
	if (!s->n_jobs && !receive_uncommitted(s->rx))
		return false;
	s->is_crowded = true;
	session_breathe(s);
	return true;
}

void session_crowd_moved(struct session *s)
{
	if (!s->is_crowded)
		return;
	s->is_crowded = false;
	session_breathe(s);
}

bool session_may_take(struct session *s, const struct frame *f)
{
	return f->type != MSG_ENTRY || may_take_entry(s);
}

/* ---- answers that are not read ---- */

void session_drained(void *arg)
{
	struct session *s = arg;

	if (!s->is_unread)
		return;
	s->is_unread = false;
	loop_timer_set(s->d->loop, &s->silence, SESSION_SILENCE_MS);
	session_breathe(s);
}

void session_check_unread(struct session *s)
{
	if (s->is_unread || !s->stream ||
	    stream_queued(s->stream) < QUOTA_UNREAD_BYTES)
		return;
	s->is_unread = true;
	session_breathe(s);
}

/* ---- deadlines ---- */

static void frame_due(struct loop_timer *t)
{
	struct session *s = CONTAINER_OF(t, struct session, frame);
	char sentence[128];

	s->refusal = REFUSED_SLOW;
	(void)snprintf(sentence, sizeof sentence,
		       "one message took longer than %u s",
		       QUOTA_FRAME_MS / 1000);
	session_bye(s, BYE_BUSY, sentence);
}

/* Runs while a frame is half here and we are the ones who wait. */
void session_time_frame(struct session *s, bool is_begun)
{
	struct loop *l = s->d->loop;

	if (s->state == SESSION_ENDED || !is_begun || session_is_held(s)) {
		loop_timer_stop(l, &s->frame);
		return;
	}
	s->frame.fn = frame_due;
	if (!s->frame.slot)
		loop_timer_set(l, &s->frame, QUOTA_FRAME_MS);
}

/* With each heartbeat: what was begun reserves room, so it must go on. */
void session_check_stall(struct session *s)
{
	uint64_t now = loop_now_ms(s->d->loop);
	char sentence[160];

	if (!s->files)
		s->moved_ms = now;
	if (now - s->moved_ms < QUOTA_STALL_MS)
		return;
	s->refusal = REFUSED_SLOW;
	(void)snprintf(sentence, sizeof sentence,
		       "entry %llu was begun and nothing of it came for %u s",
		       (unsigned long long)s->files->serial,
		       QUOTA_STALL_MS / 1000);
	session_bye(s, BYE_BUSY, sentence);
}

/* Whether the peer took some of our bytes since this was asked last: slowly is not never. */
static bool has_taken_some(struct session *s)
{
	struct net_path way;
	bool has_taken;

	if (!s->stream || stream_path(s->stream, &way) < 0)
		return false;
	has_taken = way.acked != s->acked;
	s->acked = way.acked;
	return has_taken;
}

static void silence_due(struct loop_timer *t)
{
	struct session *s = CONTAINER_OF(t, struct session, silence);
	bool is_new = s->state == SESSION_GREETING && s->is_open;

	if (!is_new && !s->is_unread && session_is_held(s)) {
		session_time_silence(s); /* it is we who do not read */
		return;
	}
	if (s->is_unread && has_taken_some(s)) {
		session_time_silence(s);
		return;
	}
	s->refusal = s->is_unread ? REFUSED_UNREAD
		     : is_new	  ? REFUSED_HELLO
				  : REFUSED_SILENT;
	session_count(s);
	events_add(s->d->events, LOG_INFO_, "session",
		   &(struct log_about){.sender = s->sender ? s->sender->row.name
							   : NULL},
		   "%s (%s): %s %d s, closed", s->address,
		   s->sender ? s->sender->row.name : "no HELLO yet",
		   s->is_unread ? "answers were not read for"
		   : is_new	? "no HELLO within"
				: "nothing for",
		   is_new ? QUOTA_HELLO_MS / 1000 : SESSION_SILENCE_MS / 1000);
	session_end(s);
}

void session_time_silence(struct session *s)
{
	s->silence.fn = silence_due;
	if (s->state == SESSION_GREETING && s->is_open) {
		/* Drop by drop is no HELLO either: it is not set again. */
		if (!s->is_timed)
			loop_timer_set(s->d->loop, &s->silence, QUOTA_HELLO_MS);
		s->is_timed = true;
		return;
	}
	loop_timer_set(s->d->loop, &s->silence, SESSION_SILENCE_MS);
}

void session_count(struct session *s)
{
	s->d->counted.refused[s->refusal]++;
}
