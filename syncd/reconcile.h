/* What the catalog says against what is there, as jobs of the catalog's thread. */
#ifndef TSFERRY_RECONCILE_H
#define TSFERRY_RECONCILE_H

#include "edge.h"
#include "partition.h"

/* These files of a partition are gone at the edge: what is known of them is forgotten,
 * so that a name that comes again is a new file. Takes `files`. A failure is mended by
 * the next listing. */
void reconcile_gone(struct edge *e, const struct partition *p, int64_t pipe,
		    struct living *files, size_t n);

/* Sweeps the ready spools (spool_sweep) before any capture that is asked for later,
 * and tells what it found. */
void reconcile_spools(struct edge *e);

#endif
