#include "control.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control_inside.h"

/* The server's sockets. A connection is closed in three places only (its own
 * events, its task, its timer), never while a handler of the daemon is running, so
 * what a handler holds cannot vanish under it. */

#define CONNS_MAX 4096
#define ACCEPTS_PER_TURN 64
#define LINES_PER_TURN 64
#define READ_LEN 16384u
#define OUT_HIGH 65536u
#define QUEUED_MAX (64u << 20) /* of all connections together */
#define STUCK_MS 30000
#define ACCEPT_AGAIN_MS 100
#define GROUP_NAME "tsferry"

static void conn_turn(struct conn *c);

/* Connections */

static void conn_close(struct conn *c)
{
	struct control *control = c->control;

	if (c->pending)
		control_gone(c->pending);
	if (c->prev)
		c->prev->next = c->next;
	else
		control->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	control->n_conns--;
	control->queued -= c->counted;
	loop_undefer(control->loop, &c->task);
	loop_timer_stop(control->loop, &c->stuck);
	if (c->io.fd >= 0) {
		int fd = c->io.fd;

		loop_del(&c->io);
		(void)close(fd);
	}
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
}

/* 0, or -errno when the connection is of no use any more. */
static int conn_flush(struct conn *c)
{
	int r = buf_end(&c->out);

	while (r == 0 && c->out.len > 0) {
		ssize_t n = send(c->io.fd, buf_data(&c->out), c->out.len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			buf_consume(&c->out, (size_t)n);
			loop_timer_stop(c->control->loop, &c->stuck);
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			r = -errno;
		}
	}
	c->control->queued += c->out.len - c->counted;
	c->counted = c->out.len;
	if (c->control->queued > QUEUED_MAX && c->out.len > 0)
		r = -ENOBUFS;
	if (r == 0 && c->out.len > 0 && !c->stuck.slot)
		loop_timer_set(c->control->loop, &c->stuck, STUCK_MS);
	return r;
}

static char *next_line(struct conn *c, size_t *n)
{
	char *p = (char *)buf_data(&c->in), *nl;

	if (c->in.len == c->scanned)
		return NULL;
	nl = memchr(p + c->scanned, '\n', c->in.len - c->scanned);
	if (!nl) {
		c->scanned = c->in.len;
		return NULL;
	}
	*n = (size_t)(nl - p);
	*nl = '\0';
	return p;
}

static bool may_answer(const struct conn *c)
{
	return !c->pending && !c->is_closing && c->out.len < OUT_HIGH;
}

static void hang_up(struct conn *c, int sys, const char *text)
{
	conn_fail(c, ERR_SYNTAX, sys, text);
	c->is_closing = true;
}

static void answer_lines(struct conn *c)
{
	char *line = NULL;
	size_t n;

	for (int i = 0; i < LINES_PER_TURN && may_answer(c); i++) {
		line = next_line(c, &n);
		if (!line)
			break;
		control_line(c, line, n);
		c->scanned = 0;
		buf_consume(&c->in, n + 1);
	}
	if (line || !may_answer(c))
		return;
	/* What is left is a line without an end. */
	if (c->in.len > SQL_STATEMENT_MAX)
		hang_up(c, E2BIG,
			"A request is one line of at most 65536 bytes.");
	else if (c->is_eof && c->in.len)
		hang_up(c, EINVAL,
			"The request ends without a newline, so it may be half "
			"of one: nothing was done.");
}

static bool is_finished(const struct conn *c)
{
	if (c->pending || c->out.len)
		return false;
	return c->is_closing || (c->is_eof && c->in.len == 0);
}

/* EPOLLPRI never comes on these sockets; it keeps the descriptor in the set for the
 * hang-up that is always reported. */
static uint32_t wanted(const struct conn *c)
{
	uint32_t events = c->out.len ? EPOLLOUT : 0u;

	if (may_answer(c) && !c->is_eof && !c->task.queued)
		events |= EPOLLIN;
	return events ? events : EPOLLPRI;
}

