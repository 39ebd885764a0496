/* How far an incarnation is durable: its serial without a hole, and what passed a hole. One
 * group is walked entry by entry, so that the catalog's own numbers decide who passed, in the
 * transaction that stores them. */
#include <errno.h>

#include "catalog_schema.h"
#include "early.h"

static void finalize(sqlite3_stmt **st)
{
	(void)sqlite3_finalize(*st);
}

/* Row (a, b) of a query about one key: 1, or 0 when there is none. */
static int two_numbers(struct catalog *c, const char *sql, int64_t key,
		       int64_t *a, int64_t *b, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int r = db_prepare(catalog_db(c), &st, sql, e);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, key);
	r = db_row(catalog_db(c), st, e);
	if (r > 0) {
		*a = sqlite3_column_int64(st, 0);
		*b = sqlite3_column_int64(st, 1);
	}
	return r;
}

/* The lowest one above the durable serial. */
static int next_early(struct catalog *c, struct catalog_reach *at,
		      struct err *e)
{
	int64_t key = 0, nonce = 0;
	int r = two_numbers(c,
			    "SELECT id, nonce FROM early WHERE id > ? ORDER BY "
			    "id LIMIT 1",
			    catalog_key(at->incarnation, at->durable.serial),
			    &key, &nonce, e);

	at->next = (struct early_one){0};
	if (r > 0 && catalog_key_incarnation(key) == at->incarnation)
		at->next = (struct early_one){catalog_key_serial(key),
					      (uint64_t)nonce};
	return r < 0 ? r : 0;
}

static int begin(struct catalog *c, struct catalog_reach *at,
		 int64_t incarnation, struct err *e)
{
	int64_t serial = 0, nonce = 0;
	int r = two_numbers(c,
			    "SELECT durable, durable_nonce FROM incarnation "
			    "WHERE seq = ?",
			    incarnation, &serial, &nonce, e);

	if (r == 0)
		return err_set(e, ESTALE,
			       "catalog: there is no incarnation %lld",
			       (long long)incarnation);
	*at = (struct catalog_reach){.incarnation = incarnation,
				     .durable = {(uint64_t)serial,
						 (uint64_t)nonce}};
	return r < 0 ? r : next_early(c, at, e);
}

static int put_early(struct catalog *c, const struct catalog_reach *at,
		     const struct early_one *one, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int r = db_prepare(catalog_db(c), &st,
			   "INSERT INTO early VALUES (?, ?)", e);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1,
				 catalog_key(at->incarnation, one->serial));
	(void)sqlite3_bind_int64(st, 2, (int64_t)one->nonce);
	return db_run(catalog_db(c), st, e);
}

int catalog_fills(struct catalog *c, int64_t incarnation,
		  const struct early_one *one, struct err *e)
{
	int64_t first = -catalog_key(incarnation, CATALOG_SERIAL_MAX),
		last = -catalog_key(incarnation, 1);
	CLEANUP(finalize) sqlite3_stmt *put = NULL, *trim = NULL;
	int r = db_prepare(catalog_db(c), &put,
			   "INSERT OR REPLACE INTO early VALUES (?, ?)", e);

	if (r >= 0)
		r = db_prepare(
			catalog_db(c), &trim,
			"DELETE FROM early WHERE id BETWEEN ?1 AND ?2 AND id "
			"NOT IN (SELECT id FROM early WHERE id BETWEEN ?1 AND "
			"?2 ORDER BY id LIMIT ?3)",
			e);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(put, 1,
				 -catalog_key(incarnation, one->serial));
	(void)sqlite3_bind_int64(put, 2, (int64_t)one->nonce);
	(void)sqlite3_bind_int64(trim, 1, first);
	(void)sqlite3_bind_int64(trim, 2, last);
	(void)sqlite3_bind_int64(trim, 3, FILLS_MAX);
	r = db_run(catalog_db(c), put, e);
	return r < 0 ? r : db_run(catalog_db(c), trim, e);
}

int catalog_forget_early(struct catalog *c, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int r = db_prepare(catalog_db(c), &st,
			   "DELETE FROM early WHERE abs(id) >> 40 IN "
			   "(SELECT seq FROM incarnation WHERE dropped)",
			   e);

	return r < 0 ? r : db_run(catalog_db(c), st, e);
}

int catalog_reach_end(struct catalog *c, struct catalog_reach *at,
		      struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int r = 0;

	if (at->has_moved)
		r = catalog_set_durable(c, at->incarnation, at->durable.serial,
					at->durable.nonce, e);
	if (r < 0 || !at->has_passed)
		return r;
	r = db_prepare(catalog_db(c), &st,
		       "DELETE FROM early WHERE id > ? AND id <= ?", e);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, catalog_key(at->incarnation, 0));
	(void)sqlite3_bind_int64(
		st, 2, catalog_key(at->incarnation, at->durable.serial));
	return db_run(catalog_db(c), st, e);
}

int catalog_reach(struct catalog *c, struct catalog_reach *at,
		  int64_t incarnation, const struct early_one *one,
		  struct err *e)
{
	int r = 0;

	if (at->incarnation != incarnation) {
		r = at->incarnation ? catalog_reach_end(c, at, e) : 0;
		if (r >= 0)
			r = begin(c, at, incarnation, e);
	}
	if (r < 0)
		return r;
	if (one->serial <= at->durable.serial)
		return err_set(e, ESTALE,
			       "catalog: entry %llu is durable already, up to "
			       "%llu are",
			       (unsigned long long)one->serial,
			       (unsigned long long)at->durable.serial);
	if (one->serial > at->durable.serial + 1) {
		if (!at->next.serial || one->serial < at->next.serial)
			at->next = *one;
		r = put_early(c, at, one, e);
		return r < 0 ? r : 1;
	}
	at->durable = *one;
	at->has_moved = true;
	while (r >= 0 && at->next.serial == at->durable.serial + 1) {
		at->durable = at->next;
		at->has_passed = true;
		r = next_early(c, at, e);
	}
	return r < 0 ? r : 0;
}

int catalog_each_early(struct catalog_reader *r,
		       int (*fn)(void *, int64_t incarnation,
				 const struct early_one *one, bool only_fills),
		       void *arg, struct err *e)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int n = db_prepare(&r->db, &st,
			   "SELECT id, nonce FROM early ORDER BY id", e);

	if (n < 0)
		return n;
	while ((n = db_row(&r->db, st, e)) > 0) {
		int64_t id = sqlite3_column_int64(st, 0),
			key = id < 0 ? -id : id;
		struct early_one one = {catalog_key_serial(key),
					(uint64_t)sqlite3_column_int64(st, 1)};

		n = fn(arg, catalog_key_incarnation(key), &one, id < 0);
		if (n)
			return n;
	}
	return n;
}
