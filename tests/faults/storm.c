/* Preloaded into a daemon: while the storm blows, every Nth system call on a file below a
 * directory fails, on whichever thread, with an errno that such a call may have. What is hit
 * is not made. The harness (storm.py) turns it up and down through a mapped file.
 *
 * STORM_DIR	only what is below it is hit
 * STORM_FILE	a file of four bytes: how many calls there are for one that fails; 0 = calm
 *
 * Reads are left alone except those of the catalogs: a file that cannot be read is a line in
 * gaps, which is right and not what is looked for here. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile uint32_t *one_of;
static const char *below;
static __thread uint32_t dice;
static long (*raw)(long number, ...);

#define CALL(number, ...) raw_call()(SYS_##number, __VA_ARGS__)

/* Others' constructors call before ours. */
static long (*raw_call(void))(long, ...)
{
	if (!raw)
		raw = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return raw;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("STORM_FILE");
	int fd = path ? (int)CALL(openat, AT_FDCWD, path, O_RDONLY) : -1;
	void *p = MAP_FAILED;

	below = getenv("STORM_DIR");
	if (fd >= 0 && below)
		p = mmap(NULL, sizeof *one_of, PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		one_of = p;
	if (fd >= 0)
		(void)CALL(close, fd);
}

static uint32_t roll(void)
{
	if (!dice) {
		struct timespec now;

		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		dice = (uint32_t)now.tv_nsec + (uint32_t)(uintptr_t)&dice;
	}
	dice = dice * 1664525u + 1013904223u;
	return dice >> 8;
}

static bool is_below(const char *path)
{
	return strncmp(path, below, strlen(below)) == 0;
}

/* What a descriptor is, as /proc says it. */
static bool name_of(int fd, char *to, size_t size)
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = CALL(readlink, link, to, size - 1);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool is_below_fd(int fd, const char *with)
{
	char name[4096];

	return name_of(fd, name, sizeof name) && is_below(name) &&
	       (!with || strstr(name, with));
}

static bool is_time(void)
{
	uint32_t n = one_of ? *one_of : 0;

	return n && roll() % n == 0;
}

static bool fails(void)
{
	static const int errnos[] = {EIO,    ENOSPC, EMFILE,
				     ENOMEM, EINTR,  EAGAIN};

	errno = errnos[roll() % 6];
	return true;
}

static bool hits(int fd)
{
	return is_time() && is_below_fd(fd, NULL) && fails();
}

static bool hits_at(int fd, const char *path)
{
	return is_time() &&
	       (path[0] == '/' ? is_below(path)
			       : fd != AT_FDCWD && is_below_fd(fd, NULL)) &&
	       fails();
}

/* ---- bytes ---- */

ssize_t write(int fd, const void *p, size_t n)
{
	return hits(fd) ? -1 : CALL(write, fd, p, n);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return hits(fd) ? -1 : CALL(pwrite64, fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite64(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t at)
{
	if (is_time() && is_below_fd(fd, "/catalog.db") && fails())
		return -1;
	return CALL(pread64, fd, p, n, at);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	return pread64(fd, p, n, at);
}

int fsync(int fd)
{
	return hits(fd) ? -1 : (int)CALL(fsync, fd);
}

int fdatasync(int fd)
{
	return hits(fd) ? -1 : (int)CALL(fdatasync, fd);
}

int syncfs(int fd)
{
	return hits(fd) ? -1 : (int)CALL(syncfs, fd);
}

int ftruncate64(int fd, off64_t n)
{
	return hits(fd) ? -1 : (int)CALL(ftruncate, fd, n);
}

int ftruncate(int fd, off_t n)
{
	return ftruncate64(fd, n);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
	return hits(fd) ? -1 : (int)CALL(fallocate, fd, mode, at, n);
}

/* ---- names ---- */

static int open_at(int dir, const char *path, int flags, unsigned mode)
{
	return hits_at(dir, path) ? -1
				  : (int)CALL(openat, dir, path, flags, mode);
}

#define OPEN(name, type)                                              \
	int name(const char *path, int flags, ...)                    \
	{                                                             \
		va_list args;                                         \
		unsigned mode;                                        \
                                                                      \
		va_start(args, flags);                                \
		mode = va_arg(args, unsigned);                        \
		va_end(args);                                         \
		return open_at(AT_FDCWD, path, flags | (type), mode); \
	}
OPEN(open, 0)
OPEN(open64, O_LARGEFILE)

#define OPENAT(name, type)                                       \
	int name(int dir, const char *path, int flags, ...)      \
	{                                                        \
		va_list args;                                    \
		unsigned mode;                                   \
                                                                 \
		va_start(args, flags);                           \
		mode = va_arg(args, unsigned);                   \
		va_end(args);                                    \
		return open_at(dir, path, flags | (type), mode); \
	}
OPENAT(openat, 0)
OPENAT(openat64, O_LARGEFILE)

/* openat2(2) has no function of its own. */
long syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_openat2 && hits_at((int)a[0], (const char *)a[1]))
		return -1;
	return raw_call()(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- looks ---- */

int fstatat64(int dir, const char *path, struct stat64 *st, int flags)
{
	return hits_at(dir, path)
		       ? -1
		       : (int)CALL(newfstatat, dir, path, st, flags);
}

int fstatat(int dir, const char *path, struct stat *st, int flags)
{
	return fstatat64(dir, path, (struct stat64 *)st, flags);
}

int stat64(const char *path, struct stat64 *st)
{
	return fstatat64(AT_FDCWD, path, st, 0);
}

int lstat64(const char *path, struct stat64 *st)
{
	return fstatat64(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int faccessat(int dir, const char *path, int mode, int flags)
{
	return hits_at(dir, path)
		       ? -1
		       : (int)CALL(faccessat2, dir, path, mode, flags);
}

int access(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, 0);
}

/* ---- names, changed ---- */

int linkat(int from, const char *path, int to, const char *name, int flags)
{
	return hits_at(to, name)
		       ? -1
		       : (int)CALL(linkat, from, path, to, name, flags);
}

int unlinkat(int dir, const char *path, int flags)
{
	return hits_at(dir, path) ? -1 : (int)CALL(unlinkat, dir, path, flags);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int renameat2(int from, const char *path, int to, const char *name,
	      unsigned flags)
{
	return hits_at(to, name)
		       ? -1
		       : (int)CALL(renameat2, from, path, to, name, flags);
}

int renameat(int from, const char *path, int to, const char *name)
{
	return renameat2(from, path, to, name, 0);
}

int rename(const char *path, const char *name)
{
	return renameat2(AT_FDCWD, path, AT_FDCWD, name, 0);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	return hits_at(dir, path) ? -1 : (int)CALL(mkdirat, dir, path, mode);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	return hits_at(AT_FDCWD, path)
		       ? -1
		       : (int)CALL(inotify_add_watch, fd, path, mask);
}

/* ---- peers ---- */

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
	if (is_time() && fails())
		return -1;
	return (int)CALL(connect, fd, to, n);
}

int socket(int domain, int type, int protocol)
{
	if (is_time() && fails())
		return -1;
	return (int)CALL(socket, domain, type, protocol);
}
