/* Compaction journals held open from the moment that they appear: a compaction of small
 * files may be over within some milliseconds, and what is open can be read to its end
 * after IoTDB removed it.
 *
 * Opening happens on the loop, once a journal; reading on the scan's thread. Whoever
 * holds the list owns its descriptors. */
#ifndef TSFERRY_HELD_H
#define TSFERRY_HELD_H

#include "journal.h"

struct compactions;

#define HELD_MAX 16 /* of one partition; more are only read where they stand */

struct held {
	struct {
		char name[JOURNAL_NAME_LEN];
		int fd;
	} v[HELD_MAX];

	size_t n;
};

/* Lists are made when they are needed, most partitions have none: NULL is an empty one. */
void held_free(struct held *h);

/* Opens the journal at `path`; one that cannot be opened is gone, or read later. */
void held_add(struct held **h, const char *path, const char *name);

/* Reads all of them into `cs`: -ENOMEM. */
int held_read(const struct held *h, struct compactions *cs) MUST_CHECK;

/* Those that still stand move to `to`, the others are closed; frees `from`. */
void held_keep(struct held *from, const struct compactions *cs,
	       struct held **to);

#endif
