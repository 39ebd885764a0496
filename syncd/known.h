/* What the catalog says of captured files, as the scan's thread reads it, row by row.
 *
 * The statements are the caller's (listing.h); one reader per thread. Blocks on the
 * catalog's file for microseconds. */
#ifndef TSFERRY_KNOWN_H
#define TSFERRY_KNOWN_H

#include "domain/tsfile_index.h"
#include "ground/db.h"
#include "partition.h"

/* A file of the edge that is in the cloud, or on its way: captured itself, or derived,
 * that is made by compaction from captured files and not sent. */
struct known_file {
	struct living f;	     /* its volume is not known */
	uint64_t serial, serial_low; /* of its entry; derived: highest and
				      * lowest of what it was made from */
	uint64_t
		mods_seen; /* bytes of its deletions that travelled or became DELETEs */
	uint64_t mods_stamp; /* the deletion file that was read; 0 = none */
	bool is_derived;
	bool is_loose; /* captured while the spool was full: only IoTDB had it */
	bool is_owed; /* must follow again: something below it came later */
	bool has_sum;
	uint64_t row_sum;	   /* overlap_row_sum() */
	struct tsfile_range range; /* any = false: not read yet */
};

#define KNOWN_COLUMNS                                            \
	"unsequence, t, v, i, c, serial, serial_low, mods_seen," \
	" is_derived, is_owed, time_min, time_max, row_sum," \
	" mods_stamp, is_loose"
#define KNOWN_N 15 /* columns */

void known_row(sqlite3_stmt *st, struct known_file *out);

/* All of a partition: binds; then db_row() and known_row(). */
void known_bind(sqlite3_stmt *st, int64_t pipe, const char *database,
		uint32_t region, int64_t partition);

/* `to` covers `by` too; a range of no row adds nothing. */
void known_widen(struct tsfile_range *to, const struct tsfile_range *by);

struct known_list {
	struct known_file *v; /* owned */
	size_t n, cap;
};

void known_release(struct known_list *l);
int known_add(struct known_list *l, const struct known_file *k) MUST_CHECK;

/* In a list as the catalog gives it, by identity; NULL when it is not there. */
struct known_file *known_find(const struct known_list *l,
			      const struct living *f);

/* The whole partition, by identity. */
int known_read(struct db *db, sqlite3_stmt *st, struct known_list *out,
	       struct err *e) MUST_CHECK;

#endif
