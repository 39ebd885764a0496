/* What the catalog has of the edge's schema, a pipe each: what its entries have said. */
#include "outbox_sql.h"

static void bind_text(sqlite3_stmt *st, int i, const char *s)
{
	(void)sqlite3_bind_text(st, i, s, -1, SQLITE_STATIC);
}

int outbox_put_series(struct outbox_writer *w, int64_t pipe,
		      const char *database, const char *path, const char *rest,
		      struct err *e)
{
	sqlite3_stmt *st = w->st[W_PUT_SERIES];

	(void)sqlite3_bind_int64(st, 1, pipe);
	bind_text(st, 2, database);
	bind_text(st, 3, path);
	bind_text(st, 4, rest);
	return db_run(&w->db, st, e);
}

int outbox_forget_series(struct outbox_writer *w, int64_t pipe,
			 const char *database, const char *path, struct err *e)
{
	sqlite3_stmt *st = w->st[W_FORGET_SERIES];

	(void)sqlite3_bind_int64(st, 1, pipe);
	bind_text(st, 2, database);
	bind_text(st, 3, path);
	return db_run(&w->db, st, e);
}

int outbox_set_listed(struct outbox_writer *w, int64_t pipe,
		      const char *identity, const char *digest, struct err *e)
{
	sqlite3_stmt *st = w->st[W_SET_LISTED];

	(void)sqlite3_bind_int64(st, 1, pipe);
	bind_text(st, 2, identity);
	bind_text(st, 3, digest);
	return db_run(&w->db, st, e);
}

int outbox_forget_schema(struct outbox_writer *w, int64_t pipe, struct err *e)
{
	int r;

	(void)sqlite3_bind_int64(w->st[W_FORGET_ALL_SERIES], 1, pipe);
	r = db_run(&w->db, w->st[W_FORGET_ALL_SERIES], e);
	(void)sqlite3_bind_int64(w->st[W_FORGET_LISTED], 1, pipe);
	return r ? r : db_run(&w->db, w->st[W_FORGET_LISTED], e);
}
