#include "recvd/load_types.h"
#include "test.h"

/* The table of series and their types. */

static void names(void)
{
	CHECK(types_code("INT32") == 1 && types_code("string") == 11);
	CHECK(types_code("VECTOR") == -1 && types_code("") == -1);
	CHECK_STR(types_name(8), "TIMESTAMP");
	CHECK_STR(types_name(6), "of an unknown type");
	CHECK_STR(types_name(-1), "of an unknown type");
}

static void many(void)
{
	struct types t = {0};
	char path[64];

	CHECK(types_find(&t, "root.a", 6) == -1);
	for (unsigned i = 0; i < 100000; i++) {
		int n = snprintf(path, sizeof path, "root.db.d%u.s", i);

		types_add(&t, path, (size_t)n, (uint8_t)(i % 12));
	}
	CHECK(t.n == 100000);
	for (unsigned i = 0; i < 100000; i++) {
		int n = snprintf(path, sizeof path, "root.db.d%u.s", i);

		CHECK(types_find(&t, path, (size_t)n) == (int)(i % 12));
	}
	CHECK(types_find(&t, "root.db.d.s", 11) == -1);
	types_add(&t, "root.db.d1.s", 12, 5);
	CHECK(t.n == 100000 && types_find(&t, "root.db.d1.s", 12) == 5);
	types_forget(&t);
	CHECK(types_find(&t, "root.db.d1.s", 12) == -1);
}

static void bounded(void)
{
	struct types t = {0};
	char path[64];

	for (unsigned i = 0; i < TYPES_MAX + 10; i++) {
		int n = snprintf(path, sizeof path, "root.%u", i);

		types_add(&t, path, (size_t)n, 1);
	}
	CHECK(t.n == TYPES_MAX);
	types_forget(&t);
}

int main(void)
{
	test_run("types have names", names);
	test_run("a hundred thousand series are told apart", many);
	test_run("what is beyond the bound is not kept", bounded);
	return test_end();
}
