/* The operations of directories, which ops.c puts into its table: those that list, and
 * those that would change the tree and are refused. Each answers its request.
 *
 * A listing is frozen when it is opened, and taken anew when it is read from its
 * beginning again. The place in it is told by inode numbers, which stay what they are
 * when pipes come and go. */
#ifndef TSFERRY_OPS_DIR_H
#define TSFERRY_OPS_DIR_H

#include "files.h"

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

/* Ends an open listing; reads of it that are under way are still answered. */
void dir_release(struct open_file *f);

#endif
