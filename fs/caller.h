/* Who makes a request, as the daemons are told. */
#ifndef TSFERRY_CALLER_H
#define TSFERRY_CALLER_H

#include "fuse.h"
#include "statement.h"

/* Fills `who`, whose `as` is then owned by the caller of this. Reads /proc for the
 * groups unless it is the user who mounted. */
void caller_fill(struct caller *who, const struct fs *fs, fuse_req_t req);
void caller_release(struct caller *who);

#endif
