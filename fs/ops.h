/* The file system's operations, as libfuse's low level wants them: each asks, and is
 * answered when the daemons have. User data of the session: struct fs. */
#ifndef TSFERRY_OPS_H
#define TSFERRY_OPS_H

#include "files.h"
#include "fuse.h"

extern const struct fuse_lowlevel_ops ops_table;

/* Ends what is open when the mount is gone: nobody will release it any more. After
 * pool_close(), so that everything ends at once. */
void ops_release_all(struct fs *fs);

/* ---- between ops.c and ops_dir.c ---- */

/* A request that waits for the daemons. */
struct op {
	struct fs *fs;
	fuse_req_t req;
	uint64_t id; /* of the node */
	char *path;  /* owned */
	struct fuse_file_info fi;
};

/* Asks; when that cannot be, answers req with the reason. Takes no ownership. */
void op_ask(fuse_req_t req, uint64_t id, const char *path, enum view_what what,
	    const struct fuse_file_info *fi, void (*done)(void *op, struct view *v));
void op_free(struct op *op);

struct fs *op_fs(fuse_req_t req);

/* The path of a node, or NULL after answering req with ESTALE. Borrowed. */
const char *op_path(fuse_req_t req, uint64_t id);

/* The path of `name` in a node; false after answering req with an error. */
bool op_child(fuse_req_t req, uint64_t parent, const char *name, char path[VIEW_PATH_MAX]);

void op_stat(const struct fs *fs, uint64_t ino, const struct view_entry *en, struct stat *st);

/* A name that is there; answers req. Directory operations. */
void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t off, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned flags);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void dir_release(struct open_file *f);

#endif
