#include <errno.h>

#include "domain/pattern.h"
#include "ground/bytes.h"
#include "syncd/coverage.h"
#include "test.h"

#define BODY 1000

/* The parts that are missing, as text. */
struct parts {
	char text[200];
};

static int add_part(void *arg, const struct record *rec, int64_t first,
		    int64_t last)
{
	struct parts *p = arg;
	size_t n = strlen(p->text);

	(void)rec;
	(void)snprintf(p->text + n, sizeof(p->text) - n, "%lld..%lld ",
		       (long long)first, (long long)last);
	return 0;
}

static const char *missing_of(struct coverage *c, enum mods_kind kind,
			      const void *bytes, size_t n, struct parts *p)
{
	const uint8_t *at = bytes;
	struct record rec;
	ssize_t len;

	p->text[0] = '\0';
	while ((len = records_next(kind, at, n, &rec)) > 0) {
		if (coverage_missing(c, &rec, BODY, add_part, p))
			return "failed";
		at += len;
		n -= (size_t)len;
	}
	return p->text;
}

static const char *missing(struct coverage *c, const char *line,
			   struct parts *p)
{
	return missing_of(c, MODS_TEXT, line, strlen(line), p);
}

static int add(struct coverage *c, const char *lines)
{
	return coverage_add_all(c, MODS_TEXT, lines, strlen(lines), BODY);
}

static void ranges(void)
{
	CLEANUP(coverage_release) struct coverage c;
	struct parts p;

	coverage_init(&c);
	CHECK(add(&c, "DELETION,root.a.*,1000,5,9\n"
		      "DELETION,root.a.*,1000,20,29\n"
		      "DELETION,root.b.**,1000,0,100\n") == 0);
	CHECK_STR(missing(&c, "DELETION,root.a.*,1000,5,9\n", &p), "");
	CHECK_STR(missing(&c, "DELETION,root.a.*,1000,6,8\n", &p), "");
	CHECK_STR(missing(&c, "DELETION,root.a.*,1000,0,40\n", &p),
		  "0..4 10..19 30..40 ");
	CHECK_STR(missing(&c, "DELETION,root.a.s,1000,5,9\n", &p), "5..9 ");
	CHECK_STR(missing(&c, "DELETION,root.b.**,1000,50,150\n", &p),
		  "101..150 ");
	CHECK(add(&c, "DELETION,root.a.*,1000,10,19\n") == 0);
	CHECK_STR(missing(&c, "DELETION,root.a.*,1000,5,29\n", &p), "");
}

static void open_ends(void)
{
	CLEANUP(coverage_release) struct coverage c;
	struct parts p;

	coverage_init(&c);
	CHECK(add(&c, "DELETION,root.a,1000,-9223372036854775808,7\n"
		      "DELETION,root.a,1000,0,9223372036854775807\n") == 0);
	CHECK_STR(missing(&c,
			  "DELETION,root.a,1000,-9223372036854775808,"
			  "9223372036854775807\n",
			  &p),
		  "");
}

/* A settle joins overlapping ranges and writes the file anew. */
static void settled(void)
{
	CLEANUP(coverage_release) struct coverage c;
	struct parts p;

	coverage_init(&c);
	CHECK(add(&c, "DELETION,root.a.*,1000,0,10\n"
		      "DELETION,root.a.*,1000,8,15\n") == 0);
	CHECK_STR(missing(&c, "DELETION,root.a.*,9223372036854775807,0,15\n",
			  &p),
		  "");
	CHECK_STR(missing(&c, "DELETION,root.a.*,9223372036854775807,0,20\n",
			  &p),
		  "16..20 ");
}

