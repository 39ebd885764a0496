/* What a listing reads of deletion files, and what it makes of files that vanished. */
#include <errno.h>
#include <fcntl.h>

#include "ground/fileio.h"
#include "syncd/deletion.h"
#include "syncd/listing.h"
#include "syncd/outbox_sql.h"
#include "syncd/spool.h"
#include "syncd/vanish_ask.h"
#include "test.h"

#define DIR_OF_FILES "a/sequence/root.sg/1/0"

static char data[300], catalog[340];
static struct listing_db db;
static struct spool spool;

static int exec(const char *sql)
{
	struct db w = {0};
	struct err e = {0};
	int r = db_open(&w, catalog, outbox_steps, outbox_n_steps, &e);

	if (r == 0)
		r = db_exec(&w, sql, &e);
	db_close(&w);
	return r;
}

static void put(const char *name, const void *p, size_t n)
{
	CLEANUP_CLOSE int base = file_open_dir(test_dir());
	CLEANUP_CLOSE int d = file_make_dirs(base, DIR_OF_FILES, 0755);
	CLEANUP_CLOSE int fd = -1;

	if (d >= 0)
		fd = openat(d, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		abort();
}

static void text(const char *name, const char *lines)
{
	put(name, lines, strlen(lines));
}

/* A captured file: tiny has root.sg.d1 at 1 to 3, tinyal root.sg.d2 at 100 to 102. */
static void captured(const char *sample, int v, int serial)
{
	CLEANUP(buf_release) struct buf b;
	char name[100], sql[400];

	buf_init(&b, 16u << 20);
	if (file_read_all(AT_FDCWD, test_data(sample), &b))
		abort();
	(void)snprintf(name, sizeof(name), "%d-%d-0-0.tsfile", v, v);
	put(name, buf_data(&b), b.len);
	(void)snprintf(name, sizeof(name), "%d-%d-0-0.tsfile.resource", v, v);
	text(name, "x");
	(void)snprintf(sql, sizeof(sql),
		       "INSERT INTO known(pipe, database, region, partition,"
		       " unsequence, t, v, i, c, serial, serial_low, mods_seen,"
		       " time_min, time_max) VALUES(1, 'root.sg', 1, 0, 0, %d,"
		       " %d, 0, 0, %d, %d, 0, 1, 102)",
		       v, v, serial, serial);
	if (exec(sql))
		abort();
}

static struct listing a_listing(void)
{
	struct listing l = {.db = &db,
			    .database = "root.sg",
			    .region = 1,
			    .data_dirs = {data},
			    .n_data_dirs = 1,
			    .spool = &spool,
			    .precedence = PRECEDENCE_UNSEQUENCE_WINS,
			    .may_forget = true,
			    .n_pipes = 1};

	l.pipes[0].pipe = 1;
	l.pipes[0].sync_del_op = true;
	l.pipes[0].floor = INT64_MIN;
	return l;
}

static void prepare(void)
{
	struct err e = {0};

	(void)snprintf(data, sizeof(data), "%s/a", test_dir());
	(void)snprintf(catalog, sizeof(catalog), "%s/catalog.db", test_dir());
	if (exec("SELECT 1") || listing_db_open(&db, catalog, &e))
		abort();
}

static void one_for_both(void)
{
	struct listing l = a_listing();
	struct deletions *d = &l.pipes[0].plan.deletions;

	captured("tsfile/v3/tiny.tsfile", 1, 1);
	captured("tsfile/v3/tinyal.tsfile", 2, 2);
	text("1-1-0-0.tsfile.mods", "DELETION,root.sg.**,9999,0,500\n");
	text("2-2-0-0.tsfile.mods", "DELETION,root.sg.**,9999,0,500\nDELE");
	listing_run(&l.job);
	CHECK(l.result == 0 && d->n == 1 && d->n_read == 2);
	CHECK(d->v[0].first == 1 && d->v[0].last == 102);
	CHECK(deletion_sort_lines(&d->v[0].devices) == 0);
	CHECK_STR(buf_str(&d->v[0].devices), "root.sg.d1\nroot.sg.d2\n");
	CHECK_STR(buf_str(&d->v[0].records),
		  "DELETION,root.sg.**,9223372036854775807,0,500\n");
	CHECK(d->read[1].seen == 31 && d->read[1].stamp != 0);
	listing_release(&l);
}

static void kept_back(void)
{
	struct listing l = a_listing();
	struct deletions *d = &l.pipes[0].plan.deletions;

	l.pipes[0].sync_del_op = false;
	listing_run(&l.job);
	CHECK(l.result == 0 && d->n == 0 && d->n_read == 2);
	CHECK(!d->read[0].has_covered && d->read[0].seen == 31);
	listing_release(&l);
}

static void below_the_start(void)
{
	struct listing l = a_listing();
	struct deletions *d = &l.pipes[0].plan.deletions;

	l.pipes[0].floor = 101;
	listing_run(&l.job);
	CHECK(l.result == 0 && d->n == 1);
	CHECK(d->v[0].first == 101 && d->v[0].last == 102);
	CHECK_STR(buf_str(&d->v[0].devices), "root.sg.d2\n");
	listing_release(&l);
}

static void malformed(void)
{
	struct listing l = a_listing();

	text("1-1-0-0.tsfile.mods", "nonsense\n");
	listing_run(&l.job);
	CHECK(l.result == 0 && l.pipes[0].plan.deletions.n == 1);
	CHECK(strstr(l.pipes[0].refused, "1-1-0-0.tsfile.mods"));
	listing_release(&l);
}

/* ---- files that vanished ---- */

static int asked;

static int says_deleted(struct listing *l, const struct vanish_question *q)
{
	(void)l;
	asked++;
	return strcmp(q->devices, "root.sg.d2") == 0 && q->first == 1 &&
			       q->last == 102
		       ? VANISH_DELETED
		       : VANISH_UNKNOWN;
}

static int says_explained(struct listing *l, const struct vanish_question *q)
{
	(void)l;
	(void)q;
	return VANISH_EXPLAINED;
}

static int says_nothing(struct listing *l, const struct vanish_question *q)
{
	(void)l;
	(void)q;
	return VANISH_UNKNOWN;
}

static struct listing a_vanishing(int inferred,
				  int (*ask)(struct listing *l,
					     const struct vanish_question *q))
{
	struct listing l = a_listing();

	l.may_ask = true;
	l.inferred_deletes = inferred;
	l.ask = ask;
	listing_run(&l.job);
	return l;
}

static void vanished(void)
{
	struct listing l;
	const struct plan *p = &l.pipes[0].plan;
	char path[400];

	(void)snprintf(path, sizeof(path), "%s/%s/1-1-0-0.tsfile", test_dir(),
		       DIR_OF_FILES);
	CHECK(unlink(path) == 0);
	l = a_vanishing(INFERRED_SEND, says_deleted);
	CHECK(l.result == 0 && asked == 1 && p->n_restates == 1);
	CHECK(!p->restates[0].is_held && p->gone.n == 1);
	/* what overlaps it follows */
	CHECK(l.pipes[0].n_files == 1 && l.pipes[0].files[0].is_again);
	CHECK(l.pipes[0].n_vanished == 0);
	listing_release(&l);
	l = a_vanishing(INFERRED_HOLD, says_deleted);
	CHECK(p->n_restates == 1 && p->restates[0].is_held);
	listing_release(&l);
	/* Nobody has answered yet: known as before. */
	l = a_vanishing(INFERRED_SEND, vanish_ask);
	CHECK(p->n_restates == 0 && l.pipes[0].n_vanished == 0);
	CHECK(p->gone.n == 0 && l.wanted);
	listing_release(&l);
	l = a_vanishing(INFERRED_SEND, says_nothing);
	CHECK(p->n_restates == 1 && p->restates[0].is_held);
	listing_release(&l);
	l = a_vanishing(INFERRED_SEND, says_explained);
	CHECK(p->n_restates == 0 && l.pipes[0].n_vanished == 1);
	listing_release(&l);
	asked = 0;
	l = a_vanishing(INFERRED_IGNORE, says_deleted);
	CHECK(!asked && p->n_restates == 0 && l.pipes[0].n_vanished == 1);
	listing_release(&l);
}

/* ---- the front of a partition ---- */

static int ttl_none(struct listing *l, const struct vanish_question *q)
{
	(void)l;
	asked += q->is_ttl && q->first == 1 && !q->devices;
	return VANISH_DELETED;
}

static int link_as(const char *from, const char *to)
{
	CLEANUP_CLOSE int base = file_open_dir(test_dir());
	CLEANUP_CLOSE int d = file_make_dirs(base, DIR_OF_FILES, 0755);

	return linkat(d, from, d, to, 0);
}

static void remove_file(const char *name)
{
	char path[400];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", test_dir(), DIR_OF_FILES,
		       name);
	CHECK(unlink(path) == 0);
}

