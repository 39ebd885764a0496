#include <errno.h>
#include <string.h>

#include "catalog_schema.h"

/* The reading half. A reader has its own connection, so it never waits for the keeper
 * and sees whole transactions only. */

static const char sql_entries[] = "SELECT id, state, digest, head, data FROM "
				  "entry WHERE domain = ? ORDER BY id";
static const char sql_quarantine[] =
	CATALOG_QUARANTINE_COLUMNS "WHERE q.id > ? AND (? = 0 OR (q.entry >= ? "
				   "AND q.entry <= ?)) ORDER BY q.id";

int catalog_reader_open(struct catalog_reader *r, const char *path,
			struct err *e)
{
	int n = db_open_reader(&r->db, path, e);

	if (n >= 0) /* rows are read once */
		n = db_exec(&r->db, "PRAGMA cache_size = -256", e);
	if (n >= 0)
		n = db_prepare(&r->db, &r->entries, sql_entries, e);
	if (n >= 0)
		n = db_prepare(&r->db, &r->quarantine, sql_quarantine, e);
	if (n < 0)
		catalog_reader_close(r);
	return n;
}

void catalog_reader_close(struct catalog_reader *r)
{
	(void)sqlite3_finalize(r->entries);
	(void)sqlite3_finalize(r->quarantine);
	r->entries = NULL;
	r->quarantine = NULL;
	db_close(&r->db);
}

static void finalize(sqlite3_stmt **st)
{
	(void)sqlite3_finalize(*st);
}

static int damaged(const char *table, struct err *e)
{
	return err_set(e, EBADMSG, "catalog: a row of %s is damaged", table);
}

static int sender_columns(sqlite3_stmt *st, struct sender_row *s)
{
	int state = sqlite3_column_int(st, 2);

	if (db_blob(st, 0, s->id, sizeof s->id) < 0 ||
	    db_text(st, 1, s->name, sizeof s->name) < 0 ||
	    state < SENDER_WAITING || state > SENDER_FORGOTTEN ||
	    db_text(st, 5, s->address, sizeof s->address) < 0 ||
	    db_text(st, 6, s->version, sizeof s->version) < 0)
		return -EBADMSG;
	s->state = (enum sender_state)state;
	s->first_seen_ms = sqlite3_column_int64(st, 3);
	s->last_seen_ms = sqlite3_column_int64(st, 4);
	return 0;
}

int catalog_each_sender(struct catalog_reader *r,
			int (*fn)(void *, const struct sender_row *), void *arg,
			struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(&r->db, &st,
			   "SELECT id, name, state, first_seen, last_seen, "
			   "address, version "
			   "FROM sender ORDER BY name, first_seen",
			   e);

	if (n < 0)
		return n;
	while ((n = db_row(&r->db, st, e)) > 0) {
		struct sender_row row = {0};

		if (sender_columns(st, &row) < 0)
			return damaged("sender", e);
		n = fn(arg, &row);
		if (n)
			return n;
	}
	return n;
}

static int incarnation_columns(sqlite3_stmt *st, struct incarnation_row *i)
{
	i->seq = sqlite3_column_int64(st, 0);
	if (i->seq < 1 || i->seq > CATALOG_INCARNATION_MAX ||
	    db_blob(st, 1, i->sender, sizeof i->sender) < 0 ||
	    db_blob(st, 2, i->id, sizeof i->id) < 0 ||
	    db_text(st, 3, i->pipe, sizeof i->pipe) < 0)
		return -EBADMSG;
	i->create_time_ms = sqlite3_column_int64(st, 4);
	i->durable = (uint64_t)sqlite3_column_int64(st, 5);
	i->durable_nonce = (uint64_t)sqlite3_column_int64(st, 6);
	i->applied = (uint64_t)sqlite3_column_int64(st, 7);
	i->dropped = sqlite3_column_int(st, 8) != 0;
	return 0;
}

