#include "test.h"

#include <ftw.h>
#include <limits.h>

struct test_state test_now;

static char test_tmp[PATH_MAX];

void test_fail(const char *file, int line, const char *what)
{
	if (test_now.what)
		return;
	test_now.what = what;
	test_now.file = file;
	test_now.line = line;
}

int test_same(const char *file, int line, const char *have, const char *want)
{
	if (have && strcmp(have, want) == 0)
		return 1;
	printf("# have: %s\n# want: %s\n", have ? have : "(null)", want);
	test_fail(file, line, "the texts are equal");
	return 0;
}

void test_run(const char *name, void (*fn)(void))
{
	test_now.what = NULL;
	fn();
	test_now.n++;
	if (test_now.what) {
		test_now.n_failed++;
		printf("# %s:%d: %s\n", test_now.file, test_now.line, test_now.what);
	}
	printf("%sok %d - %s\n", test_now.what ? "not " : "", test_now.n, name);
	(void)fflush(stdout);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

int test_end(void)
{
	printf("1..%d\n", test_now.n);
	if (test_tmp[0])
		(void)nftw(test_tmp, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return test_now.n_failed ? 1 : 0;
}

const char *test_dir(void)
{
	const char *base = getenv("TMPDIR");

	if (!test_tmp[0]) {
		(void)snprintf(test_tmp, sizeof test_tmp, "%s/tsferry-test-XXXXXX",
			       base ? base : "/tmp");
		if (!mkdtemp(test_tmp)) {
			perror("mkdtemp");
			exit(2);
		}
	}
	return test_tmp;
}

const char *test_data(const char *name)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/%s", TEST_DATA, name);
	return path;
}
