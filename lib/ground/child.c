#include "ground/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* fork and not posix_spawn, because only code of ours between fork and exec can
 * ask for PR_SET_PDEATHSIG. Between the two nothing but system calls runs: other
 * threads may have held any lock. A third pipe, closed by exec, brings back the
 * errno when exec fails, so that a missing program is an answer and not a child
 * that ended. */

#define FD_LIMIT_OLD_KERNELS 4096

struct pipes {
	int child_in, to_child, from_child, child_out, report_rd, report_wr;
};

static void pipes_release(struct pipes *p)
{
	cleanup_close(&p->child_in);
	cleanup_close(&p->to_child);
	cleanup_close(&p->from_child);
	cleanup_close(&p->child_out);
	cleanup_close(&p->report_rd);
	cleanup_close(&p->report_wr);
}

static int make_pipe(int *rd, int *wr)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*rd = fds[0];
	*wr = fds[1];
	return 0;
}

/* O_NONBLOCK belongs to one end of a pipe: the child's ends keep blocking. */
static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int make_pipes(struct pipes *p)
{
	int r = make_pipe(&p->child_in, &p->to_child);

	if (r == 0)
		r = make_pipe(&p->from_child, &p->child_out);
	if (r == 0)
		r = make_pipe(&p->report_rd, &p->report_wr);
	if (r == 0)
		r = set_nonblocking(p->to_child);
	if (r == 0)
		r = set_nonblocking(p->from_child);
	return r;
}

/* In the child from here on. */

static void reset_signals(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		(void)signal(signo, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void hide_descriptors(void)
{
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = 3; fd < FD_LIMIT_OLD_KERNELS; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Away from 0, 1 and 2 first, where a pipe may be when we were started with
 * closed standard descriptors. */
static int wire_up(struct pipes *p)
{
	int in = fcntl(p->child_in, F_DUPFD_CLOEXEC, 3);
	int out = fcntl(p->child_out, F_DUPFD_CLOEXEC, 3);
	int report = fcntl(p->report_wr, F_DUPFD_CLOEXEC, 3);

	if (in < 0 || out < 0 || report < 0)
		return -errno;
	p->report_wr = report;
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		return -errno;
	return 0;
}

_Noreturn static void become(struct pipes *p, pid_t parent,
			     const char *const argv[])
{
	int r = wire_up(p), sys;
	ssize_t n;

	if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = -errno;
	if (getppid() != parent)
		_exit(127);
	if (r == 0) {
		hide_descriptors();
		reset_signals();
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		r = -errno;
	}
	sys = -r;
	n = write(p->report_wr, &sys, sizeof sys);
	_exit(n == sizeof sys ? 126 : 127);
}

/* In the parent again. */

static int exec_result(struct pipes *p)
{
	int sys = 0;
	ssize_t n;

	(void)close(steal_fd(&p->report_wr));
	do
		n = read(p->report_rd, &sys, sizeof sys);
	while (n < 0 && errno == EINTR);
	return n == sizeof sys ? -sys : 0;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int spawn(struct child *c, struct pipes *p, const char *const argv[])
{
	pid_t parent = getpid(), pid = fork();
	int r;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(p, parent, argv);
	r = exec_result(p);
	if (r == 0) {
		c->pid_fd = pidfd_open(pid, 0);
		if (c->pid_fd < 0)
			r = -errno;
	}
	if (r < 0) {
		(void)kill(pid, SIGKILL);
		(void)wait_for(pid);
		return r;
	}
	c->pid = pid;
	c->to_fd = steal_fd(&p->to_child);
	c->from_fd = steal_fd(&p->from_child);
	return 0;
}

int child_start(struct child *c, const char *const argv[], struct err *e)
{
	CLEANUP(pipes_release)
	struct pipes p = {-1, -1, -1, -1, -1, -1};
	int r = make_pipes(&p);

	*c = (struct child){.to_fd = -1, .from_fd = -1, .pid_fd = -1};
	if (r == 0)
		r = spawn(c, &p, argv);
	if (r < 0)
		return err_set(e, -r, "cannot start %s: %s", argv[0],
			       err_words(-r));
	return 0;
}

int child_end(struct child *c)
{
	int status;

	if (!c->pid)
		return 0;
	/* The group, so that nothing it started outlives it. */
	if (kill(-c->pid, SIGKILL) < 0)
		(void)kill(c->pid, SIGKILL);
	status = wait_for(c->pid);
	cleanup_close(&c->to_fd);
	cleanup_close(&c->from_fd);
	cleanup_close(&c->pid_fd);
	*c = (struct child){.to_fd = -1, .from_fd = -1, .pid_fd = -1};
	return status;
}
