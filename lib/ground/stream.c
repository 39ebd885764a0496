#include "ground/stream.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "greeting.h"

/* All reading and writing happens in the loop's handlers (socket, timer, deferred
 * task), between enter() and leave(). What the owner calls only changes state
 * and defers the task; hence `closed` can be told in leave() alone, never from
 * inside a call of the owner, and many small sends of a turn become one write. A
 * stream freed by its owner inside a callback lives on, empty, until leave().
 *
 *	CONNECTING -> GREETING -> HANDSHAKE -> OPEN -> LINGER
 *	                  (plain: no handshake)	 |      (stream_finish: what is
 *	any of them ------------> CLOSED <-------+       left goes out, then FIN,
 *	                                                 then the peer's FIN) */

#define DEADLINE_MS 10000
#define FINISH_MS 1000
#define SHRINK_MS 2000
#define IN_MAX (4u << 20)
#define OUT_MAX (64u << 20)
#define READ_LEAST (64u << 10)
#define READ_TURN (1024u << 10)

enum state {
	CONNECTING,
	GREETING,
	HANDSHAKE,
	OPEN,
	LINGER,
	CLOSED
};

struct stream {
	struct loop *loop; /* borrowed */
	struct loop_io io;
	struct loop_timer timer;
	struct loop_task task;
	struct loop_task orphan; /* ends a finishing stream with its loop */
	const struct keys *keys; /* borrowed; NULL = plain */
	const struct stream_events *ev; /* borrowed */
	void *arg;
	enum stream_role role;
	enum state state;

	struct wire wire;
	struct greeting theirs;
	struct buf in, out;
	uint8_t peer_key[KEY_ID_LEN];
	struct err why; /* of CLOSED */

	bool busy;  /* between enter() and leave() */
	bool freed; /* by the owner, while busy */
	bool told;  /* `closed` was called */
	bool paused;
	bool replay;	   /* resumed: what is unread is offered without more */
	bool read_on;	   /* more can be read than the socket tells of */
	bool full;	   /* the socket takes no more */
	bool owes_drained; /* something was queued since the last `drained` */
	bool write_dead;   /* the peer takes no more; its last words may come */
	bool hung_up;	   /* while paused */
	bool farewell;	   /* LINGER: TLS's end is queued */
	bool all_sent;	   /* LINGER: only the peer's end is waited for */
	bool has_peer_key;
};

static void enter(struct stream *s)
{
	assert(!s->busy);
	s->busy = true;
}

/* Everything but the bytes that the owner may be looking at. */
static void let_go(struct stream *s)
{
	loop_del(&s->io);
	loop_timer_stop(s->loop, &s->timer);
	loop_undefer(s->loop, &s->task);
	loop_undefer(s->loop, &s->orphan);
	wire_release(&s->wire);
	buf_release(&s->out);
}

static void destroy(struct stream *s)
{
	let_go(s);
	buf_release(&s->in);
	free(s);
}

static void leave(struct stream *s)
{
	if (s->state == CLOSED && !s->freed && !s->told) {
		s->told = true;
		let_go(s);
		s->ev->closed(s->arg, &s->why);
	}
	s->busy = false;
	if (s->freed)
		destroy(s);
}

/* The first reason stands. */
static void fail(struct stream *s, const struct err *why)
{
	if (s->state == CLOSED || s->freed)
		return;
	s->state = CLOSED;
	s->why = *why;
}

static bool is_open(const struct stream *s)
{
	return s->state == OPEN && !s->freed;
}

static void set_interest(struct stream *s)
{
	uint32_t want = EPOLLERR;

	if (s->freed || s->state == CLOSED)
		return;
	if (s->state == CONNECTING)
		want = EPOLLOUT;
	else if (!s->paused && !s->wire.eof)
		want = EPOLLIN;
	else if (s->hung_up || s->wire.eof)
		want = 0;
	if (s->full && !s->write_dead)
		want |= EPOLLOUT;
	loop_want(&s->io, want);
}

/* Out */

static void write_failed(struct stream *s, const struct err *why)
{
	bool gone = why->sys == EPIPE || why->sys == ECONNRESET;

	s->write_dead = true;
	s->full = false;
	buf_clear(&s->out);
	if (!gone || s->paused || s->state == LINGER) {
		fail(s, why);
		return;
	}
	/* The peer may have said why before it went: reading decides. */
	s->why = *why;
	s->read_on = true;
	loop_defer(s->loop, &s->task);
}

