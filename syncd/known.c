#include "known.h"

#include <errno.h>
#include <string.h>

#include "living.h"

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
	out->mods_stamp = column(st, 13);
	out->is_loose = sqlite3_column_int(st, 14) != 0;
}

void known_bind(sqlite3_stmt *st, int64_t pipe, const char *database,
		uint32_t region, int64_t partition)
{
	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_text(st, 2, database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, region);
	(void)sqlite3_bind_int64(st, 4, partition);
}

void known_release(struct known_list *l)
{
	free(l->v);
	memset(l, 0, sizeof(*l));
}

int known_add(struct known_list *l, const struct known_file *k)
{
	if (array_room(&l->v, l->n, &l->cap, sizeof(*l->v)))
		return -ENOMEM;
	l->v[l->n++] = *k;
	return 0;
}

static int by_identity(const void *key, const void *k)
{
	return living_compare(key, &((const struct known_file *)k)->f);
}

struct known_file *known_find(const struct known_list *l,
			      const struct living *f)
{
	return l->n ? bsearch(f, l->v, l->n, sizeof(*l->v), by_identity) : NULL;
}

int known_read(struct db *db, sqlite3_stmt *st, struct known_list *out,
	       struct err *e)
{
	struct known_file k;
	int r;

	while ((r = db_row(db, st, e)) == 1) {
		known_row(st, &k);
		r = known_add(out, &k);
		if (r) {
			(void)sqlite3_reset(st);
			break;
		}
	}
	return r;
}

void known_widen(struct tsfile_range *to, const struct tsfile_range *by)
{
	if (!by->any || by->first > by->last)
		return;
	if (!to->any || by->first < to->first)
		to->first = by->first;
	if (!to->any || by->last > to->last)
		to->last = by->last;
	to->any = true;
}
