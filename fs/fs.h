/* What the parts of pipefs share. It is made by main.c and owned by it; nothing in it
 * outlives the mount. */
#ifndef TSFERRY_FS_H
#define TSFERRY_FS_H

#include "answers.h"
#include "nodes.h"
#include "pool.h"
#include "view.h"

struct ctl;
struct wake;

struct fs {
	struct loop *loop;
	struct pool *pool;
	struct nodes *nodes;
	struct answers *answers;
	struct wake *wake;
	unsigned uid, gid; /* who mounted it, whose the files are */
	struct view_own own;
	char *held;	    /* owned; own.last_error points here or to "" */
	int64_t root_ms;    /* the root's mtime, as last heard */
	struct ctl *leaving, *waiting; /* ctl.c */
	uint64_t n_opened;  /* numbers the open files */
	uint64_t epoch;	    /* counts statements that were answered */
};

#endif
