/* What makes the cloud's schema that of the edge: lines, statements, and the walk of a
 * listing beside the catalog. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ground/fileio.h"
#include "syncd/ask_tags.h"
#include "syncd/outbox_sql.h"
#include "syncd/schema_diff.h"
#include "syncd/schema_pass.h"
#include "test.h"

#define P 7 /* the pipe */

/* ---- tags ---- */

static const char *tags(const char *json)
{
	static struct buf out;
	static char shown[512];
	size_t i;

	buf_release(&out);
	buf_init(&out, 4096);
	if (ask_tags(json, &out) < 0)
		return "refused";
	(void)snprintf(shown, sizeof shown, "%s", buf_str(&out));
	for (i = 0; shown[i]; i++)
		shown[i] = shown[i] == SCHEMA_NEXT     ? '&'
			   : shown[i] == SCHEMA_EQUALS ? '='
						       : shown[i];
	buf_release(&out);
	return shown;
}

static void tags_of_json(void)
{
	CHECK_STR(tags(NULL), "");
	CHECK_STR(tags("null"), "");
	CHECK_STR(tags("{}"), "");
	CHECK_STR(tags("{\"b\":\"2\",\"a\":\"1\"}"), "a=1&b=2");
	CHECK_STR(tags(" { \"k\" : \"v\" } "), "k=v");
	CHECK_STR(tags("{\"k\":\"\\u003d\\\"\\\\\\/\"}"), "k==\"\\/");
	CHECK_STR(tags("{\"k\":\"\\u00fc\\u20ac\\ud83d\\ude00\"}"),
		  "k=\u00fc\u20ac\U0001f600");
	/* What cannot be said in one line is left out. */
	CHECK_STR(tags("{\"a\":\"x\\ny\",\"b\":\"2\"}"), "b=2");
	CHECK_STR(tags("{\"k\":\"v\""), "refused");
	CHECK_STR(tags("{\"k\":\"\\ud83d\"}"), "refused");
	CHECK_STR(tags("{\"k\":1}"), "refused");
	CHECK_STR(tags("{\"k\":\"v\",}"), "refused");
	CHECK_STR(tags("k"), "refused");
}

/* ---- statements ---- */

static char *kept[128];
static size_t n_kept;

static char *keep(char *line)
{
	if (n_kept == ARRAY_LEN(kept))
		exit(1);
	return kept[n_kept++] = line;
}

/* A line from one with | for tabs, & and = for what is between pairs; the caller's. */
static char *line_of(const char *text)
{
	char *line = xstrdup(text), *p;
	int tabs = 0;

	for (p = line; *p; p++) {
		if (*p == '|') {
			*p = '\t';
			tabs++;
		} else if (tabs >= 7 && *p == '&') {
			*p = SCHEMA_NEXT;
		} else if (tabs >= 7 && *p == '=') {
			*p = SCHEMA_EQUALS;
		}
	}
	return line;
}

static int series_of(struct series *s, const char *text)
{
	int r = series_parse(s, keep(line_of(text)));

	return r ? r : series_cut(s);
}

#define A_SERIES "root.sg|root.sg.d.s|-|INT64|RLE|SNAPPY|"

static void said(const char *before, const char *now, char to[1024])
{
	struct series a, b;
	struct buf out;

	buf_init(&out, 1024);
	to[0] = '\0';
	if (series_of(&b, now) < 0 || (before && series_of(&a, before) < 0))
		return;
	if (before)
		schema_alter(&a, &b, &out);
	else
		schema_create(&b, &out);
	(void)snprintf(to, 1024, "%s", buf_str(&out));
	buf_release(&out);
}

