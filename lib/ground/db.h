/* SQLite as the catalogs use it: opened with WAL and synchronous=FULL, migrated
 * by user_version, its codes translated to -errno at this border.
 *
 * One thread at a time uses a connection. A catalog has one writing connection
 * (used by a worker with one thread) and one reading connection (the loop's):
 * in WAL mode neither waits for the other. db_commit() returning 0 means that
 * the transaction survives a power cut; when it fails the transaction is rolled
 * back. Everything may block on the disk, and for up to 5 s on another writer
 * (then -EBUSY). A failed db_open() leaves the connection closed. */
#ifndef TSFERRY_DB_H
#define TSFERRY_DB_H

#include <sqlite3.h>

#include "err.h"

struct db {
	sqlite3 *h; /* owned; NULL = closed */
};

/* Steps[i] takes a catalog from version i to i + 1. A catalog that is newer than
 * n_steps is refused with -ENOTSUP and a sentence naming both versions. A step
 * and its version number commit together. */
int db_open(struct db *db, const char *path, const char *const *steps, int n_steps, struct err *e)
	MUST_CHECK;
int db_open_reader(struct db *db, const char *path, struct err *e) MUST_CHECK;
void db_close(struct db *db);

int db_exec(struct db *db, const char *sql, struct err *e) MUST_CHECK;
int db_begin(struct db *db, struct err *e) MUST_CHECK; /* immediate */
int db_commit(struct db *db, struct err *e) MUST_CHECK;
void db_rollback(struct db *db);

/* A statement, prepared once and owned by the caller (sqlite3_finalize). */
int db_prepare(struct db *db, sqlite3_stmt **out, const char *sql, struct err *e) MUST_CHECK;

/* Steps a statement that gives no rows, and resets it. */
int db_run(struct db *db, sqlite3_stmt *st, struct err *e) MUST_CHECK;

/* One row more: 1, none: 0 (and reset), else -errno (and reset). */
int db_row(struct db *db, sqlite3_stmt *st, struct err *e) MUST_CHECK;

/* Columns of a row, bounded: text longer than size - 1 or a blob of another size
 * than asked for is -EBADMSG, because it is not what we wrote. NULL is the text "",
 * but no blob. */
int db_text(sqlite3_stmt *st, int column, char *to, size_t size) MUST_CHECK;
int db_blob(sqlite3_stmt *st, int column, void *to, size_t size) MUST_CHECK;

/* The connection's last trouble as -errno with a sentence (ENOSPC for a full disk,
 * EBADMSG for a damaged file, EEXIST for a violated constraint, EROFS, EIO, ENOMEM
 * ...); 0 when there was none. */
int db_errno(struct db *db, struct err *e);

#endif