/* A file of rows from 1 on was compacted unseen; the first row that is left is at 100. */
static void front(void)
{
	struct plan *p;
	struct listing l;

	asked = 0;
	remove_file("2-2-0-0.tsfile");
	CHECK(exec("DELETE FROM known") == 0);
	captured("tsfile/v3/tiny.tsfile", 1, 1);
	remove_file("1-1-0-0.tsfile");
	captured("tsfile/v3/tinyal.tsfile", 3, 3);
	CHECK(exec("DELETE FROM known WHERE v = 3") == 0);
	CHECK(link_as("3-3-0-0.tsfile", "1-1-1-0.tsfile") == 0);
	text("1-1-1-0.tsfile.resource", "x");
	remove_file("3-3-0-0.tsfile");
	p = &l.pipes[0].plan;
	l = a_vanishing(INFERRED_HOLD, ttl_none);
	CHECK(l.result == 0 && asked == 1 && p->n_restates == 1);
	CHECK(p->restates[0].time_min == 1 && !p->restates[0].is_held);
	CHECK(l.pipes[0].n_files == 1 && p->gone.n == 1);
	listing_release(&l);
	/* A TTL may have been it, nobody tells, nobody can be asked. */
	l = a_vanishing(INFERRED_HOLD, says_explained);
	CHECK(p->n_restates == 1 && p->restates[0].time_min == 100);
	CHECK(strstr(buf_str(&p->news), "a TTL may have removed them"));
	listing_release(&l);
	l = a_vanishing(INFERRED_HOLD, says_nothing);
	CHECK(p->n_restates == 1 && p->restates[0].time_min == 100);
	listing_release(&l);
	l = a_vanishing(INFERRED_HOLD, NULL);
	CHECK(p->n_restates == 1 && p->restates[0].time_min == 100);
	listing_release(&l);
}

