#include "ground/db.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ground/fileio.h"

#define BUSY_TIMEOUT_MS 5000

/* SQLite's codes, and what helps. Codes that only a mistake of ours can cause have
 * no cure here: their own words are the best that can be said. */
static const struct code {
	int primary, sys;
	const char *cure;
} codes[] = {
	{SQLITE_FULL, ENOSPC, "free space on its file system"},
	{SQLITE_CORRUPT, EBADMSG, "it is damaged: restore it from a copy"},
	{SQLITE_NOTADB, EBADMSG, "it is damaged: restore it from a copy"},
	{SQLITE_READONLY, EROFS, "make the file and its directory writable"},
	{SQLITE_IOERR, EIO, "see the kernel's log"},
	{SQLITE_CANTOPEN, ENOENT, NULL},
	{SQLITE_NOMEM, ENOMEM, NULL},
	{SQLITE_BUSY, EBUSY, "another process holds it"},
	{SQLITE_LOCKED, EBUSY, NULL},
	{SQLITE_PROTOCOL, EBUSY, "another process holds it"},
	{SQLITE_PERM, EACCES, NULL},
	{SQLITE_AUTH, EACCES, NULL},
	{SQLITE_CONSTRAINT, EEXIST, NULL},
	{SQLITE_TOOBIG, E2BIG, NULL},
	{SQLITE_NOLFS, EFBIG, NULL},
	{SQLITE_INTERRUPT, ECANCELED, NULL},
};

static const struct code *find_code(int primary)
{
	static const struct code other = {SQLITE_ERROR, EINVAL, NULL};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].primary == primary)
			return &codes[i];
	return &other;
}

/* The errno of the last failed write or sync of the WAL, which the connection
 * itself does not remember when a COMMIT meets it. */
static int wal_errno(struct db *db)
{
	sqlite3_file *wal = NULL;
	int said = 0;

	if (sqlite3_file_control(db->h, "main", SQLITE_FCNTL_JOURNAL_POINTER,
				 &wal) != SQLITE_OK ||
	    !wal || !wal->pMethods)
		return 0;
	if (wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &said) !=
	    SQLITE_OK)
		return 0;
	return said;
}

/* What the system call said, where SQLite's own code is broader; 0 = not known. */
static int system_errno(struct db *db, int extended)
{
	switch (extended) {
	case SQLITE_IOERR_WRITE:
	case SQLITE_IOERR_FSYNC:
		return wal_errno(db);
	case SQLITE_IOERR_SHMSIZE:
		return ENOSPC; /* the index of the WAL could not grow */
	default:
		return (extended & 0xff) == SQLITE_CANTOPEN
			       ? sqlite3_system_errno(db->h)
			       : 0;
	}
}

int db_errno(struct db *db, struct err *e)
{
	int extended = sqlite3_extended_errcode(db->h);
	const char *path = sqlite3_db_filename(db->h, "main");
	const struct code *c = find_code(extended & 0xff);
	int said, sys = c->sys;

	if (extended == SQLITE_OK || extended == SQLITE_ROW ||
	    extended == SQLITE_DONE)
		return 0;
	said = system_errno(db, extended);
	if (said == ENOSPC || said == EDQUOT || said == EFBIG) {
		/* To whoever has to mend it a quota or a limit is a full disk. */
		c = find_code(SQLITE_FULL);
		sys = ENOSPC;
	} else if (said) {
		sys = said;
	}
	return err_set(e, sys, "%s: %s%s%s%s%s%s", path ? path : "catalog",
		       sqlite3_errmsg(db->h), said ? ": " : "",
		       said ? err_words(said) : "", c->cure ? " (" : "",
		       c->cure ? c->cure : "", c->cure ? ")" : "");
}

/* For where SQLite has just said no: never 0, whatever the connection remembers. */
static int failed(struct db *db, struct err *e)
{
	int r = db_errno(db, e);

	return r ? r : err_set(e, EINVAL, "the catalog was used wrongly");
}

/* --- opening --------------------------------------------------------------- */

static int open_handle(struct db *db, const char *path, int flags,
		       struct err *e)
{
	int rc, r;

