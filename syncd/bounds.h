/* spool_max_bytes and spool_min_free (design, section 4, "Disk"): what the spool alone
 * still holds must never push IoTDB into read-only.
 *
 * A walk measures; what is over the bounds gives up its durable pins first, the oldest
 * before the younger ones: the receiver has them, they were kept until applied only in
 * case. Where that is not enough, files are captured loose: an entry without a pin, sent
 * from IoTDB's own directory while it stands there (lost.h). First the catalog's row,
 * then the pinned file; a crash in between leaves a file that the next start sweeps. */
#ifndef TSFERRY_BOUNDS_H
#define TSFERRY_BOUNDS_H

#include "edge.h"

/* After a walk measured the configured volumes (over_bytes, `why` for each that is over;
 * NULL where none is): their `is_full` is set when the pins that can be given up are, and
 * the note of it set or cleared. */
void bounds_judge(struct edge *e, const struct err why[]);

#endif
