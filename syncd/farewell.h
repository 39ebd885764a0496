/* Telling the receiver that a pipe was dropped, so that it forgets what it half holds
 * (design, section 3: DROP is done at once here; the receiver learns it later).
 *
 * Tried with back-off while the dropped pipe's row is kept, after a start while its
 * sink stands. A newer incarnation's HELLO says the same: of pipes to one sink only the
 * newest is told of, and none while a living one stands behind it. So giving up costs
 * nothing but room there. */
#ifndef TSFERRY_FAREWELL_H
#define TSFERRY_FAREWELL_H

#include "pipes.h"

/* Does nothing for a pipe that was told, or that never reached the receiver. */
void farewell_begin(struct pipes *ps, struct pipe *p);
void farewell_end_all(struct pipes *ps);

#endif
