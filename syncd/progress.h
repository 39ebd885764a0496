/* How far a pipe is: what people read in `progress`, and who waits for it. */
#ifndef TSFERRY_PROGRESS_H
#define TSFERRY_PROGRESS_H

#include "pipes.h"

/* Adds the KEY VALUE lines of `progress` (design, section 1). */
void pipe_progress(const struct pipes *ps, const struct pipe *p,
		   struct buf *out);

/* How long the oldest entry has not been durable; 0 when all are. */
uint64_t pipe_oldest_unsent_s(const struct pipes *ps, const struct pipe *p);

/* Durable and applied into the catalog, behind. */
void progress_save(struct pipes *ps, const struct pipe *p);

/* Someone who waits until everything up to `serial` is applied, and what can be released
 * by then is (so that a person who looks afterwards finds nothing left). */
struct progress_waiter {
	struct progress_waiter *next;
	int64_t pipe;
	uint64_t serial;
	void (*fn)(struct progress_waiter *w); /* it is */
};

void progress_wait(struct pipes *ps,
		   struct progress_waiter *w); /* may call fn at once */
void progress_unwait(struct pipes *ps, struct progress_waiter *w);
void progress_moved(struct pipes *ps, const struct pipe *p);

#endif
