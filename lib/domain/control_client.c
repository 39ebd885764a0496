#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control.h"
#include "ground/clock.h"

/* The asking side, blocking and in a loop. Both send one request and take one
 * reply; whatever does not fit that ends the connection. */

#define READ_LEN 65536u
#define REPLY_BUF_MAX (CONTROL_REPLY_MAX + READ_LEN)
/* The queue of connections that were not accepted yet is full. */
#define TRY_AGAIN_MS 5

/* A connected, non-blocking descriptor; -EAGAIN: try again soon. */
static int dial(const char *path)
{
	CLEANUP_CLOSE int fd = -1;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n = strlen(path);

	if (n >= sizeof sa.sun_path)
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sa, sizeof sa) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* The request on one line, with its newline. */
static int write_line(struct buf *out, const char *request)
{
	buf_clear(out);
	if (request[0] == '.') {
		if (strchr(request, '\n'))
			return -EINVAL;
		buf_adds(out, request);
	} else {
		sql_flatten(out, request, strlen(request));
	}
	if (out->len > SQL_STATEMENT_MAX)
		return -E2BIG;
	buf_adds(out, "\n");
	return buf_end(out);
}

static int send_some(int fd, struct buf *out, size_t *sent)
{
	while (*sent < out->len) {
		ssize_t n = send(fd, buf_data(out) + *sent, out->len - *sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? 0 : -errno;
		if (n > 0)
			*sent += (size_t)n;
	}
	return 0;
}

/* 1: a whole reply; 0: not yet. */
static int receive_some(int fd, struct buf *in, struct reply *r)
{
	uint8_t *to = buf_room(in, READ_LEN);
	ssize_t n;

	if (!to)
		return -EBADMSG;
	n = recv(fd, to, READ_LEN, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	buf_fill(in, (size_t)n);
	return reply_take(r, in);
}

/* Blocking */

static int wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	uint64_t now = clock_mono_ms();
	uint64_t left = now < deadline_ms ? deadline_ms - now : 0;
	int r = poll(&p, 1, left < 60000 ? (int)left : 60000);

	if (r < 0 && errno != EINTR)
		return -errno;
	return r <= 0 && clock_mono_ms() >= deadline_ms ? -ETIMEDOUT : 0;
}

static int dial_until(const char *path, uint64_t deadline_ms)
{
	for (;;) {
		int fd = dial(path);

		if (fd != -EAGAIN)
			return fd;
		if (clock_mono_ms() >= deadline_ms)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, TRY_AGAIN_MS);
	}
}

static int converse(int fd, struct buf *out, struct buf *in,
		    uint64_t deadline_ms, struct reply *r)
{
	size_t sent = 0;
	int e = 0, got = 0;

	while (e == 0) {
		/* A daemon that closes may have said why before. */
		e = send_some(fd, out, &sent);
		if (e == -EPIPE)
			sent = out->len;
		else if (e < 0)
			return e;
		e = wait_for(fd, sent < out->len ? POLLIN | POLLOUT : POLLIN,
			     deadline_ms);
		if (e == 0)
			got = receive_some(fd, in, r);
		if (got != 0)
			return got < 0 ? got : 0;
	}
	return e;
}

int control_ask(const char *socket_path, const char *request, int timeout_ms,
		struct reply *r)
{
	CLEANUP_CLOSE int fd = -1;
	CLEANUP(buf_release) struct buf out, in;
	uint64_t patience_ms = timeout_ms > 0 ? (uint64_t)timeout_ms : 0;
	uint64_t deadline_ms = clock_mono_ms() + patience_ms;
	int e;

	*r = (struct reply){0};
	buf_init(&out, 2 * (size_t)SQL_STATEMENT_MAX);
	buf_init(&in, REPLY_BUF_MAX);
	e = write_line(&out, request);
	if (e < 0)
		return e;
	fd = dial_until(socket_path, deadline_ms);
	if (fd < 0)
		return fd;
	return converse(fd, &out, &in, deadline_ms, r);
}

/* In a loop */

struct client {
	struct loop *loop;
	char *path; /* owned */
	struct loop_io io;
	struct loop_timer deadline, again;
	struct loop_task failed;
	int why; /* for the task */

	struct buf in, out;
	size_t sent;
	bool is_old; /* the connection answered before */
	bool is_staying, was_dialed;

	void (*done)(void *arg, const struct reply *r, int err);
	void *arg; /* NULL `done`: idle */
};

static void hang_up(struct client *c)
{
	int fd = c->io.fd;

	if (fd < 0)
		return;
	loop_del(&c->io);
	(void)close(fd);
	buf_clear(&c->in);
	c->is_old = false;
}

