#include "fuzz_mods.h"

/* Deletion records as text (.mods). A torn tail holds no newline; what stands behind
 * `aborted` lines is whole too. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_release) struct buf b;
	size_t whole = check_mods(MODS_TEXT, data, size), again;

	buf_init(&b, size);
	if (!whole)
		return 0;
	FUZZ_MUST(!memchr(data + whole, '\n', size - whole));
	mods_add_standing(data, size, &b);
	FUZZ_MUST(buf_end(&b) == 0 && b.len <= whole);
	FUZZ_MUST(mods_whole(MODS_TEXT, buf_data(&b), b.len, &again, NULL) ==
		  0);
	FUZZ_MUST(again == b.len);
	return 0;
}
