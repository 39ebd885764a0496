/* Entries that leave the edge: applied ones, and those of dropped pipes. First the
 * catalog's rows, then the pinned files; a crash in between leaves files without an
 * entry, which the next start sweeps. Batches, one after the other, so that captures
 * get their turn on the catalog's thread. */
#ifndef TSFERRY_RELEASE_H
#define TSFERRY_RELEASE_H

#include "pipes.h"

/* Everything applied that is still here; also saves the pipe's progress. Does nothing
 * while an earlier one runs: that one goes on. */
void release_applied(struct pipes *ps, struct pipe *p);

/* Everything of a dropped pipe; its row stays. */
void release_dropped(struct edge *e, int64_t pipe);

#endif
