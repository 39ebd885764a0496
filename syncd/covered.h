/* What travels with a file, as the coverage that its row of the catalog keeps. */
#ifndef TSFERRY_COVERED_H
#define TSFERRY_COVERED_H

#include "coverage.h"
#include "outbox.h"
#include "pin.h"

/* Of a file that was pinned with mods_len > 0: reads them in the spool and encodes them
 * (coverage.h) into `out`. Blocks: the catalog's thread. */
int covered_of_pin(const struct pin *p, const struct pin_place *pl,
		   struct buf *out, struct err *e) MUST_CHECK;

/* What travelled with a file before: fills `out` and returns 1, or 0 when the file is
 * not known. */
int covered_before(struct outbox_writer *w, int64_t pipe,
		   const struct fileid *file, struct coverage *out,
		   struct err *e) MUST_CHECK;

#endif
