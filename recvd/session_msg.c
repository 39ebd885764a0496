#include <errno.h>
#include <stdio.h>

#include "ground/clock.h"
#include "retain.h"
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
	session_check_unread(s);
	session_check_stall(s);
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

static uint64_t reserved(const struct session *s)
{
	uint64_t n = 0;

	for (const struct session_file *f = s->files; f; f = f->next)
		n += f->n_blocks * BLOCK_LEN;
	return n;
}

/* What one sender may have here. */
static int check_quota(struct session *s, const struct entry *en, struct err *e)
{
	uint64_t max = (uint64_t)s->d->settings.sender_max_bytes;
	struct incarnation *i = s->incarnation;

	if (!i)
		return 0; /* refused by the machine */
	if (i->n_domains >= QUOTA_DATABASES &&
	    !domain_find(i, en->file.database))
		return err_set(e, EDQUOT,
			       "pipe %s names more than %u databases",
			       i->row.pipe, QUOTA_DATABASES);
	if (max &&
	    s->sender->staged_bytes + reserved(s) + entry_payload_len(en) > max)
		return err_set(e, EDQUOT,
			       "%llu bytes of sender %s wait to be applied, "
			       "sender_max_bytes is %llu",
			       (unsigned long long)s->sender->staged_bytes,
			       s->sender->row.name, (unsigned long long)max);
	return 0;
}

/* false: not taken, it is read again when there may be room. */
static bool got_entry(struct session *s, const struct frame *f)
{
	struct msg_entry m = {0};
	struct err e = {0};

	if (msg_entry_decode(&m, f) < 0) {
		receive_bad(s->rx, "an ENTRY that does not decode");
		return true;
	}
	if (m.entry.serial > CATALOG_SERIAL_MAX) {
		entry_release(&m.entry);
		receive_bad(s->rx, "a serial beyond all bounds");
		return true;
	}
	s->moved_ms = loop_now_ms(s->d->loop);
	if (check_quota(s, &m.entry, &e) < 0) {
		entry_release(&m.entry);
		s->refusal = REFUSED_QUOTA;
		receive_failed(s->rx, e.text);
		return true;
	}
	if (room_check(&s->d->room, &s->d->settings,
		       entry_payload_len(&m.entry), room_needed(s, &m.entry),
		       &e) < 0) {
		if (session_crowds(s)) {
			entry_release(&m.entry);
			return false;
		}
		retain_trim(s->d->retain, room_needed(s, &m.entry));
		if (!s->files) /* nothing before it will make room */
			session_make_room(s, m.entry.serial);
		entry_release(&m.entry);
		receive_failed(s->rx, e.text);
		return true;
	}
	receive_entry(s->rx, &m);
	return true;
}

static void got_block(struct session *s, const struct frame *f)
{
	struct msg_block m;

	if (msg_block_decode(&m, f) < 0)
		receive_bad(s->rx, "a BLOCK that does not decode");
	else
		receive_block(s->rx, &m);
}

static void got_later(struct session *s, const struct frame *f)
{
	struct msg_later m;

	if (msg_later_decode(&m, f) < 0)
		receive_bad(s->rx, "a LATER that does not decode");
	else
		receive_later(s->rx, &m);
}

static void got_held(struct session *s, const struct frame *f)
{
	CLEANUP_FREE struct msg_held *m = xcalloc(1, sizeof *m);

	if (msg_held_decode(m, f) < 0)
		receive_bad(s->rx, "a HELD that does not decode");
	else
		receive_held(s->rx, m);
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

/* Not of the agreed version, or not for a receiver. */
static void got_unknown(struct session *s, const struct frame *f)
{
	char sentence[64];

	if (f->flags & FRAME_OPTIONAL)
		return;
	(void)snprintf(sentence, sizeof sentence, "%s is not for a receiver",
		       msg_name(f->type));
	receive_bad(s->rx, sentence);
}

static bool got_frame(struct session *s, const struct frame *f)
{
	bool is_taken = true;
	bool is_spoken = proto_speaks(receive_version(s->rx), f->type);

	switch (is_spoken ? f->type : 0) {
	case MSG_HELLO:
		got_hello(s, f);
		break;
	case MSG_ENTRY:
		is_taken = got_entry(s, f);
		break;
	case MSG_BLOCK:
		got_block(s, f);
		break;
	case MSG_HELD:
		got_held(s, f);
		break;
	case MSG_LATER:
		got_later(s, f);
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
	case MSG_ASK_KEPT:
		session_ask_kept(s, f);
		break;
	case MSG_BYE: /* the edge says why it goes; the end of the stream follows */
		break;
	default: /* not an enum: a number from the wire */
		got_unknown(s, f);
	}
	session_pump(s);
	return is_taken;
}

/* A stranger has nothing to say but HELLO: nothing longer is waited for. */
static uint32_t stranger_len_max(uint16_t type)
{
	return type == MSG_HELLO ? msg_len_max(type) : 0;
}

/* One frame of n bytes at p: its length, or 0 when there is none to take. */
static size_t take_one(struct session *s, const uint8_t *p, size_t n)
{
	bool is_stranger = s->state == SESSION_GREETING;
	struct frame f;
	int r = frame_take(&f, p, n,
			   is_stranger ? stranger_len_max : msg_len_max);

	if (r >= 0 && is_stranger && n >= FRAME_HEAD_LEN && f.type != MSG_HELLO)
		r = -EBADMSG;
	if (r < 0) {
		receive_bad(s->rx, is_stranger ? "bytes that are no HELLO"
					       : "bytes that are no frame");
		session_pump(s);
		return 0;
	}
	if (r == 0 || !session_may_take(s, &f))
		return 0;
	return got_frame(s, &f) ? (size_t)r : 0;
}

size_t session_data(struct session *s, const uint8_t *p, size_t n)
{
	size_t used = 0, one = 1;

	session_time_silence(s);
	while (one && s->rx && !session_is_held(s)) {
		one = take_one(s, p + used, n - used);
		used += one;
		if (one)
			session_time_frame(s, false);
	}
	/* Held by what others do (session_hold.c, share): unless it is paused too, nobody
	 * offers again what is left here. */
	if (used < n && session_is_held(s))
		session_breathe(s);
	session_time_frame(s, used < n);
	return s->state == SESSION_ENDED ? n : used;
}
