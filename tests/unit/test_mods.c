#include <errno.h>
#include <fcntl.h>

#include "domain/mods.h"
#include "ground/fileio.h"
#include "test.h"

#define RECORD "DELETION,root.sg.d.s,100,-5,7\n"
#define REAL                                         \
	"datadir-1.3.3/sequence/root.plant/2/19725/" \
	"1795423681317-2-0-0.tsfile.mods"

static int whole_of(enum mods_kind kind, const void *p, size_t n, size_t *whole,
		    struct err *e)
{
	/* of the exact size, so that a sanitizer sees a read past the end */
	CLEANUP_FREE void *copy = calloc(1, n ? n : 1);

	if (n)
		memcpy(copy, p, n);
	return mods_whole(kind, copy, n, whole, e);
}

static int text_of(const char *s, size_t *whole, struct err *e)
{
	return whole_of(MODS_TEXT, s, strlen(s), whole, e);
}

static int load(const char *name, struct buf *b)
{
	buf_init(b, MODS_MAX);
	return file_read_all(AT_FDCWD, test_data(name), b);
}

static void suffixes(void)
{
	CHECK_STR(mods_suffix(MODS_NONE), "");
	CHECK_STR(mods_suffix(MODS_TEXT), ".mods");
	CHECK_STR(mods_suffix(MODS_BINARY), ".mods2");
}

static void real_text(void)
{
	CLEANUP(buf_release) struct buf b;
	size_t whole, line = 0;

	CHECK(load(REAL, &b) == 0);
	CHECK(b.len == 744);
	for (size_t n = 0; n <= b.len; n++) {
		CHECK(whole_of(MODS_TEXT, buf_data(&b), n, &whole, NULL) == 0);
		if (n && buf_data(&b)[n - 1] == '\n')
			line = n;
		CHECK(whole == line);
	}
	CHECK(whole == b.len);
}

static void good_lines(void)
{
	static const char *const good[] = {
		"DELETION,root.**,9223372036854775807,-9223372036854775808,"
		"9223372036854775807\n",
		"DELETION,root,0,0,0\n",
		"DELETION,root.a,b,c.d,5,1,2\n",
		"DELETION,root.sg.`x,1,2`.s,5,1,2\n",
		"DELETION,root.sg.\xe6\xb0\xb4.s,0,1,2\n",
		RECORD RECORD,
		RECORD "aborted\n",
		RECORD RECORD "aborted\naborted\n" RECORD,
		"",
	};
	size_t whole;

	for (size_t k = 0; k < ARRAY_LEN(good); k++) {
		CHECK(text_of(good[k], &whole, NULL) == 0);
		CHECK(whole == strlen(good[k]));
	}
}

static void malformed_lines(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"\n", "expected DELETION"},
		{"garbage\n", "expected DELETION"},
		{"deletion,root.a,1,2,3\n", "expected DELETION"},
		{"DELETION,\n", "expected DELETION"},
		{"DELETION,root.a\n", "expected DELETION"},
		{"DELETION,root.a,1,2\n", "expected DELETION"},
		{"DELETION,root.a,x,1,2\n", "its offset is no 64-bit integer"},
		{"DELETION,root.a,,1,2\n", "its offset is no 64-bit integer"},
		{"DELETION,root.a,9223372036854775808,1,2\n", "its offset"},
		{"DELETION,root.a,1, 2,3\n", "its start"},
		{"DELETION,root.a,1,2.5,3\n", "its start"},
		{"DELETION,root.a,1,2,3 \n", "its end"},
		{"DELETION,root.a,1,2,\n", "its end"},
		{"DELETION,root.a,1,2,-\n", "its end"},
		{"DELETION,root.a,1,2,-9223372036854775809\n", "its end"},
		{"DELETION,root.a,1,2,3\r\n", "its end"},
		{"DELETION,,1,2,3\n", "its path"},
		{"DELETION,rooted.a,1,2,3\n", "its path"},
		{"DELETION,sg.d.s,1,2,3\n", "its path"},
		{"DELETION,root.a\tb,1,2,3\n", "its path"},
		{"aborted\n", "no record before it"},
		{RECORD "aborted\naborted\n", "no record before it"},
		{RECORD "abort\n", "expected DELETION"},
	};

	size_t whole = 99;

	for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
		struct err e = {0};

		CHECK(text_of(bad[k].text, &whole, &e) == -EBADMSG);
		CHECK(strstr(e.text, bad[k].why));
		CHECK(whole == 0);
	}
	CHECK(whole_of(MODS_TEXT, RECORD "\0\0\0\0\n", sizeof RECORD + 4,
		       &whole, NULL) == -EBADMSG);
}

