#include <stdio.h>

#include "ground/clock.h"
#include "session.h"

/* Bytes to events. A frame is decoded only while there is room for what it may bring, so
 * back-pressure is the peer's full socket. */

static void got_status(struct session *s, const struct frame *f)
{
	CLEANUP_FREE struct msg_status *m = xcalloc(1, sizeof *m);
	struct buf b;

	if (msg_status_decode(m, f) < 0) {
		receive_bad(s->rx, "a STATUS that does not decode");
		return;
	}
	if (s->incarnation) {
		incarnation_mirror(s->incarnation, m);
		s->sender->row.last_seen_ms = s->incarnation->heard_ms;
	}
	buf_init(&b, FRAME_BUF_MAX);
	msg_pong_encode(&b);
	session_send(s, &b);
}

/* What is here already of an entry needs no room any more. */
static uint64_t room_needed(const struct session *s, const struct entry *en)
{
	const struct stage_partial *found =
		session_found(s, en->serial, en->nonce);
	uint64_t len = entry_payload_len(en);
	uint64_t here = found ? found->n_blocks * BLOCK_LEN : 0;

	return here < len ? len - here : 0;
}

static void got_entry(struct session *s, const struct frame *f)
{
	struct msg_entry m = {0};
	struct err e = {0};

	if (msg_entry_decode(&m, f) < 0) {
		receive_bad(s->rx, "an ENTRY that does not decode");
		return;
	}
	if (m.entry.serial > CATALOG_SERIAL_MAX) {
		entry_release(&m.entry);
		receive_bad(s->rx, "a serial beyond all bounds");
		return;
	}
	if (room_check(&s->d->room, &s->d->settings, room_needed(s, &m.entry),
		       &e) < 0) {
		if (!s->files) /* nothing before it will make room */
			session_make_room(s, m.entry.serial);
		entry_release(&m.entry);
		receive_failed(s->rx, e.text);
		return;
	}
	receive_entry(s->rx, &m);
}

static void got_block(struct session *s, const struct frame *f)
{
	struct msg_block m;

	if (msg_block_decode(&m, f) < 0)
		receive_bad(s->rx, "a BLOCK that does not decode");
	else
		receive_block(s->rx, &m);
}

static void got_hello(struct session *s, const struct frame *f)
{
	CLEANUP_FREE struct msg_hello *m = xcalloc(1, sizeof *m);

	if (msg_hello_decode(m, f) < 0)
		receive_bad(s->rx, "a HELLO that does not decode");
	else
		receive_hello(s->rx, m);
}

static void got_end(struct session *s, const struct frame *f)
{
	struct msg_end m;

	if (msg_end_decode(&m, f) < 0)
		receive_bad(s->rx, "an END that does not decode");
	else
		receive_end(s->rx, &m);
}

static void got_drop(struct session *s, const struct frame *f)
{
	struct msg_drop m;

	if (msg_drop_decode(&m, f) < 0)
		receive_bad(s->rx, "a DROP that does not decode");
	else
		receive_drop(s->rx, &m);
}

static void got_frame(struct session *s, const struct frame *f)
{
	char sentence[64];

	switch (f->type) {
	case MSG_HELLO:
		got_hello(s, f);
		break;
	case MSG_ENTRY:
		got_entry(s, f);
		break;
	case MSG_BLOCK:
		got_block(s, f);
		break;
	case MSG_END:
		got_end(s, f);
		break;
	case MSG_STATUS:
		got_status(s, f);
		break;
	case MSG_DROP:
		got_drop(s, f);
		break;
	case MSG_BYE: /* the edge says why it goes; the end of the stream follows */
		break;
	default: /* not an enum: a number from the wire */
		if (f->flags & FRAME_OPTIONAL)
			break;
		(void)snprintf(sentence, sizeof sentence,
			       "%s is not for a receiver", msg_name(f->type));
		receive_bad(s->rx, sentence);
	}
	session_pump(s);
}

size_t session_data(struct session *s, const uint8_t *p, size_t n)
{
	size_t used = 0;

	loop_timer_set(s->d->loop, &s->silence, SESSION_SILENCE_MS);
	while (s->rx && !s->d->room.is_full && s->state != SESSION_LOOKUP) {
		struct frame f;
		int r = frame_take(&f, p + used, n - used, msg_len_max);

		if (r == 0)
			break;
		if (r < 0) {
			receive_bad(s->rx, "bytes that are no frame");
			session_pump(s);
			break;
		}
		got_frame(s, &f);
		used += (size_t)r;
	}
	return s->state == SESSION_ENDED ? n : used;
}