/* While it is asked everything stays as it was, but for journals. */
static void front_waits(void)
{
	struct listing l = a_vanishing(INFERRED_HOLD, vanish_ask);
	const struct plan *p = &l.pipes[0].plan;

	CHECK(l.result == 0 && l.pipes[0].is_waiting);
	CHECK(l.wanted && l.wanted->is_ttl && l.wanted->first == 1);
	CHECK(plan_is_empty(p) && !l.pipes[0].n_files &&
	      !l.pipes[0].n_vanished);
	listing_release(&l);
}

/* A journal that was read in its last moment is not lost by that. */
static void front_keeps_journals(void)
{
	static const char journal[] =
		"source sequence root.sg 1 0 1-1-0-0.tsfile\n"
		"source sequence root.sg 1 0 2-2-0-0.tsfile\n"
		"target sequence root.sg 1 0 1-1-1-0.inner\n";
	const char *name = "1-1-1-0.inner.inner-compaction.log";
	struct listing l = a_listing();
	const struct plan *p = &l.pipes[0].plan;
	char path[400];

	text(name, journal);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", test_dir(), DIR_OF_FILES,
		       name);
	held_add(&l.held, path, name);
	remove_file(name);
	l.may_ask = true;
	l.ask = vanish_ask;
	listing_run(&l.job);
	CHECK(l.result == 0 && l.pipes[0].is_waiting);
	CHECK(p->n_journals == 1 && p->journals[0].body && !p->gone.n);
	listing_release(&l);
}

int main(void)
{
	prepare();
	test_run("the same record of two files is one deletion of both",
		 one_for_both);
	test_run("what is kept back is read all the same", kept_back);
	test_run("a deletion is cut at the start time", below_the_start);
	test_run("a malformed file is named, the others are read", malformed);
	test_run("a vanished file is asked about, and held unless it is sure",
		 vanished);
	test_run("a RESTATE begins before the first row that is left where no "
		 "TTL can have been at work",
		 front);
	test_run("while that is asked nothing is captured and nothing "
		 "forgotten",
		 front_waits);
	test_run("a journal that was read meanwhile is kept",
		 front_keeps_journals);
	listing_db_close(&db);
	return test_end();
}
