#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "syncd/coverage.h"

/* Deletions of a captured file as a set. The first byte chooses the form; the rest are
 * records, half of which are added first. What was added is missing no more, whatever else
 * is there; what the set says of itself, in either form and in the catalog's, says the
 * same. */

#define BODY 1000u

static int one_part(void *arg, const struct record *rec, int64_t first,
		    int64_t last)
{
	size_t *n = arg;

	FUZZ_MUST(first <= last);
	FUZZ_MUST(first >= rec->start && last <= rec->end);
	++*n;
	return 0;
}

/* How many parts of these records the set has not. */
static size_t missing(struct coverage *c, enum mods_kind kind, const uint8_t *p,
		      size_t n)
{
	struct record rec;
	size_t parts = 0;
	ssize_t len;

	while ((len = records_next(kind, p, n, &rec)) > 0) {
		if (rec.path)
			FUZZ_MUST(coverage_missing(c, &rec, BODY, one_part,
						   &parts) == 0);
		p += len;
		n -= (size_t)len;
	}
	return parts;
}

static void check_printed(struct coverage *c, enum mods_kind kind)
{
	CLEANUP(coverage_release) struct coverage again = {0};
	CLEANUP(buf_release) struct buf b = {0};
	size_t whole;
	int r;

	coverage_init(&again);
	buf_init(&b, 4 * MODS_MAX);
	r = coverage_print(c, kind, &b);
	if (r < 0) {
		FUZZ_MUST(r == -ENOTSUP && kind == MODS_TEXT);
		return;
	}
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(mods_whole(kind, buf_data(&b), b.len, &whole, NULL) == 0);
	FUZZ_MUST(whole == b.len);
	FUZZ_MUST(missing(c, kind, buf_data(&b), b.len) == 0);
}

static void check_encoded(struct coverage *c, enum mods_kind kind,
			  const uint8_t *p, size_t n)
{
	CLEANUP(coverage_release) struct coverage again = {0};
	CLEANUP(buf_release) struct buf one = {0}, two = {0};

	coverage_init(&again);
	buf_init(&one, COVERAGE_MAX);
	buf_init(&two, COVERAGE_MAX);
	coverage_encode(c, &one);
	FUZZ_MUST(buf_end(&one) == 0);
	FUZZ_MUST(coverage_decode(&again, buf_data(&one), one.len) == 0);
	FUZZ_MUST(missing(&again, kind, p, n) == 0);
	coverage_encode(&again, &two);
	FUZZ_MUST(one.len == two.len);
	FUZZ_MUST(!one.len ||
		  memcmp(buf_data(&one), buf_data(&two), one.len) == 0);
}

/* The catalog's form from anywhere: refused, or a set like any other. */
static void check_decoding(const uint8_t *p, size_t n)
{
	CLEANUP(coverage_release) struct coverage c = {0};
	CLEANUP(buf_release) struct buf b = {0};

	coverage_init(&c);
	buf_init(&b, 4 * MODS_MAX);
	if (coverage_decode(&c, p, n) < 0)
		return;
	(void)!coverage_print(&c, MODS_BINARY, &b);
	buf_clear(&b);
	coverage_encode(&c, &b);
	FUZZ_MUST(buf_end(&b) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(coverage_release) struct coverage c = {0};
	enum mods_kind kind = size && data[0] & 1 ? MODS_BINARY : MODS_TEXT;
	size_t whole, half;

	coverage_init(&c);
	if (size == 0)
		return 0;
	if (data[0] & 2) {
		check_decoding(data + 1, size - 1);
		return 0;
	}
	data++;
	size--;
	if (mods_whole(kind, data, size, &whole, NULL) < 0 ||
	    mods_whole(kind, data, whole / 2, &half, NULL) < 0)
		return 0;
	FUZZ_MUST(coverage_add_all(&c, kind, data, half, BODY) == 0);
	FUZZ_MUST(missing(&c, kind, data, half) == 0);
	FUZZ_MUST(coverage_add_all(&c, kind, data + half, whole - half, BODY) ==
		  0);
	FUZZ_MUST(missing(&c, kind, data, whole) == 0);
	check_encoded(&c, kind, data, whole);
	if (kind == MODS_BINARY)
		check_printed(&c, MODS_BINARY);
	else
		check_printed(&c, MODS_TEXT);
	return 0;
}