static void statements_that_create(void)
{
	char text[1024];

	said(NULL, "root.sg||D", text);
	CHECK_STR(text, "CREATE DATABASE root.sg\n");
	said(NULL, A_SERIES "||", text);
	CHECK_STR(text, "CREATE TIMESERIES root.sg.d.s WITH DATATYPE=INT64, "
			"ENCODING=RLE, COMPRESSOR=SNAPPY\n");
	said(NULL, "root.sg|root.sg.`a.b`.`c.d`|A|TEXT|||`x y`||k=v", text);
	CHECK_STR(text, "CREATE ALIGNED TIMESERIES root.sg.`a.b`(`c.d` TEXT)\n"
			"ALTER TIMESERIES root.sg.`a.b`.`c.d` UPSERT "
			"ALIAS=`x y` ATTRIBUTES(k='v')\n");
	said(NULL, A_SERIES "al|a b=it's&k=1\\2|", text);
	CHECK(strstr(text, "UPSERT ALIAS=`al` TAGS('a b'='it''s', "
			   "k='1\\\\2')\n"));
}

static void statements_that_alter(void)
{
	char text[1024];
	struct series a, b;

	said(A_SERIES "x|a=1|", A_SERIES "x|a=1|", text);
	CHECK_STR(text, "");
	said(A_SERIES "x|a=1&b=2|c=3", A_SERIES "y|a=1|", text);
	CHECK_STR(text, "ALTER TIMESERIES root.sg.d.s DROP b, c\n"
			"ALTER TIMESERIES root.sg.d.s UPSERT ALIAS=`y` "
			"TAGS(a='1')\n");
	said(A_SERIES "|a=1|", A_SERIES "|a=2|", text);
	CHECK_STR(text, "ALTER TIMESERIES root.sg.d.s UPSERT TAGS(a='2')\n");
	said(A_SERIES "|a=1|", A_SERIES "||", text);
	CHECK_STR(text, "ALTER TIMESERIES root.sg.d.s DROP a\n");
	/* Another encoding: nothing is to be said. */
	said(A_SERIES "||", "root.sg|root.sg.d.s|-|INT64|PLAIN|GZIP|||", text);
	CHECK_STR(text, "");
	CHECK(series_of(&a, A_SERIES "||") == 0);
	CHECK(series_of(&b, "root.sg|root.sg.d.s|A|INT64|RLE|SNAPPY|||") == 0);
	CHECK(schema_is_another(&a, &b) && !schema_is_another(&a, &a));
}

static void lines_that_are_none(void)
{
	struct series s;

	CHECK(series_of(&s, "root.sg") == -EBADMSG);
	CHECK(series_of(&s, "|root.sg.a|D") == -EBADMSG);
	CHECK(series_of(&s, "root.sg|root.sg.a|-|INT64") == -EBADMSG);
	CHECK(series_of(&s, A_SERIES "|||") == -EBADMSG);
}

/* ---- the walk ---- */

static char catalog[400], listing[400], before[400];

static void list(const char *path, const char *text)
{
	char *line = line_of(text);
	FILE *to = fopen(path, "w");

	if (!to || fputs(line, to) < 0 || fclose(to) != 0)
		exit(1);
	free(line);
}

static struct db writing;

static void forget(void)
{
	struct err e = {0};

	if (db_exec(&writing, "DELETE FROM series; DELETE FROM listed", &e) < 0)
		exit(1);
}

/* What schema_write() would have done. */
static void take_rows(const struct schema_pass *p)
{
	const char *at = (const char *)buf_data(&p->rows);
	const char *end = at + p->rows.len;
	struct err e = {0};
	sqlite3_stmt *st;

	if (db_begin(&writing, &e) < 0)
		exit(1);
	while (at < end) {
		const char *text[3] = {at + 1};

		for (int i = 1; i < 3; i++)
			text[i] = text[i - 1] + strlen(text[i - 1]) + 1;
		if (db_prepare(&writing, &st,
			       *at == '+' ? outbox_write_sql[W_PUT_SERIES]
					  : outbox_write_sql[W_FORGET_SERIES],
			       &e) < 0)
			exit(1);
		(void)sqlite3_bind_int64(st, 1, P);
		for (int i = 0; i < (*at == '+' ? 3 : 2); i++)
			(void)sqlite3_bind_text(st, i + 2, text[i], -1,
						SQLITE_STATIC);
		if (db_run(&writing, st, &e) < 0)
			exit(1);
		(void)sqlite3_finalize(st);
		at = text[2] + strlen(text[2]) + 1;
	}
	if (db_commit(&writing, &e) < 0)
		exit(1);
}

