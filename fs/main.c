/* pipefs: the control file system. A stateless client of the daemons on this host;
 * when it dies or hangs, not one byte of transfer is affected. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"
#include "ground/log.h"
#include "mount.h"
#include "ops.h"

struct options {
	bool is_foreground;
	const char *sockets[POOL_DAEMONS];
	const char *mountpoint;
};

static int usage(void)
{
	(void)fputs("usage: pipefs [-f] [-s SYNCD_SOCKET] [-r RECVD_SOCKET] "
		    "MOUNTPOINT\n",
		    stderr);
	return 2;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){
		.sockets = {[POOL_SYNCD] = "/run/tsferry/syncd.sock",
			    [POOL_RECVD] = "/run/tsferry/recvd.sock"}};
	while ((c = getopt(argc, argv, "fs:r:")) != -1) {
		if (c == 'f')
			o->is_foreground = true;
		else if (c == 's')
			o->sockets[POOL_SYNCD] = optarg;
		else if (c == 'r')
			o->sockets[POOL_RECVD] = optarg;
		else
			return -EINVAL;
	}
	if (optind != argc - 1)
		return -EINVAL;
	o->mountpoint = argv[optind];
	return 0;
}

/* ---- the parent that waits until the mount is ready ---- */

/* In the child: the write end of a pipe to the parent. In the parent: does not return.
 * -errno when there is no child. */
static int go_behind(struct err *e)
{
	int ends[2];
	char status = 1;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "pipe: %s", err_words(errno));
	pid = fork();
	if (pid < 0)
		return err_set(e, errno, "fork: %s", err_words(errno));
	if (pid == 0) {
		(void)close(ends[0]);
		(void)setsid();
		return ends[1];
	}
	(void)close(ends[1]);
	while (read(ends[0], &status, 1) < 0 && errno == EINTR)
		;
	_exit(status);
}

/* From now on without a terminal. The parent ends with 0. */
static void tell_ready(int fd)
{
	char ok = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (chdir("/") < 0)
		log_warn("pipefs", "cannot leave the working directory: %s",
			 err_words(errno));
	for (int i = 0; null >= 0 && i < 3; i++)
		(void)dup2(null, i);
	if (null > 2)
		(void)close(null);
	(void)!write(fd, &ok, 1);
	(void)close(fd);
}

/* ---- wiring ---- */

struct pipefs {
	struct fs fs;
	struct mount mount;

	struct end_signal {
		struct loop_signal signal;
		struct loop *loop;
	} term, intr;
	struct loop_signal hup;
};

static void on_end(struct loop_signal *s)
{
	loop_stop(CONTAINER_OF(s, struct end_signal, signal)->loop);
}

static void on_hup(struct loop_signal *s)
{
	(void)s; /* there is no configuration to read again */
}

static int take_signals(struct pipefs *p, struct err *e)
{
	struct loop *l = p->fs.loop;
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	p->term.loop = p->intr.loop = l;
	r = loop_on_signal(l, &p->term.signal, SIGTERM, on_end);
	if (r == 0)
		r = loop_on_signal(l, &p->intr.signal, SIGINT, on_end);
	if (r == 0)
		r = loop_on_signal(l, &p->hup, SIGHUP, on_hup);
	return r < 0 ? err_set(e, -r, "signals: %s", err_words(-r)) : 0;
}

static int build(struct pipefs *p, const struct options *o, struct err *e)
{
	struct fs *fs = &p->fs;
	int r = loop_new(&fs->loop, e);

	if (r < 0)
		return r;
	fs->uid = geteuid();
	fs->gid = getegid();
	fs->own = (struct view_own){.start_ms = clock_wall_ms(),
				    .last_error = ""};
	fs->pool = pool_new(fs->loop, o->sockets);
	fs->nodes = nodes_new(UINT64_MAX >> 1);
	fs->answers = answers_new();
	r = take_signals(p, e);
	if (r < 0)
		return r;
	return mount_open(&p->mount, fs, o->mountpoint, e);
}

static void take_down(struct pipefs *p)
{
	struct fs *fs = &p->fs;

	if (fs->pool)
		pool_close(fs->pool);
	mount_close(&p->mount);
	if (fs->nodes)
		ops_release_all(fs);
	pool_free(fs->pool);
	nodes_free(fs->nodes);
	answers_free(fs->answers);
	free(fs->held);
	if (fs->loop)
		loop_free(fs->loop);
}

int main(int argc, char **argv)
{
	struct pipefs p = {.mount.io.fd = -1};
	struct options o;
	struct err e = {0};
	int ready_fd = -1, r;

	if (parse_options(&o, argc, argv) < 0)
		return usage();
	if (!o.is_foreground) {
		ready_fd = go_behind(&e);
		if (ready_fd < 0) {
			log_err("pipefs", "%s", e.text);
			return 1;
		}
	}
	r = build(&p, &o, &e);
	if (r < 0) {
		log_err("pipefs", "%s", e.text);
		take_down(&p);
		return 1;
	}
	log_info("pipefs", "mounted at %s", o.mountpoint);
	if (ready_fd >= 0)
		tell_ready(ready_fd);
	r = loop_run(p.fs.loop);
	if (r < 0)
		log_err("pipefs", "event loop: %s", err_words(-r));
	take_down(&p);
	return r < 0;
}
