#include <string.h>

#include "domain/sql.h"
#include "fuzz.h"

/* Statements that arrive in pieces, cut at every byte. Wherever a statement ends when all is
 * there, one ends also when it comes in pieces; pieces may only end more of them (a
 * line that would go on with the one before came in a later write). */

#define TEXT_MAX 400u

/* at[i]: a statement ends behind i bytes. */
static void ends_of_whole(const char *p, size_t n, bool *at)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = sql_split(p + i, n - i, true);
		FUZZ_MUST(len > 0 && len <= n - i);
		at[i + len] = true;
	}
}

/* The first `cut` bytes, then the rest. What is cut off stays for the next piece. */
static void ends_of_pieces(const char *p, size_t n, size_t cut, bool *at)
{
	size_t i = 0, len;

	while (i < cut && (len = sql_split(p + i, cut - i, false)) > 0) {
		FUZZ_MUST(len <= cut - i);
		i += len;
		at[i] = true;
	}
	ends_of_whole(p + i, n - i, at + i);
}

static void ends_of_bytes(const char *p, size_t n, bool *at)
{
	size_t begin = 0;

	for (size_t i = 1; i <= n; i++) {
		size_t len = sql_split(p + begin, i - begin, false);

		FUZZ_MUST(len == 0 || len == i - begin);
		begin += len;
		at[begin] = true;
	}
	if (begin < n)
		ends_of_whole(p + begin, n - begin, at + begin);
}

static void check_finer(const bool *whole, const bool *pieces, size_t n)
{
	for (size_t i = 1; i <= n; i++)
		FUZZ_MUST(!whole[i] || pieces[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	bool whole[TEXT_MAX + 1] = {false}, pieces[TEXT_MAX + 1];

	if (size > TEXT_MAX)
		return 0;
	ends_of_whole(p, size, whole);
	for (size_t cut = 0; cut < size; cut++) {
		memset(pieces, 0, sizeof pieces);
		ends_of_pieces(p, size, cut, pieces);
		check_finer(whole, pieces, size);
	}
	memset(pieces, 0, sizeof pieces);
	ends_of_bytes(p, size, pieces);
	check_finer(whole, pieces, size);
	return 0;
}
