/* What captured files hold, read at leisure: first and last time and the sum of their
 * rows (overlap.h), and which devices a region has, kept in the catalog. When a file is
 * gone without a journal that names it, these alone still say whether a product has all
 * of its rows, and what a RESTATE must name.
 *
 * A mode of the listing's job: the scan's thread, when nothing else is to do. */
#ifndef TSFERRY_SURVEY_H
#define TSFERRY_SURVEY_H

#include "listing.h"

#define SURVEY_BATCH 256 /* files of one partition at a time */

/* Reads some files of each pipe that were not read yet into its plan; 1 when there may be
 * more, 0 when this partition is done. */
int survey_run(struct listing *l) MUST_CHECK;

#endif