/* Walks to the end; what was said, and how many pieces it took. */
static void walk(struct schema_pass *p, struct buf *all, unsigned *n_pieces)
{
	*n_pieces = 0;
	p->pipe = P;
	p->catalog = catalog;
	p->listing = listing;
	p->sees_all = true;
	p->may_remove = true;
	do {
		schema_pass_next(p);
		schema_pass_run(&p->job);
		if (p->result < 0)
			return;
		take_rows(p);
		*n_pieces += p->statements.len > 0;
		buf_add(all, buf_data(&p->statements), p->statements.len);
	} while (!p->is_end);
}

static void is_said(const char *identity, const char *first, const char *want)
{
	struct schema_pass p;
	struct buf all;
	unsigned n;

	buf_init(&all, 1u << 20);
	schema_pass_init(&p);
	(void)snprintf(p.identity, sizeof p.identity, "%s", identity);
	p.before = first;
	walk(&p, &all, &n);
	if (p.result < 0 || strcmp(buf_str(&all), want) != 0) {
		printf("# said: %s\n", buf_str(&all));
		test_fail(__FILE__, __LINE__, p.err.text);
	}
	schema_pass_release(&p);
	buf_release(&all);
}

#define DB "root.sg||D\n"
#define S(n) "root.sg|root.sg.d." n "|-|INT64|RLE|LZ4|||\n"
#define MADE(n)                                \
	"CREATE TIMESERIES root.sg.d." n       \
	" WITH DATATYPE=INT64, ENCODING=RLE, " \
	"COMPRESSOR=LZ4\n"

static void what_comes_and_goes(void)
{
	forget();
	list(listing, DB S("a") S("b") S("c"));
	is_said("one", NULL,
		"CREATE DATABASE root.sg\n" MADE("a") MADE("b") MADE("c"));
	is_said("one", NULL, "");
	list(listing, DB S("a") S("aa") S("c"));
	is_said("one", NULL, MADE("aa"));
	/* Only in neither of two listings is it gone. */
	list(before, DB S("a") S("aa") S("b") S("c"));
	is_said("one", before, "");
	list(before, DB S("a") S("aa") S("c"));
	is_said("one", before, "DELETE TIMESERIES root.sg.d.b\n");
	is_said("one", before, "");
	/* A database that is gone: the cloud keeps its series. */
	list(listing, "root.x||D\n");
	list(before, "root.x||D\n");
	is_said("one", before, "CREATE DATABASE root.x\n");
	is_said("one", before, "");
}

/* By a server that is the same for sure: with one statement, once, until it comes again. */
static void a_database_that_is_dropped(void)
{
	struct err e = {0};

	forget();
	list(listing, DB S("a") S("b") "root.x||D\n");
	is_said("one", NULL,
		"CREATE DATABASE root.sg\n" MADE("a") MADE("b")
			"CREATE DATABASE root.x\n");
	CHECK(db_exec(&writing, "INSERT INTO listed VALUES(7, 'one', '')",
		      &e) == 0);
	list(listing, "root.x||D\n");
	is_said("one", NULL, "");
	list(before, "root.x||D\n");
	is_said("two", before, ""); /* another server, which may never have had it */
	forget();
	list(listing, DB S("a") S("b") "root.x||D\n");
	is_said("one", NULL,
		"CREATE DATABASE root.sg\n" MADE("a") MADE("b")
			"CREATE DATABASE root.x\n");
	CHECK(db_exec(&writing, "INSERT INTO listed VALUES(7, 'one', '')",
		      &e) == 0);
	list(listing, "root.x||D\n");
	is_said("one", before, "DELETE DATABASE root.sg\n");
	is_said("one", NULL, "");
	is_said("one", before, "");
	list(listing, DB S("a") "root.x||D\n");
	is_said("one", NULL, "CREATE DATABASE root.sg\n" MADE("a"));
	is_said("one", NULL, "");
}

