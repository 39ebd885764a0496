#include "domain/digest.h"
#include "syncd/travel.h"
#include "test.h"

#define MB 1000000u

static void a_fast_way_takes_everything_literally(void)
{
	struct travel t = {0};

	CHECK(!travel_squeezes(&t, 0, BLOCK_LEN)); /* unknown */
	CHECK(!travel_squeezes(&t, 1000 * (uint64_t)MB, BLOCK_LEN));
	CHECK(!travel_squeezes(&t, TRAVEL_WAY_MAX + 1, BLOCK_LEN));
	CHECK(!travel_squeezes(&t, MB, TRAVEL_LEAST - 1));
}

static void a_slow_way_does_not(void)
{
	struct travel t = {0};

	for (int i = 0; i < 100; i++) {
		CHECK(travel_squeezes(&t, MB, BLOCK_LEN));
		travel_squeezed(&t, BLOCK_LEN, BLOCK_LEN / 2,
				1000); /* 262 MB/s */
	}
	CHECK(t.squeeze_rate > 250 * MB && t.squeeze_rate < 270 * MB);
}

static void a_way_faster_than_the_squeezing_is_tried_seldom(void)
{
	struct travel t = {0};
	unsigned n = 0;

	for (int i = 0; i < 640; i++) {
		if (!travel_squeezes(&t, 50 * MB, BLOCK_LEN))
			continue;
		n++;
		travel_squeezed(&t, BLOCK_LEN, BLOCK_LEN / 2,
				10000); /* 26 MB/s */
	}
	CHECK(n >= 5 && n <= 12);
	/* The machine has become idle: soon it pays again. */
	for (int i = 0; i < 6400; i++)
		if (travel_squeezes(&t, 50 * MB, BLOCK_LEN))
			travel_squeezed(&t, BLOCK_LEN, BLOCK_LEN / 2, 500);
	CHECK(travel_squeezes(&t, 50 * MB, BLOCK_LEN));
}

static void what_does_not_give_way_is_tried_seldom(void)
{
	struct travel t = {0};
	unsigned n = 0;

	for (int i = 0; i < 1000; i++) {
		if (!travel_squeezes(&t, MB, BLOCK_LEN))
			continue;
		n++;
		travel_squeezed(&t, BLOCK_LEN, 0, 1000);
	}
	CHECK(n >= 1000 / TRAVEL_PAUSE_MAX && n < 40);
	/* Other data come: from the first that gives way on all are tried. */
	for (unsigned i = 0; i <= TRAVEL_PAUSE_MAX; i++)
		if (travel_squeezes(&t, MB, BLOCK_LEN))
			travel_squeezed(&t, BLOCK_LEN, 1000, 1000);
	CHECK(travel_squeezes(&t, MB, BLOCK_LEN) &&
	      travel_squeezes(&t, MB, BLOCK_LEN));
}

static void a_clock_that_stands_still_does_no_harm(void)
{
	struct travel t = {0};

	travel_squeezed(&t, BLOCK_LEN, 1, 0);
	CHECK(t.squeeze_rate > 0);
	travel_squeezed(&t, BLOCK_LEN, 1, UINT64_MAX / 2);
	(void)travel_squeezes(&t, MB, BLOCK_LEN);
}

int main(void)
{
	test_run("a fast way takes everything literally",
		 a_fast_way_takes_everything_literally);
	test_run("a slow way does not", a_slow_way_does_not);
	test_run("a way faster than the squeezing: tried seldom",
		 a_way_faster_than_the_squeezing_is_tried_seldom);
	test_run("what does not give way: tried seldom",
		 what_does_not_give_way_is_tried_seldom);
	test_run("a clock that stands still",
		 a_clock_that_stands_still_does_no_harm);
	return test_end();
}
