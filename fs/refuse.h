/* Requests that change the tree itself are refused. The sentence that says what to do
 * instead stands in last_error before the request is answered. */
#ifndef TSFERRY_REFUSE_H
#define TSFERRY_REFUSE_H

#include "fs.h"
#include "fuse.h"
#include "sentence.h"

/* `verb` as a person types it ("rmdir"), `to` a second path or NULL. Answers req with
 * EPERM (REFUSED_CHANGE: EACCES). */
void refuse_op(struct fs *fs, fuse_req_t req, enum refused what, const char *verb,
	       const char *path, const char *to);

#endif
