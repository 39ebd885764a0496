/* Deletion files beside a TsFile, as bytes: where the last whole record ends, and
 * whether each record is one (iotdb-formats, section 4; iotdb-observed, sections 2
 * and 3: a malformed line silently disables a whole text file, so it must not
 * travel).
 *
 * A torn tail is not an error: it is what is not yet there. */
#ifndef TSFERRY_MODS_H
#define TSFERRY_MODS_H

#include <stdbool.h>

#include "ground/buf.h"
#include "ground/err.h"

enum mods_kind { MODS_NONE, MODS_TEXT, MODS_BINARY };

#define MODS_MAX (64u << 20) /* bytes of one deletion file */

/* The suffix behind ".tsfile": "", ".mods", ".mods2". */
const char *mods_suffix(enum mods_kind kind);

/* Length of the whole records in front. -EBADMSG and the number of the record when
 * one is malformed, -E2BIG above MODS_MAX; `whole` is 0 then. Text: the path begins
 * with root, the three numbers are 64-bit integers (the form before 0.12, without an
 * offset, is refused), and a line `aborted` stands behind a record that it cancels.
 * Binary: a record that ends early is torn, one that claims an impossible length is
 * malformed. */
int mods_whole(enum mods_kind kind, const void *p, size_t n, size_t *whole, struct err *e)
	MUST_CHECK;

/* Whether a path may stand in a text record: below root, without control characters. */
bool mods_is_path(const char *p, size_t n);

/* Adds the whole records of a text file without those that an `aborted` line cancels
 * and without such lines: from 1.2 on IoTDB takes them as malformed. */
void mods_add_standing(const void *p, size_t n, struct buf *out);

/* Adds one record that deletes every row of a file before `time` (or at it too):
 * the row-exact cut of a pipe's start time (iotdb-observed, section 3). */
/* The same for one table of a database of tables; binary. */
void mods_add_table_cut(const char *table, size_t len,
			int64_t last_deleted_time, struct buf *out);
void mods_add_cut(enum mods_kind kind, int64_t last_deleted_time, struct buf *out);

#endif
