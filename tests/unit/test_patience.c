/* Deadlines of a link, on a clock that only goes forward. */
#include "syncd/patience.h"
#include "test.h"

static void test_limit(void)
{
	struct patience p;

	patience_init(&p, 1000);
	CHECK(!patience_is_over(&p, 60999, 60000));
	CHECK(patience_is_over(&p, 61000, 60000));
	CHECK(!patience_is_over(&p, UINT64_MAX, 0));
	patience_online(&p);
	CHECK(!patience_is_over(&p, 999000, 60000));
	patience_offline(&p, 1000000);
	patience_offline(&p, 1030000); /* a failed try does not begin it anew */
	CHECK(!patience_is_over(&p, 1059999, 60000));
	CHECK(patience_is_over(&p, 1060000, 60000));
	patience_restart(&p, 1060000);
	CHECK(!patience_is_over(&p, 1060001, 60000));
}

static void test_pauses(void)
{
	static const uint64_t want[] = {200,  400,   800,   1600,  3200,
					6400, 12800, 25600, 30000, 30000};
	struct patience p;

	patience_init(&p, 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		CHECK(patience_pause(&p, 0) == want[i]);
	CHECK(patience_pause(&p, UINT16_MAX) == 22500);
	patience_again(&p);
	CHECK(patience_pause(&p, UINT16_MAX) == 150);
	patience_again(&p);
	for (size_t i = 0; i < 8;
	     i++) { /* let in and sent away, again and again */
		uint64_t ms;

		patience_online(&p);
		patience_busy(&p);
		ms = patience_pause(&p, 0);
		CHECK(ms == (i < 5 ? 200u << i : 5000));
	}
	CHECK(patience_pause(&p, 0) == 5000); /* then it is away */
	CHECK(patience_pause(&p, 0) == 10000);
	patience_moved(&p);
	patience_online(&p);
	CHECK(patience_pause(&p, 0) == 200);
	CHECK(patience_error_pause(0) == 20000);
	CHECK(patience_error_pause(UINT16_MAX) == 10000);
}

static void test_quick(void)
{
	struct patience p;
	uint64_t ms = 0;

	patience_init(&p, 0);
	for (unsigned i = 0; i < PATIENCE_QUICK; i++) {
		patience_quick(&p);
		ms += patience_pause(&p, 0);
	}
	CHECK(ms == PATIENCE_QUICK * PATIENCE_QUICK_MS && ms <= 1000);
	patience_quick(&p);
	CHECK(patience_pause(&p, 0) == 200);
	patience_online(&p); /* let in and cut again: no quicker for it */
	patience_quick(&p);
	CHECK(patience_pause(&p, 0) == 200);
	patience_quick(&p);
	CHECK(patience_pause(&p, 0) == 400);
	patience_moved(&p);
	patience_quick(&p);
	CHECK(patience_pause(&p, UINT16_MAX) == PATIENCE_QUICK_MS / 2);
	CHECK(patience_pause(&p, 0) == 200); /* the word holds for one pause */
	patience_busy(&p);
	patience_quick(&p);
	CHECK(patience_pause(&p, 0) == 400);
}

int main(void)
{
	test_run("a limit counts from the last link, not from the last try",
		 test_limit);
	test_run("pauses double up to 30 s, and a word begins anew",
		 test_pauses);
	test_run("a port that is shut is tried in quick steps for a second",
		 test_quick);
	return test_end();
}
