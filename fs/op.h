/* A FUSE request that waits for the daemons, and what it needs before it can: the mount
 * it belongs to and the path it means. Nothing here blocks. */
#ifndef TSFERRY_OP_H
#define TSFERRY_OP_H

#include "fs.h"
#include "fuse.h"

struct op {
	struct fs *fs;
	fuse_req_t req;
	uint64_t id; /* of the node */
	char *path;  /* owned */
	struct fuse_file_info fi;
};

struct fs *op_fs(fuse_req_t req);

/* The path of a node, or NULL after answering req with ESTALE. Borrowed. */
const char *op_path(fuse_req_t req, uint64_t id);

/* The path of `name` in a node; false after answering req with an error. */
bool op_child(fuse_req_t req, uint64_t parent, const char *name, char path[VIEW_PATH_MAX]);

/* Asks; `done` gets a new op, which it answers and frees, and the view, borrowed. When
 * that cannot be, req is answered with the reason and nothing is called. `path` and `fi`
 * (which may be NULL) are copied. */
void op_ask(fuse_req_t req, uint64_t id, const char *path, enum view_what what,
	    const struct fuse_file_info *fi, void (*done)(void *op, struct view *v));
void op_free(struct op *op);

#endif
