/* Deletion records one by one: reading them, and writing them again clipped to a range
 * of times or in the other form (iotdb-formats, section 4). The bytes were checked by
 * mods_whole() before. Nothing here blocks. */
#ifndef TSFERRY_RECORDS_H
#define TSFERRY_RECORDS_H

#include "mods.h"

#include <stdbool.h>

struct record {
	enum mods_kind kind;
	const uint8_t *raw; /* borrowed */
	size_t raw_len;
	bool is_table; /* binary, and about a table: only IoTDB 2 knows it */
	const char *path; /* the pattern; for a table its name; not terminated */
	size_t path_len;
	int64_t offset; /* text; INT64_MAX otherwise */
	int64_t start, end; /* inclusive */
};

/* The first record of n bytes: its length, 0 at the end, -EBADMSG. A text line that is
 * no record (`aborted`) comes with path NULL. */
ssize_t records_next(enum mods_kind kind, const uint8_t *p, size_t n, struct record *rec)
	MUST_CHECK;

/* Adds the part of `rec` between two times (inclusive) in the form `kind`, for all of a
 * file. Nothing when there is no such part, or when the record is inert (offset 0).
 * -ENOTSUP: about a table, and `kind` is text, or its path may not stand in one. */
int records_add_clipped(const struct record *rec, int64_t time_min, int64_t time_max,
			enum mods_kind kind, struct buf *out) MUST_CHECK;
/* One record for a path pattern. -ENOTSUP: it may not stand in a text, where a malformed
 * line would disable all the others. */
int records_add(enum mods_kind kind, const char *path, size_t path_len, int64_t start,
		int64_t end, struct buf *out) MUST_CHECK;

/* Whether some record deletes all of a database, for all times. */
bool records_delete_database(enum mods_kind kind, const uint8_t *p, size_t n,
			     const char *database);

#endif