static void another_under_the_same_name(void)
{
	forget();
	list(listing, DB S("a") S("b"));
	is_said("one", NULL, "CREATE DATABASE root.sg\n" MADE("a") MADE("b"));
	list(listing, DB "root.sg|root.sg.d.a|-|TEXT|PLAIN|LZ4|||\n" S("b"));
	is_said("one", NULL, "");
	list(before, DB "root.sg|root.sg.d.a|-|TEXT|PLAIN|LZ4|||\n" S("b"));
	is_said("one", before,
		"DELETE TIMESERIES root.sg.d.a\n"
		"CREATE TIMESERIES root.sg.d.a WITH DATATYPE=TEXT, "
		"ENCODING=PLAIN, COMPRESSOR=LZ4\n");
	is_said("one", before, "");
}

static void another_server_takes_nothing_away(void)
{
	struct err e = {0};

	forget();
	list(listing, DB S("a") S("b"));
	is_said("one", NULL, "CREATE DATABASE root.sg\n" MADE("a") MADE("b"));
	CHECK(db_exec(&writing, "INSERT INTO listed VALUES(7, 'one', '')",
		      &e) == 0);
	list(listing, DB S("c"));
	is_said("two", NULL, MADE("c"));
	is_said("two", NULL, "");
}

static void pieces_are_bounded(void)
{
	struct schema_pass p;
	struct buf all;
	unsigned n;
	FILE *to = fopen(listing, "w");

	forget();
	CHECK(to);
	for (int d = 0; d < 3; d++) {
		(void)fprintf(to, "root.d%d\t\tD\n", d);
		for (int i = 0; i < 3000; i++)
			(void)fprintf(to,
				      "root.d%d\troot.d%d.s%05d\t-\tINT64\tRLE"
				      "\tLZ4\t\t\t\n",
				      d, d, i);
	}
	CHECK(fclose(to) == 0);
	buf_init(&all, 8u << 20);
	schema_pass_init(&p);
	walk(&p, &all, &n);
	CHECK(p.result == 0 && p.counts.created == 9003);
	CHECK(n >= 6 && n <= 9); /* two or three a database */
	schema_pass_release(&p);
	buf_clear(&all);
	schema_pass_init(&p);
	walk(&p, &all, &n);
	CHECK(p.result == 0 && n == 0 && p.counts.known == 9003);
	schema_pass_release(&p);
	buf_release(&all);
}

static void a_torn_listing_is_refused(void)
{
	struct schema_pass p;
	struct buf all;
	unsigned n;

	forget();
	list(listing, DB "root.sg|root.sg.d.a|-|INT64");
	buf_init(&all, 65536);
	schema_pass_init(&p);
	walk(&p, &all, &n);
	CHECK(p.result < 0 && p.err.sys);
	schema_pass_release(&p);
	buf_release(&all);
}

int main(void)
{
	struct err e = {0};

	(void)snprintf(catalog, sizeof catalog, "%s/catalog.db", test_dir());
	(void)snprintf(listing, sizeof listing, "%s/listing", test_dir());
	(void)snprintf(before, sizeof before, "%s/before", test_dir());
	if (db_open(&writing, catalog, outbox_steps, outbox_n_steps, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		return 1;
	}
	test_run("tags of JSON", tags_of_json);
	test_run("statements that create", statements_that_create);
	test_run("statements that alter", statements_that_alter);
	test_run("lines that are none", lines_that_are_none);
	test_run("what comes and goes", what_comes_and_goes);
	test_run("a database that is dropped is said once, and made again",
		 a_database_that_is_dropped);
	test_run("another series under the same name",
		 another_under_the_same_name);
	test_run("another server takes nothing away",
		 another_server_takes_nothing_away);
	test_run("pieces are bounded, and a walk again says nothing",
		 pieces_are_bounded);
	test_run("a torn listing is refused", a_torn_listing_is_refused);
	db_close(&writing);
	while (n_kept)
		free(kept[--n_kept]);
	return test_end();
}
