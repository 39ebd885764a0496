/* What is sealed, in which order it is captured, what is known, what journals say. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "syncd/journal.h"
#include "syncd/listing.h"
#include "test.h"

static char data[2][300], catalog[340];
static struct listing_db db;

static void in_dir(const char *dir, const char *name, const char *text)
{
	CLEANUP_CLOSE int base = file_open_dir(test_dir());
	CLEANUP_CLOSE int d = file_make_dirs(base, dir, 0755);
	CLEANUP_CLOSE int fd = -1;

	if (d >= 0)
		fd = openat(d, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
}

static void sealed(const char *dir, const char *name)
{
	char resource[100];

	(void)snprintf(resource, sizeof(resource), "%s.resource", name);
	in_dir(dir, name, "x");
	in_dir(dir, resource, "x");
}

static struct listing a_listing(int64_t partition, enum precedence rule)
{
	struct listing l = {.db = &db,
			    .database = "root.sg",
			    .region = 1,
			    .partition = partition,
			    .data_dirs = {data[0], data[1]},
			    .n_data_dirs = 2,
			    .precedence = rule,
			    .may_forget = true,
			    .n_pipes = 1};

	l.pipes[0].pipe = 1;
	return l;
}

/* "s1 u2 ...": space and V, in the order of capture. */
static const char *order(const struct listing_pipe *lp)
{
	static char text[256];
	size_t i, at = 0;

	text[0] = '\0';
	for (i = 0; i < lp->n_files; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%c%llu",
				       i ? " " : "",
				       lp->files[i].unsequence ? 'u' : 's',
				       (unsigned long long)lp->files[i].v);
	return text;
}

static int exec(const char *sql)
{
	struct db w = {0};
	struct err e = {0};
	int r = db_open(&w, catalog, NULL, 0, &e);

	if (r == 0)
		r = db_exec(&w, sql, &e);
	db_close(&w);
	return r;
}

static void prepare(void)
{
	static const char schema[] =
		"CREATE TABLE known(pipe INTEGER, database TEXT, region "
		"INTEGER,"
		" partition INTEGER, unsequence INTEGER, t INTEGER, v INTEGER,"
		" i INTEGER, c INTEGER, serial INTEGER DEFAULT 1,"
		" serial_low INTEGER DEFAULT 1, mods_seen INTEGER DEFAULT 0,"
		" is_loose INTEGER DEFAULT 0, covered BLOB,"
		" mods_stamp INTEGER DEFAULT 0,"
		" is_derived INTEGER DEFAULT 0, is_owed INTEGER DEFAULT 0,"
		" time_min INTEGER, time_max INTEGER, row_sum INTEGER);"
		"CREATE TABLE compaction(database TEXT, region INTEGER,"
		" partition INTEGER, journal TEXT, body TEXT);"
		"CREATE TABLE entry(pipe INTEGER, serial INTEGER, nonce "
		"INTEGER,"
		" volume INTEGER, is_loose INTEGER DEFAULT 0);"
		"CREATE TABLE series(pipe INTEGER, database TEXT, path TEXT,"
		" rest TEXT);"
		"CREATE TABLE listed(pipe INTEGER, identity TEXT, digest "
		"TEXT);"
		"CREATE TABLE device(database TEXT, region INTEGER, path TEXT);"
		"CREATE TABLE volume(id INTEGER, spool_dir TEXT)";
	struct err e = {0};

	(void)snprintf(data[0], sizeof(data[0]), "%s/a", test_dir());
	(void)snprintf(data[1], sizeof(data[1]), "%s/b", test_dir());
	(void)snprintf(catalog, sizeof(catalog), "%s/catalog.db", test_dir());
	if (exec(schema) || listing_db_open(&db, catalog, &e))
		abort();
}

static void sealing(void)
{
	static const char dir[] = "a/sequence/root.sg/1/0";
	struct listing l = a_listing(0, PRECEDENCE_UNSEQUENCE_WINS);

	sealed(dir, "1-1-0-0.tsfile");
	in_dir(dir, "2-2-0-0.tsfile", "");
	in_dir(dir, "3-3-0-0.tsfile", "x");
	in_dir(dir, "3-3-0-0.tsfile.resource.temp", "x");
	in_dir(dir, "4-4-0-0.tsfile.resource", "x");
	sealed(dir, "x-5-0-0.tsfile");
	sealed("b/unsequence/root.sg/1/0", "6-6-0-0.tsfile");
	listing_run(&l.job);
	CHECK(l.result == 0);
	CHECK_STR(order(&l.pipes[0]), "s1 u6");
	CHECK(l.pipes[0].files[0].volume == 0);
	CHECK(l.pipes[0].files[1].volume == 1);
	CHECK(l.oldest_unsealed_ms == 2 && !l.has_journal);
	CHECK(l.stamps[0][0] == 0); /* too young to be trusted */
	listing_release(&l);
}

static void precedence(void)
{
	struct listing l = a_listing(1, PRECEDENCE_UNSEQUENCE_WINS);
	struct listing old = a_listing(1, PRECEDENCE_BY_VERSION);

	sealed("a/sequence/root.sg/1/1", "9-1-0-0.tsfile");
	sealed("a/unsequence/root.sg/1/1", "8-2-0-0.tsfile");
	sealed("b/sequence/root.sg/1/1", "7-3-0-0.tsfile");
	sealed("a/unsequence/root.sg/1/1", "6-4-0-0.tsfile");
	listing_run(&l.job);
	CHECK_STR(order(&l.pipes[0]), "s1 s3 u2 u4");
	listing_run(&old.job);
	CHECK_STR(order(&old.pipes[0]), "s1 u2 s3 u4");
	listing_release(&l);
	listing_release(&old);
}

