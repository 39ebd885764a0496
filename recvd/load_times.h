/* From when to when the archive's files reach, so that a deletion is written only beside those
 * that may have such rows.
 *
 * Read out of a file's index once, and remembered by inode, size and time of change: what
 * stands under a name later is another inode, or another size or time. One whose index is none may
 * hold anything. Blocks on the disk. */
#ifndef TSFERRY_LOAD_TIMES_H
#define TSFERRY_LOAD_TIMES_H

#include "domain/tsfile_index.h"

#define TIMES_SLOTS 32768u /* remembered; 1 MiB. Others are read again */

struct archive_times;

struct archive_times *times_new(void);
void times_free(struct archive_times *t); /* safe on NULL */

/* 0 only when no row of the file is in the range; 1; -errno: it could not be read now. */
int times_may_overlap(struct archive_times *t, int dir_fd, const char *file,
		      int64_t first, int64_t last) MUST_CHECK;

#endif
