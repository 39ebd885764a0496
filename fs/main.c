/* pipefs: the control file system. A stateless client of the daemons on this host;
 * when it dies or hangs, not one byte of transfer is affected. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/un.h>

#include "ground/cli.h"
#include "ground/clock.h"
#include "ground/log.h"
#include "ground/service.h"
#include "mount.h"
#include "ops.h"
#include "wake.h"

struct options {
	bool is_foreground;
	char *sockets[POOL_DAEMONS]; /* owned, absolute */
	const char *mountpoint;
};

static const struct cli cli = {
	.name = "pipefs",
	.usage = "usage: pipefs [-f] [-s SYNCD_SOCKET] [-r RECVD_SOCKET] "
		 "MOUNTPOINT\n"
		 "       pipefs --help | --version\n",
};

/* Absolute, since we leave the working directory; short enough for an address. */
static int set_socket(struct options *o, unsigned daemon, const char *path)
{
	char *cwd CLEANUP_FREE = NULL;
	struct buf b CLEANUP(buf_release);

	buf_init(&b, PATH_MAX * 2);
	if (path[0] != '/') {
		cwd = getcwd(NULL, 0);
		buf_addf(&b, "%s/", cwd ? cwd : "");
	}
	buf_adds(&b, path);
	free(o->sockets[daemon]);
	o->sockets[daemon] = xstrdup(buf_str(&b));
	if (b.len < sizeof((struct sockaddr_un *)0)->sun_path)
		return 0;
	(void)fprintf(stderr,
		      "pipefs: %s: the path of a socket has at most %zu "
		      "bytes\n",
		      o->sockets[daemon],
		      sizeof((struct sockaddr_un *)0)->sun_path - 1);
	return -ENAMETOOLONG;
}

/* The status to end with, or -1 to go on. */
static int parse_options(struct options *o, int argc, char **argv)
{
	int c, r = 0;

	*o = (struct options){0};
	(void)set_socket(o, POOL_SYNCD, "/run/tsferry/syncd.sock");
	(void)set_socket(o, POOL_RECVD, "/run/tsferry/recvd.sock");
	while (r == 0 && (c = cli_next(&cli, argc, argv, "fs:r:")) != -1) {
		if (c == CLI_ANSWERED)
			return 0;
		else if (c == 'f')
			o->is_foreground = true;
		else if (c == 's')
			r = set_socket(o, POOL_SYNCD, optarg);
		else if (c == 'r')
			r = set_socket(o, POOL_RECVD, optarg);
		else
			return cli_wrong(&cli);
	}
	if (r < 0)
		return CLI_WRONG;
	if (optind != argc - 1)
		return cli_wrong(&cli);
	o->mountpoint = argv[optind];
	return -1;
}

static void release_options(struct options *o)
{
	for (unsigned i = 0; i < POOL_DAEMONS; i++)
		free(o->sockets[i]);
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
	struct service service;
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
	fs->pool = pool_new(fs->loop, (const char *const *)o->sockets);
	fs->nodes = nodes_new(UINT64_MAX >> 1);
	fs->answers = answers_new();
	fs->wake = wake_new(fs);
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
	wake_free(fs->wake);
	pool_free(fs->pool);
	nodes_free(fs->nodes);
	answers_free(fs->answers);
	free(fs->held);
	if (fs->loop)
		loop_free(fs->loop);
}

static int serve(const struct options *o, int ready_fd)
{
	struct pipefs p = {.mount.io.fd = -1};
	struct err e = {0};
	int r = build(&p, o, &e);

	if (r < 0) {
		log_err("pipefs", "%s", e.text);
		take_down(&p);
		return 1;
	}
	log_info("pipefs", "mounted at %s", o->mountpoint);
	if (service_ready(&p.service, p.fs.loop, "mounted") < 0)
		log_warn("pipefs", "the service manager is not told");
	if (ready_fd >= 0)
		tell_ready(ready_fd);
	r = loop_run(p.fs.loop);
	service_stopping(&p.service);
	service_end(&p.service);
	if (r < 0)
		log_err("pipefs", "event loop: %s", err_words(-r));
	take_down(&p);
	return r < 0;
}

int main(int argc, char **argv)
{
	struct options o;
	struct err e = {0};
	int ready_fd = -1, r = parse_options(&o, argc, argv);

	if (r < 0 && !o.is_foreground) {
		ready_fd = go_behind(&e);
		if (ready_fd < 0) {
			log_err("pipefs", "%s", e.text);
			r = 1;
		}
	}
	if (r < 0)
		r = serve(&o, ready_fd);
	release_options(&o);
	return r;
}
