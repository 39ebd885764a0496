#include "known.h"

#include <string.h>

static uint64_t column(sqlite3_stmt *st, int i)
{
	return (uint64_t)sqlite3_column_int64(st, i);
}

void known_row(sqlite3_stmt *st, struct known_file *out)
{
	memset(out, 0, sizeof(*out));
	out->f.unsequence = sqlite3_column_int(st, 0) != 0;
	out->f.t = column(st, 1);
	out->f.v = column(st, 2);
	out->f.i = (uint32_t)column(st, 3);
	out->f.c = (uint32_t)column(st, 4);
	out->serial = column(st, 5);
	out->serial_low = column(st, 6);
	out->mods_seen = column(st, 7);
	out->is_derived = sqlite3_column_int(st, 8) != 0;
	out->is_owed = sqlite3_column_int(st, 9) != 0;
	if (sqlite3_column_type(st, 10) != SQLITE_NULL) {
		out->range.any = true;
		out->range.first = sqlite3_column_int64(st, 10);
		out->range.last = sqlite3_column_int64(st, 11);
	}
	out->has_sum = sqlite3_column_type(st, 12) != SQLITE_NULL;
	out->row_sum = column(st, 12);
}

void known_bind(sqlite3_stmt *st, int64_t pipe, const char *database,
		uint32_t region, int64_t partition)
{
	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_text(st, 2, database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, region);
	(void)sqlite3_bind_int64(st, 4, partition);
}