/* Large buffers are kept for the next burst, not for an idle peer. */
static void shrink_later(struct stream *s)
{
	size_t held = s->in.cap + s->out.cap + s->wire.cipher_in.cap +
		      s->wire.cipher_out.cap;

	if (is_open(s) && !s->timer.slot && held > READ_LEAST)
		loop_timer_set(s->loop, &s->timer, SHRINK_MS);
}

static void push(struct stream *s)
{
	struct err why = {0};
	int r;

	if (s->write_dead)
		return;
	r = wire_push(&s->wire, &s->out, &why);
	s->full = r == 0;
	shrink_later(s);
	if (r < 0) {
		write_failed(s, &why);
	} else if (r == 1 && s->owes_drained && is_open(s)) {
		s->owes_drained = false;
		if (s->ev->drained)
			s->ev->drained(s->arg);
	}
}

/* In */

static void ended(struct stream *s)
{
	struct err why = {0};

	/* Without TLS nothing but the failed write tells a broken peer. */
	if (s->write_dead && !s->wire.ssl)
		why = s->why;
	else
		(void)err_set(&why, 0, "the peer closed the connection");
	fail(s, &why);
}

static void offer(struct stream *s)
{
	size_t used;

	s->replay = false;
	if (!s->in.len)
		return;
	used = s->ev->data(s->arg, buf_data(&s->in), s->in.len);
	if (!is_open(s))
		return;
	assert(used <= s->in.len);
	buf_consume(&s->in, used);
}

/* Reads once and offers it. > 0: how much; else there is nothing more to do. */
static ssize_t read_once(struct stream *s)
{
	struct err why = {0};
	size_t room = s->in.cap - s->in.start - s->in.len;
	uint8_t *to;
	ssize_t n;

	if (room <= READ_LEAST)
		room = s->in.len ? READ_LEAST : WIRE_PIECE;
	to = buf_room(&s->in, room - 1);
	if (!to) {
		(void)err_set(&why, EPROTO,
			      "the peer sent %zu bytes that cannot be used",
			      s->in.len);
		fail(s, &why);
		return -EPROTO;
	}
	n = wire_read(&s->wire, to, room - 1, &why);
	if (n == 0)
		ended(s);
	else if (n < 0 && n != -EAGAIN)
		fail(s, s->write_dead ? &s->why : &why);
	if (n <= 0)
		return n;
	buf_fill(&s->in, (size_t)n);
	offer(s);
	return n;
}

/* As much as a turn allows, so that no peer starves the others. */
static void pull(struct stream *s)
{
	size_t got = 0;
	ssize_t n;

	if (s->replay && !s->paused)
		offer(s);
	while (is_open(s) && !s->paused) {
		if (got >= READ_TURN) {
			s->read_on = true;
			loop_defer(s->loop, &s->task);
			break;
		}
		n = read_once(s);
		if (n <= 0)
			break;
		got += (size_t)n;
		if (is_open(s) && !s->wire.more)
			break;
	}
	shrink_later(s);
}

/* Opening */

static void opened(struct stream *s)
{
	s->state = OPEN;
	net_path_choose(s->wire.fd);
	loop_timer_stop(s->loop, &s->timer);
	s->ev->opened(s->arg);
	if (is_open(s) && s->out.len)
		push(s);
	if (is_open(s))
		pull(s);
}

static void shake_hands(struct stream *s)
{
	struct err why = {0};
	const unsigned char *alpn;
	unsigned alpn_len;
	int r = wire_handshake(&s->wire, &why);

	s->full = wire_pending(&s->wire) > 0;
	if (r == -EAGAIN)
		return;
	if (r == 0) {
		SSL_get0_alpn_selected(s->wire.ssl, &alpn, &alpn_len);
		r = alpn_len ? keys_peer(s->wire.ssl, s->peer_key) : -EPROTO;
		if (r < 0)
			(void)err_set(&why, EPROTO,
				      "the peer's TLS is not tsferry's");
		s->has_peer_key = r == 0;
	}
	if (r < 0)
		fail(s, &why);
	else
		opened(s);
}