int catalog_each_incarnation(struct catalog_reader *r,
			     int (*fn)(void *, const struct incarnation_row *),
			     void *arg, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(&r->db, &st,
			   "SELECT seq, sender, id, pipe, create_time, "
			   "durable, durable_nonce, "
			   "applied, dropped FROM incarnation ORDER BY seq",
			   e);

	if (n < 0)
		return n;
	while ((n = db_row(&r->db, st, e)) > 0) {
		struct incarnation_row row = {0};

		if (incarnation_columns(st, &row) < 0)
			return damaged("incarnation", e);
		n = fn(arg, &row);
		if (n)
			return n;
	}
	return n;
}

int catalog_each_domain(struct catalog_reader *r,
			int (*fn)(void *, const struct domain_row *), void *arg,
			struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(
		&r->db, &st,
		"SELECT id, incarnation, database, n_entries, n_quarantined, "
		"bytes, delivered FROM domain ORDER BY id",
		e);

	if (n < 0)
		return n;
	while ((n = db_row(&r->db, st, e)) > 0) {
		struct domain_row row = {
			.id = sqlite3_column_int64(st, 0),
			.incarnation = sqlite3_column_int64(st, 1),
			.n_entries = (uint64_t)sqlite3_column_int64(st, 3),
			.n_quarantined = (uint64_t)sqlite3_column_int64(st, 4),
			.bytes = (uint64_t)sqlite3_column_int64(st, 5),
			.delivered = sqlite3_column_int(st, 6) != 0,
		};

		if (db_text(st, 2, row.database, sizeof row.database) < 0)
			return damaged("domain", e);
		n = fn(arg, &row);
		if (n)
			return n;
	}
	return n;
}

static int each_serial(struct catalog_reader *r, const char *sql,
		       int64_t incarnation, int (*fn)(void *, uint64_t serial),
		       void *arg, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(&r->db, &st, sql, e);

	if (n < 0)
		return n;
	(void)sqlite3_bind_int64(st, 1, catalog_key(incarnation, 0));
	(void)sqlite3_bind_int64(st, 2,
				 catalog_key(incarnation, CATALOG_SERIAL_MAX));
	while ((n = db_row(&r->db, st, e)) > 0) {
		n = fn(arg, catalog_key_serial(sqlite3_column_int64(st, 0)));
		if (n)
			return n;
	}
	return n;
}

int catalog_each_file(struct catalog_reader *r, int64_t incarnation,
		      int (*fn)(void *, uint64_t serial), void *arg,
		      struct err *e)
{
	return each_serial(r,
			   "SELECT id FROM entry WHERE id >= ?1 AND id <= ?2 "
			   "AND data IS NULL AND payload_len > 0 UNION ALL "
			   "SELECT entry FROM retained WHERE entry >= ?1 AND "
			   "entry <= ?2 AND data IS NULL AND payload_len > 0 "
			   "ORDER BY 1",
			   incarnation, fn, arg, e);
}

int catalog_each_kept(struct catalog_reader *r, int64_t incarnation,
		      int (*fn)(void *, uint64_t serial), void *arg,
		      struct err *e)
{
	return each_serial(r,
			   "SELECT id FROM entry WHERE id >= ?1 AND id <= ?2 "
			   "UNION SELECT entry FROM retained WHERE entry >= ?1 "
			   "AND entry <= ?2 ORDER BY 1",
			   incarnation, fn, arg, e);
}

/* Columns id, state, digest, head, data. row->entry is owned by the caller. */
static int entry_columns(sqlite3_stmt *st, struct entry_row *row)
{
	struct rd head = rd_over(sqlite3_column_blob(st, 3),
				 (size_t)sqlite3_column_bytes(st, 3));
	int state = sqlite3_column_int(st, 1), n = sqlite3_column_bytes(st, 4);

	row->incarnation = catalog_key_incarnation(sqlite3_column_int64(st, 0));
	row->state = (enum entry_state)state;
	row->data = sqlite3_column_blob(st, 4);
	row->data_len = (uint32_t)n;
	if (state < ENTRY_WAITING || state > ENTRY_RELEASED ||
	    db_blob(st, 2, row->digest.b, sizeof row->digest.b) < 0 ||
	    entry_decode(&row->entry, &head) < 0)
		return -EBADMSG;
	if (row->data && (uint64_t)n != entry_payload_len(&row->entry)) {
		entry_release(&row->entry);
		return -EBADMSG;
	}
	return 0;
}

