/* Which devices have rows from when to when, over several files: whether one file more
 * shares a device and a time with them (design, section 4, "Order").
 *
 * Each device has one interval, so that what lies in a gap between two files counts as
 * shared: too much is harmless, too little never happens. Beyond OVERLAP_DEVICES_MAX
 * devices, and for a file whose index cannot be read, one interval stands for all.
 * Under 4 MiB. Reading an index blocks on the disk: the scan's thread. */
#ifndef TSFERRY_OVERLAP_H
#define TSFERRY_OVERLAP_H

#include "domain/tsfile_index.h"

#define OVERLAP_DEVICES_MAX 65536u

struct overlap_device;

struct overlap {
	struct overlap_device *slots; /* owned: a hash table */
	size_t n, cap;
	struct tsfile_range all;  /* of every file that was added */
	struct tsfile_range wide; /* whatever the device */
};

void overlap_release(struct overlap *o);

/* A device, and any text, as numbers: equal ones have equal numbers. */
uint64_t overlap_key(const struct tsfile_device *d);
uint64_t overlap_text_key(const char *text);

bool overlap_ranges(const struct tsfile_range *a, const struct tsfile_range *b);

/* The file is among them from now on; `range` gets its own, from first to last. */
void overlap_add(struct overlap *o, int fd, struct tsfile_range *range);

/* Whether it shares anything with them; `range` as above. */
bool overlap_hits(const struct overlap *o, int fd, struct tsfile_range *range);

/* How many points each series of a file has, as one number that adds up: that of a
 * compaction's product is the sum of its sources' when no row was merged or deleted
 * (up to a chance of 2^-64). -errno when the index cannot be read. */
int overlap_row_sum(int fd, struct tsfile_range *range, uint64_t *sum,
		    struct err *e) MUST_CHECK;

/* The same, and each device is told to `fn`, which answers 0 to go on. */
int overlap_row_sum_each(int fd, struct tsfile_range *range, uint64_t *sum,
			 int (*fn)(void *arg, const struct tsfile_device *d),
			 void *arg, struct err *e) MUST_CHECK;

#endif
