/* Durations counted into fixed buckets, 1 ms to a day, and printed for `metrics`.
 *
 * A plain struct, zeroed to begin with; its owner's thread only. Never fails.
 * Source: Prometheus text exposition format, section "Histograms and summaries":
 * buckets are cumulative, the last is +Inf, then _sum and _count. */
#ifndef TSFERRY_HISTOGRAM_H
#define TSFERRY_HISTOGRAM_H

#include "buf.h"

#define HISTOGRAM_BUCKETS 18

struct histogram {
	uint64_t
		counts[HISTOGRAM_BUCKETS + 1]; /* the last: above every bound */
	uint64_t sum_us;
};

/* A negative duration (a wall clock was set back) counts as none. */
void histogram_add(struct histogram *h, int64_t us);

/* All lines of `name`, without its # HELP and # TYPE; `labels` is "" or as `pipe="p"`,
 * escaped by the caller. */
void histogram_print(const struct histogram *h, const char *name,
		     const char *labels, struct buf *out);

#endif