static int answer(struct stream *s, int word, struct err *why)
{
	bool tls = s->keys != NULL;

	if (word == GREETING_OK)
		return 0;
	if ((word == GREETING_TLS) != tls)
		return err_set(
			why, EPROTO,
			"the receiver's transport is %s and the sender's is "
			"%s; set transport to the same at both ends",
			tls ? "tls" : "plain", tls ? "plain" : "tls");
	greeting_say(&s->wire, GREETING_OK);
	return 0;
}

static void read_greeting(struct stream *s)
{
	struct err why = {0};
	int r = greeting_hear(&s->theirs, &s->wire, &why);

	if (r == 0)
		return;
	if (r > 0)
		r = greeting_word(&s->theirs, s->role == STREAM_CONNECT, &why);
	if (r >= 0)
		r = answer(s, r, &why);
	if (r < 0) {
		if (s->role == STREAM_ACCEPT && r == -EPROTO)
			greeting_refuse(&s->wire, why.text);
		fail(s, &why);
		return;
	}
	s->wire.held = false;
	if (!s->wire.ssl) {
		opened(s);
		return;
	}
	s->state = HANDSHAKE;
	shake_hands(s);
}

static void connected(struct stream *s)
{
	struct err why = {0};
	int r = net_connect_result(s->wire.fd);

	if (r < 0) {
		(void)err_set(&why, -r, "%s", err_words(-r));
		fail(s, &why);
		return;
	}
	s->state = GREETING;
	greeting_say(&s->wire, s->keys ? GREETING_TLS : GREETING_PLAIN);
	/* The first flight goes along at once; what became of it, and the answer,
	 * is looked at behind the greeting. */
	if (s->wire.ssl && wire_handshake(&s->wire, NULL) == 0)
		fail(s, &why);
}

/* Ending: out with the rest, then FIN, then whatever comes is forgotten until
 * the peer's end; closing earlier would reset what is still on its way. */
static void linger(struct stream *s)
{
	int r = wire_discard(&s->wire);

	if (!s->all_sent)
		push(s);
	if (!s->all_sent && !s->full && !s->farewell) {
		s->farewell = true;
		wire_farewell(&s->wire);
		push(s);
	}
	if (!s->all_sent && !s->full) {
		s->all_sent = true;
		(void)shutdown(s->wire.fd, SHUT_WR);
	}
	if (s->state == CLOSED || (r < 0 && r != -EAGAIN) ||
	    (s->all_sent && s->wire.eof))
		s->freed = true;
}

/* Handlers */

/* A paused stream does not read, so the socket itself is asked. */
static void hung_up(struct stream *s)
{
	struct err why = {0};
	int r = net_connect_result(s->wire.fd);

	s->hung_up = true;
	if (r < 0) {
		(void)err_set(&why, -r, "%s", err_words(-r));
		fail(s, &why);
	}
}

static void socket_ready(struct loop_io *io, uint32_t events)
{
	struct stream *s = CONTAINER_OF(io, struct stream, io);

	enter(s);
	if (s->paused && s->state == OPEN && (events & (EPOLLERR | EPOLLHUP)))
		hung_up(s);
	switch (s->state) {
	case CONNECTING:
		connected(s);
		break;
	case GREETING:
		read_greeting(s);
		break;
	case HANDSHAKE:
		shake_hands(s);
		break;
	case OPEN:
		if (s->full && (events & EPOLLOUT))
			push(s);
		if (is_open(s) && !s->paused && (events & EPOLLIN))
			pull(s);
		break;
	case LINGER:
		linger(s);
		break;
	case CLOSED:
		break;
	}
	set_interest(s);
	leave(s);
}

static void task_due(struct loop_task *t)
{
	struct stream *s = CONTAINER_OF(t, struct stream, task);

	enter(s);
	if (is_open(s) && !s->full)
		push(s);
	if (is_open(s) && s->read_on) {
		s->read_on = false;
		pull(s);
	}
	if (s->state == LINGER)
		linger(s);
	set_interest(s);
	leave(s);
}

static const char *late(const struct stream *s)
{
	switch (s->state) {
	case CONNECTING:
		return "no connection within 10 s";
	case GREETING:
		return "no greeting within 10 s (is it a tsferry that listens "
		       "there?)";
	case HANDSHAKE:
	case OPEN:
	case LINGER:
	case CLOSED:
		break;
	}
	return "the TLS handshake was not done within 10 s";
}