/* The last thing that is done with c: the owner may free it. */
static void finish(struct client *c, const struct reply *r, int err)
{
	void (*done)(void *arg, const struct reply *r, int err) = c->done;

	if (err < 0)
		hang_up(c);
	loop_timer_stop(c->loop, &c->deadline);
	loop_timer_stop(c->loop, &c->again);
	loop_undefer(c->loop, &c->failed);
	c->done = NULL;
	done(c->arg, r, err);
}

static void on_client(struct loop_io *io, uint32_t events);

static int client_dial(struct client *c)
{
	int fd = dial(c->path), r;

	if (fd == -EAGAIN) {
		loop_timer_set(c->loop, &c->again, TRY_AGAIN_MS);
		return 0;
	}
	if (fd < 0)
		return fd;
	r = loop_add(c->loop, &c->io, fd, EPOLLIN, on_client);
	if (r < 0)
		(void)close(fd);
	c->was_dialed = r == 0;
	return r;
}

/* Sends what is left of the request. A connection that served before may have been
 * closed meanwhile by a daemon that is there again: nothing of the request was
 * taken then, so it is safe to ask anew. */
static int client_send(struct client *c)
{
	bool may_redial = c->is_old && c->sent == 0 && !c->is_staying;
	int r;

	if (c->io.fd < 0 && c->is_staying && c->was_dialed)
		r = -EPIPE;
	else if (c->io.fd < 0)
		r = client_dial(c);
	else
		r = 0;
	if (r == 0 && c->io.fd >= 0)
		r = send_some(c->io.fd, &c->out, &c->sent);
	if (r < 0 && may_redial && c->sent == 0) {
		hang_up(c);
		return client_send(c);
	}
	if (r == 0 && c->io.fd >= 0)
		loop_want(&c->io,
			  c->sent < c->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return r;
}

static void on_reply(struct client *c)
{
	struct reply reply;
	int r = receive_some(c->io.fd, &c->in, &reply);

	if (r == 0)
		return;
	if (r < 0) {
		if (c->done)
			finish(c, NULL, r);
		else
			hang_up(c);
		return;
	}
	/* An answer to nothing, or more than one. */
	if (!c->done || c->in.len > 0 || c->sent < c->out.len) {
		bool was_asked = c->done != NULL;

		hang_up(c);
		if (was_asked)
			finish(c, &reply, 0);
	} else {
		c->is_old = true;
		finish(c, &reply, 0);
	}
	reply_release(&reply);
}

static void on_client(struct loop_io *io, uint32_t events)
{
	struct client *c = CONTAINER_OF(io, struct client, io);
	int r = 0;

	if (events & EPOLLOUT)
		r = client_send(c);
	if (r < 0 && r != -EPIPE) {
		finish(c, NULL, r);
		return;
	}
	if (r == -EPIPE)
		loop_want(&c->io, EPOLLIN);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		on_reply(c);
}

static void on_failed(struct loop_task *t)
{
	struct client *c = CONTAINER_OF(t, struct client, failed);

	finish(c, NULL, c->why);
}

static void on_deadline(struct loop_timer *t)
{
	finish(CONTAINER_OF(t, struct client, deadline), NULL, -ETIMEDOUT);
}

static void on_again(struct loop_timer *t)
{
	struct client *c = CONTAINER_OF(t, struct client, again);
	int r = client_send(c);

	if (r < 0)
		finish(c, NULL, r);
}

int client_new(struct client **out, struct loop *l, const char *socket_path)
{
	struct client *c = xcalloc(1, sizeof *c);

	c->loop = l;
	c->path = xstrdup(socket_path);
	c->io.fd = -1;
	c->deadline.fn = on_deadline;
	c->again.fn = on_again;
	c->failed.fn = on_failed;
	buf_init(&c->in, REPLY_BUF_MAX);
	buf_init(&c->out, 2 * (size_t)SQL_STATEMENT_MAX);
	*out = c;
	return 0;
}

void client_ask(struct client *c, const char *request, int timeout_ms,
		void (*done)(void *arg, const struct reply *r, int err),
		void *arg)
{
	int r;

	assert(!c->done && done);
	c->done = done;
	c->arg = arg;
	c->sent = 0;
	r = write_line(&c->out, request);
	if (r == 0)
		r = client_send(c);
	if (r < 0) {
		/* So that nothing else is heard of the connection first. */
		hang_up(c);
		c->why = r;
		loop_defer(c->loop, &c->failed);
		return;
	}
	loop_timer_set(c->loop, &c->deadline,
		       timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
}

void client_stay(struct client *c)
{
	c->is_staying = true;
}

bool client_is_idle(const struct client *c)
{
	return !c->done;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	hang_up(c);
	loop_timer_stop(c->loop, &c->deadline);
	loop_timer_stop(c->loop, &c->again);
	loop_undefer(c->loop, &c->failed);
	buf_release(&c->in);
	buf_release(&c->out);
	free(c->path);
	free(c);
}
