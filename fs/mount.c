#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ground/fileio.h"
#include "ops.h"

#define SUBTYPE "pipefs"
#define STALE_MAX 8 /* mounts over each other that are taken away */

/* ---- what is there before ---- */

static int run_fusermount(const char *mountpoint)
{
	char *path CLEANUP_FREE = xstrdup(mountpoint);
	char program[] = "fusermount3", opt[] = "-uz", end[] = "--";
	char *argv[] = {program, opt, end, path, NULL};
	int status;
	pid_t pid;
	int err = posix_spawnp(&pid, program, NULL, NULL, argv, environ);

	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return status == 0 ? 0 : -EPERM;
}

static int detach(const char *mountpoint)
{
	if (umount2(mountpoint, MNT_DETACH) == 0)
		return 0;
	return errno == EPERM ? run_fusermount(mountpoint) : -errno;
}

/* The kernel may still know the root's attributes when nobody is behind it any more, so
 * a name is asked for too. */
static bool is_stale(const char *mountpoint)
{
	char name[4096];
	struct stat st;

	if (stat(mountpoint, &st) < 0)
		return errno == ENOTCONN;
	(void)snprintf(name, sizeof name, "%s/ctl", mountpoint);
	return stat(name, &st) < 0 && errno == ENOTCONN;
}

static int clear_stale(const char *mountpoint, struct err *e)
{
	int r;

	for (int i = 0; i < STALE_MAX; i++) {
		if (!is_stale(mountpoint))
			return 0;
		r = detach(mountpoint);
		if (r < 0)
			return err_set(e, -r,
				       "%s is a mount whose file system has "
				       "ended, and it cannot be taken away: "
				       "%s; run fusermount3 -uz %s as the user "
				       "who mounted it",
				       mountpoint, err_words(-r), mountpoint);
	}
	return 0;
}

/* A field of a mountinfo line (proc(5)): \040 stands for a blank. */
static bool is_field(const char *field, size_t n, const char *path)
{
	size_t i = 0;

	for (; *path; path++) {
		if (i + 3 < n && field[i] == '\\') {
			int c = (field[i + 1] - '0') * 64 +
				(field[i + 2] - '0') * 8 + field[i + 3] - '0';

			if (c != (unsigned char)*path)
				return false;
			i += 4;
		} else if (i >= n || field[i++] != *path) {
			return false;
		}
	}
	return i == n;
}

static bool is_our_mount(const char *line, const char *path)
{
	const char *p = line, *type = strstr(line, " - ");

	for (int i = 0; i < 4; i++) {
		p = strchr(p, ' ');
		if (!p)
			return false;
		p++;
	}
	return type && strncmp(type + 3, "fuse." SUBTYPE " ", 12) == 0 &&
	       is_field(p, strcspn(p, " "), path);
}

static bool is_mounted(const char *path)
{
	struct buf b CLEANUP(buf_release);
	char *line, *rest;

	buf_init(&b, 4u << 20);
	if (file_read_all(AT_FDCWD, "/proc/self/mountinfo", &b) < 0)
		return false;
	rest = (char *)buf_data(&b);
	(void)buf_str(&b);
	while (b.len && (line = strsep(&rest, "\n"))) {
		if (is_our_mount(line, path))
			return true;
	}
	return false;
}

/* The mount point as an absolute path, owned by the caller; NULL with the reason. */
static char *prepare(const char *mountpoint, struct err *e)
{
	char *path CLEANUP_FREE = NULL;
	struct stat st;

	if (clear_stale(mountpoint, e) < 0)
		return NULL;
	path = realpath(mountpoint, NULL);
	if (!path || stat(path, &st) < 0) {
		(void)err_set(e, errno, "mount point %s: %s", mountpoint,
			      err_words(errno));
		return NULL;
	}
	if (!S_ISDIR(st.st_mode)) {
		(void)err_set(e, ENOTDIR, "mount point %s is no directory",
			      mountpoint);
		return NULL;
	}
	if (is_mounted(path)) {
		(void)err_set(e, EBUSY,
			      "a pipefs is mounted at %s; end it, or run "
			      "fusermount3 -u %s",
			      path, path);
		return NULL;
	}
	return steal_ptr(&path);
}

/* ---- the session ---- */

/* Others may look in when root mounts, or when fuse.conf lets users say so. */
static bool may_allow_other(void)
{
	struct buf b CLEANUP(buf_release) = {0};
	char *line, *rest;

	if (geteuid() == 0)
		return true;
	buf_init(&b, 1u << 16);
	if (file_read_all(AT_FDCWD, "/etc/fuse.conf", &b) < 0 || !b.len)
		return false;
	(void)buf_str(&b);
	rest = (char *)buf_data(&b);
	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		line[strcspn(line, " \t\r")] = '\0';
		if (strcmp(line, "user_allow_other") == 0)
			return true;
	}
	return false;
}

static void ready(struct loop_io *io, uint32_t events)
{
	struct mount *m = CONTAINER_OF(io, struct mount, io);
	int n = fuse_session_receive_buf(m->session, &m->request);

	(void)events;
	if (n > 0)
		fuse_session_process_buf(m->session, &m->request);
	if ((n < 0 && n != -EAGAIN && n != -EINTR) ||
	    fuse_session_exited(m->session))
		loop_stop(m->loop);
}

static int join_loop(struct mount *m, struct err *e)
{
	int fd = fuse_session_fd(m->session), r;
	int flags = fcntl(fd, F_GETFL);

	/* A request may be taken back between epoll's word and our read. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set(e, errno, "fuse device: %s", err_words(errno));
	r = loop_add(m->loop, &m->io, fd, EPOLLIN, ready);
	if (r < 0)
		return err_set(e, -r, "fuse device: %s", err_words(-r));
	return 0;
}

static int start_session(struct mount *m, struct fs *fs, const char *path,
			 struct err *e)
{
	char name[] = "pipefs", opt[] = "-o";
	char options[256];
	char *argv[] = {name, opt, options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);

	(void)snprintf(options, sizeof options,
		       "default_permissions,nosuid,nodev,noexec,fsname=tsferry,"
		       "subtype=" SUBTYPE "%s",
		       may_allow_other() ? ",allow_other" : "");
	m->session = fuse_session_new(&args, &ops_table, sizeof ops_table, fs);
	fuse_opt_free_args(&args);
	if (!m->session)
		return err_set(e, EINVAL, "libfuse takes no session");
	if (fuse_session_mount(m->session, path) != 0)
		return err_set(e, EIO,
			       "cannot mount at %s (libfuse says why above); "
			       "/dev/fuse and fusermount3 must be there",
			       path);
	return 0;
}

int mount_open(struct mount *m, struct fs *fs, const char *mountpoint,
	       struct err *e)
{
	char *path CLEANUP_FREE = NULL;
	int r;

	*m = (struct mount){.loop = fs->loop, .io.fd = -1};
	path = prepare(mountpoint, e);
	if (!path)
		return -e->sys;
	r = start_session(m, fs, path, e);
	if (r == 0)
		r = join_loop(m, e);
	if (r < 0)
		mount_close(m);
	return r;
}

void mount_close(struct mount *m)
{
	if (!m->session)
		return;
	if (m->io.fd >= 0)
		loop_del(&m->io);
	/* Detaches by itself when the plain way is busy. */
	fuse_session_unmount(m->session);
	fuse_session_destroy(m->session);
	free(m->request.mem);
	*m = (struct mount){.io.fd = -1};
}
