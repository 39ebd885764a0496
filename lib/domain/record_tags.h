/* Which devices of a table a binary deletion record is about. The bytes were checked by
 * mods_whole() before; nothing here blocks or allocates.
 *
 * A device is its table's name and the values of its tags, NULL for null; nulls at the end
 * may be left out. Source: iotdb-formats, section 4.2. */
#ifndef TSFERRY_RECORD_TAGS_H
#define TSFERRY_RECORD_TAGS_H

#include "records.h"

/* Of the table that the record names. False too for a predicate that is none. */
bool record_matches_tags(const struct record *rec, const char *const *tags,
			 size_t n);

/* How many columns it names: 0 = whole rows. */
size_t record_columns(const struct record *rec);

#endif
