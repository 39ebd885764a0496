/* What is sealed in the data directories and not yet captured: the scan is the truth,
 * the watch makes it faster (design, section 4).
 *
 * A walk finds the partitions, a listing looks at one of them, capture takes what it
 * found; a partition is listed again when it changed. Once everything that was sealed
 * at its listing is captured, new files of a partition are captured at the event that
 * seals them, without a listing, unless a compaction runs there. */
#ifndef TSFERRY_SCAN_H
#define TSFERRY_SCAN_H

#include "capture.h"

struct scan_waiter {
	void (*fn)(struct scan_waiter
			   *w); /* everything sealed by now is captured */
	struct scan_waiter *next;
	uint64_t walk; /* the scan's: the walk that must have ended */
};

int scan_new(struct scan **out, struct edge *e, struct err *err) MUST_CHECK;
void scan_end_jobs(struct scan *s); /* waits for its thread; safe on NULL */
void scan_free(struct scan *s); /* after the catalog's thread ended as well */

/* Everything is listed anew: a pipe began to capture, events were lost. */
void scan_everything(struct scan *s);
/* The configuration changed: a walk begins, and the next one is as far away as it says now. */
void scan_changed(struct scan *s);
void scan_wait(struct scan *s, struct scan_waiter *w);
void scan_unwait(struct scan *s, struct scan_waiter *w);

/* While it is held nothing new is captured: for what must come before, and for moments only
 * (schema.h). What was found meanwhile is captured behind it. */
void scan_hold(struct scan *s, bool is_held);

/* The age of the oldest file that is not sealed: T of its name; 0 = none. */
int64_t scan_oldest_unsealed_ms(const struct scan *s);
size_t scan_watches(const struct scan *s);

#endif
