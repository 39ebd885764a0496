/* What the catalog's thread writes about captured files, beyond their entries. */
#include "outbox_sql.h"

static void bind_file(sqlite3_stmt *st, int64_t pipe, const struct fileid *f)
{
	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_text(st, 2, f->database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, f->region);
	(void)sqlite3_bind_int64(st, 4, f->partition);
	(void)sqlite3_bind_int64(st, 5, f->unsequence);
	(void)sqlite3_bind_int64(st, 6, (int64_t)f->t);
	(void)sqlite3_bind_int64(st, 7, (int64_t)f->v);
	(void)sqlite3_bind_int64(st, 8, (int64_t)f->i);
	(void)sqlite3_bind_int64(st, 9, (int64_t)f->c);
}

int outbox_owe(struct outbox_writer *w, int64_t pipe, const struct fileid *file,
	       struct err *e)
{
	bind_file(w->st[W_OWE], pipe, file);
	return db_run(&w->db, w->st[W_OWE], e);
}

int outbox_set_span(struct outbox_writer *w, int64_t pipe,
		    const struct fileid *file, int64_t time_min,
		    int64_t time_max, struct err *e)
{
	sqlite3_stmt *st = w->st[W_SET_SPAN];

	bind_file(st, pipe, file);
	(void)sqlite3_bind_int64(st, 10, time_min);
	(void)sqlite3_bind_int64(st, 11, time_max);
	return db_run(&w->db, st, e);
}
