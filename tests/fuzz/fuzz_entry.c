#include <string.h>

#include "domain/entry.h"
#include "fuzz.h"

/* The head of an entry, as it stands in a catalog, in the list of a partial file and
 * on the wire: what decodes encodes to the same bytes, in bounds, and its text is one
 * line. */

static void check_bounds(const struct entry *en)
{
	FUZZ_MUST(en->serial > 0 && en->serial <= ENTRY_SERIAL_MAX);
	FUZZ_MUST(en->nonce);
	FUZZ_MUST(name_is_plain(en->file.database));
	FUZZ_MUST(entry_payload_len(en) <= ENTRY_PAYLOAD_MAX);
	FUZZ_MUST(!en->devices || strlen(en->devices) <= ENTRY_DEVICES_MAX);
	FUZZ_MUST(en->time_min <= en->time_max);
	FUZZ_MUST(en->kind == ENTRY_RESTATE || !en->held);
	FUZZ_MUST((en->kind == ENTRY_RESTATE) == (entry_payload_len(en) == 0));
}

static void check_path(const struct fileid *id)
{
	char path[FILEID_PATH_MAX];
	struct fileid again;

	FUZZ_MUST(fileid_parse_path(&again, fileid_path(id, path)) == 0);
	FUZZ_MUST(fileid_equal(&again, id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_over(data, size);
	CLEANUP(entry_release) struct entry en;
	CLEANUP(buf_release) struct buf b;
	char text[512];

	buf_init(&b, ENTRY_HEAD_MAX);
	if (entry_decode(&en, &r) < 0) {
		FUZZ_MUST(en.serial == 0 && !en.devices);
		return 0;
	}
	check_bounds(&en);
	check_path(&en.file);
	entry_encode(&en, &b);
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(b.len == size - rd_left(&r));
	FUZZ_MUST(memcmp(buf_data(&b), data, b.len) == 0);
	(void)entry_text(&en, text, sizeof text);
	for (const char *s = text; *s; s++)
		FUZZ_MUST((uint8_t)*s >= 0x20 && *s != 0x7f);
	return 0;
}