static void number_of_the_bad_record(void)
{
	struct err e = {0};
	size_t whole;

	CHECK(text_of(RECORD RECORD "oops\n" RECORD, &whole, &e) == -EBADMSG);
	CHECK(strstr(e.text, "deletion record 3 is malformed"));
	CHECK(strstr(e.text, "'oops'"));
}

/* Not there yet is not malformed, whatever the beginning of a line looks like. */
static void torn_text(void)
{
	size_t whole;

	CHECK(text_of(RECORD "DELETION,roo", &whole, NULL) == 0);
	CHECK(whole == strlen(RECORD));
	CHECK(text_of("DELETION,root.a,1,2,3", &whole, NULL) == 0);
	CHECK(whole == 0);
	CHECK(text_of("oops", &whole, NULL) == 0);
	CHECK(whole == 0);
}

static void standing_is(const char *text, const char *want)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 4096);
	buf_adds(&b, "before\n");
	mods_add_standing(text, strlen(text), &b);
	CHECK(buf_end(&b) == 0);
	CHECK(strncmp(buf_str(&b), "before\n", 7) == 0);
	CHECK_STR(buf_str(&b) + 7, want);
}

static void aborted_records(void)
{
	standing_is("", "");
	standing_is("a\nb\n", "a\nb\n");
	standing_is("a\naborted\n", "");
	standing_is("a\naborted\nb\n", "b\n");
	standing_is("a\nb\naborted\n", "a\n");
	standing_is("a\nb\naborted\naborted\nc\n", "c\n");
	standing_is("aborted\na\n", "a\n");
	standing_is("a\ntorn", "a\n");
	standing_is("aborted", "");
}

/* Every cut of a real file is whole records and a torn tail, never malformed. */
static void torn_at_every_byte(const char *name, size_t n_records)
{
	CLEANUP(buf_release) struct buf b;
	size_t whole, last = 0, n_seen = 0;

	CHECK(load(name, &b) == 0);
	CHECK(b.len > 0);
	for (size_t n = 0; n <= b.len; n++) {
		CHECK(whole_of(MODS_BINARY, buf_data(&b), n, &whole, NULL) ==
		      0);
		CHECK(whole <= n && whole >= last);
		if (whole > last) {
			CHECK(whole ==
			      n); /* a record is whole with its last byte */
			n_seen++;
		}
		last = whole;
	}
	CHECK(whole == b.len);
	CHECK(n_seen == n_records);
}

static void real_binary_tree(void)
{
	torn_at_every_byte("datadir-2.0.2/sequence/root.plant/2/19725/"
			   "1795424618852-2-0-0.tsfile.mods2",
			   2);
	torn_at_every_byte("datadir-2.0.2/sequence/root.plant/2/19725/"
			   "1795424618902-3-0-0.tsfile.mods2",
			   12);
}

static void real_binary_table(void)
{
	torn_at_every_byte("mods2/table-2.0.6.mods2", 8);
}

#define TIMES "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2"
#define TABLE "\0" TIMES "\2t"

static const struct {
	const char *bytes;
	size_t n;
} whole_records[] = {

#define R(s)                    \
	{                       \
		s, sizeof s - 1 \
	}
	R("\1" TIMES "\16root.**"),
	R(TABLE "\0\0"),		     /* all devices, all columns */
	R(TABLE "\0\4\2a\2b"),		     /* two columns */
	R(TABLE "\1\3\2t\2x\1\0"),	     /* one device, its last tag null */
	R(TABLE "\2\1\2\0"),		     /* a null tag */
	R(TABLE "\3\4\2\2x\0\3\2\2\2y\2\0"), /* nested */
#undef R
};

static void binary_by_hand(void)
{
	for (size_t k = 0; k < ARRAY_LEN(whole_records); k++) {
		const char *p = whole_records[k].bytes;
		size_t whole, n = whole_records[k].n;

		CHECK(whole_of(MODS_BINARY, p, n, &whole, NULL) == 0 &&
		      whole == n);
		while (n-- > 0)
			CHECK(whole_of(MODS_BINARY, p, n, &whole, NULL) == 0 &&
			      whole == 0);
	}
}

