#include <stdbool.h>

#include "ground/histogram.h"
#include "test.h"

static bool has(struct buf *b, const char *line)
{
	return strstr(buf_str(b), line) != NULL;
}

static void counts_by_bounds(void)
{
	CLEANUP(buf_release) struct buf b;
	struct histogram h = {0};

	buf_init(&b, 1 << 16);
	histogram_add(&h, -5); /* a clock that was set back */
	histogram_add(&h, 500);
	histogram_add(&h, 501);
	histogram_add(&h, 1000000);
	histogram_add(&h, 1000001);
	histogram_print(&h, "x_seconds", "", &b);
	CHECK(has(&b, "x_seconds_bucket{le=\"0.0005\"} 2\n"));
	CHECK(has(&b, "x_seconds_bucket{le=\"0.001\"} 3\n"));
	CHECK(has(&b, "x_seconds_bucket{le=\"0.5\"} 3\n"));
	CHECK(has(&b, "x_seconds_bucket{le=\"1\"} 4\n"));
	CHECK(has(&b, "x_seconds_bucket{le=\"2.5\"} 5\n"));
	CHECK(has(&b, "x_seconds_bucket{le=\"+Inf\"} 5\n"));
	CHECK(has(&b, "x_seconds_sum 2.001002\n"));
	CHECK(has(&b, "x_seconds_count 5\n"));
}

static void more_than_a_day(void)
{
	CLEANUP(buf_release) struct buf b;
	struct histogram h = {0};

	buf_init(&b, 1 << 16);
	histogram_add(&h, 86400000001);
	histogram_print(&h, "x", "pipe=\"p\"", &b);
	CHECK(has(&b, "x_bucket{pipe=\"p\",le=\"86400\"} 0\n"));
	CHECK(has(&b, "x_bucket{pipe=\"p\",le=\"+Inf\"} 1\n"));
	CHECK(has(&b, "x_sum{pipe=\"p\"} 86400.000001\n"));
	CHECK(has(&b, "x_count{pipe=\"p\"} 1\n"));
}

int main(void)
{
	test_run("counts by bounds, cumulative", counts_by_bounds);
	test_run("above the last bound, with labels", more_than_a_day);
	return test_end();
}
