#include <string.h>

#include "domain/mods.h"
#include "fuzz.h"

/* The first byte chooses the form. Whole records are whole again when they stand alone;
 * a longer input never has fewer; a torn tail of a text holds no newline. */

static void check_text(const char *p, size_t n, size_t whole)
{
	CLEANUP(buf_release) struct buf b;
	size_t again;

	FUZZ_MUST(!memchr(p + whole, '\n', n - whole));
	buf_init(&b, n);
	mods_add_standing(p, n, &b);
	FUZZ_MUST(buf_end(&b) == 0 && b.len <= whole);
	FUZZ_MUST(mods_whole(MODS_TEXT, buf_data(&b), b.len, &again, NULL) ==
		  0);
	FUZZ_MUST(again == b.len);
}

/* A cut can be added behind whole records. */
static void check_cut(enum mods_kind kind, const uint8_t *p, size_t whole)
{
	CLEANUP(buf_release) struct buf b;
	size_t again;

	buf_init(&b, whole + 128);
	buf_add(&b, p, whole);
	mods_add_cut(kind, -1, &b);
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(mods_whole(kind, buf_data(&b), b.len, &again, NULL) == 0);
	FUZZ_MUST(again == b.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum mods_kind kind = size && data[0] & 1 ? MODS_BINARY : MODS_TEXT;
	size_t whole, again;
	struct err e;

	if (size == 0)
		return 0;
	data++;
	size--;
	err_clear(&e);
	if (mods_whole(kind, data, size, &whole, &e) < 0) {
		FUZZ_MUST(e.sys > 0 && e.text[0] && whole == 0);
		for (const char *s = e.text; *s; s++)
			FUZZ_MUST((uint8_t)*s >= 0x20 && *s != 0x7f);
		return 0;
	}
	FUZZ_MUST(whole <= size);
	FUZZ_MUST(mods_whole(kind, data, whole, &again, NULL) == 0 &&
		  again == whole);
	if (whole) {
		FUZZ_MUST(mods_whole(kind, data, whole - 1, &again, NULL) == 0);
		FUZZ_MUST(again < whole);
	}
	if (kind == MODS_TEXT)
		check_text((const char *)data, size, whole);
	check_cut(kind, data, whole);
	return 0;
}
