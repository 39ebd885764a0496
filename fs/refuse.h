/* What the tree does not do, said in a sentence that names the statement to use.
 *
 * `rmdir /pipes/p` must not drop a pipe by accident, and whoever tries it shall learn
 * what does. The sentence stands in last_error before the request is answered. */
#ifndef TSFERRY_REFUSE_H
#define TSFERRY_REFUSE_H

#include "fs.h"
#include "fuse.h"

enum refused {
	REFUSED_MAKE,	/* mkdir, mknod, open with O_CREAT, symlink, link */
	REFUSED_REMOVE, /* rmdir, unlink */
	REFUSED_RENAME,
	REFUSED_CHANGE, /* a value: write, truncate */
	REFUSED_OWNER,	/* chmod, chown */
	REFUSED_TIME,	/* utimens */
};

/* The cure for `what` at `path` into `out`. Pure. */
void refuse_sentence(struct buf *out, enum refused what, const char *path);

/* `verb` as a person types it ("rmdir"), `to` a second path or NULL. Answers req with
 * EPERM (REFUSED_CHANGE: EACCES). */
void refuse_op(struct fs *fs, fuse_req_t req, enum refused what, const char *verb,
	       const char *path, const char *to);

#endif
