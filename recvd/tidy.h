/* After a start: what staging holds and neither the catalog nor a list of blocks explains
 * goes. Its cost grows with what waits, so it runs on the writer while the daemon answers
 * already; being that thread's first job, it is done before any session makes, finds
 * or opens a file there; and nothing is applied before it ended, because the applier makes
 * files of rows there. What it could not look at is told, and left to the next start. */
#ifndef TSFERRY_TIDY_H
#define TSFERRY_TIDY_H

#include "recvd.h"

void tidy_staging(struct recvd *d);

#endif
