#include <errno.h>
#include <limits.h>
#include <time.h>

#include "domain/sql.h"
#include "test.h"

#define NOW 1700000000123

static const struct sql_setting ms = {SQL_MS, NOW};
static const struct sql_setting us = {SQL_US, NOW};
static const struct sql_setting ns = {SQL_NS, NOW};

static void use_zone(const char *tz)
{
	(void)setenv("TZ", tz, 1);
	tzset();
}

struct instant {
	const char *text;
	int64_t want; /* milliseconds */
};

static bool is_understood(const struct instant *i)
{
	struct err e = {0};
	int64_t have = 0;

	if (sql_time(i->text, &ms, &have, &e) == 0 && have == i->want)
		return true;
	printf("# %s\n# have %lld, want %lld %s\n", i->text, (long long)have,
	       (long long)i->want, e.text);
	return false;
}

static void all_forms_are_read(void)
{
	static const struct instant cases[] = {
		{"5", 5},
		{"-5", -5},
		{"+5", 5},
		{"'5'", 5},
		{"0", 0},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
		{"1970-01-01T00:00:00", 0},
		{"1970-1-1", 0},
		{"1900-01-01T00:00:00", -2208988800000},
		{"2022-03-30", 1648598400000},
		{"2022/03/30", 1648598400000},
		{"2022.03.30", 1648598400000},
		{"2022-3-30 0:0:0", 1648598400000},
		{"2022-03-30 00:00:00", 1648598400000},
		{"  2022-03-30\n 00:00:00 ", 1648598400000},
		{"'2022-03-30 00:00:00'", 1648598400000},
		{"\"2022-03-30T00:00:00\"", 1648598400000},
		{"2022/3/30t00:00:00.000", 1648598400000},
		{"2022-03-30T12:34", 1648643640000},
		{"2022-03-30T00:00:00.1", 1648598400100},
		{"2022-03-30 00:00:00.123", 1648598400123},
		{"2022-03-30 00:00:00.1239999999", 1648598400123},
		{"2022-03-30T00:00:00Z", 1648598400000},
		{"2022-03-30T00:00:00+08:00", 1648569600000},
		{"2022-03-30 00:00:00.123+08:00", 1648569600123},
		{"2022-3-30T00:00:00-3:30", 1648611000000},
		{"2020-02-29", 1582934400000},
		{"now()", NOW},
		{"NOW( )", NOW},
		{"now() - 1d", NOW - 86400000},
		{"now()-1d", NOW - 86400000},
		{"now() + 1h", NOW + 3600000},
		{"now() - 1d12h + 30m", NOW - 129600000 + 1800000},
		{"'now()' - 1s", NOW - 1000},
		{"2022-03-30 00:00:00 + 1d", 1648684800000},
		{"2022-03-30T00:00:00-1d", 1648512000000},
		{"2022-03-30T00:00:00+08:00 - 1w", 1647964800000},
		{"'2022-03-30 00:00:00' + 1d", 1648684800000},
		{"100 + 1ms", 101},
		{"100 + 999us", 100},
		{"100 + 1999us", 101},
		{"0 + 1mo", INT64_C(30) * 86400000},
		{"0 + 1Y", INT64_C(365) * 86400000},
		{"0 + 5000ns", 0},
	};

	use_zone("UTC");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK(is_understood(&cases[i]));
}

static void bare_times_are_local(void)
{
	static const struct instant china[] = {
		{"2022-03-30 00:00:00", 1648569600000},
		{"2022-03-30", 1648569600000},
		{"2022-03-30T00:00:00Z", 1648598400000},
	};
	static const struct instant berlin[] = {
		{"2022-03-30 00:00:00", 1648591200000},
		{"2022-01-30 00:00:00", 1643497200000},
	};

	use_zone("CST-8");
	for (size_t i = 0; i < ARRAY_LEN(china); i++)
		CHECK(is_understood(&china[i]));
	use_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	for (size_t i = 0; i < ARRAY_LEN(berlin); i++)
		CHECK(is_understood(&berlin[i]));
	use_zone("UTC");
}

