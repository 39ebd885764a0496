#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "ground/db.h"
#include "ground/fileio.h"
#include "test.h"

/* Stand before the C library's, for SQLite as well: they count, and fail when
 * told to. */
static int n_file_syncs, n_dir_syncs;
static bool fail_syncs;

static int n_opens_to_fail;

int open64(const char *path, int flags, ...);

int open64(const char *path, int flags, ...)
{
	va_list args;
	unsigned mode;

	va_start(args, flags);
	mode = va_arg(args, unsigned);
	va_end(args);
	if (n_opens_to_fail && strstr(path, "scarce") && n_opens_to_fail--) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE,
			    mode);
}

static int counted(long nr, int fd)
{
	struct stat st;

	if (fail_syncs) {
		errno = EIO;
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		n_dir_syncs++;
	else
		n_file_syncs++;
	return (int)syscall(nr, fd);
}

int fsync(int fd)
{
	return counted(SYS_fsync, fd);
}

int fdatasync(int fildes)
{
	return counted(SYS_fdatasync, fildes);
}

static const char *const steps[] = {
	"CREATE TABLE a (id INTEGER PRIMARY KEY, text TEXT UNIQUE, bytes BLOB);"
	"CREATE TABLE c (a INTEGER REFERENCES a (id));",
	"ALTER TABLE a ADD COLUMN more INTEGER;"
	"INSERT INTO a (id, text, bytes, more) VALUES (100, 'two', x'0102', "
	"2);",
	"DELETE FROM a WHERE id = 100;",
};

static char path[PATH_MAX];
static struct err e;

static const char *file(const char *name)
{
	(void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
	return path;
}

static int ask_number(struct db *db, const char *sql)
{
	sqlite3_stmt *st;
	int n = -1000;

	if (db_prepare(db, &st, sql, NULL) < 0)
		return -1;
	if (db_row(db, st, NULL) == 1)
		n = sqlite3_column_int(st, 0);
	(void)sqlite3_finalize(st);
	return n;
}

static int open_at(struct db *db, const char *name, int n_steps)
{
	return db_open(db, file(name), steps, n_steps, &e);
}

static void opened_as_promised(void)
{
	CLEANUP(db_close) struct db db;
	sqlite3_stmt *st;
	char mode[16];

	CHECK(open_at(&db, "promise", 2) == 0);
	CHECK(ask_number(&db, "PRAGMA synchronous") == 2);
	CHECK(ask_number(&db, "PRAGMA foreign_keys") == 1);
	CHECK(ask_number(&db, "PRAGMA busy_timeout") == 5000);
	CHECK(ask_number(&db, "PRAGMA user_version") == 2);
	CHECK(db_prepare(&db, &st, "PRAGMA journal_mode", &e) == 0);
	CHECK(db_row(&db, st, &e) == 1);
	CHECK(db_text(st, 0, mode, sizeof mode) == 0);
	(void)sqlite3_finalize(st);
	CHECK_STR(mode, "wal");
}

/* --- durability ------------------------------------------------------------ */

static int copy_file(const char *from, const char *to)
{
	CLEANUP(buf_release) struct buf b;
	int r;

	buf_init(&b, 10 << 20);
	r = file_read_all(AT_FDCWD, from, &b);
	if (r < 0)
		return r;
	(void)unlink(to);
	r = open(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (r < 0)
		return -errno;
	if (file_pwrite(r, buf_data(&b), b.len, 0) < 0) {
		(void)close(r);
		return -EIO;
	}
	return close(r);
}

/* The files as they are on the disk now, opened as after a power cut: without the
 * index in shared memory. */
static int open_copy(struct db *copy, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];

	(void)snprintf(from, sizeof from, "%s/%s", test_dir(), name);
	(void)snprintf(to, sizeof to, "%s/copy", test_dir());
	if (copy_file(from, to) < 0)
		return -1;
	(void)snprintf(from, sizeof from, "%s/%s-wal", test_dir(), name);
	(void)snprintf(to, sizeof to, "%s/copy-wal", test_dir());
	if (copy_file(from, to) < 0)
		return -1;
	return open_at(copy, "copy", 2);
}

static void a_commit_is_on_the_disk(void)
{
	CLEANUP(db_close) struct db db = {NULL};
	CLEANUP(db_close) struct db copy = {NULL};
	int before;

	CHECK(open_at(&db, "durable", 2) == 0);
	before = n_file_syncs;
	CHECK(db_begin(&db, &e) == 0);
	CHECK(db_exec(&db, "INSERT INTO a (id) VALUES (1)", &e) == 0);
	CHECK(n_file_syncs == before);
	CHECK(db_commit(&db, &e) == 0);
	CHECK(n_file_syncs > before);
	CHECK(open_copy(&copy, "durable") == 0);
	CHECK(ask_number(&copy, "SELECT count(*) FROM a WHERE id = 1") == 1);
}

static void uncommitted_is_not_there(void)
{
	CLEANUP(db_close) struct db db = {NULL};
	CLEANUP(db_close) struct db copy = {NULL};

	CHECK(open_at(&db, "undurable", 2) == 0);
	CHECK(db_begin(&db, &e) == 0);
	CHECK(db_exec(&db, "INSERT INTO a (id) VALUES (1)", &e) == 0);
	CHECK(open_copy(&copy, "undurable") == 0);
	CHECK(ask_number(&copy, "SELECT count(*) FROM a WHERE id = 1") == 0);
	db_rollback(&db);
	CHECK(ask_number(&db, "SELECT count(*) FROM a WHERE id = 1") == 0);
	db_rollback(&db); /* nothing is open: nothing happens */
	CHECK(db_begin(&db, &e) == 0 && db_commit(&db, &e) == 0);
}

/* Also when SQLite only finds the WAL of a process that was killed. */
static void the_directory_is_synced(void)
{
	CLEANUP(db_close) struct db copy = {NULL};
	struct db db;

	n_dir_syncs = 0;
	CHECK(open_at(&db, "directory", 2) == 0);
	CHECK(n_dir_syncs > 0);
	CHECK(db_exec(&db, "INSERT INTO a (id) VALUES (1)", &e) == 0);
	n_dir_syncs = 0;
	CHECK(open_copy(&copy, "directory") == 0);
	CHECK(n_dir_syncs == 1);
	db_close(&db);
	CHECK(chdir(test_dir()) == 0);
	CHECK(db_open(&db, "relative", steps, 2, &e) == 0);
	db_close(&db);
}

static void a_failed_sync_fails_the_commit(void)
{
	CLEANUP(db_close) struct db db;
	int r;

	CHECK(open_at(&db, "sync", 2) == 0);
	CHECK(db_begin(&db, &e) == 0);
	CHECK(db_exec(&db, "INSERT INTO a (id) VALUES (1)", &e) == 0);
	fail_syncs = true;
	r = db_commit(&db, &e);
	fail_syncs = false;
	CHECK(r == -EIO && e.sys == EIO);
	CHECK(strstr(e.text, "see the kernel's log"));
	CHECK(ask_number(&db, "SELECT count(*) FROM a WHERE id = 1") == 0);
	CHECK(db_begin(&db, &e) == 0); /* it was rolled back */
	CHECK(db_commit(&db, &e) == 0);
	fail_syncs = true;
	r = open_at(&(struct db){NULL}, "sync-at-open", 2);
	fail_syncs = false;
	CHECK(r == -EIO);
}

/* --- versions -------------------------------------------------------------- */

static void steps_are_taken_once(void)
{
	struct db db;

	CHECK(open_at(&db, "steps", 1) == 0);
	CHECK(ask_number(&db, "SELECT count(*) FROM a") == 0);
	db_close(&db);
	CHECK(open_at(&db, "steps", 2) == 0);
	CHECK(ask_number(&db, "SELECT more FROM a") == 2);
	db_close(&db);
	CHECK(open_at(&db, "steps", 2) == 0);
	CHECK(ask_number(&db, "SELECT count(*) FROM a") == 1);
	db_close(&db);
	CHECK(open_at(&db, "steps", 3) == 0);
	CHECK(ask_number(&db, "SELECT count(*) FROM a") == 0);
	CHECK(ask_number(&db, "PRAGMA user_version") == 3);
	db_close(&db);
}

static void newer_is_refused_and_untouched(void)
{
	char want[PATH_MAX + 200];
	struct db db;

	CHECK(open_at(&db, "newer", 3) == 0);
	db_close(&db);
	CHECK(open_at(&db, "newer", 2) == -ENOTSUP && !db.h);
	(void)snprintf(want, sizeof want,
		       "%s: expected a catalog of version 2 at most, got 3: "
		       "start the newer program that wrote it (nothing was "
		       "changed)",
		       path);
	CHECK_STR(e.text, want);
	CHECK(open_at(&db, "newer", 3) == 0);
	CHECK(db_exec(&db, "PRAGMA user_version=-7", &e) == 0);
	db_close(&db);
	CHECK(open_at(&db, "newer", 3) == -EBADMSG);
}

static void a_step_that_fails_leaves_nothing(void)
{
	static const char *const bad[] = {
		"CREATE TABLE a (id INTEGER)",
		"CREATE TABLE b (id INTEGER); INSERT INTO nowhere VALUES (1)",
	};
	struct db db;

	CHECK(db_open(&db, file("bad"), bad, 2, &e) == -EINVAL);
	CHECK(strncmp(e.text, "step to version 2: ", 19) == 0);
	CHECK(strstr(e.text, "nowhere"));
	CHECK(db_open(&db, file("bad"), bad, 1, &e) == 0);
	CHECK(ask_number(&db, "SELECT count(*) FROM sqlite_schema") == 1);
	db_close(&db);
}

/* --- what goes wrong ------------------------------------------------------- */

static void a_full_file_system(void)
{
	CLEANUP(db_close) struct db db;
	int r;

	CHECK(open_at(&db, "full", 2) == 0);
	CHECK(db_exec(&db, "PRAGMA max_page_count=8", &e) == 0);
	CHECK(db_begin(&db, &e) == 0);
	r = db_exec(&db, "INSERT INTO a (bytes) VALUES (zeroblob(100000))", &e);
	CHECK(r == -ENOSPC && e.sys == ENOSPC);
	CHECK(strncmp(e.text, path, strlen(path)) == 0);
	CHECK(strstr(e.text, "(free space on its file system)"));
	db_rollback(&db);
	CHECK(db_begin(&db, &e) == 0 && db_commit(&db, &e) == 0);
}

static void a_limit_is_a_full_disk(void)
{
	CLEANUP(db_close) struct db db;
	struct rlimit old, small;
	int r;

	CHECK(open_at(&db, "limit", 2) == 0);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	small = (struct rlimit){.rlim_cur = 65536, .rlim_max = old.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(db_begin(&db, &e) == 0);
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	r = db_exec(&db, "INSERT INTO a (bytes) VALUES (zeroblob(500000))", &e);
	if (r == 0)
		r = db_commit(&db, &e);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK(r == -ENOSPC);
	CHECK(strstr(e.text, "File too large (free space on its file system)"));
	db_rollback(&db);
	CHECK(db_exec(&db, "INSERT INTO a (bytes) VALUES (zeroblob(500000))",
		      &e) == 0);
}

static int overwrite(const char *name, off_t from, size_t n)
{
	CLEANUP_CLOSE int fd = open(file(name), O_WRONLY | O_CLOEXEC);
	CLEANUP_FREE char *junk = xcalloc(1, n);

	memset(junk, 0xa5, n);
	return fd < 0 ? -1 : file_pwrite(fd, junk, n, (uint64_t)from);
}

static void a_damaged_file(void)
{
	struct db db;

	CHECK(open_at(&db, "damaged", 2) == 0);
	CHECK(db_exec(&db,
		      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		      "FROM n WHERE i < 2000) INSERT INTO a (text) SELECT "
		      "'text ' || i FROM n",
		      &e) == 0);
	db_close(&db);
	CHECK(overwrite("damaged", 4096 * 4, 4096 * 12) == 0);
	CHECK(open_at(&db, "damaged", 2) == 0);
	CHECK(db_exec(&db, "SELECT sum(length(text)) FROM a NOT INDEXED", &e) ==
	      -EBADMSG);
	CHECK(strstr(e.text, "(it is damaged: restore it from a copy)"));
	db_close(&db);
	CHECK(overwrite("damaged", 0, 4096) == 0);
	CHECK(open_at(&db, "damaged", 2) == -EBADMSG && !db.h);
}

static void a_file_that_cannot_be_opened(void)
{
	struct db db;

	CHECK(open_at(&db, "no/such/directory", 2) == -ENOENT && !db.h);
	CHECK(strncmp(e.text, "cannot open ", 12) == 0);
	CHECK(open_at(&db, "", 2) < 0 && !db.h);
	CHECK(db_open_reader(&db, file("absent"), &e) == -ENOENT && !db.h);
	CHECK(access(path, F_OK) < 0);
	db_close(&db);
}

static void codes_become_errno(void)
{
	CLEANUP(db_close) struct db db;

	CHECK(open_at(&db, "codes", 2) == 0);
	CHECK(db_errno(&db, &e) == 0);
	CHECK(db_exec(&db, "INSERT INTO a (text) VALUES ('x')", &e) == 0);
	CHECK(db_exec(&db, "INSERT INTO a (text) VALUES ('x')", &e) == -EEXIST);
	CHECK(strstr(e.text, "a.text"));
	CHECK(db_exec(&db, "INSERT INTO c VALUES (4711)", &e) == -EEXIST);
	CHECK(db_errno(&db, &e) == -EEXIST);
	CHECK(db_exec(&db, "no statement", &e) == -EINVAL);
	CHECK(db_exec(&db, "COMMIT", NULL) == -EINVAL);
	CHECK(db_commit(&db, &e) == -EINVAL);
}

static void a_second_writer_waits(void)
{
	CLEANUP(db_close) struct db one;
	CLEANUP(db_close) struct db two;

	CHECK(open_at(&one, "two", 2) == 0 && open_at(&two, "two", 2) == 0);
	(void)sqlite3_busy_timeout(two.h, 20);
	CHECK(db_begin(&one, &e) == 0);
	CHECK(db_begin(&two, &e) == -EBUSY);
	CHECK(db_commit(&one, &e) == 0);
	CHECK(db_begin(&two, &e) == 0 && db_commit(&two, &e) == 0);
}

/* --- reading --------------------------------------------------------------- */

static void a_reader_does_not_wait(void)
{
	CLEANUP(db_close) struct db w;
	CLEANUP(db_close) struct db r = {NULL};

	CHECK(open_at(&w, "reader", 2) == 0);
	CHECK(db_open_reader(&r, path, &e) == 0);
	CHECK(db_begin(&w, &e) == 0);
	CHECK(db_exec(&w, "INSERT INTO a (id) VALUES (1)", &e) == 0);
	CHECK(ask_number(&r, "SELECT count(*) FROM a") == 1);
	CHECK(db_commit(&w, &e) == 0);
	CHECK(ask_number(&r, "SELECT count(*) FROM a") == 2);
	CHECK(db_exec(&r, "INSERT INTO a (id) VALUES (9)", &e) == -EROFS);
}

/* SQLite would go on with a connection that reads only. */
static void want_of_a_descriptor_is_no_right_to_read(void)
{
	CLEANUP(db_close) struct db db;
	CLEANUP(db_close) struct db again = {NULL};

	CHECK(open_at(&db, "scarce", 2) == 0);
	n_opens_to_fail = 1;
	CHECK(db_open_reader(&again, path, &e) == -EROFS);
	CHECK(strstr(e.text, "for writing (make the file"));
	CHECK(!again.h && n_opens_to_fail == 0);
	db_close(&db);
	n_opens_to_fail = 1;
	CHECK(open_at(&db, "scarce", 2) == -EROFS);
	CHECK(open_at(&db, "scarce", 2) == 0);
	CHECK(db_exec(&db, "INSERT INTO a (id) VALUES (9)", &e) == 0);
}

static void statements(void)
{
	CLEANUP(db_close) struct db db;
	sqlite3_stmt *add = NULL, *all = NULL;
	int n = 0;

	CHECK(open_at(&db, "statements", 3) == 0);
	CHECK(db_prepare(&db, &add, "INSERT INTO a (text) VALUES (?1)", &e) ==
	      0);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3; i++) {
			(void)sqlite3_bind_int(add, 1, i);
			CHECK(db_run(&db, add, &e) == (round ? -EEXIST : 0));
		}
	CHECK(db_prepare(&db, &all, "SELECT text FROM a", &e) == 0);
	for (int round = 0; round < 2; round++)
		while (db_row(&db, all, &e) == 1)
			n++;
	CHECK(n == 6);
	CHECK(db_run(&db, all, &e) == -EINVAL); /* it gives rows */
	(void)sqlite3_finalize(all);
	CHECK(db_prepare(&db, &all, "SELECT nothing FROM a", &e) == -EINVAL);
	CHECK(!all);
	(void)sqlite3_finalize(add);
}

static void columns_are_bounded(void)
{
	CLEANUP(db_close) struct db db;
	sqlite3_stmt *st;
	char text[6] = "old";
	uint8_t bytes[3] = {9, 9, 9};

	CHECK(open_at(&db, "columns", 2) == 0);
	CHECK(db_prepare(&db, &st,
			 "SELECT 'hello', 'hello!', x'010203', NULL, 7, "
			 "CAST(x'610062' AS TEXT), x'', ''",
			 &e) == 0);
	CHECK(db_row(&db, st, &e) == 1);
	CHECK(db_text(st, 0, text, sizeof text) == 0);
	CHECK_STR(text, "hello");
	CHECK(db_text(st, 1, text, sizeof text) == -EBADMSG && !text[0]);
	CHECK(db_text(st, 2, text, sizeof text) == -EBADMSG);
	CHECK(db_text(st, 3, text, sizeof text) == 0 && !text[0]);
	CHECK(db_text(st, 4, text, sizeof text) == -EBADMSG);
	CHECK(db_text(st, 5, text, sizeof text) == -EBADMSG);
	CHECK(db_text(st, 7, text, sizeof text) == 0 && !text[0]);
	CHECK(db_blob(st, 2, bytes, 2) == -EBADMSG && bytes[0] == 9);
	CHECK(db_blob(st, 2, bytes, 4) == -EBADMSG);
	CHECK(db_blob(st, 2, bytes, 3) == 0 && bytes[2] == 3);
	CHECK(db_blob(st, 0, bytes, 5) == -EBADMSG);
	CHECK(db_blob(st, 3, bytes, 0) == -EBADMSG);
	CHECK(db_blob(st, 6, bytes, 0) == 0);
	(void)sqlite3_finalize(st);
}

int main(void)
{
	test_run("opened as promised", opened_as_promised);
	test_run("a commit is on the disk", a_commit_is_on_the_disk);
	test_run("uncommitted is not there", uncommitted_is_not_there);
	test_run("the directory is synced", the_directory_is_synced);
	test_run("a failed sync", a_failed_sync_fails_the_commit);
	test_run("steps are taken once", steps_are_taken_once);
	test_run("newer is refused", newer_is_refused_and_untouched);
	test_run("a step that fails", a_step_that_fails_leaves_nothing);
	test_run("a full file system", a_full_file_system);
	test_run("a limit is a full disk", a_limit_is_a_full_disk);
	test_run("a damaged file", a_damaged_file);
	test_run("cannot be opened", a_file_that_cannot_be_opened);
	test_run("codes become errno", codes_become_errno);
	test_run("a second writer waits", a_second_writer_waits);
	test_run("a reader does not wait", a_reader_does_not_wait);
	test_run("want of a descriptor is no right to read only",
		 want_of_a_descriptor_is_no_right_to_read);
	test_run("statements", statements);
	test_run("columns are bounded", columns_are_bounded);
	return test_end();
}
