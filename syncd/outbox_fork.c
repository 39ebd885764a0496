/* The forks of a pipe in the catalog (fork.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "outbox_sql.h"

static int take(sqlite3_stmt *st, struct forks *out, struct err *e)
{
	int r = forks_decode(out, sqlite3_column_blob(st, 0),
			     (size_t)sqlite3_column_bytes(st, 0));

	(void)sqlite3_reset(st);
	if (r)
		return err_set(
			e, -r,
			"catalog.db: the forks of a pipe are not as "
			"they were written (RESYNC PIPE sends everything "
			"again)");
	return 0;
}

static int find(struct db *db, sqlite3_stmt *st, int64_t pipe,
		struct forks *out, struct err *e)
{
	int r;

	out->n = 0;
	(void)sqlite3_bind_int64(st, 1, pipe);
	r = db_row(db, st, e);
	return r == 1 ? take(st, out, e) : r;
}

int outbox_forks(struct outbox *o, int64_t pipe, struct forks *out,
		 struct err *e)
{
	return find(&o->reader, o->read[R_FORKS], pipe, out, e);
}

int outbox_forks_written(struct outbox_writer *w, int64_t pipe,
			 struct forks *out, struct err *e)
{
	return find(&w->db, w->st[W_FORKS], pipe, out, e);
}

/* Its serials: up to the last one assigned; and what was released. */
static int bounds(struct outbox_writer *w, int64_t pipe, uint64_t *assigned,
		  uint64_t *released, struct err *e)
{
	sqlite3_stmt *st = w->st[W_BOUNDS];
	int r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	r = db_row(&w->db, st, e);
	if (r != 1)
		return r;
	*assigned = (uint64_t)sqlite3_column_int64(st, 0);
	*released = (uint64_t)sqlite3_column_int64(st, 1);
	(void)sqlite3_reset(st);
	return 1;
}

int outbox_fork(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		struct err *e)
{
	sqlite3_stmt *st = w->st[W_SET_FORKS];
	struct fork new = {.first = serial};
	CLEANUP(buf_release) struct buf b = {0};
	struct forks f;
	uint64_t released;
	int r = bounds(w, pipe, &new.last, &released, e);

	if (r != 1 || new.last < serial)
		return r < 0 ? r : 0;
	r = outbox_forks_written(w, pipe, &f, e);
	if (r)
		return r;
	while (!new.salt)
		id_random(&new.salt, sizeof(new.salt));
	forks_add(&f, released, &new);
	buf_init(&b, FORKS_LEN);
	forks_encode(&f, &b);
	if (buf_end(&b))
		return err_set(e, ENOMEM, "no memory for the forks of a pipe");
	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_blob(st, 2, buf_data(&b), (int)b.len, SQLITE_STATIC);
	r = db_run(&w->db, st, e);
	(void)sqlite3_clear_bindings(st);
	return r;
}
