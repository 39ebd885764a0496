#include <errno.h>

#include "domain/precedence.h"
#include "test.h"

static void versions(void)
{
	static const struct {
		const char *text;
		enum precedence rule;
	} known[] = {
		{"0.13.4", PRECEDENCE_BY_VERSION},
		{"0.13", PRECEDENCE_BY_VERSION},
		{"1.0.1", PRECEDENCE_BY_VERSION},
		{"1.2", PRECEDENCE_BY_VERSION},
		{"1.3.0", PRECEDENCE_BY_VERSION},
		{"1.3.2", PRECEDENCE_BY_VERSION},
		{"1.3.2-SNAPSHOT", PRECEDENCE_BY_VERSION},
		{"1.3.3", PRECEDENCE_UNSEQUENCE_WINS},
		{"1.3.3.1", PRECEDENCE_UNSEQUENCE_WINS},
		{"1.3.10", PRECEDENCE_UNSEQUENCE_WINS},
		{"1.4", PRECEDENCE_UNSEQUENCE_WINS},
		{"2.0", PRECEDENCE_UNSEQUENCE_WINS},
		{"2.0.1-beta", PRECEDENCE_UNSEQUENCE_WINS},
		{"2.0.6-SNAPSHOT", PRECEDENCE_UNSEQUENCE_WINS},
		{"10.0.0", PRECEDENCE_UNSEQUENCE_WINS},
	};

	for (size_t k = 0; k < ARRAY_LEN(known); k++) {
		enum precedence rule;

		CHECK(precedence_of_version(known[k].text, &rule) == 0);
		CHECK(rule == known[k].rule);
	}
}

static void no_versions(void)
{
	static const char *const bad[] = {
		"",	  "1",	    "1.3",	 "UNKNOWN",
		"v1.3.3", "1.3.x",  "1.3.",	 ".1.3",
		"1..3",	  "-1.2.3", "1.3.3beta", "99999999999.1",
		" 1.3.3",
	};

	for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
		enum precedence rule;

		CHECK(precedence_of_version(bad[k], &rule) == -EINVAL);
	}
}

/* Both directions, and that a file equals itself. */
static int order(enum precedence rule, struct fileid a, struct fileid b)
{
	int ab = precedence_compare(rule, &a, &b),
	    ba = precedence_compare(rule, &b, &a);

	if (precedence_compare(rule, &a, &a) != 0 || (ab < 0) != (ba > 0) ||
	    ab == 0 || ba == 0)
		return 0;
	return ab < 0 ? -1 : 1;
}

static void by_version(void)
{
	const struct fileid seq2 = {.t = 200, .v = 2};
	const struct fileid unseq1 = {.unsequence = true, .t = 300, .v = 1};
	const struct fileid unseq3 = {.unsequence = true, .t = 100, .v = 3};

	CHECK(order(PRECEDENCE_BY_VERSION, unseq1, seq2) < 0);
	CHECK(order(PRECEDENCE_BY_VERSION, seq2, unseq3) < 0);
	CHECK(order(PRECEDENCE_BY_VERSION, unseq1, unseq3) < 0);
}

static void unsequence_wins(void)
{
	const struct fileid seq9 = {.t = 900, .v = 9};
	const struct fileid unseq1 = {.unsequence = true, .t = 300, .v = 1};
	const struct fileid unseq2 = {.unsequence = true, .t = 100, .v = 2};

	CHECK(order(PRECEDENCE_UNSEQUENCE_WINS, seq9, unseq1) < 0);
	CHECK(order(PRECEDENCE_UNSEQUENCE_WINS, unseq1, unseq2) < 0);
}

static void ties(void)
{
	const struct fileid a = {.t = 1, .v = 5}, later = {.t = 2, .v = 5};
	const struct fileid unseq = {.unsequence = true, .t = 1, .v = 5};
	const struct fileid inner = {.t = 1, .v = 5, .i = 1},
			    cross = {.t = 1, .v = 5, .c = 1};

	for (int rule = PRECEDENCE_BY_VERSION;
	     rule <= PRECEDENCE_UNSEQUENCE_WINS; rule++) {
		CHECK(order((enum precedence)rule, a, later) < 0);
		CHECK(order((enum precedence)rule, a, unseq) < 0);
		CHECK(order((enum precedence)rule, a, inner) < 0);
		CHECK(order((enum precedence)rule, inner, cross) < 0);
	}
	CHECK(order(PRECEDENCE_BY_VERSION, unseq, later) < 0);
}

int main(void)
{
	test_run("the rule changed with 1.3.3", versions);
	test_run("what is no version, or could be either, is refused",
		 no_versions);
	test_run("up to 1.3.2 the higher V wins, wherever it stands",
		 by_version);
	test_run("from 1.3.3 on unsequence wins over sequence, then V",
		 unsequence_wins);
	test_run("equal V: T, then what compaction made from it", ties);
	return test_end();
}
