/* How far behind a partition's last row no row of another partition can be. */
#include <errno.h>
#include <inttypes.h>

#include "follow.h"
#include "overlap.h"
#include "restate.h"

#define UNREAD_MAX 256 /* files that are looked at for it */

struct ending {
	struct listing *l;
	int64_t pipe;
	int64_t last;
	bool is_unclear;
};

static void end_before(struct ending *e, const struct tsfile_range *range)
{
	if (range->any && range->first <= range->last &&
	    range->first != INT64_MIN && range->first - 1 < e->last)
		e->last = range->first - 1;
}

/* One that nobody surveyed yet is asked, or its pin. */
static void look_at(struct ending *e, const struct known_file *k,
		    uint32_t region, int64_t partition)
{
	struct living f = k->f;
	CLEANUP_CLOSE int fd = follow_open_in(e->l, region, partition, &f);
	const struct tsfile_visit nobody = {.arg = NULL};
	struct tsfile_index index = {.version = 0};

	if (fd < 0 && !k->is_derived)
		fd = restate_open_pin(e->l, e->pipe, k->serial);
	if (fd < 0 || tsfile_index_read(fd, &nobody, &index, NULL))
		e->is_unclear = true;
	else
		end_before(e, &index.range);
}

int restate_end(struct listing *l, int64_t pipe, int64_t *last)
{
	struct ending e = {.l = l, .pipe = pipe, .last = INT64_MAX};
	sqlite3_stmt *st = l->db->later;
	struct known_file k;
	size_t n = 0;
	int r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_text(st, 2, l->database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, l->partition);
	while ((r = db_row(&l->db->db, st, &l->err)) == 1) {
		known_row(st, &k);
		if (k.range.any)
			end_before(&e, &k.range);
		else if (n++ < UNREAD_MAX)
			look_at(&e, &k,
				(uint32_t)sqlite3_column_int64(st, KNOWN_N),
				sqlite3_column_int64(st, KNOWN_N + 1));
	}
	*last = e.last;
	return r < 0 ? r : !e.is_unclear && n <= UNREAD_MAX;
}
