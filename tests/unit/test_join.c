#include "fs/join.h"
#include "test.h"

static const char *joined(const char *a, const char *b)
{
	static char text[2048];
	CLEANUP(buf_release) struct buf x = {0}, y = {0}, out = {0};

	buf_init(&x, 1024);
	buf_init(&y, 1024);
	buf_init(&out, 4096);
	buf_adds(&x, a);
	buf_adds(&y, b);
	join_log(&out, &x, &y);
	(void)snprintf(text, sizeof text, "%s", buf_str(&out));
	return text;
}

#define AT(s) "2026-03-30T20:58:30." s " "

static void logs_by_time(void)
{
	CHECK_STR(joined(AT("100") "a\n" AT("300") "b\n", AT("200") "c\n"),
		  AT("100") "a\n" AT("200") "c\n" AT("300") "b\n");
	CHECK_STR(joined("", AT("200") "c\n"), AT("200") "c\n");
	CHECK_STR(joined("", ""), "");
}

/* A line without a time belongs to the event before it. */
static void lines_of_one_event_stay_together(void)
{
	CHECK_STR(joined(AT("100") "a\nmore of a\nand more\n" AT("300") "b\n",
			 AT("200") "c\n"),
		  AT("100") "a\nmore of a\nand more\n" AT("200") "c\n" AT(
			  "300") "b\n");
	CHECK_STR(joined(AT("200") "c\n", AT("100") "a\nmore of a\n"),
		  AT("100") "a\nmore of a\n" AT("200") "c\n");
}

static void a_last_line_without_an_end_gets_one(void)
{
	CHECK_STR(joined(AT("100") "a", AT("200") "c"),
		  AT("100") "a\n" AT("200") "c\n");
}

int main(void)
{
	test_run("two logs are one by time", logs_by_time);
	test_run("lines of one event stay together",
		 lines_of_one_event_stay_together);
	test_run("a last line without an end gets one",
		 a_last_line_without_an_end_gets_one);
	return test_end();
}
