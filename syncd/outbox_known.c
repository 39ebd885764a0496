/* What the catalog's thread writes about captured files, beyond their entries. */
#include <errno.h>

#include "outbox_sql.h"

int outbox_owe(struct outbox_writer *w, int64_t pipe, const struct fileid *file,
	       struct err *e)
{
	outbox_bind_file(w->st[W_OWE], pipe, file);
	return db_run(&w->db, w->st[W_OWE], e);
}

int outbox_learn(struct outbox_writer *w, int64_t pipe,
		 const struct fileid *file, int64_t time_min, int64_t time_max,
		 const uint64_t *row_sum, struct err *e)
{
	sqlite3_stmt *st = w->st[W_LEARN];

	outbox_bind_file(st, pipe, file);
	(void)sqlite3_bind_int64(st, 10, time_min);
	(void)sqlite3_bind_int64(st, 11, time_max);
	if (row_sum)
		(void)sqlite3_bind_int64(st, 12, (int64_t)*row_sum);
	else
		(void)sqlite3_bind_null(st, 12);
	return db_run(&w->db, st, e);
}

int outbox_set_mods(struct outbox_writer *w, int64_t pipe,
		    const struct fileid *file, uint64_t mods_seen,
		    uint64_t stamp, const struct buf *covered, struct err *e)
{
	sqlite3_stmt *st = w->st[W_SET_MODS];
	int r;

	outbox_bind_file(st, pipe, file);
	(void)sqlite3_bind_int64(st, 10, (int64_t)mods_seen);
	(void)sqlite3_bind_int64(st, 11, (int64_t)stamp);
	if (covered)
		(void)sqlite3_bind_blob64(st, 12, buf_data(covered),
					  covered->len, SQLITE_STATIC);
	r = db_run(&w->db, st, e);
	(void)sqlite3_clear_bindings(st);
	return r;
}

int outbox_covered(struct outbox_writer *w, int64_t pipe,
		   const struct fileid *file, struct buf *out, struct err *e)
{
	sqlite3_stmt *st = w->st[W_GET_COVERED];
	int r;

	outbox_bind_file(st, pipe, file);
	r = db_row(&w->db, st, e);
	if (r != 1)
		return r;
	buf_add(out, sqlite3_column_blob(st, 0),
		(size_t)sqlite3_column_bytes(st, 0));
	(void)sqlite3_reset(st);
	return buf_end(out) ? -ENOMEM : 1;
}

int outbox_add_derived(struct outbox_writer *w, int64_t pipe,
		       const struct fileid *file, uint64_t serial,
		       uint64_t serial_low, uint64_t mods_seen, struct err *e)
{
	sqlite3_stmt *st = w->st[W_ADD_DERIVED];

	outbox_bind_file(st, pipe, file);
	(void)sqlite3_bind_int64(st, 10, (int64_t)serial);
	(void)sqlite3_bind_int64(st, 11, (int64_t)serial_low);
	(void)sqlite3_bind_int64(st, 12, (int64_t)mods_seen);
	return db_run(&w->db, st, e);
}

int outbox_put_compaction(struct outbox_writer *w, const char *database,
			  uint32_t region, int64_t partition,
			  const char *journal, const char *body, struct err *e)
{
	sqlite3_stmt *st = w->st[body ? W_PUT_COMPACTION : W_DROP_COMPACTION];
	int r;

	(void)sqlite3_bind_text(st, 1, database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, region);
	(void)sqlite3_bind_int64(st, 3, partition);
	(void)sqlite3_bind_text(st, 4, journal, -1, SQLITE_STATIC);
	if (body)
		(void)sqlite3_bind_text(st, 5, body, -1, SQLITE_STATIC);
	r = db_run(&w->db, st, e);
	(void)sqlite3_clear_bindings(st);
	return r;
}

int outbox_add_device(struct outbox_writer *w, const char *database,
		      uint32_t region, const char *path, size_t n,
		      struct err *e)
{
	sqlite3_stmt *st = w->st[W_ADD_DEVICE];

	(void)sqlite3_bind_text(st, 1, database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, region);
	(void)sqlite3_bind_text(st, 3, path, (int)n, SQLITE_STATIC);
	return db_run(&w->db, st, e);
}

int outbox_times(struct outbox_writer *w, int64_t pipe,
		 const struct fileid *file, struct tsfile_range *out,
		 struct err *e)
{
	sqlite3_stmt *st = w->st[W_TIMES];
	int r;

	*out = (struct tsfile_range){.any = false};
	outbox_bind_file(st, pipe, file);
	r = db_row(&w->db, st, e);
	if (r == 1 && sqlite3_column_type(st, 0) != SQLITE_NULL)
		*out = (struct tsfile_range){
			.any = true,
			.first = sqlite3_column_int64(st, 0),
			.last = sqlite3_column_int64(st, 1)};
	if (r == 1)
		(void)sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int outbox_note_gone(struct outbox_writer *w, int64_t pipe,
		     const struct fileid *file, struct err *e)
{
	outbox_bind_file(w->st[W_NOTE_GONE], pipe, file);
	return db_run(&w->db, w->st[W_NOTE_GONE], e);
}

int outbox_forget_gone(struct outbox_writer *w, int64_t pipe,
		       const struct fileid *file, struct err *e)
{
	outbox_bind_file(w->st[W_FORGET_GONE], pipe, file);
	return db_run(&w->db, w->st[W_FORGET_GONE], e);
}
