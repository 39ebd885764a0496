/* The file system's operations, as libfuse's low level wants them: each asks, and is
 * answered when the daemons have. User data of the session: struct fs.
 *
 * Down from here: ops_dir.h has those of directories, op.h what a waiting one is. */
#ifndef TSFERRY_OPS_H
#define TSFERRY_OPS_H

#include "fs.h"
#include "fuse.h"

extern const struct fuse_lowlevel_ops ops_table;

/* Ends what is open when the mount is gone: nobody will release it any more. After
 * pool_close(), so that everything ends at once. */
void ops_release_all(struct fs *fs);

#endif
