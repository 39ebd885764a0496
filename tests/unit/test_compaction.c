/* Compactions as their journals tell them, and as the catalog keeps them. The journals
 * are those of a running 1.3.3. */
#include "syncd/compaction.h"
#include "syncd/held.h"
#include "test.h"

static const char cross[] =
	"source sequence root.cx 21 0 1795422944547-1-1-0.tsfile\n"
	"source unsequence root.cx 21 0 1795422944605-3-1-0.tsfile\n"
	"target sequence root.cx 21 0 1795422944547-1-1-1.cross\n";
static const char settle[] =
	"source sequence root.tt 9 0 1795423966363-1-0-0.tsfile\n"
	"empty sequence root.tt 9 0 1795423966363-1-0-0.tsfile\n";
static const char insertion[] =
	"source unsequence root.cu 20 0 1795422944408-2-1-0.tsfile\n"
	"target sequence root.cu 20 0 897711472187-2-1-0.tsfile\n";

static void reading(void)
{
	CLEANUP(compactions_release) struct compactions cs = {.n = 0};
	const struct compaction *c;

	/* Written in pieces: what has no newline yet does not count. */
	CHECK(compaction_read(&cs, "j", cross, 60, true) == 0);
	CHECK(cs.n == 1 && cs.v[0].n == 1 && !compaction_is_whole(&cs.v[0]));
	CHECK(compaction_read(&cs, "j", cross, sizeof(cross) - 1, true) == 0);
	c = &cs.v[0];
	CHECK(cs.n == 1 && c->n == 3 && c->is_there);
	CHECK(compaction_is_whole(c));
	CHECK(c->v[0].role == JOURNAL_SOURCE && !c->v[0].f.unsequence);
	CHECK(c->v[1].role == JOURNAL_SOURCE && c->v[1].f.unsequence);
	CHECK(c->v[1].f.v == 3 && c->v[1].f.i == 1 && c->v[1].mods == -1);
	CHECK(c->v[2].role == JOURNAL_TARGET && c->v[2].f.c == 1);
	CHECK(compaction_read(&cs, "s", settle, sizeof(settle) - 1, false) ==
	      0);
	CHECK(cs.n == 2 && compaction_is_whole(&cs.v[1]));
	CHECK(cs.v[1].v[1].role == JOURNAL_EMPTY && !cs.v[1].is_there);
	CHECK(compaction_read(&cs, "i", insertion, sizeof(insertion) - 1,
			      true) == 0);
	CHECK(cs.v[2].v[1].f.t == 897711472187 && !cs.v[2].v[1].f.unsequence);
}

static void prepare(struct db *db, const struct compaction *c)
{
	CLEANUP(buf_release) struct buf body;
	char path[400];
	sqlite3_stmt *st;
	struct err e = {0};

	buf_init(&body, COMPACTION_BODY_MAX);
	compaction_print(c, &body);
	(void)snprintf(path, sizeof(path), "%s/c.db", test_dir());
	if (db_open(db, path, NULL, 0, &e) ||
	    db_exec(db, "CREATE TABLE compaction(journal TEXT, body TEXT)",
		    &e) ||
	    db_prepare(db, &st, "INSERT INTO compaction VALUES('j', ?1)", &e))
		abort();
	(void)sqlite3_bind_text(st, 1, buf_str(&body), -1, SQLITE_TRANSIENT);
	if (db_run(db, st, &e))
		abort();
	(void)sqlite3_finalize(st);
}

static void keeping(void)
{
	CLEANUP(compactions_release) struct compactions cs = {.n = 0};
	CLEANUP(compactions_release) struct compactions again = {.n = 0};
	struct db db = {0};
	struct err e = {0};
	sqlite3_stmt *st;
	size_t i;

	CHECK(compaction_read(&cs, "j", cross, sizeof(cross) - 1, true) == 0);
	cs.v[0].v[1].mods = 47;
	prepare(&db, &cs.v[0]);
	CHECK(db_prepare(&db, &st, "SELECT journal, body FROM compaction",
			 &e) == 0);
	/* A later look does not count: what came since is in the product, too. */
	CHECK(compaction_read(&again, "j", cross, sizeof(cross) - 1, true) ==
	      0);
	again.v[0].v[1].mods = 99;
	CHECK(compactions_load(&again, &db, st, &e) == 0);
	CHECK(again.n == 1 && again.v[0].n == 3 && again.v[0].stored);
	CHECK(again.v[0].v[1].mods == 47);
	for (i = 0; i < 3; i++)
		CHECK(again.v[0].v[i].role == cs.v[0].v[i].role &&
		      again.v[0].v[i].f.t == cs.v[0].v[i].f.t);
	CHECK(db_exec(&db, "UPDATE compaction SET body = 'x'", &e) == 0);
	CHECK(compactions_load(&again, &db, st, &e) < 0);
	(void)sqlite3_finalize(st);
	db_close(&db);
}

static void bounds(void)
{
	CLEANUP(compactions_release) struct compactions cs = {.n = 0};
	CLEANUP(buf_release) struct buf b;
	unsigned i;

	buf_init(&b, JOURNAL_MAX);
	for (i = 0; i <= COMPACTION_FILES_MAX; i++)
		buf_addf(&b, "source sequence root.sg 1 0 %u-1-0-0.tsfile\n",
			 i + 1);
	buf_adds(&b, "target sequence root.sg 1 0 1-1-1-0.inner\n");
	CHECK(buf_end(&b) == 0);
	CHECK(compaction_read(&cs, "j", buf_data(&b), b.len, true) == 0);
	CHECK(cs.v[0].n == COMPACTION_FILES_MAX);
	CHECK(!compaction_is_whole(&cs.v[0])); /* its products are sent */
}

static void write_journal(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

static void holding(void)
{
	CLEANUP(compactions_release) struct compactions cs = {.n = 0};
	struct held *h = NULL, *kept = NULL;
	char path[400];

	(void)snprintf(path, sizeof(path), "%s/j", test_dir());
	write_journal(path, "");
	held_add(&h, path, "j");
	held_add(&h, path, "j"); /* once */
	CHECK(h && h->n == 1);
	write_journal(path, insertion);
	CHECK(unlink(path) == 0);
	CHECK(held_read(h, &cs) == 0);
	CHECK(cs.n == 1 && compaction_is_whole(&cs.v[0]));
	CHECK(!cs.v[0].is_there);
	held_keep(h, &cs, &kept);
	CHECK(!kept);
	h = NULL;
	held_add(&h, path, "j");
	CHECK(!h);
}

int main(void)
{
	test_run("journals of every kind are read, in pieces", reading);
	test_run("the catalog's form comes back, the first look counts",
		 keeping);
	test_run("one with too many files derives nothing", bounds);
	test_run("an open journal is read to its end after it went", holding);
	return test_end();
}
