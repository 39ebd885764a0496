/* Which devices and times files share, and the sums of their rows. */
#include <fcntl.h>

#include "syncd/overlap.h"
#include "test.h"

static int open_data(const char *name)
{
	char path[400];
	int fd;

	(void)snprintf(path, sizeof(path), TEST_DATA "/tsfile/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		abort();
	return fd;
}

static bool hits(const struct overlap *o, const char *name)
{
	CLEANUP_CLOSE int fd = open_data(name);
	struct tsfile_range range;

	return overlap_hits(o, fd, &range);
}

static struct tsfile_range add(struct overlap *o, const char *name)
{
	CLEANUP_CLOSE int fd = open_data(name);
	struct tsfile_range range;

	overlap_add(o, fd, &range);
	return range;
}

static void sharing(void)
{
	CLEANUP(overlap_release) struct overlap o = {.n = 0};
	struct tsfile_range range;

	CHECK(!hits(&o, "v3/tiny.tsfile"));
	range = add(&o, "v3/tiny.tsfile");
	CHECK(range.any && range.first == 1 && range.last == 3);
	CHECK(hits(&o, "v3/tiny.tsfile") && hits(&o, "v4/tiny.tsfile"));
	CHECK(!hits(&o, "v3/al.tsfile") && !hits(&o, "v3/old.tsfile"));
	range = add(&o, "v4/al.tsfile");
	CHECK(hits(&o, "v3/al.tsfile") && !hits(&o, "v3/old.tsfile"));
	CHECK(o.all.first == 1 && o.all.last == range.last);
}

static void empty_and_damaged(void)
{
	CLEANUP(overlap_release) struct overlap o = {.n = 0};
	struct tsfile_range range = add(&o, "v3/empty.tsfile");

	CHECK(!range.any && !o.all.any);
	CHECK(!hits(&o, "v3/tiny.tsfile"));
	/* No index: it may hold anything at any time. */
	range = add(&o, "files.index");
	CHECK(range.any && range.first == INT64_MIN && range.last == INT64_MAX);
	CHECK(hits(&o, "v3/tiny.tsfile") && hits(&o, "v3/old.tsfile"));
	CHECK(!hits(&o, "v3/empty.tsfile"));
}

static void ranges(void)
{
	const struct tsfile_range none = {.any = false};
	const struct tsfile_range a = {true, 1, 3}, b = {true, 3, 9};
	const struct tsfile_range c = {true, 4, 9};

	CHECK(overlap_ranges(&a, &b) && overlap_ranges(&b, &a));
	CHECK(!overlap_ranges(&a, &c) && !overlap_ranges(&c, &a));
	CHECK(!overlap_ranges(&a, &none) && !overlap_ranges(&none, &a));
}

static uint64_t sum(const char *name)
{
	CLEANUP_CLOSE int fd = open_data(name);
	struct tsfile_range range;
	struct err e = {0};
	uint64_t s = 0;

	if (overlap_row_sum(fd, &range, &s, &e))
		abort();
	return s;
}

static void sums(void)
{
	CLEANUP_CLOSE int fd = open_data("files.index");
	struct tsfile_range range;
	struct err e = {0};
	uint64_t s = 0;

	CHECK(sum("v3/tiny.tsfile") != 0);
	/* The same rows in another version of the format. */
	CHECK(sum("v3/tiny.tsfile") == sum("v4/tiny.tsfile"));
	CHECK(sum("v3/tiny.tsfile") != sum("v3/tinyal.tsfile"));
	CHECK(sum("v3/empty.tsfile") == 0);
	CHECK(overlap_row_sum(fd, &range, &s, &e) < 0 && e.sys);
}

int main(void)
{
	test_run("files share a device and a time, or not", sharing);
	test_run("an empty file shares nothing, a damaged one everything",
		 empty_and_damaged);
	test_run("ranges include both ends", ranges);
	test_run("the sum of rows goes by series and count", sums);
	return test_end();
}