static void offsets(void)
{
	CLEANUP(coverage_release) struct coverage c;
	struct parts p;

	coverage_init(&c);
	CHECK(add(&c, "DELETION,root.a.*,0,0,10\n"
		      "DELETION,root.b.*,400,0,10\n") == 0);
	/* of no offset: inert, neither covers nor is missing */
	CHECK_STR(missing(&c, "DELETION,root.a.*,0,0,10\n", &p), "");
	CHECK_STR(missing(&c, "DELETION,root.a.*,1000,0,10\n", &p), "0..10 ");
	/* of a part of the file: not the same as of all of it */
	CHECK_STR(missing(&c, "DELETION,root.b.*,400,0,10\n", &p), "");
	CHECK_STR(missing(&c, "DELETION,root.b.*,1000,0,10\n", &p), "0..10 ");
}

static void both_forms(void)
{
	CLEANUP(coverage_release) struct coverage c;
	CLEANUP(buf_release) struct buf b;
	struct parts p;

	coverage_init(&c);
	buf_init(&b, 4096);
	CHECK(add(&c, "DELETION,root.a.*,1000,0,10\n") == 0);
	CHECK(records_add(MODS_BINARY, "root.a.*", 8, 0, 12, &b) == 0);
	CHECK_STR(missing_of(&c, MODS_BINARY, buf_data(&b), b.len, &p),
		  "11..12 ");
}

static void stored(void)
{
	CLEANUP(coverage_release) struct coverage a, b;
	CLEANUP(buf_release) struct buf bytes;
	struct parts p;

	coverage_init(&a);
	coverage_init(&b);
	buf_init(&bytes, 4096);
	CHECK(add(&a, "DELETION,root.b,1000,1,2\nDELETION,root.a,1000,3,4\n") ==
	      0);
	coverage_encode(&a, &bytes);
	CHECK(coverage_decode(&b, buf_data(&bytes), bytes.len) == 0);
	CHECK_STR(missing(&b, "DELETION,root.b,1000,1,3\n", &p), "3..3 ");
	CHECK_STR(missing(&b, "DELETION,root.a,1000,3,4\n", &p), "");
	coverage_release(&b);
	CHECK(coverage_decode(&b, buf_data(&bytes), bytes.len - 1) == -EBADMSG);
}

static bool touches(const char *pattern, const char *device)
{
	return pattern_may_touch(pattern, strlen(pattern), device,
				 strlen(device));
}

static void patterns(void)
{
	CHECK(touches("root.**", "root.sg.d1"));
	CHECK(touches("root.sg.**", "root.sg.d1"));
	CHECK(touches("root.sg.d1.*", "root.sg.d1"));
	CHECK(touches("root.sg.d1.s1", "root.sg.d1"));
	CHECK(touches("root.*.d1.s1", "root.sg.d1"));
	CHECK(touches("root.**.s1", "root.sg.d1"));
	CHECK(touches("root.sg.d*.s1", "root.sg.d12"));
	CHECK(touches("root.sg.*1*.s1", "root.sg.d12"));
	CHECK(touches("root.sg.`a.b`.s", "root.sg.`a.b`"));
	CHECK(touches("root.sg.`d1`.s", "root.sg.d1"));
	CHECK(touches("root.**.d2.**", "root.a.d2.d3.d2"));
	CHECK(!touches("root.sg.d1.s1", "root.sg.d2"));
	CHECK(!touches("root.sg.d1", "root.sg.d1"));
	CHECK(!touches("root.sg.d1.s1", "root.sg.d1.x"));
	CHECK(!touches("root.other.**", "root.sg.d1"));
	CHECK(!touches("root.sg.d*.s1", "root.sg.e1"));
	CHECK(!touches("root.**.d2.s", "root.a.d2.d3"));
	CHECK(!touches("root.sg.`a.b`.s", "root.sg.a.b"));
}

int main(void)
{
	test_run("what a set of ranges lacks of a record", ranges);
	test_run("ranges without ends are joined", open_ends);
	test_run("a rewritten file with joined ranges lacks nothing", settled);
	test_run("an offset of 0 is inert, one inside is a record of its own",
		 offsets);
	test_run("text and binary records are the same", both_forms);
	test_run("a set is stored and read again", stored);
	test_run("patterns against devices", patterns);
	return test_end();
}
