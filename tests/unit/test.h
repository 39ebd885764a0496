/* Unit tests: TAP on stdout, real functions, no registry.
 *
 *	int main(void) { test_run("what must be true", a_function); return test_end(); }
 *
 * CHECK reports the first failure of a test with file and line and leaves the
 * test function; the others still run. */
#ifndef TSFERRY_TEST_H
#define TSFERRY_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ground/base.h"

struct test_state {
	int n, n_failed;
	const char *what; /* of the failure in the running test */
	const char *file;
	int line;
};

extern struct test_state test_now;

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			test_fail(__FILE__, __LINE__, #cond);                  \
			return;                                                \
		}                                                              \
	} while (0)

#define CHECK_STR(have, want)                                                  \
	do {                                                                   \
		if (!test_same(__FILE__, __LINE__, (have), (want)))            \
			return;                                                \
	} while (0)

void test_fail(const char *file, int line, const char *what);
int test_same(const char *file, int line, const char *have, const char *want);
void test_run(const char *name, void (*fn)(void));
int test_end(void); /* prints the plan; the exit status */

/* A fresh directory under $TMPDIR, removed by test_end(). Borrowed string. */
const char *test_dir(void);
/* PATH below the source's tests/data (TEST_DATA is defined by the build). Borrowed,
 * until the next call. */
const char *test_data(const char *name);

#endif
