/* One question about the tree, put to the daemons that can answer it, side by side.
 *
 * Each daemon has 2 s, then its part is absent. As soon as one has answered for the
 * whole path, the other is not waited for; for the root's own attributes nobody is waited
 * for longer than 50 ms, since every look-up in the mount needs them. */
#ifndef TSFERRY_ASK_H
#define TSFERRY_ASK_H

#include "fs.h"

#define ASK_TREE_MS 2000
#define ASK_ROOT_MS 50

/* `done` gets the answered view, borrowed; it may be called from inside when the path
 * is ours alone. With -errno, nothing was asked and nothing is called. */
int ask_tree(struct fs *fs, enum view_what what, const char *path,
	     void (*done)(void *arg, struct view *v), void *arg) MUST_CHECK;

#endif
