/* Captured files that are gone at the edge: what a RESYNC must remember of them. */
#include <errno.h>
#include <string.h>

#include "outbox_sql.h"

int outbox_carry(struct outbox_writer *w, const struct pipe_row *from,
		 int64_t to, struct err *e)
{
	sqlite3_stmt *st = w->st[W_CARRY_GAPS];
	int r;

	(void)sqlite3_bind_int64(st, 1, from->id);
	(void)sqlite3_bind_int64(st, 2, to);
	r = db_run(&w->db, st, e);
	if (r)
		return r;
	st = w->st[W_CARRY_GONE];
	(void)sqlite3_bind_int64(st, 1, from->id);
	(void)sqlite3_bind_int64(st, 2, to);
	(void)sqlite3_bind_int64(st, 3, (int64_t)from->applied);
	(void)sqlite3_bind_int64(st, 4, (int64_t)from->durable);
	return db_run(&w->db, st, e);
}

int outbox_late_gone(struct outbox_writer *w, const struct pipe_row *from,
		     int64_t to, const struct fileid *file, struct err *e)
{
	sqlite3_stmt *st = w->st[W_LATE_GONE];

	outbox_bind_file(st, from->id, file);
	(void)sqlite3_bind_int64(st, 10, to);
	(void)sqlite3_bind_int64(st, 11, (int64_t)from->applied);
	(void)sqlite3_bind_int64(st, 12, (int64_t)from->durable);
	return db_run(&w->db, st, e);
}

static int read_file(sqlite3_stmt *st, struct fileid *f)
{
	memset(f, 0, sizeof(*f));
	f->region = (uint32_t)sqlite3_column_int64(st, 1);
	f->partition = sqlite3_column_int64(st, 2);
	f->unsequence = sqlite3_column_int(st, 3) != 0;
	f->t = (uint64_t)sqlite3_column_int64(st, 4);
	f->v = (uint64_t)sqlite3_column_int64(st, 5);
	f->i = (uint64_t)sqlite3_column_int64(st, 6);
	f->c = (uint64_t)sqlite3_column_int64(st, 7);
	return db_text(st, 0, f->database, sizeof(f->database));
}

static int damaged(const char *table, struct err *e)
{
	return err_set(e, EBADMSG,
		       "catalog.db: a row of %s is not as it was written",
		       table);
}

int outbox_each_known(struct outbox_writer *w, int64_t pipe,
		      int (*fn)(void *arg, const struct fileid *file),
		      void *arg, struct err *e)
{
	sqlite3_stmt *st = w->st[W_EACH_KNOWN];
	struct fileid file;
	int r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	while ((r = db_row(&w->db, st, e)) == 1) {
		r = read_file(st, &file) ? damaged("known", e) : fn(arg, &file);
		if (r) {
			(void)sqlite3_reset(st);
			break;
		}
	}
	return r;
}

static int read_gone(sqlite3_stmt *st, struct gone_row *out)
{
	out->serial = (uint64_t)sqlite3_column_int64(st, 8);
	out->serial_low = (uint64_t)sqlite3_column_int64(st, 9);
	out->range = (struct tsfile_range){.any = false};
	if (sqlite3_column_type(st, 10) != SQLITE_NULL)
		out->range = (struct tsfile_range){
			.any = true,
			.first = sqlite3_column_int64(st, 10),
			.last = sqlite3_column_int64(st, 11)};
	out->fate = (enum gone_fate)sqlite3_column_int(st, 12);
	return read_file(st, &out->file);
}

int outbox_next_gone(struct outbox_writer *w, int64_t pipe,
		     const uint8_t origin[ID_LEN], struct gone_row *out,
		     struct err *e)
{
	sqlite3_stmt *st = w->st[W_NEXT_GONE];
	int r;

	outbox_bind_file(st, pipe, &out->file);
	(void)sqlite3_bind_blob(st, 10, origin, ID_LEN, SQLITE_STATIC);
	r = db_row(&w->db, st, e);
	if (r != 1)
		return r;
	r = read_gone(st, out);
	(void)sqlite3_reset(st);
	return r ? damaged("gone", e) : 1;
}

int outbox_settle_gone(struct outbox_writer *w, int64_t pipe,
		       const uint8_t origin[ID_LEN], const struct fileid *file,
		       bool is_over, struct err *e)
{
	sqlite3_stmt *st = w->st[is_over ? W_END_GONE : W_SETTLE_GONE];

	outbox_bind_file(st, pipe, file);
	(void)sqlite3_bind_blob(st, 10, origin, ID_LEN, SQLITE_STATIC);
	return db_run(&w->db, st, e);
}

bool outbox_gone_origin(struct outbox *o, int64_t pipe, uint8_t to[ID_LEN])
{
	sqlite3_stmt *st = o->read[R_GONE_ORIGIN];
	bool is_there;

	(void)sqlite3_bind_int64(st, 1, pipe);
	if (db_row(&o->reader, st, NULL) != 1)
		return false;
	is_there = db_blob(st, 0, to, ID_LEN) == 0;
	(void)sqlite3_reset(st);
	return is_there;
}
