#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "ground/child.h"
#include "test.h"

/* All that a child says, up to its end or 5 s. */
static bool hear(int fd, char *to, size_t size)
{
	size_t len = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, 5000) != 1)
			return false;
		n = read(fd, to + len, size - 1 - len);
		if (n <= 0) {
			to[len] = '\0';
			return n == 0;
		}
		len += (size_t)n;
	}
}

static bool gone(pid_t pid)
{
	for (int i = 0; i < 500; i++) {
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		(void)usleep(10000);
	}
	return false;
}

static int shell(struct child *c, const char *script)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};

	return child_start(c, argv, NULL);
}

static void echoes(void)
{
	const char *const argv[] = {"/bin/cat", NULL};
	struct child c;
	char text[64];

	CHECK(child_start(&c, argv, NULL) == 0);
	CHECK(c.pid > 0 && c.pid_fd >= 0);
	CHECK(fcntl(c.to_fd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(c.from_fd, F_GETFL) & O_NONBLOCK);
	CHECK(write(c.to_fd, "hello", 5) == 5);
	cleanup_close(&c.to_fd);
	c.to_fd = -1;
	CHECK(hear(c.from_fd, text, sizeof text));
	CHECK_STR(text, "hello");
	CHECK(child_end(&c) >= 0);
	CHECK(c.pid == 0 && c.to_fd == -1 && c.from_fd == -1 && c.pid_fd == -1);
	CHECK(child_end(&c) == 0);
}

static void exit_status(void)
{
	struct child c;
	struct pollfd p = {.events = POLLIN};
	int status;

	CHECK(shell(&c, "exit 7") == 0);
	p.fd = c.pid_fd;
	CHECK(poll(&p, 1, 5000) == 1);
	status = child_end(&c);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void killed(void)
{
	struct child c;
	int status;
	pid_t pid;

	CHECK(shell(&c, "sleep 100") == 0);
	pid = c.pid;
	status = child_end(&c);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(gone(pid));
}

/* Nothing that it started outlives it either. */
static void group_killed(void)
{
	struct child c;
	char text[64] = "";
	struct pollfd p = {.events = POLLIN};
	pid_t grandchild;

	CHECK(shell(&c, "sleep 100 & echo $!; wait") == 0);
	p.fd = c.from_fd;
	CHECK(poll(&p, 1, 5000) == 1);
	CHECK(read(c.from_fd, text, sizeof text - 1) > 0);
	grandchild = (pid_t)atoi(text);
	CHECK(grandchild > 1 && kill(grandchild, 0) == 0);
	(void)child_end(&c);
	CHECK(gone(grandchild));
}

static void missing(void)
{
	const char *const argv[] = {"/no/such/program", NULL};
	const char *const no_search[] = {"cat", NULL};
	struct child c;
	struct err e = {0};

	CHECK(child_start(&c, argv, &e) == -ENOENT);
	CHECK_STR(e.text,
		  "cannot start /no/such/program: No such file or directory");
	CHECK(c.pid == 0 && c.to_fd == -1 && c.from_fd == -1 && c.pid_fd == -1);
	CHECK(child_end(&c) == 0);
	CHECK(child_start(&c, no_search, NULL) == -ENOENT);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void not_a_program(void)
{
	char path[4096];
	const char *const argv[] = {path, NULL};
	struct child c;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/no-program", test_dir());
	f = fopen(path, "w");
	CHECK(f && fputs("echo no shell\n", f) >= 0 && fclose(f) == 0);
	CHECK(child_start(&c, argv, NULL) == -EACCES);
	CHECK(chmod(path, 0700) == 0);
	/* No shell takes it up. */
	CHECK(child_start(&c, argv, NULL) == -ENOEXEC);
}

/* Standard descriptors and nothing else, whatever we have open. */
static void no_descriptors(void)
{
	struct child c;
	char text[256];
	int leak = dup(STDERR_FILENO); /* not CLOEXEC */

	CHECK(leak > 2);
	CHECK(shell(&c,
		    "for fd in 3 4 5 6 7 8 9; do "
		    "[ -e /proc/$$/fd/$fd ] && echo $fd; done; echo end") == 0);
	CHECK(hear(c.from_fd, text, sizeof text));
	CHECK_STR(text, "end\n");
	(void)child_end(&c);
	(void)close(leak);
}

/* 32 and 33 are the C library's own: nobody can set them, and some who start us have
 * them ignored. */
#define OWN_SIGNALS ((uint64_t)3 << 31)

/* Signals that we ignore or block are as usual in the child. */
static void clean_signals(void)
{
	struct child c;
	char text[256];
	uint64_t blocked, ignored;
	sigset_t set, before;

	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	CHECK(sigprocmask(SIG_BLOCK, &set, &before) == 0);
	CHECK(shell(&c, "while read -r k v; do case $k in SigBlk:|SigIgn:) "
			"echo $v;; esac; done < /proc/self/status") == 0);
	CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	CHECK(hear(c.from_fd, text, sizeof text));
	CHECK(sscanf(text, "%" SCNx64 " %" SCNx64, &blocked, &ignored) == 2);
	CHECK(blocked == 0 && (ignored & ~OWN_SIGNALS) == 0);
	(void)child_end(&c);
}

static void own_group(void)
{
	struct child c;

	CHECK(shell(&c, "sleep 100") == 0);
	CHECK(getpgid(c.pid) == c.pid);
	(void)child_end(&c);
}

/* A process in between starts one and is killed: the child goes with it. */
static void dies_with_us(void)
{
	int report[2];
	pid_t middle, pid = 0;
	int status = 0;

	CHECK(pipe(report) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	middle = fork();
	CHECK(middle >= 0);
	if (middle == 0) {
		struct child c;

		/* exec: what a shell had forked would not die with it. */
		if (shell(&c, "exec sleep 100") < 0 ||
		    write(report[1], &c.pid, sizeof c.pid) < 0)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	CHECK(read(report[0], &pid, sizeof pid) == sizeof pid);
	CHECK(pid > 1 && kill(pid, 0) == 0);
	CHECK(kill(middle, SIGKILL) == 0);
	CHECK(waitpid(middle, NULL, 0) == middle);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(gone(pid));
	(void)close(report[0]);
	(void)close(report[1]);
}

static void zeroed(void)
{
	struct child c = {0};

	CHECK(child_end(&c) == 0);
	CHECK(fcntl(0, F_GETFD) >= 0 || errno == EBADF);
	CHECK(fcntl(1, F_GETFD) >= 0);
}

int main(void)
{
	test_run("a child reads and answers", echoes);
	test_run("its exit status comes back", exit_status);
	test_run("one that lives is killed", killed);
	test_run("and what it started", group_killed);
	test_run("a program that is not there", missing);
	test_run("a program that is none", not_a_program);
	test_run("no descriptor of ours", no_descriptors);
	test_run("signals as usual", clean_signals);
	test_run("a process group of its own", own_group);
	test_run("it dies with us", dies_with_us);
	test_run("ending a zeroed child", zeroed);
	return test_end();
}