	db->h = NULL;
	rc = sqlite3_open_v2(
		path, &db->h,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (!db->h)
		return err_set(e, ENOMEM, "%s: %s", path, err_words(ENOMEM));
	if (rc != SQLITE_OK) {
		r = failed(db, NULL);
		return err_set(e, -r, "cannot open %s: %s", path, err_words(r));
	}
	(void)sqlite3_busy_timeout(db->h, BUSY_TIMEOUT_MS);
	/* What cannot be opened for writing, be it for want of a descriptor at that moment,
	 * SQLite opens for reading: such a connection would stay one. */
	if (sqlite3_db_readonly(db->h, "main") == 1)
		return err_set(e, EROFS,
			       "cannot open %s for writing (make the file and "
			       "its directory writable)",
			       path);
	return 0;
}

/* The one value of a query, as text; -errno when there is none. */
static int ask(struct db *db, const char *sql, char *to, size_t size,
	       struct err *e)
{
	sqlite3_stmt *st;
	int r = db_prepare(db, &st, sql, e);

	if (r < 0)
		return r;
	r = db_row(db, st, e);
	if (r > 0)
		(void)snprintf(to, size, "%s", sqlite3_column_text(st, 0));
	else if (r == 0)
		r = err_set(e, EBADMSG, "'%s' gives no row", sql);
	(void)sqlite3_finalize(st);
	return r < 0 ? r : 0;
}

static int ask_version(struct db *db, int *version, struct err *e)
{
	char text[32];
	int r = ask(db, "PRAGMA user_version", text, sizeof text, e);

	if (r == 0)
		*version = (int)strtol(text, NULL, 10); /* SQLite's own */
	return r;
}

static int check_version(const char *path, int version, int known,
			 struct err *e)
{
	if (version < 0)
		return err_set(e, EBADMSG,
			       "%s: expected a catalog of version "
			       "0 to %d, got %d: this is not ours",
			       path, known, version);
	if (version > known)
		return err_set(e, ENOTSUP,
			       "%s: expected a catalog of version "
			       "%d at most, got %d: start the newer program "
			       "that wrote it (nothing was changed)",
			       path, known, version);
	return 0;
}

static int turn_on_wal(struct db *db, const char *path, struct err *e)
{
	char mode[32];
	int r = db_exec(db, "PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON",
			e);

	if (r == 0)
		r = ask(db, "PRAGMA journal_mode=WAL", mode, sizeof mode, e);
	if (r == 0 && strcmp(mode, "wal") != 0)
		r = err_set(e, ENOTSUP,
			    "%s: expected journal mode wal, got "
			    "%s: put it on a local file system",
			    path, mode);
	return r;
}

/* One step and its number, or nothing. 1 = nothing is left to do. */
static int migrate_once(struct db *db, const char *path,
			const char *const *steps, int n_steps, struct err *e)
{
	char set[64];
	int version = 0, r = db_begin(db, e);

	if (r < 0)
		return r;
	/* Asked again under the lock: another process may have been faster. */
	r = ask_version(db, &version, e);
	if (r == 0)
		r = check_version(path, version, n_steps, e);
	if (r < 0 || version == n_steps) {
		db_rollback(db);
		return r < 0 ? r : 1;
	}
	(void)snprintf(set, sizeof set, "PRAGMA user_version=%d", version + 1);
	r = db_exec(db, steps[version], e);
	if (r == 0)
		r = db_exec(db, set, e);
	if (r == 0)
		r = db_commit(db, e);
	if (r < 0) {
		db_rollback(db);
		(void)err_wrap(e, "step to version %d", version + 1);
	}
	return r;
}

/* SQLite syncs the directory when it makes a WAL, but not when it finds one that
 * a killed process made and never got to sync: a commit into that one would not
 * survive a power cut. */
static int sync_directory_of(const char *path, struct err *e)
{
	CLEANUP_FREE char *dir = xstrdup(path);
	CLEANUP_CLOSE int fd = -1;
	char *slash = strrchr(dir, '/');
	int r;

	if (slash)
		slash[slash == dir] = '\0';
	fd = file_open_dir(slash ? dir : ".");
	r = fd < 0 ? fd : file_sync_dir(fd);
	if (r < 0)
		return err_set(e, -r, "cannot sync the directory of %s: %s",
			       path, err_words(r));
	return 0;
}

static int set_up(struct db *db, const char *path, const char *const *steps,
		  int n_steps, struct err *e)
{
	int version = 0, r = ask_version(db, &version, e);

	if (r == 0)
		r = check_version(path, version, n_steps, e);
	if (r == 0)
		r = turn_on_wal(db, path, e);
	while (r == 0)
		r = migrate_once(db, path, steps, n_steps, e);
	return r < 0 ? r : sync_directory_of(path, e);
}

int db_open(struct db *db, const char *path, const char *const *steps,
	    int n_steps, struct err *e)
{
	int r = open_handle(db, path,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, e);

	if (r == 0)
		r = set_up(db, path, steps, n_steps, e);
	if (r < 0)
		db_close(db);
	return r;
}

int db_open_reader(struct db *db, const char *path, struct err *e)
{
	/* Not SQLITE_OPEN_READONLY: readers of a WAL write to its index. */
	int r = open_handle(db, path, SQLITE_OPEN_READWRITE, e);

	if (r == 0)
		r = db_exec(db, "PRAGMA query_only=ON", e);
	if (r < 0)
		db_close(db);
	return r;
}

void db_close(struct db *db)
{
	/* v2: statements that are still open keep the connection until they go. */
	(void)sqlite3_close_v2(db->h);
	db->h = NULL;
}

/* --- statements ------------------------------------------------------------ */

int db_exec(struct db *db, const char *sql, struct err *e)
{
	if (sqlite3_exec(db->h, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return failed(db, e);
}

int db_begin(struct db *db, struct err *e)
{
	return db_exec(db, "BEGIN IMMEDIATE", e);
}

int db_commit(struct db *db, struct err *e)
{
	int r = db_exec(db, "COMMIT", e);

	if (r < 0)
		db_rollback(db);
	return r;
}

void db_rollback(struct db *db)
{
	/* Some errors have rolled back already. Nothing can be done about a
	 * rollback that fails: the next db_begin() will say so. */
	if (!sqlite3_get_autocommit(db->h))
		(void)sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
}

int db_prepare(struct db *db, sqlite3_stmt **out, const char *sql,
	       struct err *e)
{
	if (sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, out,
			       NULL) == SQLITE_OK)
		return 0;
	*out = NULL;
	return failed(db, e);
}

int db_run(struct db *db, sqlite3_stmt *st, struct err *e)
{
	int rc = sqlite3_step(st), r = 0;

	if (rc == SQLITE_ROW)
		r = err_set(e, EINVAL, "'%s' gives rows", sqlite3_sql(st));
	else if (rc != SQLITE_DONE)
		r = failed(db, e);
	(void)sqlite3_reset(st);
	return r;
}

int db_row(struct db *db, sqlite3_stmt *st, struct err *e)
{
	int rc = sqlite3_step(st), r = 0;

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		r = failed(db, e);
	(void)sqlite3_reset(st);
	return r;
}

int db_text(sqlite3_stmt *st, int column, char *to, size_t size)
{
	const void *text;
	size_t n;

	to[0] = '\0';
	if (sqlite3_column_type(st, column) == SQLITE_NULL)
		return 0;
	if (sqlite3_column_type(st, column) != SQLITE_TEXT)
		return -EBADMSG;
	text = sqlite3_column_text(st, column);
	if (!text)
		return -ENOMEM;
	n = (size_t)sqlite3_column_bytes(st, column);
	if (n >= size || memchr(text, '\0', n))
		return -EBADMSG;
	memcpy(to, text, n);
	to[n] = '\0';
	return 0;
}

int db_blob(sqlite3_stmt *st, int column, void *to, size_t size)
{
	const void *bytes;

	if (sqlite3_column_type(st, column) != SQLITE_BLOB ||
	    (size_t)sqlite3_column_bytes(st, column) != size)
		return -EBADMSG;
	if (size == 0)
		return 0;
	bytes = sqlite3_column_blob(st, column);
	if (!bytes)
		return -ENOMEM;
	memcpy(to, bytes, size);
	return 0;
}