static void ticks_follow_the_precision(void)
{
	int64_t v;

	CHECK(sql_time("2022-03-30 00:00:00.123456789", &us, &v, NULL) == 0);
	CHECK(v == 1648598400123456);
	CHECK(sql_time("2022-03-30 00:00:00.123456789", &ns, &v, NULL) == 0);
	CHECK(v == 1648598400123456789);
	CHECK(sql_time("1969-12-31 23:59:59.9", &ns, &v, NULL) == 0);
	CHECK(v == -100000000);
	CHECK(sql_time("now() - 1us", &us, &v, NULL) == 0);
	CHECK(v == NOW * 1000LL - 1);
	CHECK(sql_time("now() - 1ns", &ns, &v, NULL) == 0);
	CHECK(v == NOW * 1000000LL - 1);
	CHECK(sql_time("5", &ns, &v, NULL) == 0);
	CHECK(v == 5);
	CHECK(sql_time("5 + 1s", &ns, &v, NULL) == 0);
	CHECK(v == 1000000005);
}

static void what_is_no_time_is_refused(void)
{
	static const char *const texts[] = {
		"",
		" ",
		"'",
		"''",
		"5.0",
		"1e3",
		"0x10",
		"- 5",
		"--5",
		"9223372036854775808",
		"-9223372036854775809",
		"9223372036854775807 + 1ms",
		"-9223372036854775808 - 1ms",
		"99999999999999999999",
		"null",
		"true",
		"NaN",
		"1d",
		"1648569600000ms",
		"yyyy-mm-dd HH:MM:SS",
		"2022-13-01",
		"2022-13-45 00:00:00",
		"2022-00-01",
		"2022-02-30",
		"2021-02-29",
		"2022-03",
		"22-03-30",
		"20222-03-30",
		"2022-03/30",
		"2022-003-30",
		"2022-03-30T",
		"2022-03-30 24:00:00",
		"2022-03-30 25:00:00",
		"2022-03-30 00:60:00",
		"2022-03-30 00:00:60",
		"2022-03-30 00",
		"2022-03-30 00:",
		"2022-03-30 00:00:",
		"2022-03-30 00:00:00.",
		"2022-03-30 00:00:00x",
		"2022-03-30 00:00:00+99:99",
		"2022-03-30 00:00:00+19:00",
		"2022-03-30 00:00:00+08",
		"2022-03-30 00:00:00 + 1",
		"2022-03-30 00:00:00 +",
		"2022-03-30 00:00:00 + 1dd",
		"2022-03-30 00:00:00 + d",
		"2022-03-30 00:00:00 + 99999999999999999999d",
		"2022-03-30 00:00:00 * 2",
		"now",
		"now(",
		"now(1)",
		"nowhere",
		"now() 1d",
		"'2022-03-30",
		"'2022-03-30\"",
		"'2022-03-30' x",
		"2022-03-30'",
	};

	use_zone("UTC");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err e = {0};
		int64_t v = 42;
		int r = sql_time(texts[i], &ms, &v, &e);

		if (r != -EINVAL)
			printf("# taken: %s\n", texts[i]);
		CHECK(r == -EINVAL && v == 42);
		CHECK(e.code == 303 && e.sys == EINVAL);
	}
}

static void the_sentence_shows_the_time_as_written(void)
{
	struct err e = {0};
	char text[2000];
	int64_t v;

	CHECK(sql_time(" '2022-13-45 00:00:00' ", &ms, &v, &e) == -EINVAL);
	CHECK_STR(e.text,
		  "Check metadata error: Input time format 2022-13-45 00:00:00 "
		  "error. Input like yyyy-MM-dd HH:mm:ss, yyyy-MM-ddTHH:mm:ss "
		  "or refer to user document for more info.");
	CHECK(sql_time("2300-01-01", &ns, &v, &e) == -EINVAL);
	CHECK(strstr(e.text, "out of the range of this precision"));
	CHECK(sql_time("2262-04-11", &ns, &v, &e) == 0);
	CHECK(sql_time("1600-01-01", &ns, &v, &e) == -EINVAL);
	CHECK(sql_time("2300-01-01", &us, &v, &e) == 0);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	CHECK(sql_time(text, &ms, &v, &e) == -EINVAL);
	CHECK(strlen(e.text) < 512);
}

int main(void)
{
	test_run("all forms are read", all_forms_are_read);
	test_run("bare times are local", bare_times_are_local);
	test_run("ticks follow the precision", ticks_follow_the_precision);
	test_run("what is no time is refused", what_is_no_time_is_refused);
	test_run("the sentence shows the time as written",
		 the_sentence_shows_the_time_as_written);
	return test_end();
}
