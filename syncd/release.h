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

/* Everything of a dropped pipe. What the catalog does not let go is tried again; until all is
 * gone the pipe stays, and only then it may be forgotten (pipes_push_out()). */
void release_dropped(struct pipes *ps, struct pipe *p);

#endif
