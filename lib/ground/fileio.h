/* Files: whole reads and writes, atomic replacement, directories made durable,
 * and names that cannot leave the directory they are opened under.
 *
 * Everything here may block on a disk: call it from a worker or at start.
 * Functions return -errno; the caller adds the sentence. EINTR never comes out. */
#ifndef TSFERRY_FILEIO_H
#define TSFERRY_FILEIO_H

#include <sys/types.h>

#include "buf.h"

/* Exactly n bytes, or -ENODATA at a premature end of file. */
int file_pread(int fd, void *p, size_t n, uint64_t offset) MUST_CHECK;
int file_pwrite(int fd, const void *p, size_t n, uint64_t offset) MUST_CHECK;

/* All of `from`, from where it stands, to the beginning of `to`, which is synced. */
int file_copy(int from, int to) MUST_CHECK;

/* How many bytes are at `path` below dir_fd, which itself is not followed if it is a link.
 * -ENOENT alone means that nothing is there, also where a part of the path is no directory;
 * any other error leaves that open, and nothing may be concluded from it. */
int64_t file_size_at(int dir_fd, const char *path) MUST_CHECK;

/* All of a file of at most b->max bytes, added to b; -E2BIG when larger. */
int file_read_all(int dir_fd, const char *name, struct buf *b) MUST_CHECK;

/* Temporary, fsync, rename, fsync of the directory. On failure the old file stands
 * and no temporary is left; only when the directory's own fsync fails the new file
 * is already in place, and a power cut may bring the old one back. `name` is a plain
 * name. */
int file_replace(int dir_fd, const char *name, const void *p, size_t n, mode_t mode) MUST_CHECK;

/* open(2) of `path` below dir_fd with RESOLVE_BENEATH, no symlinks, O_CLOEXEC
 * (openat2(2); refuses "..", absolute names and magic links). Where a filter forbids that
 * call, name by name with O_NOFOLLOW; then "a/../b" is refused too, and a link on the way
 * is -ENOTDIR. */
int file_open_beneath(int dir_fd, const char *path, int flags, mode_t mode) MUST_CHECK;

/* mkdir -p of `path` below dir_fd; directories that it makes are durable (their
 * parents are synced). Returns a descriptor of the last one. */
int file_make_dirs(int dir_fd, const char *path, mode_t mode) MUST_CHECK;

int file_open_dir(const char *path) MUST_CHECK;
int file_sync_dir(int dir_fd) MUST_CHECK;

/* Calls fn for each name but . and .. until it answers non-zero, which is returned. */
int file_list(int dir_fd, int (*fn)(void *arg, const char *name, unsigned char d_type), void *arg)
	MUST_CHECK;

/* Free and total bytes of the file system that holds fd, for an unprivileged user. */
int file_space(int fd, uint64_t *free_bytes, uint64_t *total_bytes) MUST_CHECK;

#endif
