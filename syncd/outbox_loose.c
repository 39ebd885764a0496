/* Entries whose payload the spool does not hold (loose): what makes them so, and what
 * fills their serial when IoTDB removed it first. */
#include <errno.h>

#include "outbox_sql.h"

int outbox_each_durable_pin(struct outbox_writer *w, int64_t volume,
			    int (*fn)(void *arg, int64_t pipe, uint64_t serial,
				      uint64_t nonce),
			    void *arg, struct err *e)
{
	sqlite3_stmt *st = w->st[W_DURABLE_PINS];
	int r;

	(void)sqlite3_bind_int64(st, 1, volume);
	while ((r = db_row(&w->db, st, e)) == 1) {
		r = fn(arg, sqlite3_column_int64(st, 0),
		       (uint64_t)sqlite3_column_int64(st, 1),
		       (uint64_t)sqlite3_column_int64(st, 2));
		if (r) {
			(void)sqlite3_reset(st);
			break;
		}
	}
	return r;
}

int outbox_set_loose(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		     struct err *e)
{
	sqlite3_stmt *st = w->st[W_SET_LOOSE];

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_int64(st, 2, (int64_t)serial);
	return db_run(&w->db, st, e);
}

static int read_next(sqlite3_stmt *st, struct outbox_entry *en,
		     char line[OUTBOX_GAP_LEN])
{
	struct rd r = rd_over(sqlite3_column_blob(st, 0),
			      (size_t)sqlite3_column_bytes(st, 0));

	*en = (struct outbox_entry){.is_loose = sqlite3_column_int(st, 3) != 0};
	if (entry_decode(&en->entry, &r))
		return -EBADMSG;
	en->volume = sqlite3_column_int64(st, 1);
	if (db_text(st, 2, line, OUTBOX_GAP_LEN))
		line[0] = '\0';
	return 0;
}

int outbox_next(struct outbox_writer *w, int64_t pipe, uint64_t from,
		struct outbox_entry *en, char line[OUTBOX_GAP_LEN],
		struct err *e)
{
	sqlite3_stmt *st = w->st[W_NEXT_ENTRY];
	int r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_int64(st, 2, (int64_t)from);
	r = db_row(&w->db, st, e);
	if (r != 1)
		return r;
	r = read_next(st, en, line);
	(void)sqlite3_reset(st);
	return r ? err_set(e, -r,
			   "catalog.db: a row of entry is not as it was "
			   "written")
		 : 1;
}

int outbox_devices(struct outbox_writer *w, const char *database,
		   uint32_t region,
		   int (*fn)(void *arg, const char *path, size_t len),
		   void *arg, struct err *e)
{
	sqlite3_stmt *st = w->st[W_DEVICES];
	int r;

	(void)sqlite3_bind_text(st, 1, database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, region);
	while ((r = db_row(&w->db, st, e)) == 1) {
		r = fn(arg, (const char *)sqlite3_column_text(st, 0),
		       (size_t)sqlite3_column_bytes(st, 0));
		if (r) {
			(void)sqlite3_reset(st);
			break;
		}
	}
	return r;
}

int outbox_product_of(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		      struct fileid *product, struct err *e)
{
	sqlite3_stmt *st = w->st[W_PRODUCT_OF];
	int r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_text(st, 2, product->database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, product->region);
	(void)sqlite3_bind_int64(st, 4, product->partition);
	(void)sqlite3_bind_int64(st, 5, (int64_t)serial);
	r = db_row(&w->db, st, e);
	if (r != 1)
		return r;
	product->unsequence = sqlite3_column_int(st, 0) != 0;
	product->t = (uint64_t)sqlite3_column_int64(st, 1);
	product->v = (uint64_t)sqlite3_column_int64(st, 2);
	product->i = (uint64_t)sqlite3_column_int64(st, 3);
	product->c = (uint64_t)sqlite3_column_int64(st, 4);
	(void)sqlite3_reset(st);
	return 1;
}

int outbox_fill(struct outbox_writer *w, int64_t pipe, const struct entry *en,
		struct err *e)
{
	sqlite3_stmt *st = w->st[W_FILL];
	CLEANUP(buf_release) struct buf head;
	int r;

	buf_init(&head, ENTRY_HEAD_MAX);
	entry_encode(en, &head);
	if (buf_end(&head))
		return err_set(e, E2BIG, "the head of an entry is too long");
	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_int64(st, 2, (int64_t)en->serial);
	(void)sqlite3_bind_int64(st, 3, (int64_t)en->nonce);
	(void)sqlite3_bind_blob(st, 4, buf_data(&head), (int)head.len,
				SQLITE_STATIC);
	r = db_run(&w->db, st, e);
	(void)sqlite3_clear_bindings(st);
	return r;
}