static void conn_turn(struct conn *c)
{
	int r;

	c->in_turn = true;
	answer_lines(c);
	c->in_turn = false;
	r = conn_flush(c);
	if (r < 0 || is_finished(c)) {
		conn_close(c);
		return;
	}
	if (may_answer(c) && c->in.len > c->scanned)
		loop_defer(c->control->loop, &c->task);
	loop_want(&c->io, wanted(c));
}

void conn_resume(struct conn *c)
{
	if (!c->in_turn)
		loop_defer(c->control->loop, &c->task);
}

static void on_task(struct loop_task *t)
{
	conn_turn(CONTAINER_OF(t, struct conn, task));
}

static void on_stuck(struct loop_timer *t)
{
	conn_close(CONTAINER_OF(t, struct conn, stuck));
}

static int conn_read(struct conn *c)
{
	uint8_t *to = buf_room(&c->in, READ_LEN);
	ssize_t n;

	if (!to)
		return -ENOMEM;
	n = recv(c->io.fd, to, READ_LEN, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		c->is_eof = true;
	else
		buf_fill(&c->in, (size_t)n);
	return 0;
}

static void on_conn(struct loop_io *io, uint32_t events)
{
	struct conn *c = CONTAINER_OF(io, struct conn, io);
	int r = 0;

	if (events & EPOLLIN)
		r = conn_read(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		r = -EPIPE;
	if (r < 0)
		conn_close(c);
	else
		conn_turn(c);
}

/* Takes fd. */
static void conn_new(struct control *control, int fd)
{
	struct conn *c = xcalloc(1, sizeof *c);
	struct ucred cred;
	socklen_t len = sizeof cred;

	c->control = control;
	c->task.fn = on_task;
	c->stuck.fn = on_stuck;
	c->io.fd = -1;
	buf_init(&c->in, SQL_STATEMENT_MAX + READ_LEN + 1);
	buf_init(&c->out, CONTROL_REPLY_MAX + OUT_HIGH);
	c->next = control->conns;
	if (c->next)
		c->next->prev = c;
	control->conns = c;
	control->n_conns++;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
	    loop_add(control->loop, &c->io, fd, EPOLLIN, on_conn) < 0) {
		(void)close(fd);
		conn_close(c);
		return;
	}
	c->peer_uid = cred.uid;
	c->uid = cred.uid;
	if (control->n_conns <= CONNS_MAX)
		return;
	conn_fail(c, ERR_REFUSED, EBUSY,
		  "Too many clients are connected (4096). Try again.");
	c->is_closing = true;
	loop_defer(control->loop, &c->task);
}

/* The listening socket */

static void on_accept_again(struct loop_timer *t)
{
	struct control *c = CONTAINER_OF(t, struct control, accept_again);

	loop_want(&c->listen, EPOLLIN);
}

static void on_listen(struct loop_io *io, uint32_t events)
{
	struct control *c = CONTAINER_OF(io, struct control, listen);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(io->fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			conn_new(c, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		/* Out of descriptors: waiting clients would keep us awake. */
		if (errno != EAGAIN) {
			loop_want(&c->listen, 0);
			loop_timer_set(c->loop, &c->accept_again,
				       ACCEPT_AGAIN_MS);
		}
		return;
	}
}

static int fill_address(struct sockaddr_un *sa, const char *path)
{
	size_t n = strlen(path);

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n >= sizeof sa->sun_path)
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, path, n);
	return 0;
}

/* Whether somebody listens: 1, 0, -errno. */
static int is_alive(const struct sockaddr_un *sa)
{
	CLEANUP_CLOSE int fd = -1;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 ||
	    errno == EAGAIN)
		return 1;
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

