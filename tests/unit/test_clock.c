#include <errno.h>
#include <limits.h>
#include <time.h>

#include "ground/clock.h"
#include "test.h"

static char text[CLOCK_TEXT_LEN];

static void zone(const char *tz)
{
	(void)setenv("TZ", tz, 1);
	tzset();
}

static void local_time_with_milliseconds(void)
{
	zone("CST-8");
	CHECK_STR(clock_text(INT64_C(1648645110689), text),
		  "2022-03-30T20:58:30.689");
	CHECK_STR(clock_text_offset(INT64_C(1648645110689), text),
		  "2022-03-30T20:58:30.689+08:00");
	zone("UTC0");
	CHECK_STR(clock_text_offset(0, text), "1970-01-01T00:00:00.000+00:00");
	zone("NST3:30");
	CHECK_STR(clock_text_offset(0, text), "1969-12-31T20:30:00.000-03:30");
}

static void zones_that_are_and_are_none(void)
{
	static const char *const none[] = {
		"",	"Mars/Olympus",	   "Asia",	 "+",
		"+19",	"+8:60",	   "+08:00:00",	 "UTC+",
		"UTC8", "../zoneinfo/UTC", "/etc/passwd"};
	char tz[CLOCK_ZONE_LEN];

	CHECK(clock_zone("+08:00", tz) == 0);
	CHECK_STR(tz, "<+0800>-08:00");
	CHECK(clock_zone("GMT-3:30", tz) == 0);
	CHECK_STR(tz, "<-0330>+03:30");
	CHECK(clock_zone("UTC+8", tz) == 0);
	zone(tz);
	CHECK_STR(clock_text_offset(INT64_C(1648645110689), text),
		  "2022-03-30T20:58:30.689+08:00");
	CHECK(clock_zone("Z", tz) == 0 && clock_zone("UTC", tz) == 0);
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		CHECK(clock_zone(none[i], tz) == -EINVAL);
}

static void before_1970(void)
{
	zone("UTC0");
	CHECK_STR(clock_text(-1, text), "1969-12-31T23:59:59.999");
	CHECK_STR(clock_text(-1000, text), "1969-12-31T23:59:59.000");
	CHECK_STR(clock_text(-1001, text), "1969-12-31T23:59:58.999");
}

static void years_that_do_not_fit_are_numbers(void)
{
	zone("UTC0");
	CHECK_STR(clock_text(INT64_C(253402300799999), text),
		  "9999-12-31T23:59:59.999");
	CHECK_STR(clock_text(INT64_C(253402300800000), text),
		  "253402300800000");
	CHECK_STR(clock_text(INT64_MIN, text), "-9223372036854775808");
	CHECK_STR(clock_text_offset(INT64_MAX, text), "9223372036854775807");
}

static void there_and_back(void)
{
	int64_t ms = 0;

	zone("CST-8");
	CHECK(clock_from_local(2022, 3, 30, 20, 58, 30, 689, &ms) == 0);
	CHECK(ms == INT64_C(1648645110689));
	CHECK(clock_from_utc(2022, 3, 30, 12, 58, 30, 689, &ms) == 0);
	CHECK(ms == INT64_C(1648645110689));
	zone("UTC0");
	CHECK(clock_from_local(1969, 12, 31, 23, 59, 59, 0, &ms) == 0);
	CHECK(ms == -1000); /* which mktime also says when it fails */
	CHECK(clock_from_utc(1, 1, 1, 0, 0, 0, 0, &ms) == 0);
	CHECK(ms == INT64_C(-62135596800000));
}

static void summer_time(void)
{
	int64_t ms = 0;

	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	CHECK(clock_from_local(2022, 7, 1, 12, 0, 0, 0, &ms) == 0);
	CHECK_STR(clock_text_offset(ms, text), "2022-07-01T12:00:00.000+02:00");
	CHECK(clock_from_local(2022, 1, 1, 12, 0, 0, 0, &ms) == 0);
	CHECK_STR(clock_text_offset(ms, text), "2022-01-01T12:00:00.000+01:00");
	/* 02:30 does not exist on this day: the clock goes on. */
	CHECK(clock_from_local(2022, 3, 27, 2, 30, 0, 0, &ms) == 0);
	CHECK_STR(clock_text_offset(ms, text), "2022-03-27T03:30:00.000+02:00");
}

static void dates_that_are_none(void)
{
	static const int wrong[][7] = {
		{2022, 2, 30, 0, 0, 0, 0},   {2023, 2, 29, 0, 0, 0, 0},
		{1900, 2, 29, 0, 0, 0, 0},   {2022, 4, 31, 0, 0, 0, 0},
		{2022, 0, 1, 0, 0, 0, 0},    {2022, 13, 1, 0, 0, 0, 0},
		{2022, 1, 0, 0, 0, 0, 0},    {2022, 1, 1, 24, 0, 0, 0},
		{2022, 1, 1, 0, 60, 0, 0},   {2022, 1, 1, 0, 0, 60, 0},
		{2022, 1, 1, 0, 0, 0, 1000}, {2022, 1, 1, -1, 0, 0, 0},
		{10000, 1, 1, 0, 0, 0, 0},   {INT_MIN, 1, 1, 0, 0, 0, 0},
		{2022, 1, 1, 0, 0, 0, -1},
	};
	int64_t ms = 42;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const int *w = wrong[i];

		CHECK(clock_from_local(w[0], w[1], w[2], w[3], w[4], w[5], w[6],
				       &ms) == -EINVAL);
		CHECK(clock_from_utc(w[0], w[1], w[2], w[3], w[4], w[5], w[6],
				     &ms) == -EINVAL);
	}
	CHECK(ms == 42);
	CHECK(clock_from_utc(2000, 2, 29, 0, 0, 0, 0, &ms) == 0);
	CHECK(clock_from_utc(2024, 2, 29, 0, 0, 0, 0, &ms) == 0);
}

static void the_clocks_go(void)
{
	uint64_t us = clock_mono_us(), ms = clock_mono_ms();
	struct timespec nap = {.tv_nsec = 3000000};

	CHECK(clock_wall_ms() > INT64_C(1600000000000));
	CHECK(ms >= us / 1000 && ms - us / 1000 < 10000);
	(void)nanosleep(&nap, NULL);
	CHECK(clock_mono_us() >= us + 3000);
}

int main(void)
{
	test_run("zones that are, and that are none",
		 zones_that_are_and_are_none);
	test_run("local time with milliseconds", local_time_with_milliseconds);
	test_run("before 1970", before_1970);
	test_run("years that do not fit", years_that_do_not_fit_are_numbers);
	test_run("there and back", there_and_back);
	test_run("summer time", summer_time);
	test_run("dates that are none", dates_that_are_none);
	test_run("the clocks go", the_clocks_go);
	return test_end();
}
