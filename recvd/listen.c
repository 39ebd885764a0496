#include "listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"
#include "session.h"

#define ACCEPT_TURN 64
#define RETRY_MS 5000u
#define BREATH_MS \
	1000u /* without descriptors, accepting again at once would spin */

struct listener {
	struct recvd *d;
	struct loop_io io;
	struct loop_timer timer;
	int fd; /* owned; -1 = not bound */
	unsigned port;
	char bound_to[256];
	int64_t bound_port; /* as it was set, 0 = any */
	bool is_on;
	struct net_list allowed;
};

static void timer_due(struct loop_timer *t);

/* ---- the socket ---- */

static void refuse(struct recvd *d, int fd, const char *address,
		   enum refused_for why, const char *sentence)
{
	log_info("listen", "%s refused: %s", address, sentence);
	d->counted.refused[why]++;
	stream_refuse(fd, sentence);
}

struct crowd {
	size_t all, strangers, of_address;
};

static struct crowd count_sessions(const struct recvd *d, const char *address)
{
	struct crowd n = {0};

	for (const struct session *s = d->sessions; s; s = s->next) {
		n.all++;
		if (s->state == SESSION_LIVE)
			continue;
		n.strangers++;
		n.of_address += strcmp(s->address, address) == 0;
	}
	return n;
}

/* Whether one more fits; if not, why. */
static const char *crowded(const struct crowd *n)
{
	if (n->all >= SESSIONS_MAX)
		return "the receiver has as many connections as it takes";
	if (n->strangers >= QUOTA_STRANGERS)
		return "too many connections have not said who they are";
	if (n->of_address >= QUOTA_STRANGERS_OF_ADDRESS)
		return "too many connections from this address have not said "
		       "who they are";
	return NULL;
}

static void take(struct listener *l, int fd, const struct net_addr *from)
{
	char address[NET_TEXT_LEN], sentence[NET_TEXT_LEN + 64];
	struct err e = {0};
	struct crowd n;

	(void)net_text(from, address);
	n = count_sessions(l->d, address);
	if (!net_list_has(&l->allowed, from)) {
		(void)snprintf(sentence, sizeof sentence,
			       "%s is not in ip_white_list", address);
		refuse(l->d, fd, address, REFUSED_WHITE_LIST, sentence);
	} else if (!l->is_on) {
		refuse(l->d, fd, address, REFUSED_OFF, "PIPESERVER is off");
	} else if (crowded(&n)) {
		refuse(l->d, fd, address, REFUSED_CROWD, crowded(&n));
	} else if (session_new(l->d, fd, from, &e) < 0) {
		events_add(l->d->events, LOG_ERR_, "listen", NULL, "%s: %s",
			   address, e.text);
	}
}

static void acceptable(struct loop_io *io, uint32_t events)
{
	struct listener *l = CONTAINER_OF(io, struct listener, io);

	(void)events;
	for (int i = 0; i < ACCEPT_TURN; i++) {
		struct net_addr from;
		int fd = net_accept(l->fd, &from);

		if (fd >= 0) {
			take(l, fd, &from);
			continue;
		}
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ||
		    fd == -ENOBUFS) {
			events_add(l->d->events, LOG_ERR_, "listen", NULL,
				   "accepting: %s", err_words(-fd));
			loop_want(&l->io, 0);
			loop_timer_set(l->d->loop, &l->timer, BREATH_MS);
		}
		return;
	}
}

static void unbind(struct listener *l)
{
	loop_del(&l->io);
	cleanup_close(&l->fd);
	l->fd = -1;
	l->port = 0;
}

static bool is_bound_as_set(const struct listener *l)
{
	return l->fd >= 0 && l->bound_port == l->d->settings.pipe_server_port &&
	       strcmp(l->bound_to, l->d->settings.bind) == 0;
}

/* The new socket first, so that a failure changes nothing. */
static int bind_as_set(struct listener *l, struct err *e)
{
	const struct settings *s = &l->d->settings;
	unsigned port = 0;
	CLEANUP_CLOSE int fd = -1;
	int r;

	if (is_bound_as_set(l))
		return 0;
	fd = net_listen(s->bind, (unsigned)s->pipe_server_port, &port, e);
	if (fd < 0)
		return fd;
	unbind(l);
	r = loop_add(l->d->loop, &l->io, fd, EPOLLIN, acceptable);
	if (r < 0)
		return err_set(e, -r, "%s", err_words(-r));
	l->fd = steal_fd(&fd);
	l->port = port;
	l->bound_port = s->pipe_server_port;
	(void)snprintf(l->bound_to, sizeof l->bound_to, "%s", s->bind);
	l->d->changed_ms = clock_wall_ms();
	return 0;
}

/* ---- on and off ---- */

int listener_new(struct listener **out, struct recvd *d, struct err *e)
{
	struct listener *l = xcalloc(1, sizeof *l);
	int r;

	l->d = d;
	l->fd = -1;
	l->timer.fn = timer_due;
	r = listener_set_white_list(l, e);
	if (r < 0) {
		listener_free(l);
		return r;
	}
	(void)!bind_as_set(l, NULL); /* off: only a courtesy */
	*out = l;
	return 0;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	unbind(l);
	loop_timer_stop(l->d->loop, &l->timer);
	net_list_release(&l->allowed);
	free(l);
}

int listener_start(struct listener *l, struct err *e)
{
	struct err why = {0};
	int r = bind_as_set(l, &why);

	if (r < 0)
		return err_say(e, ERR_PIPE_SERVER, -r,
			       "Failed to start pipe server because %s",
			       why.text);
	l->is_on = true;
	l->d->changed_ms = clock_wall_ms();
	return 0;
}

void listener_insist(struct listener *l)
{
	l->is_on = true;
	loop_timer_set(l->d->loop, &l->timer, RETRY_MS);
}

static void timer_due(struct loop_timer *t)
{
	struct listener *l = CONTAINER_OF(t, struct listener, timer);
	struct err e = {0};

	if (l->fd >= 0) {
		loop_want(&l->io, EPOLLIN);
		return;
	}
	if (!l->is_on)
		return;
	if (listener_start(l, &e) < 0)
		loop_timer_set(l->d->loop, &l->timer, RETRY_MS);
	else
		events_add(l->d->events, LOG_INFO_, "listen", NULL,
			   "bound at last, port %u", l->port);
}

void listener_stop(struct listener *l)
{
	l->is_on = false;
	l->d->changed_ms = clock_wall_ms();
	sessions_bye(l->d, BYE_STOPPING, "PIPESERVER is off");
}

void listener_shut(struct listener *l)
{
	l->is_on = false;
	unbind(l);
	loop_timer_stop(l->d->loop, &l->timer);
}

bool listener_is_on(const struct listener *l)
{
	return l->is_on;
}

unsigned listener_port(const struct listener *l)
{
	return l->port;
}

int listener_set_white_list(struct listener *l, struct err *e)
{
	struct net_list fresh = {0};
	int r = net_list_parse(&fresh, l->d->settings.ip_white_list, NULL, e);

	if (r < 0)
		return r;
	net_list_release(&l->allowed);
	l->allowed = fresh;
	sessions_check_peers(l->d, &l->allowed);
	l->d->changed_ms = clock_wall_ms();
	return 0;
}
