#include "ground/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#define READ_STEP 4096
#define COPY_STEP (256u << 10)

int file_pread(int fd, void *p, size_t n, uint64_t offset)
{
	uint8_t *to = p;

	while (n) {
		ssize_t got = pread(fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ENODATA;
		to += got;
		n -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

int file_pwrite(int fd, const void *p, size_t n, uint64_t offset)
{
	const uint8_t *from = p;

	while (n) {
		ssize_t put = pwrite(fd, from, n, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (put == 0)
			return -EIO; /* no progress and no reason */
		from += put;
		n -= (size_t)put;
		offset += (uint64_t)put;
	}
	return 0;
}

int file_copy(int from, int to)
{
	CLEANUP_FREE uint8_t *b = malloc(COPY_STEP);
	uint64_t at = 0;
	ssize_t n;

	if (!b)
		return -ENOMEM;
	while ((n = read(from, b, COPY_STEP)) != 0) {
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = file_pwrite(to, b, (size_t)n, at);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	return fdatasync(to) < 0 ? -errno : 0;
}

static int open_retry(int dir_fd, const char *name, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOCTTY, mode);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* read(2) and not pread(2): /proc and pipes are read as well. */
static ssize_t read_retry(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static int read_to_end(int fd, struct buf *b)
{
	ssize_t got;

	for (;;) {
		size_t left = b->max - b->len;
		size_t step = b->len < READ_STEP ? READ_STEP : b->len;
		uint8_t probe, *to = &probe;

		if (step > left)
			step = left;
		if (step)
			to = buf_room(b, step);
		if (!to)
			return -ENOMEM;
		got = read_retry(fd, to, step ? step : 1);
		if (got <= 0)
			return (int)got;
		if (!step)
			return -E2BIG;
		buf_fill(b, (size_t)got);
	}
}

int64_t file_size_at(int dir_fd, const char *path)
{
	struct stat st;
	int r;

	do
		r = fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return (int64_t)st.st_size;
	return errno == ENOTDIR ? -ENOENT : -errno;
}

int file_read_all(int dir_fd, const char *name, struct buf *b)
{
	size_t before = b->len;
	/* A FIFO in the place of a file must not hang us. */
	CLEANUP_CLOSE int fd =
		open_retry(dir_fd, name, O_RDONLY | O_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return fd;
	if (b->failed)
		return -E2BIG;
	r = read_to_end(fd, b);
	if (r < 0)
		b->len = before;
	return r;
}

/* fsync(2), which is never repeated: after a failure the kernel may have dropped
 * what it could not write, and the second answer would be a lie. */
static int sync_once(int fd)
{
	if (fsync(fd) == 0)
		return 0;
	return errno == EINTR ? -EIO : -errno;
}

static int write_synced(int dir_fd, const char *name, const void *p, size_t n,
			mode_t mode)
{
	int fd = open_retry(dir_fd, name,
			    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
	int r;

	if (fd < 0)
		return fd;
	r = file_pwrite(fd, p, n, 0);
	if (r == 0)
		r = sync_once(fd);
	if (close(fd) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	return r;
}

int file_replace(int dir_fd, const char *name, const void *p, size_t n,
		 mode_t mode)
{
	char temporary[NAME_MAX + 1];
	int len = snprintf(temporary, sizeof temporary, ".%s.new", name);
	int r;

	if (len < 0 || (size_t)len >= sizeof temporary)
		return -ENAMETOOLONG;
	if (strchr(name, '/') || !name[0])
		return -EINVAL;
	/* A crash may have left one; the fixed name keeps it at one. */
	if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
		return -errno;
	r = write_synced(dir_fd, temporary, p, n, mode);
	if (r < 0)
		goto undo;
	if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
		r = -errno;
		goto undo;
	}
	return file_sync_dir(dir_fd);
undo:
	(void)unlinkat(dir_fd, temporary, 0);
	return r;
}

/* The next component of *path, copied; 0 at the end. */
static int next_component(const char **path, char name[NAME_MAX + 1])
{
	const char *p = *path + strspn(*path, "/");
	size_t n = strcspn(p, "/");

	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, p, n);
	name[n] = '\0';
	*path = p + n;
	return n > 0;
}

/* Where openat2(2) is not to be had: one name at a time, none of them a link. */
static int open_by_steps(int dir_fd, const char *path, int flags, mode_t mode)
{
	CLEANUP_CLOSE int fd = -1;
	char name[NAME_MAX + 1];
	int at = dir_fd, r;

	if (path[0] == '/')
		return -EXDEV;
	while ((r = next_component(&path, name)) > 0) {
		bool is_last = path[strspn(path, "/")] == '\0';

		if (strcmp(name, "..") == 0)
			return -EXDEV;
		if (is_last) /* "name/" has to be a directory */
			return open_retry(at, name,
					  flags | O_NOFOLLOW |
						  (*path ? O_DIRECTORY : 0),
					  mode);
		r = open_retry(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
		if (r < 0)
			return r;
		cleanup_close(&fd);
		at = fd = r;
	}
	return r < 0 ? r : -ENOENT;
}

int file_open_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
	bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = makes ? mode & 07777 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	long fd;
	int races = 0;

	/* EAGAIN: something was renamed while the kernel walked. */
	do
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && races++ < 64)));
	if (fd >= 0)
		return (int)fd;
	/* A filter of system calls cannot look into `how`, so it may refuse it as a whole:
	 * systemd's RestrictSUIDSGID= says ENOSYS, older container runtimes EPERM. */
	return errno == ENOSYS || errno == EPERM
		       ? open_by_steps(dir_fd, path, flags, mode)
		       : -errno;
}

/* Opens the directory, made and its parent synced if it was not there. */
static int enter(int parent_fd, const char *name, mode_t mode)
{
	int r;

	if (mkdirat(parent_fd, name, mode) == 0) {
		r = sync_once(parent_fd);
		if (r < 0)
			return r;
	} else if (errno != EEXIST) {
		return -errno;
	}
	return file_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, 0);
}

int file_make_dirs(int dir_fd, const char *path, mode_t mode)
{
	CLEANUP_CLOSE int fd = -1;
	char name[NAME_MAX + 1];
	int r, next;

	if (path[0] == '/')
		return -EXDEV;
	fd = file_open_beneath(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	while ((r = next_component(&path, name)) > 0) {
		next = enter(fd, name, mode);
		if (next < 0)
			return next;
		(void)close(fd); /* a directory that was only read */
		fd = next;
	}
	return r < 0 ? r : steal_fd(&fd);
}

int file_open_dir(const char *path)
{
	return open_retry(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
}

int file_sync_dir(int dir_fd)
{
	return sync_once(dir_fd);
}

int file_list(int dir_fd,
	      int (*fn)(void *arg, const char *name, unsigned char d_type),
	      void *arg)
{
	/* Its own open file: the position of dir_fd stays where it is. */
	CLEANUP_CLOSE int fd =
		open_retry(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	CLEANUP_DIR DIR *dir = NULL;
	struct dirent *d;
	int r;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)steal_fd(&fd);
	for (;;) {
		errno = 0;
		d = readdir(dir);
		if (!d)
			return -errno;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		r = fn(arg, d->d_name, d->d_type);
		if (r)
			return r;
	}
}

int file_space(int fd, uint64_t *free_bytes, uint64_t *total_bytes)
{
	struct statvfs s;
	int r;

	do
		r = fstatvfs(fd, &s);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	/* Blocks kept for root are neither free nor there for anybody else. */
	*free_bytes = (uint64_t)s.f_bavail * s.f_frsize;
	*total_bytes =
		(uint64_t)(s.f_blocks - (s.f_bfree - s.f_bavail)) * s.f_frsize;
	return 0;
}
