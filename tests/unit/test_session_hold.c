/* Which sessions are read: whoever is held and leaves bytes is paused, because only the
 * resumption of a paused stream offers them again. */
#include "recvd/retain.h"
#include "recvd/session.h"
#include "test.h"

/* The stream, as far as it is asked: whether it would offer anything again. */
static struct {
	bool is_paused;
	unsigned n_resumed;
} stream;

void stream_pause(struct stream *s, bool paused)
{
	(void)s;
	stream.n_resumed += stream.is_paused && !paused;
	stream.is_paused = paused;
}

size_t stream_queued(const struct stream *s)
{
	(void)s;
	return 0;
}

int stream_path(const struct stream *s, struct net_path *out)
{
	(void)s;
	*out = (struct net_path){0};
	return 0;
}

/* ---- the rest of a session, which has no part in it ---- */

void session_pump(struct session *s)
{
	(void)s;
}

void session_send(struct session *s, struct buf *b)
{
	(void)s;
	buf_release(b);
}

void session_bye(struct session *s, enum bye_why why, const char *sentence)
{
	(void)s;
	(void)why;
	(void)sentence;
}

void session_end(struct session *s)
{
	(void)s;
}

void session_make_room(struct session *s, uint64_t serial)
{
	(void)s;
	(void)serial;
}

const struct stage_partial *session_found(const struct session *s,
					  uint64_t serial, uint64_t nonce)
{
	(void)s;
	(void)serial;
	(void)nonce;
	return NULL;
}

void session_ask_kept(struct session *s, const struct frame *f)
{
	(void)s;
	(void)f;
}

void retain_trim(struct retain *r, uint64_t need)
{
	(void)r;
	(void)need;
}

/* ---- */

struct one {
	struct recvd d;
	struct session s;
	struct sender x;
	struct buf bytes; /* of one frame */
};

static void begin(struct one *o)
{
	struct msg_status m = {.state = "RUNNING"};
	struct err e = {0};

	memset(o, 0, sizeof *o);
	memset(&stream, 0, sizeof stream);
	if (loop_new(&o->d.loop, &e) < 0)
		abort();
	o->s.d = &o->d;
	o->s.rx = receive_new();
	o->s.stream = (struct stream *)&stream; /* never looked into */
	o->s.is_open = o->s.is_live = true;
	o->s.state = SESSION_LIVE;
	o->s.sender = &o->x;
	o->x.session = o->d.sessions = &o->s;
	o->d.n_live = 1;
	buf_init(&o->bytes, FRAME_BUF_MAX);
	msg_status_encode(&m, &o->bytes);
}

static void end(struct one *o)
{
	loop_timer_stop(o->d.loop, &o->s.silence);
	loop_timer_stop(o->d.loop, &o->s.frame);
	receive_free(o->s.rx);
	buf_release(&o->bytes);
	loop_free(o->d.loop);
}

static size_t offer(struct one *o)
{
	return session_data(&o->s, buf_data(&o->bytes), o->bytes.len);
}

/* Another sender comes: this one's share is half, and its flight is more than that. */
static void a_share_that_shrinks(void)
{
	struct one o;
	size_t left, used;
	bool was_paused;

	begin(&o);
	session_flight(&o.d, &o.x, ROOM_FLIGHT_MAX / 2, 0);
	CHECK(!stream.is_paused);
	o.d.n_live = 2;
	left = offer(&o);
	was_paused = stream.is_paused;
	session_flight(&o.d, &o.x, 0, BLOCK_LEN);
	CHECK(left == 0 && was_paused);
	CHECK(!stream.is_paused && stream.n_resumed == 1);
	used = offer(&o);
	CHECK(used == o.bytes.len);
	end(&o);
}

/* It is not paused for what it took whole, and not while it is not held. */
static void nothing_is_left(void)
{
	struct one o;

	begin(&o);
	CHECK(offer(&o) == o.bytes.len && !stream.is_paused);
	CHECK(session_data(&o.s, buf_data(&o.bytes), 3) ==
	      0); /* half a frame */
	CHECK(!stream.is_paused);
	end(&o);
}

/* No room while something is under way: read again as soon as that has moved. */
static void a_crowd(void)
{
	struct one o;

	begin(&o);
	CHECK(!session_crowds(&o.s)); /* nothing would wake it */
	o.s.n_jobs = 1;
	CHECK(session_crowds(&o.s) && stream.is_paused);
	CHECK(offer(&o) == 0);
	session_crowd_moved(&o.s);
	CHECK(!stream.is_paused && stream.n_resumed == 1);
	CHECK(offer(&o) == o.bytes.len);
	end(&o);
}

int main(void)
{
	test_run("bytes left because a share shrank are offered again",
		 a_share_that_shrinks);
	test_run("who is not held is not paused", nothing_is_left);
	test_run("who waits for what is under way is read when it has moved",
		 a_crowd);
	return test_end();
}
