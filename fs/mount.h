/* The mount itself: made over what a killed pipefs left, in the loop, taken away
 * cleanly.
 *
 * The kernel's requests are read in the loop's thread, one a turn; there are no others. */
#ifndef TSFERRY_MOUNT_H
#define TSFERRY_MOUNT_H

#include "fs.h"
#include "fuse.h"

struct mount {
	struct fuse_session *session; /* owned; NULL = none */
	struct loop_io io;
	struct fuse_buf request; /* its memory is kept between requests */
	struct loop *loop;
};

/* Blocks for as long as mount(2) or fusermount3 take. A mount that answers ENOTCONN is
 * detached first; a living pipefs at the same place is -EBUSY. On failure nothing is
 * mounted. */
int mount_open(struct mount *m, struct fs *fs, const char *mountpoint, struct err *e) MUST_CHECK;

/* Unmounts (detaches what is in use: who stands in it sees ENOTCONN) and frees. Safe when
 * nothing is mounted, also from outside by then. */
void mount_close(struct mount *m);

#endif
