#include <errno.h>

#include "domain/control_inside.h"
#include "test.h"

static void fill(struct buf *b, const char *text)
{
	buf_init(b, CONTROL_REPLY_MAX + 100);
	buf_adds(b, text);
}

static const char *printed(const struct reply *r, enum table_form form)
{
	static char text[4096];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	reply_print(r, form, &out);
	(void)snprintf(text, sizeof text, "%s", buf_str(&out));
	buf_release(&out);
	return text;
}

static void a_table_is_taken_whole(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP(reply_release) struct reply r;

	fill(&b, "2000-name\ttype\n1000-a\tIoTDB\n1000-\n0000 done\n0000 x\n");
	CHECK(reply_take(&r, &b) == 1);
	CHECK(r.code == 0 && r.sys == 0 && r.n_rows == 2);
	CHECK_STR(r.heading, "name\ttype");
	CHECK_STR(r.rows[0], "a\tIoTDB");
	CHECK_STR(r.rows[1], "");
	CHECK_STR(r.text, "done");
	CHECK_STR(buf_str(&b), "0000 x\n");
	CHECK_STR(printed(&r, TABLE_DRAWN),
		  "+----+-----+\n|name| type|\n+----+-----+\n|   a|IoTDB|\n"
		  "|    |     |\n+----+-----+\n");
	CHECK_STR(printed(&r, TABLE_TABS), "a\tIoTDB\n\n");
}

static void a_success_is_one_sentence(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP(reply_release) struct reply r;

	fill(&b, "0000 The statement is executed successfully.\n");
	CHECK(reply_take(&r, &b) == 1 && b.len == 0);
	CHECK_STR(printed(&r, TABLE_DRAWN),
		  "Msg: The statement is executed successfully.\n");
	CHECK_STR(printed(&r, TABLE_TABS), "");
	CHECK_STR(printed(&r, TABLE_JSON),
		  "{\"message\":\"The statement is executed successfully.\"}"
		  "\n");
}

static void a_failure_has_errno_and_sentence(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP(reply_release) struct reply r;

	fill(&b, "8411-EEXIST\n8411 a\\nb \\\\t \"c\"\n");
	CHECK(reply_take(&r, &b) == 1);
	CHECK(r.code == 8411 && r.sys == EEXIST);
	CHECK_STR(r.text, "a\nb \\t \"c\"");
	CHECK_STR(printed(&r, TABLE_TABS), "Msg: 411: a\nb \\t \"c\"\n");
	CHECK_STR(printed(&r, TABLE_JSON),
		  "{\"code\":411,\"errno\":\"EEXIST\",\"message\":"
		  "\"a\\nb \\\\t \\\"c\\\"\"}\n");
}

static void a_failure_after_rows_shows_both(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP(reply_release) struct reply r;

	fill(&b, "2000-k\n1000-v\n8411-EIO\n8411 half\n");
	CHECK(reply_take(&r, &b) == 1);
	CHECK_STR(printed(&r, TABLE_DRAWN),
		  "+-+\n|k|\n+-+\n|v|\n+-+\nMsg: 411: half\n");
}

static void errnos_default_by_class(void)
{
	static const struct {
		const char *text;
		int sys;
	} cases[] = {
		{"8411 x\n", EIO},
		{"9401 x\n", EINVAL},
		{"8411-EWHAT\n8411 x\n", EIO},
		{"8411-ENXIO\n8411 x\n", ENXIO},
		{"9401-E2BIG\n9401 x\n", E2BIG},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_release) struct buf b;
		CLEANUP(reply_release) struct reply r;

		fill(&b, cases[i].text);
		CHECK(reply_take(&r, &b) == 1 && r.sys == cases[i].sys);
	}
	CHECK_STR(reply_errno_name(EHOSTUNREACH), "EHOSTUNREACH");
	CHECK_STR(reply_errno_name(0), "EIO");
	CHECK_STR(reply_errno_name(9999), "EIO");
}

static void pieces_wait_for_the_rest(void)
{
	const char *text = "2000-h\n1000-r1\n1000-r2\n8411-EIO\n8411 end\n";

	for (size_t n = 0; n < strlen(text); n++) {
		CLEANUP(buf_release) struct buf b;
		CLEANUP(reply_release) struct reply r;

		buf_init(&b, 1000);
		buf_add(&b, text, n);
		CHECK(reply_take(&r, &b) == 0 && b.len == n);
		buf_adds(&b, text + n);
		CHECK(reply_take(&r, &b) == 1 && r.n_rows == 2);
		CHECK(b.len == 0);
	}
}

static void rubbish_is_refused(void)
{
	static const char *const texts[] = {
		"\n",
		"0000\n",
		"000\n",
		"x",
		"00x0 y\n",
		"0000xy\n",
		"HTTP/1.1 200",
		"-001 x\n",
		"1000 row\n",
		"2000 head\n",
		"3000-x\n0000 y\n",
		"7999 x\n",
		"1000-a\nb\n",
		"1000-a\n\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(buf_release) struct buf b;
		CLEANUP(reply_release) struct reply r;

		fill(&b, texts[i]);
		CHECK(reply_take(&r, &b) == -EBADMSG);
		CHECK(!r.rows && !r.heading);
	}
}

static void endless_replies_are_refused(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP(reply_release) struct reply r;

	fill(&b, "1000-");
	while (b.len < CONTROL_REPLY_MAX - 1)
		buf_add(&b, "x", 1);
	CHECK(reply_take(&r, &b) == 0);
	buf_add(&b, "x", 1);
	CHECK(reply_take(&r, &b) == -EBADMSG);
}

static void long_sentences_are_cut_between_characters(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP(reply_release) struct reply r;

	fill(&b, "8411-EIO\n8411 x");
	for (int i = 0; i < 1000; i++)
		buf_adds(&b, "\xc3\xa9");
	buf_adds(&b, "\n");
	CHECK(reply_take(&r, &b) == 1);
	CHECK(strlen(r.text) == SENTENCE_LEN_MAX - 1);
	CHECK((unsigned char)r.text[SENTENCE_LEN_MAX - 2] == 0xa9);
}

static void sentences_stay_on_one_line(void)
{
	struct buf b;
	char back[64];

	buf_init(&b, 100);
	reply_sentence(&b, "a\nb\tc\\d\x1b[31m\x7f");
	CHECK_STR(buf_str(&b), "a\\nb\\tc\\\\d?[31m?");
	(void)snprintf(back, sizeof back, "%s", buf_str(&b));
	reply_unescape(back);
	CHECK_STR(back, "a\nb\tc\\d?[31m?");
	(void)strcpy(back, "\\x\\");
	reply_unescape(back);
	CHECK_STR(back, "\\x\\");
	buf_release(&b);
}

int main(void)
{
	test_run("a table is taken whole", a_table_is_taken_whole);
	test_run("a success is one sentence", a_success_is_one_sentence);
	test_run("a failure has errno and sentence",
		 a_failure_has_errno_and_sentence);
	test_run("a failure after rows shows both",
		 a_failure_after_rows_shows_both);
	test_run("errnos default by class", errnos_default_by_class);
	test_run("pieces wait for the rest", pieces_wait_for_the_rest);
	test_run("rubbish is refused", rubbish_is_refused);
	test_run("endless replies are refused", endless_replies_are_refused);
	test_run("long sentences are cut between characters",
		 long_sentences_are_cut_between_characters);
	test_run("sentences stay on one line", sentences_stay_on_one_line);
	return test_end();
}
