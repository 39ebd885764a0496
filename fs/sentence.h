/* What the tree does not do, said in a sentence that names the statement to use.
 *
 * `rmdir /pipes/p` must not drop a pipe by accident, and whoever tries it shall learn
 * what does. Pure. */
#ifndef TSFERRY_SENTENCE_H
#define TSFERRY_SENTENCE_H

#include "ground/buf.h"

enum refused {
	REFUSED_MAKE,	/* mkdir, mknod, open with O_CREAT, symlink, link */
	REFUSED_REMOVE, /* rmdir, unlink */
	REFUSED_RENAME,
	REFUSED_CHANGE, /* a value: write, truncate */
	REFUSED_OWNER,	/* chmod, chown */
	REFUSED_TIME,	/* utimens */
};

/* The sentence for `what` at `path`, added to `out`. */
void refuse_sentence(struct buf *out, enum refused what, const char *path);

#endif
