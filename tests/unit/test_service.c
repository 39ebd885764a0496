#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ground/service.h"
#include "test.h"

struct manager {
	int fd;
	struct loop *loop;
	struct loop_io io;
	struct loop_timer late;
	char heard[8][128];
	int n, wanted;
};

static void on_word(struct loop_io *io, uint32_t events)
{
	struct manager *m = CONTAINER_OF(io, struct manager, io);
	ssize_t n;

	(void)events;
	while (m->n < (int)ARRAY_LEN(m->heard) &&
	       (n = recv(m->fd, m->heard[m->n], sizeof m->heard[0] - 1,
			 MSG_DONTWAIT)) > 0)
		m->heard[m->n++][n] = '\0';
	if (m->n >= m->wanted)
		loop_stop(m->loop);
}

static void on_late(struct loop_timer *t)
{
	loop_stop(CONTAINER_OF(t, struct manager, late)->loop);
}

static bool manage(struct manager *m, const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	struct err e = {0};

	memcpy(at.sun_path, name, n + 1);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	m->late.fn = on_late;
	return m->fd >= 0 && loop_new(&m->loop, &e) == 0 &&
	       bind(m->fd, (struct sockaddr *)&at,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n +
				(name[0] != '@'))) == 0 &&
	       setenv("NOTIFY_SOCKET", name, 1) == 0 &&
	       loop_add(m->loop, &m->io, m->fd, EPOLLIN, on_word) == 0;
}

static int hear(struct manager *m, int wanted)
{
	m->wanted = wanted;
	loop_timer_set(m->loop, &m->late, 10000);
	if (loop_run(m->loop) < 0)
		return -1;
	loop_timer_stop(m->loop, &m->late);
	return m->n;
}

static void dismiss(struct manager *m)
{
	loop_del(&m->io);
	loop_free(m->loop);
	(void)close(m->fd);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

static void nobody_is_told(void)
{
	struct service s = {0};
	struct err e = {0};
	struct loop *l;

	CHECK(loop_new(&l, &e) == 0);
	(void)unsetenv("NOTIFY_SOCKET");
	CHECK(service_ready(&s, l, "up") == 0);
	service_stopping(&s);
	service_end(&s);
	CHECK(!s.loop);
	loop_free(l);
}

static void tells_ready_and_the_end(void)
{
	struct manager m = {0};
	struct service s = {0};
	char path[100];

	(void)snprintf(path, sizeof path, "%s/notify", test_dir());
	CHECK(manage(&m, path));
	CHECK(service_ready(&s, m.loop, "up") == 0);
	service_stopping(&s);
	CHECK(hear(&m, 2) == 2);
	CHECK_STR(m.heard[0], "READY=1\nSTATUS=up");
	CHECK_STR(m.heard[1], "STOPPING=1");
	CHECK(s.interval_ms == 0);
	service_end(&s);
	dismiss(&m);
}

static void gives_signs_of_life(void)
{
	struct manager m = {0};
	struct service s = {0};
	char name[64], pid[24];

	(void)snprintf(name, sizeof name, "@tsferry-test-%d", (int)getpid());
	(void)snprintf(pid, sizeof pid, "%d", (int)getpid());
	CHECK(manage(&m, name));
	(void)setenv("WATCHDOG_USEC", "30000", 1);
	(void)setenv("WATCHDOG_PID", pid, 1);
	CHECK(service_ready(&s, m.loop, "up") == 0);
	CHECK(s.interval_ms == 10);
	CHECK(hear(&m, 4) >= 4);
	for (int i = 1; i < 4; i++)
		CHECK_STR(m.heard[i], "WATCHDOG=1");
	service_end(&s);
	dismiss(&m);
}

static void signs_for_another_process_are_not_ours(void)
{
	struct manager m = {0};
	struct service s = {0};
	char path[100];

	(void)snprintf(path, sizeof path, "%s/other", test_dir());
	CHECK(manage(&m, path));
	(void)setenv("WATCHDOG_USEC", "30000", 1);
	(void)setenv("WATCHDOG_PID", "1", 1);
	CHECK(service_ready(&s, m.loop, "up") == 0);
	CHECK(s.interval_ms == 0);
	service_end(&s);
	(void)unsetenv("WATCHDOG_PID");
	(void)setenv("WATCHDOG_USEC", "3x", 1);
	CHECK(service_ready(&s, m.loop, "up") == 0);
	CHECK(s.interval_ms == 0);
	service_end(&s);
	dismiss(&m);
}

static void what_is_no_address_is_refused(void)
{
	struct service s = {0};
	struct err e = {0};
	struct loop *l;
	char lengthy[200];

	CHECK(loop_new(&l, &e) == 0);
	memset(lengthy, 'a', sizeof lengthy - 1);
	lengthy[0] = '/';
	lengthy[sizeof lengthy - 1] = '\0';
	(void)setenv("NOTIFY_SOCKET", "relative", 1);
	CHECK(service_ready(&s, l, "up") == -EINVAL);
	(void)setenv("NOTIFY_SOCKET", lengthy, 1);
	CHECK(service_ready(&s, l, "up") == -EINVAL);
	(void)setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	CHECK(service_ready(&s, l, "up") == -ENOENT);
	CHECK(!s.loop);
	service_end(&s);
	(void)unsetenv("NOTIFY_SOCKET");
	loop_free(l);
}

int main(void)
{
	test_run("without a service manager nobody is told", nobody_is_told);
	test_run("ready and the end are told", tells_ready_and_the_end);
	test_run("signs of life come at a third of the interval asked for",
		 gives_signs_of_life);
	test_run("signs asked of another process are not given",
		 signs_for_another_process_are_not_ours);
	test_run("what is no address is refused",
		 what_is_no_address_is_refused);
	return test_end();
}