static void knowing(void)
{
	struct listing l = a_listing(2, PRECEDENCE_UNSEQUENCE_WINS);
	struct listing careful = a_listing(2, PRECEDENCE_UNSEQUENCE_WINS);

	sealed("a/sequence/root.sg/1/2", "1-1-0-0.tsfile");
	sealed("a/sequence/root.sg/1/2", "3-3-0-0.tsfile");
	in_dir("a/sequence/root.sg/1/2", "5-5-0-0.tsfile", "x");
	CHECK(exec("INSERT INTO known(pipe, database, region, partition, "
		   "unsequence, t, v, i, c) VALUES(1,'root.sg',1,2,0,1,1,0,0),"
		   "(1,'root.sg',1,2,0,2,2,0,0),(1,'root.sg',1,2,0,5,5,0,0),"
		   "(1,'root.sg',1,2,1,3,3,0,0),(2,'root.sg',1,2,0,3,3,0,0),"
		   "(1,'root.sg',1,3,0,3,3,0,0)") == 0);
	listing_run(&l.job);
	/* V 5 stands above V 3; no index can be read, so it may overlap. */
	CHECK_STR(order(&l.pipes[0]), "s3 s5");
	CHECK(!l.pipes[0].files[0].is_again && l.pipes[0].files[1].is_again);
	CHECK(l.pipes[0].plan.owed.n == 1);
	/* Known and still there, sealed or not, is no news; the others are gone. */
	CHECK(l.pipes[0].n_vanished == 2);
	CHECK(l.pipes[0].vanished[0].v == 2 && l.pipes[0].vanished[1].v == 3);
	CHECK(l.pipes[0].vanished[1].unsequence);
	listing_release(&l);
	careful.may_forget = false; /* a data directory is away */
	listing_run(&careful.job);
	CHECK(careful.pipes[0].n_vanished == 0);
	CHECK_STR(order(&careful.pipes[0]), "s3 s5");
	listing_release(&careful);
}

static void journals(void)
{
	static const char dir[] = "a/sequence/root.sg/1/4";
	struct listing l = a_listing(4, PRECEDENCE_UNSEQUENCE_WINS);

	sealed(dir, "1-1-0-0.tsfile");
	sealed(dir, "1-1-1-0.tsfile");
	sealed("b/sequence/root.sg/1/4", "2-2-0-1.tsfile");
	sealed("a/unsequence/root.sg/1/4", "2-2-0-1.tsfile");
	in_dir(dir, "1-1-1-0.inner.inner-compaction.log",
	       "source sequence root.sg 1 4 1-1-0-0.tsfile\n"
	       "target sequence root.sg 1 4 1-1-1-0.inner\n");
	in_dir(dir, "2-2-0-1.cross.cross-compaction.log",
	       "target sequence root.sg 1 4 2-2-0-1.cross\n"
	       "target sequence root.sg 1 4 1-1-0-0.tsfi");
	listing_run(&l.job);
	CHECK(l.result == 0 && l.has_journal);
	/* Sources are sealed, targets not yet, in whichever data directory; the line
	 * without its newline does not count. */
	CHECK_STR(order(&l.pipes[0]), "s1 u2");
	CHECK(l.pipes[0].files[0].i == 0);
	listing_release(&l);
}

static void nothing_there(void)
{
	struct listing l = a_listing(99, PRECEDENCE_UNSEQUENCE_WINS);

	listing_run(&l.job);
	CHECK(l.result == 0 && l.pipes[0].n_files == 0);
	listing_release(&l);
}

static void add_target(void *arg, const struct fileid *id)
{
	char *text = arg;
	size_t at = strlen(text);

	(void)snprintf(text + at, 200 - at, "%c%llu-%llu-%llu-%llu ",
		       id->unsequence ? 'u' : 's', (unsigned long long)id->t,
		       (unsigned long long)id->v, (unsigned long long)id->i,
		       (unsigned long long)id->c);
}

static void lines(void)
{
	static const char text[] =
		"source sequence root.cx 21 0 1-1-1-0.tsfile\r\n"
		"target sequence root.cx 21 0 1-1-1-1.cross\r\n"
		"target unsequence root.`a b` 20 0 8-2-1-0.tsfile\n"
		"target elsewhere root.cx 21 0 1-1-1-1.cross\n"
		"target sequence root.cx 21 0 nonsense\n"
		"target\n\nempty sequence root.tt 9 0 1-1-0-0.tsfile\n"
		"target sequence root.cx 21 0 9-9-9-9.inner";
	char got[200] = "";

	journal_targets(text, strlen(text), add_target, got);
	CHECK_STR(got, "s1-1-1-1 u8-2-1-0 ");
	CHECK(journal_is_one("1-1-1-0.inner.inner-compaction.log"));
	CHECK(journal_is_one("X.tsfile.settle-compaction.log"));
	CHECK(!journal_is_one("-compaction.log"));
	CHECK(!journal_is_one("1-1-1-0.tsfile"));
}

int main(void)
{
	prepare();
	test_run("sealed is the name and its resource", sealing);
	test_run("files come in ascending precedence, by version's rule",
		 precedence);
	test_run("what is known is no news, what is gone is told", knowing);
	test_run("a target waits while a journal names it", journals);
	test_run("a partition without directories is empty", nothing_there);
	test_run("journals: whole target lines, of any name", lines);
	listing_db_close(&db);
	return test_end();
}
