#include "ground/backoff.h"
#include "ground/rate.h"
#include "recvd/gather.h"
#include "test.h"

static void doubles_up_to_a_maximum(void)
{
	static const uint64_t want[] = {250, 500, 1000, 2000, 4000, 5000, 5000};

	for (unsigned n = 0; n < ARRAY_LEN(want); n++)
		CHECK(backoff_ms(n, 250, 5000) == want[n]);
	CHECK(backoff_ms(UINT32_MAX, 1000, 60000) == 60000);
	CHECK(backoff_ms(5, 1000, 60000) == 32000);
	CHECK(backoff_ms(6, 1000, 60000) == 60000);
	CHECK(backoff_ms(3, 100, 50) == 50);
	CHECK(backoff_ms(1, UINT64_MAX / 2 + 2, UINT64_MAX) == UINT64_MAX);
	CHECK(backoff_ms(7, 0, 10) == 0);
}

/* The first look is the rate; then it follows within a second or two. */
static void a_rate_follows(void)
{
	struct rate r = {0};
	uint64_t now = 5000, bytes = 0;

	rate_begin(&r, now);
	rate_look(&r, now + 100, 1000000);
	CHECK(r.per_second == 0); /* too early */
	rate_look(&r, now + 200, 200000);
	CHECK(r.per_second == 1000000);
	bytes = 200000;
	now += 200;
	for (int i = 0; i < 25; i++)
		rate_look(&r, now += 200, bytes += 20000);
	CHECK(r.per_second > 100000 && r.per_second < 120000);
	rate_look(&r, now += 1000, bytes += 300000);
	CHECK(r.per_second > 190000 && r.per_second < 220000);
}

static void a_rate_fades_to_nothing(void)
{
	struct rate r = {0};
	uint64_t now = 1;

	rate_begin(&r, now);
	rate_look(&r, now += 1000, 4000000);
	CHECK(r.per_second == 4000000);
	rate_look(&r, now += 1000, 4000000);
	CHECK(r.per_second == 2000000);
	for (int i = 0; i < 4; i++)
		rate_look(&r, now += 1000, 4000000);
	CHECK(r.per_second == 125000);
	rate_look(&r, now += 10 * RATE_MEMORY_MS + 1, 4000000);
	CHECK(r.per_second == 0);
}

/* A new connection counts from 0 again. */
static void a_counter_that_went_back_is_no_rate(void)
{
	struct rate r = {0};

	rate_begin(&r, 1);
	rate_look(&r, 1001, 4000000);
	rate_look(&r, 2001, 10);
	CHECK(r.per_second == 2000000);
	rate_begin(&r, 2001);
	rate_look(&r, 3001, 2000000);
	CHECK(r.per_second == 2000000);
}

static void only_files_behind_files_are_gathered(void)
{
	CHECK(gather_ms(0, 1000, 1000) == 0);
	CHECK(gather_ms(1, 1000, 0) == 0); /* the first ones ever */
	CHECK(gather_ms(1, 2, 0) == 0);
	CHECK(gather_ms(1, 1000, 1000) == COMMIT_GATHER_MS);
	CHECK(gather_ms(1, 1003, 1000) == COMMIT_GATHER_MS);
	CHECK(gather_ms(1, 1004, 1000) == 0);
	CHECK(gather_ms(COMMIT_GATHER_FILES - 1, 1001, 1000) > 0);
	CHECK(gather_ms(COMMIT_GATHER_FILES, 1001, 1000) == 0);
}

int main(void)
{
	test_run("a pause doubles up to its maximum", doubles_up_to_a_maximum);
	test_run("a rate is right soon after a beginning", a_rate_follows);
	test_run("a rate is near zero soon after an end",
		 a_rate_fades_to_nothing);
	test_run("a counter that went back is no rate",
		 a_counter_that_went_back_is_no_rate);
	test_run("only files that follow files wait for others",
		 only_files_behind_files_are_gathered);
	return test_end();
}
