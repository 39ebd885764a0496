#include <errno.h>
#include <string.h>

#include "domain/control.h"
#include "fuzz.h"

/* A stream of replies: what is taken off can be printed in every form, and what was
 * decided with fewer bytes is not decided otherwise with more. */

static int take(const uint8_t *p, size_t n, size_t *taken)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP(reply_release) struct reply r = {0};
	int result;

	buf_init(&b, n);
	buf_add(&b, p, n);
	result = reply_take(&r, &b);
	*taken = n - b.len;
	return result;
}

static void check_prefixes(const uint8_t *p, size_t n, int whole, size_t taken)
{
	size_t step = n < 64 ? 1 : n / 16, t;

	for (size_t k = 0; k < n; k += step) {
		int r = take(p, k, &t);

		FUZZ_MUST(r == 0 || r == whole);
		FUZZ_MUST(r != 1 || t == taken);
	}
}

static void print_all(const struct reply *r, size_t n)
{
	static const enum table_form forms[] = {TABLE_DRAWN, TABLE_TABS,
						TABLE_JSON};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		CLEANUP(buf_release) struct buf out;

		/* Drawing pads every cell of a column to the widest. */
		buf_init(&out, (n + 70) * (n + 70));
		reply_print(r, forms[i], &out);
		FUZZ_MUST(buf_end(&out) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_release) struct buf b = {0};
	int result;

	if (size > 65536)
		return 0;
	buf_init(&b, size);
	buf_add(&b, data, size);
	do {
		CLEANUP(reply_release) struct reply r = {0};
		CLEANUP_FREE uint8_t *copy = xcalloc(1, b.len + 1);
		size_t n = b.len;

		if (n)
			memcpy(copy, buf_data(&b), n);
		result = reply_take(&r, &b);
		FUZZ_MUST(result == 1 || result == 0 || result == -EBADMSG);
		check_prefixes(copy, n, result, n - b.len);
		if (result == 1) {
			FUZZ_MUST((r.code >= 8000) == (r.sys != 0));
			FUZZ_MUST(strlen(r.text) < SENTENCE_LEN_MAX);
			print_all(&r, n - b.len);
		}
	} while (result == 1);
	return 0;
}
