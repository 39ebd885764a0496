/* Which deletions of one captured file the cloud has, or will have: those that travelled
 * with it, and those that became a DELETE behind it (design, section 4, "Deletions").
 *
 * A set of (what, from when to when). `what` is a record without its times and without
 * the form in which it stands, so that it is the same record in `.mods` and `.mods2`;
 * ranges of the same `what` are joined, so that a deletion file that IoTDB wrote anew
 * with joined ranges (iotdb-formats, section 4.1) covers the same. A file does not change
 * once it is sealed: what was deleted of it once, is, however often it is asked for.
 *
 * A record whose offset is 0 deletes nothing and is none; one whose offset lies inside
 * the file is about the chunks before it only and is a `what` of its own.
 *
 * Memory follows the deletion file's length. Nothing here blocks. */
#ifndef TSFERRY_COVERAGE_H
#define TSFERRY_COVERAGE_H

#include "domain/records.h"

#define COVERAGE_MAX (2u * MODS_MAX) /* bytes, encoded */

struct coverage_range {
	uint32_t what, len; /* in names */
	int64_t first, last;
};

struct coverage {
	struct buf names;
	struct coverage_range *v; /* owned */
	size_t n, cap;
	size_t n_sorted; /* all of them: sorted and joined */
};

void coverage_init(struct coverage *c);
void coverage_release(struct coverage *c);

/* Whole records, as mods_whole() found them; `body_len` is the length of the TsFile.
 * -ENOMEM, -E2BIG. */
int coverage_add_all(struct coverage *c, enum mods_kind kind, const void *p,
		     size_t n, uint64_t body_len) MUST_CHECK;

/* Calls fn for each part of the record's range that the set has not, until it answers
 * other than 0; that is the answer. */
int coverage_missing(struct coverage *c, const struct record *rec,
		     uint64_t body_len,
		     int (*fn)(void *arg, const struct record *rec,
			       int64_t first, int64_t last),
		     void *arg) MUST_CHECK;

/* True when the record is about the front of the file only. */
bool coverage_is_partial(const struct record *rec, uint64_t body_len);

/* The set as records of one form. -ENOTSUP: about tables, and `kind` is text. */
int coverage_print(struct coverage *c, enum mods_kind kind,
		   struct buf *out) MUST_CHECK;

/* The catalog's form: each u32 length, what, i64 first, i64 last. -EBADMSG. */
void coverage_encode(struct coverage *c, struct buf *out);
int coverage_decode(struct coverage *c, const void *p, size_t n) MUST_CHECK;

#endif
