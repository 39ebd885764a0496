#include <errno.h>
#include <string.h>

#include "catalog_schema.h"

/* Applied entries that are kept (`retained`), oldest first out: they have left `entry`, and
 * come back to it when a RESYNC asks for what its edge does not have any more. */

static void finalize(sqlite3_stmt **st)
{
	(void)sqlite3_finalize(*st);
}

static const char sql_oldest[] =
	"SELECT seq, entry, domain, payload_len, kind, head, data IS NOT NULL "
	"FROM retained ORDER BY seq LIMIT ?1";
/* `entry >> 40` is its incarnation (catalog_key). */
static const char sql_of_sender[] =
	"SELECT seq, entry, domain, payload_len, kind, head, data IS NOT NULL "
	"FROM retained WHERE seq > ?2 AND seq <= ?3 AND (entry >> 40) IN "
	"(SELECT seq FROM incarnation WHERE sender = ?4) ORDER BY seq LIMIT ?1";

static int row_of(sqlite3_stmt *st, struct retained_row *row)
{
	struct rd head = rd_over(sqlite3_column_blob(st, 5),
				 (size_t)sqlite3_column_bytes(st, 5));
	struct entry en = {0};
	int64_t key = sqlite3_column_int64(st, 1);

	if (entry_decode(&en, &head) < 0)
		return -EBADMSG;
	*row = (struct retained_row){
		.seq = sqlite3_column_int64(st, 0),
		.incarnation = catalog_key_incarnation(key),
		.serial = catalog_key_serial(key),
		.domain = sqlite3_column_int64(st, 2),
		.payload_len = (uint64_t)sqlite3_column_int64(st, 3),
		.kind = en.kind,
		.mods_kind = en.mods_len ? en.mods_kind : MODS_NONE,
		.is_row = sqlite3_column_int(st, 6) != 0,
	};
	entry_release(&en);
	return 0;
}

static int read_rows(struct db *db, sqlite3_stmt *st, struct retained_row *rows,
		     size_t max, uint64_t bytes, struct err *e)
{
	uint64_t sum = 0;
	size_t n = 0;
	int r = 0;

	while (n < max && sum < bytes && (r = db_row(db, st, e)) > 0) {
		if (row_of(st, &rows[n]) < 0)
			return err_set(e, EBADMSG,
				       "catalog: a row of retained is damaged");
		sum += rows[n++].payload_len + RETAINED_COST;
	}
	return r < 0 ? r : (int)n;
}

static int remove_rows(struct db *db, const struct retained_row *rows, int n,
		       struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int r = db_prepare(db, &st, "DELETE FROM retained WHERE seq = ?", e);

	for (int i = 0; r >= 0 && i < n; i++) {
		(void)sqlite3_bind_int64(st, 1, rows[i].seq);
		r = db_run(db, st, e);
	}
	return r < 0 ? r : n;
}

int catalog_evict(struct catalog *c, uint64_t bytes, struct retained_row *rows,
		  size_t max, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	struct db *db = catalog_db(c);
	int n = db_prepare(db, &st, sql_oldest, e);

	if (n < 0)
		return n;
	(void)sqlite3_bind_int64(st, 1, (int64_t)max);
	n = read_rows(db, st, rows, max, bytes, e);
	(void)sqlite3_reset(st);
	return n <= 0 ? n : remove_rows(db, rows, n, e);
}

static int bring_back(struct db *db, const struct retained_row *rows, int n,
		      struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int r = db_prepare(db, &st,
			   "INSERT INTO entry SELECT entry, domain, 0, digest, "
			   "payload_len, kind, head, data, file FROM retained WHERE "
			   "seq = ?",
			   e);

	for (int i = 0; r >= 0 && i < n; i++) {
		(void)sqlite3_bind_int64(st, 1, rows[i].seq);
		r = db_run(db, st, e);
	}
	return r < 0 ? r : remove_rows(db, rows, n, e);
}

static int newest_seq(struct db *db, int64_t *seq, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int r = db_prepare(db, &st, "SELECT ifnull(max(seq), 0) FROM retained",
			   e);

	if (r >= 0)
		r = db_row(db, st, e);
	if (r > 0)
		*seq = sqlite3_column_int64(st, 0);
	return r < 0 ? r : 0;
}

int catalog_put_back(struct catalog *c, const uint8_t sender[SENDER_ID_LEN],
		     int64_t after, int64_t *last, struct retained_row *rows,
		     size_t max, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	struct db *db = catalog_db(c);
	int n = *last ? 0 : newest_seq(db, last, e);

	if (n >= 0)
		n = db_prepare(db, &st, sql_of_sender, e);
	if (n < 0)
		return n;
	(void)sqlite3_bind_int64(st, 1, (int64_t)max);
	(void)sqlite3_bind_int64(st, 2, after);
	(void)sqlite3_bind_int64(st, 3, *last);
	(void)sqlite3_bind_blob(st, 4, sender, SENDER_ID_LEN, SQLITE_STATIC);
	n = read_rows(db, st, rows, max, UINT64_MAX, e);
	(void)sqlite3_reset(st);
	return n <= 0 ? n : bring_back(db, rows, n, e);
}

int catalog_retained_bytes(struct catalog_reader *r, uint64_t *bytes,
			   struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(&r->db, &st,
			   "SELECT bytes + ? * n FROM retained_sum",
			   e);

	if (n < 0)
		return n;
	(void)sqlite3_bind_int64(st, 1, RETAINED_COST);
	n = db_row(&r->db, st, e);
	if (n > 0)
		*bytes = (uint64_t)sqlite3_column_int64(st, 0);
	return n < 0 ? n : 0;
}
