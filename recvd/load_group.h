/* Files that get new contents together: written as temporaries first, synced once, then named,
 * so that a power cut at any moment leaves under each name the old file or the new one, and a
 * deletion beside a thousand files costs one sync.
 *
 * A few are synced one by one, for a sync of the file system writes what others left as well. What
 * was not named when something failed is left to archive_sync() to remove. Blocks on the
 * disk. */
#ifndef TSFERRY_LOAD_GROUP_H
#define TSFERRY_LOAD_GROUP_H

#include "load_archive.h"

#define GROUP_MAX 4096u /* files; more are several groups */

struct group_file {
	char *dir, *name; /* owned; below the archive */
	char tmp[ARCHIVE_TMP_LEN];
};

struct archive_group {
	struct archive *a;
	struct group_file *v; /* owned */
	size_t n, cap;
};

void group_release(struct archive_group *g);

/* To stand as `name` in the archive's directory `dir`, which is there. */
int group_add(struct archive_group *g, const char *dir, const char *name,
	      const void *p, size_t n) MUST_CHECK;
/* Syncs and names all of them. */
int group_end(struct archive_group *g) MUST_CHECK;

#endif