static int remove_stale(const struct sockaddr_un *sa, struct err *e)
{
	struct stat st;
	int r;

	if (lstat(sa->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST,
			       "it exists and is not a socket; remove it or "
			       "choose another control_socket");
	r = is_alive(sa);
	if (r > 0)
		return err_set(e, EADDRINUSE,
			       "another daemon answers there; stop it or "
			       "choose another control_socket");
	if (r < 0)
		return err_set(e, -r, "what is there can not be asked: %s",
			       err_words(-r));
	if (unlink(sa->sun_path) < 0 && errno != ENOENT)
		return err_set(e, errno,
			       "the one of a dead daemon can not be removed: "
			       "%s",
			       err_words(errno));
	return 0;
}

static int explain(const char *path, int sys, struct err *e)
{
	const char *slash = strrchr(path, '/');
	int n = slash > path ? (int)(slash - path) : 1;
	const char *dir = slash ? path : ".";

	(void)err_set(e, sys, "%s", err_words(sys));
	if (sys == ENOENT)
		(void)err_hint(e, "make its directory: mkdir -p %.*s", n, dir);
	else if (sys == EACCES || sys == EPERM || sys == EROFS)
		(void)err_hint(e,
			       "the user with id %u must be able to write to "
			       "%.*s",
			       (unsigned)geteuid(), n, dir);
	return -sys;
}

static int bind_socket(int fd, const struct sockaddr_un *sa, struct err *e)
{
	const struct sockaddr *addr = (const struct sockaddr *)sa;

	if (bind(fd, addr, sizeof *sa) == 0)
		return 0;
	if (errno == EADDRINUSE) {
		int r = remove_stale(sa, e);

		if (r < 0)
			return r;
		if (bind(fd, addr, sizeof *sa) == 0)
			return 0;
	}
	return explain(sa->sun_path, errno, e);
}

static int open_socket(struct control *c, struct err *e)
{
	CLEANUP_CLOSE int fd = -1;
	struct sockaddr_un sa;
	struct stat st;
	int r = fill_address(&sa, c->path);

	if (r < 0)
		return err_set(e, -r,
			       "the path has %zu bytes, the system allows %zu; "
			       "choose a shorter control_socket",
			       strlen(c->path), sizeof sa.sun_path - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return explain(c->path, errno, e);
	r = bind_socket(fd, &sa, e);
	if (r < 0)
		return r;
	if (chmod(c->path, 0666) < 0 || lstat(c->path, &st) < 0 ||
	    listen(fd, SOMAXCONN) < 0) {
		r = explain(c->path, errno, e);
		(void)unlink(c->path);
		return r;
	}
	c->made = st;
	r = loop_add(c->loop, &c->listen, fd, EPOLLIN, on_listen);
	if (r < 0) {
		(void)unlink(c->path);
		return explain(c->path, -r, e);
	}
	(void)steal_fd(&fd);
	return 0;
}

static void find_group(struct control *c)
{
	struct group *g = getgrnam(GROUP_NAME);

	c->has_group = g != NULL;
	if (g)
		c->group = g->gr_gid;
}

int control_new(struct control **out, struct loop *l, const char *path,
		const struct control_ops *ops, struct err *e)
{
	struct control *c = xcalloc(1, sizeof *c);
	struct err own = {0};
	int r;

	*out = NULL;
	c->loop = l;
	c->path = xstrdup(path);
	c->ops = *ops;
	c->own_uid = geteuid();
	c->accept_again.fn = on_accept_again;
	c->listen.fd = -1;
	find_group(c);
	r = open_socket(c, &own);
	if (r < 0) {
		(void)err_wrap(&own, "control socket %s", path);
		if (e)
			*e = own;
		free(c->path);
		free(c);
		return r;
	}
	*out = c;
	return 0;
}

/* The file may be a younger daemon's by now, even with the same inode number. */
static void remove_socket(const struct control *c)
{
	struct stat st;

	if (lstat(c->path, &st) == 0 && st.st_dev == c->made.st_dev &&
	    st.st_ino == c->made.st_ino &&
	    st.st_ctim.tv_sec == c->made.st_ctim.tv_sec &&
	    st.st_ctim.tv_nsec == c->made.st_ctim.tv_nsec)
		(void)unlink(c->path);
}

void control_free(struct control *c)
{
	int fd;

	if (!c)
		return;
	fd = c->listen.fd;
	loop_timer_stop(c->loop, &c->accept_again);
	loop_del(&c->listen);
	remove_socket(c);
	(void)close(fd);
	for (struct conn *conn = c->conns, *next; conn; conn = next) {
		next = conn->next;
		conn_close(conn);
	}
	free(c->path);
	free(c);
}

const struct refusal *control_last_refusal(const struct control *c)
{
	return &c->last;
}