static int each_entry(struct catalog_reader *r, sqlite3_stmt *st,
		      int64_t domain,
		      int (*fn)(void *, const struct entry_row *), void *arg,
		      struct err *e)
{
	int n;

	while ((n = db_row(&r->db, st, e)) > 0) {
		struct entry_row row = {.domain = domain};

		if (entry_columns(st, &row) < 0) {
			n = damaged("entry", e);
			break;
		}
		n = fn(arg, &row);
		entry_release(&row.entry);
		if (n)
			break;
	}
	(void)sqlite3_reset(st);
	return n;
}

int catalog_entries(struct catalog_reader *r, int64_t domain,
		    int (*fn)(void *, const struct entry_row *), void *arg,
		    struct err *e)
{
	(void)sqlite3_bind_int64(r->entries, 1, domain);
	return each_entry(r, r->entries, domain, fn, arg, e);
}

int catalog_each_schema(struct catalog_reader *r, int64_t domain,
			int64_t incarnation, uint64_t after,
			int (*fn)(void *, const struct entry_row *), void *arg,
			struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(&r->db, &st,
			   "SELECT id, state, digest, head, data FROM entry "
			   "WHERE domain = ? AND kind = 3 AND id > ? ORDER BY "
			   "id",
			   e);

	if (n < 0)
		return n;
	(void)sqlite3_bind_int64(st, 1, domain);
	(void)sqlite3_bind_int64(st, 2, catalog_key(incarnation, after));
	return each_entry(r, st, domain, fn, arg, e);
}

int catalog_each_mismatch(struct catalog_reader *r, int64_t domain,
			  int (*fn)(void *, uint64_t serial, const char *paths),
			  void *arg, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(
		&r->db, &st,
		"SELECT q.entry, q.paths FROM quarantine q CROSS JOIN "
		"entry e ON e.id = q.entry WHERE e.domain = ? AND "
		"e.state = 1 AND q.paths IS NOT NULL ORDER BY "
		"q.entry",
		e);

	if (n < 0)
		return n;
	(void)sqlite3_bind_int64(st, 1, domain);
	while ((n = db_row(&r->db, st, e)) > 0) {
		n = fn(arg, catalog_key_serial(sqlite3_column_int64(st, 0)),
		       (const char *)sqlite3_column_text(st, 1));
		if (n)
			return n;
	}
	return n;
}

int catalog_each_quarantine(struct catalog_reader *r, int64_t incarnation,
			    int64_t after,
			    int (*fn)(void *, const struct quarantine_row *),
			    void *arg, struct err *e)
{
	sqlite3_stmt *st = r->quarantine;
	int n;

	(void)sqlite3_bind_int64(st, 1, after);
	(void)sqlite3_bind_int64(st, 2, incarnation);
	(void)sqlite3_bind_int64(st, 3, catalog_key(incarnation, 0));
	(void)sqlite3_bind_int64(st, 4,
				 catalog_key(incarnation, CATALOG_SERIAL_MAX));
	while ((n = db_row(&r->db, st, e)) > 0) {
		struct quarantine_row row = {0};

		n = catalog_quarantine_columns(st, &row) < 0
			    ? damaged("quarantine", e)
			    : fn(arg, &row);
		if (n)
			break;
	}
	(void)sqlite3_reset(st);
	return n;
}

int catalog_meta(struct catalog_reader *r, const char *name, char *to,
		 size_t size, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(&r->db, &st, "SELECT value FROM meta WHERE name = ?",
			   e);

	if (n < 0)
		return n;
	(void)sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	n = db_row(&r->db, st, e);
	if (n > 0 && db_text(st, 0, to, size) < 0)
		return damaged("meta", e);
	return n;
}