static void malformed_binary(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *why;
	} bad[] = {

#define R(s, why) {s, sizeof s - 1, why}
		R("\2", "type is neither"),
		R("\xff", "type is neither"),
		R("\1" TIMES "\0", "impossible length"), /* an empty path */
		R("\1" TIMES "\1", "impossible length"), /* none */
		R("\1" TIMES "\3", "impossible length"), /* of -2 bytes */
		R("\1" TIMES "\xfe\xff\xff\xff\xf",
		  "impossible length"), /* of 2 GiB */
		R("\1" TIMES "\x80\x80\x80\x80\x80", "more than five bytes"),
		R("\1" TIMES "\xff\xff\xff\xff\x7f", "above 32 bits"),
		R(TABLE "\4", "none of 0 to 3"),
		R(TABLE "\1\0", "without a segment"),
		R(TABLE "\1\xff\xff\xff\xff\xf",
		  "list of an impossible length"),
		R(TABLE "\2\2x\1", "negative segment"),
		R(TABLE "\3\1", "without end"),
		R(TABLE "\3\xfe\xff\xff\xff\xf", "without end"),
		R(TABLE "\0\1", "list of an impossible length"),
		R(TABLE "\0\2\1", "impossible length"), /* a null column */
		R(TABLE "\3\2\3\2\3\2\3\2\3\2\3\2\3\2\3\2\3\2\3\2\3\2\3\2\3\2\3"
			"\2\3\2\3\2\3\2\0\0",
		  "without end"),
#undef R
	};

	for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
		struct err e = {0};
		size_t whole = 99;

		CHECK(whole_of(MODS_BINARY, bad[k].bytes, bad[k].n, &whole,
			       &e) == -EBADMSG);
		CHECK(strstr(e.text, bad[k].why));
		CHECK(whole == 0);
	}
}

static void place_of_the_bad_record(void)
{
	static const char bytes[] = "\1" TIMES "\16root.**\7";
	struct err e = {0};
	size_t whole;

	CHECK(whole_of(MODS_BINARY, bytes, sizeof bytes - 1, &whole, &e) ==
	      -EBADMSG);
	CHECK(strstr(e.text, "deletion record 2, at byte 25"));
}

static void bounds(void)
{
	struct err e = {0};
	size_t whole;

	CHECK(mods_whole(MODS_TEXT, "", (size_t)MODS_MAX + 1, &whole, &e) ==
	      -E2BIG);
	CHECK(mods_whole(MODS_NONE, "", 0, &whole, &e) == 0);
	CHECK(mods_whole(MODS_NONE, "x", 1, &whole, &e) == -EBADMSG);
}

static void cuts(void)
{
	static const int64_t times[] = {INT64_MIN, -1, 0, 1704261589454,
					INT64_MAX};
	CLEANUP(buf_release) struct buf b;
	char want[200];
	size_t whole;

	buf_init(&b, 4096);
	for (size_t k = 0; k < ARRAY_LEN(times); k++) {
		buf_clear(&b);
		mods_add_cut(MODS_TEXT, times[k], &b);
		(void)snprintf(want, sizeof want,
			       "DELETION,root.**,9223372036854775807,-"
			       "9223372036854775808,%lld\n",
			       (long long)times[k]);
		CHECK_STR(buf_str(&b), want);
		CHECK(mods_whole(MODS_TEXT, buf_data(&b), b.len, &whole,
				 NULL) == 0);
		CHECK(whole == b.len);
	}
	buf_clear(&b);
	mods_add_cut(MODS_BINARY, 0x0102030405060708, &b);
	mods_add_cut(MODS_BINARY, -1, &b);
	CHECK(b.len == 50);
	CHECK(memcmp(buf_data(&b),
		     "\1\x80\0\0\0\0\0\0\0\1\2\3\4\5\6\7\10\16root.**",
		     25) == 0);
	CHECK(mods_whole(MODS_BINARY, buf_data(&b), b.len, &whole, NULL) == 0);
	CHECK(whole == b.len);
}

int main(void)
{
	test_run("suffixes", suffixes);
	test_run("a real text file, cut at every byte, ends with its last "
		 "newline",
		 real_text);
	test_run("lines that are records", good_lines);
	test_run("lines that are none are refused with the reason",
		 malformed_lines);
	test_run("the number of the bad record is told",
		 number_of_the_bad_record);
	test_run("a text tail without newline is torn", torn_text);
	test_run("an aborted record and its mark do not travel",
		 aborted_records);
	test_run("real tree records, torn at every byte", real_binary_tree);
	test_run("real table records, torn at every byte", real_binary_table);
	test_run("records by hand, torn at every byte", binary_by_hand);
	test_run("what can never become a record is malformed",
		 malformed_binary);
	test_run("number and place of the bad record are told",
		 place_of_the_bad_record);
	test_run("too much, or of no form", bounds);
	test_run("a cut is a record of its form", cuts);
	return test_end();
}
