/* The tree of data directories walked once: every partition directory, with a watch
 * set on each directory before it is listed.
 *
 * A job of the scan's thread; blocks. It also checks the spools of volumes, because
 * a data directory may have come, gone, or come back as another one. */
#ifndef TSFERRY_WALK_H
#define TSFERRY_WALK_H

#include "ground/worker.h"
#include "listing.h"
#include "spool.h"
#include "watch.h"

struct walk {
	struct job job;
	void *arg; /* the owner's */

	/* in */
	const struct statedir *state;
	char spool_max_bytes[24], spool_min_free[24];
	int inotify_fd;
	/* Look at deletion files also where events tell of them. */
	bool looks_at_mods;
	struct volume volumes
		[DATA_DIRS_MAX]; /* copies; is_ready, is_used, dev, ino, over_bytes are out */
	size_t n_volumes;
	struct listing_db *
		known; /* partitions of which files are known are seen too; or NULL */

	bool has_known; /* the job's own */

	/* out */
	struct watch_dir
		*dirs; /* owned, with their names; wd -1 = not watched */
	size_t n_dirs, cap;
	bool is_limit_reached; /* of watches */
	bool is_network; /* a volume is on a file system that tells of nothing */
	size_t n_away;	 /* data directories that are not there */
	struct err away, spool, list;	/* one sentence each; sys 0 = none */
	struct err over[DATA_DIRS_MAX]; /* why a volume is over its bounds */
};

void walk_run(struct job *j);
void walk_release(struct walk *w);

#endif
