#include <string.h>

#include "domain/fileid.h"
#include "fuzz.h"

/* Names of files and directories in IoTDB's tree, and names that become directories. No two
 * names have one identity: what is parsed is written the same. */

static void check_name(const char *text)
{
	struct fileid before = {.database = "root.a", .t = 7, .region = 3};
	struct fileid id = before;
	char name[FILEID_PATH_MAX];

	if (fileid_parse_name(&id, text) < 0) {
		FUZZ_MUST(fileid_equal(&id, &before));
		return;
	}
	FUZZ_MUST(strcmp(fileid_name(&id, name), text) == 0);
	FUZZ_MUST(id.region == 3 && strcmp(id.database, "root.a") == 0);
	FUZZ_MUST((id.t | id.v | id.i | id.c) <= INT64_MAX);
}

static void check_path(const char *text)
{
	char path[FILEID_PATH_MAX], dir[FILEID_PATH_MAX];
	struct fileid id;

	if (fileid_parse_path(&id, text) < 0)
		return;
	FUZZ_MUST(strlen(text) < FILEID_PATH_MAX);
	FUZZ_MUST(strcmp(fileid_path(&id, path), text) == 0);
	FUZZ_MUST(strncmp(fileid_dir(&id, dir), text, strlen(dir)) == 0);
	FUZZ_MUST(name_is_plain(id.database));
	FUZZ_MUST(!strstr(path, "/../") && !strstr(path, "/./"));
}

static void check_numbers(const char *text)
{
	char again[32];
	int64_t partition;
	uint32_t region;

	if (fileid_parse_partition(&partition, text) == 0) {
		(void)snprintf(again, sizeof again, "%lld",
			       (long long)partition);
		FUZZ_MUST(strcmp(again, text) == 0);
	}
	if (fileid_parse_region(&region, text) == 0) {
		(void)snprintf(again, sizeof again, "%u", region);
		FUZZ_MUST(strcmp(again, text) == 0);
	}
}

static void check_plain(const char *text)
{
	struct err e = {0};

	if (database_check(text, &e) < 0) {
		FUZZ_MUST(e.text[0]);
		for (const char *s = e.text; *s; s++)
			FUZZ_MUST((uint8_t)*s >= 0x20 && *s != 0x7f);
	}
	if (!name_is_plain(text))
		return;
	FUZZ_MUST(text[0] && text[0] != '.' && !strchr(text, '/'));
	FUZZ_MUST(strlen(text) <= DATABASE_MAX);
	for (const char *s = text; *s; s++)
		FUZZ_MUST((uint8_t)*s >= 0x20 && *s != 0x7f);
}

static void check_shown(const uint8_t *p, size_t n)
{
	char to[40];

	FUZZ_MUST(name_shown(to, sizeof to, (const char *)p, n) == to);
	FUZZ_MUST(strlen(to) < sizeof to);
	for (const char *s = to; *s; s++)
		FUZZ_MUST((uint8_t)*s >= 0x20 && *s != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xcalloc(1, size + 1);

	if (size)
		memcpy(text, data, size);
	check_name(text);
	check_path(text);
	check_numbers(text);
	check_plain(text);
	check_shown(data, size);
	free(text);
	return 0;
}
