#include "ground/service.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define INTERVAL_MAX_US ((uint64_t)86400 * 1000 * 1000)

static int connect_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(path);
	socklen_t len;
	int fd, r = 0;

	if ((path[0] != '/' && path[0] != '@') || n < 2 ||
	    n >= sizeof to.sun_path)
		return -EINVAL;
	memcpy(to.sun_path, path, n);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (path[0] == '@')
		to.sun_path[0] =
			'\0'; /* an abstract address ends with its bytes */
	else
		len++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, len) < 0) {
		r = -errno;
		(void)close(fd);
	}
	return r ? r : fd;
}

static void tell(const struct service *s, const char *words)
{
	if (s->loop) /* not heard: the next sign of life will be */
		(void)send(s->fd, words, strlen(words), MSG_NOSIGNAL);
}

static void still_alive(struct loop_timer *t)
{
	struct service *s = CONTAINER_OF(t, struct service, alive);

	tell(s, "WATCHDOG=1");
	loop_timer_set(s->loop, t, s->interval_ms);
}

/* 0 when no signs of life are asked for, or from another process than this one. */
static uint64_t asked_interval_ms(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;
	uint64_t n;

	if (!us || us[0] < '0' || us[0] > '9')
		return 0;
	if (pid && strtoul(pid, NULL, 10) != (unsigned long)getpid())
		return 0;
	errno = 0;
	n = strtoull(us, &end, 10);
	if (errno || *end || n > INTERVAL_MAX_US)
		return 0;
	n /= 3000;
	return n ? n : 1;
}

int service_ready(struct service *s, struct loop *l, const char *status)
{
	const char *path = getenv("NOTIFY_SOCKET");
	char words[256];

	if (!path || !path[0])
		return 0;
	s->fd = connect_to(path);
	if (s->fd < 0)
		return s->fd;
	s->loop = l;
	(void)snprintf(words, sizeof words, "READY=1\nSTATUS=%s", status);
	tell(s, words);
	s->interval_ms = asked_interval_ms();
	s->alive.fn = still_alive;
	if (s->interval_ms)
		loop_timer_set(l, &s->alive, s->interval_ms);
	return 0;
}

void service_stopping(struct service *s)
{
	tell(s, "STOPPING=1");
}

void service_end(struct service *s)
{
	if (!s->loop)
		return;
	loop_timer_stop(s->loop, &s->alive);
	(void)close(s->fd);
	s->loop = NULL;
}
