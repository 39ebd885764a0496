#include "recvd/quota.h"
#include "test.h"

static void a_bucket_gives_a_burst_then_its_rate(void)
{
	struct quota_bucket b = {0};
	unsigned n = 0;

	while (quota_take(&b, 1000, 3, 2000))
		n++;
	CHECK(n == 3);
	CHECK(quota_wait_ms(&b, 1000, 3, 2000) > 400);
	CHECK(!quota_take(&b, 1499, 3, 2000));
	CHECK(quota_take(&b, 1501, 3, 2000) && !quota_take(&b, 1502, 3, 2000));
	/* it never holds more than its burst */
	for (n = 0; quota_take(&b, 1000000, 3, 2000);)
		n++;
	CHECK(n == 3);
}

/* Asking often must not lose the fractions. */
static void a_slow_rate_is_kept_by_who_asks_often(void)
{
	struct quota_bucket b = {0};
	unsigned n = 0;

	CHECK(quota_take(&b, 0, 1, 100));
	for (uint64_t at = 1; at <= 100000; at++)
		n += quota_take(&b, at, 1, 100);
	CHECK(n == 9 || n == 10);
}

static void a_clock_that_stands_still_gives_nothing(void)
{
	struct quota_bucket b = {0};

	CHECK(quota_take(&b, 5000, 1, 1000000));
	CHECK(!quota_take(&b, 5000, 1, 1000000));
	CHECK(!quota_take(&b, 4000, 1, 1000000));
	CHECK(quota_wait_ms(&b, 5000, 1, 0) > 0);
}

static void every_refusal_has_its_name(void)
{
	for (int i = 0; i < N_REFUSALS; i++) {
		CHECK(refusal_name((enum refused_for)i)[0]);
		for (int j = 0; j < i; j++)
			CHECK(strcmp(refusal_name((enum refused_for)i),
				     refusal_name((enum refused_for)j)) != 0);
	}
}

int main(void)
{
	test_run("a bucket gives a burst, then its rate",
		 a_bucket_gives_a_burst_then_its_rate);
	test_run("a slow rate is kept by who asks often",
		 a_slow_rate_is_kept_by_who_asks_often);
	test_run("a clock that stands still gives nothing",
		 a_clock_that_stands_still_gives_nothing);
	test_run("every refusal has its name", every_refusal_has_its_name);
	return test_end();
}