static void timer_due(struct loop_timer *t)
{
	struct stream *s = CONTAINER_OF(t, struct stream, timer);
	struct err why = {0};

	enter(s);
	if (s->state == OPEN) {
		if (!s->in.len)
			buf_release(&s->in);
		if (!s->out.len)
			buf_release(&s->out);
		wire_shrink(&s->wire);
	} else if (s->state == LINGER) {
		if (!s->all_sent)
			wire_reset(&s->wire);
		s->freed = true;
	} else {
		(void)err_set(&why, ETIMEDOUT, "%s", late(s));
		fail(s, &why);
	}
	leave(s);
}

/* What the owner calls */

int stream_new(struct stream **out, struct loop *l, int fd,
	       enum stream_role role, const struct keys *keys,
	       const struct stream_events *ev, void *arg, struct err *e)
{
	struct stream *s = xcalloc(1, sizeof *s);
	bool accepting = role == STREAM_ACCEPT;
	int r = 0;

	*out = NULL;
	s->loop = l;
	s->keys = keys;
	s->ev = ev;
	s->arg = arg;
	s->role = role;
	s->state = accepting ? GREETING : CONNECTING;
	s->timer.fn = timer_due;
	s->task.fn = task_due;
	wire_init(&s->wire, fd);
	s->wire.held = true;
	buf_init(&s->in, IN_MAX);
	buf_init(&s->out, OUT_MAX);
	if (keys)
		r = wire_start_tls(&s->wire, keys, accepting, e);
	if (r == 0) {
		r = loop_add(l, &s->io, fd, accepting ? EPOLLIN : EPOLLOUT,
			     socket_ready);
		if (r < 0)
			(void)err_set(e, -r, "epoll: %s", err_words(-r));
	}
	if (r < 0) {
		stream_free(s);
		return r;
	}
	loop_timer_set(l, &s->timer, DEADLINE_MS);
	*out = s;
	return 0;
}

void stream_refuse(int fd, const char *sentence)
{
	CLEANUP(wire_release) struct wire w;

	wire_init(&w, fd);
	greeting_refuse(&w, sentence);
}

void stream_send(struct stream *s, const void *p, size_t n)
{
	struct err why = {0};

	if (s->state == CLOSED || s->write_dead || !n)
		return;
	buf_add(&s->out, p, n);
	s->owes_drained = true;
	if (buf_end(&s->out) < 0) {
		(void)err_set(&why, ENOBUFS, "more than %u MiB wait to be sent",
			      OUT_MAX >> 20);
		fail(s, &why);
	}
	if (s->state == OPEN || s->state == CLOSED)
		loop_defer(s->loop, &s->task);
}

size_t stream_queued(const struct stream *s)
{
	return s->out.len + (s->state == OPEN ? wire_pending(&s->wire) : 0);
}

void stream_pause(struct stream *s, bool paused)
{
	if (s->paused == paused)
		return;
	s->paused = paused;
	s->hung_up = false;
	if (s->state != OPEN)
		return;
	s->replay = s->in.len > 0;
	s->read_on = true;
	loop_defer(s->loop, &s->task);
}

static void loop_ended(struct loop_task *t)
{
	destroy(CONTAINER_OF(t, struct stream, orphan));
}

void stream_finish(struct stream *s)
{
	if (s->state != OPEN || s->write_dead) {
		stream_free(s);
		return;
	}
	s->state = LINGER;
	s->told = true;
	s->paused = false;
	s->orphan.fn = loop_ended;
	loop_at_free(s->loop, &s->orphan);
	loop_timer_set(s->loop, &s->timer, FINISH_MS);
	if (s->busy) {
		loop_defer(s->loop, &s->task);
		return;
	}
	enter(s);
	linger(s);
	set_interest(s);
	leave(s);
}

void stream_free(struct stream *s)
{
	if (!s || s->freed)
		return;
	if (!s->busy) {
		destroy(s);
		return;
	}
	let_go(s);
	s->freed = true;
}

const uint8_t *stream_peer_key(const struct stream *s)
{
	return s->has_peer_key ? s->peer_key : NULL;
}

uint64_t stream_bytes_out(const struct stream *s)
{
	return s->wire.bytes_out;
}

uint64_t stream_bytes_in(const struct stream *s)
{
	return s->wire.bytes_in;
}

int stream_path(const struct stream *s, struct net_path *out)
{
	return net_path(s->wire.fd, out);
}

int stream_unsent(const struct stream *s, uint32_t bytes)
{
	return net_path_unsent(s->wire.fd, bytes);
}
