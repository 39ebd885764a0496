#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "domain/precedence.h"
#include "fuzz.h"
#include "ground/fileio.h"
#include "syncd/iotdb_home.h"

/* The input is one of IoTDB's properties files. A value is a string that fits and holds no
 * line end; data directories that come out of it are absolute and fit. */

static void check_dirs(const char *list, const char *base)
{
	struct iotdb_facts *f = xcalloc(1, sizeof *f);
	struct err e = {0};

	if (iotdb_split_dirs(f, list, base, &e) < 0) {
		FUZZ_MUST(e.sys > 0 && e.text[0]);
	} else {
		FUZZ_MUST(f->n_dirs > 0 && f->n_dirs <= DATA_DIRS_MAX);
		for (size_t i = 0; i < f->n_dirs; i++) {
			FUZZ_MUST(f->dirs[i][0] == '/');
			FUZZ_MUST(strlen(f->dirs[i]) < DATA_DIR_LEN);
			FUZZ_MUST(!strpbrk(f->dirs[i], ",;"));
		}
	}
	free(f);
}

static void check_value(const char *path, const char *key, char *to,
			size_t size)
{
	memset(to, 'x', size);
	if (!iotdb_property(path, key, to, size))
		return;
	FUZZ_MUST(strnlen(to, size) < size);
	FUZZ_MUST(!strchr(to, '\n') && to[0] != ' ' && to[0] != '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_CLOSE int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[40], list[256] = "", text[32] = "";
	enum precedence rule;

	FUZZ_MUST(fd >= 0);
	FUZZ_MUST(file_pwrite(fd, data, size, 0) == 0);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	check_value(path, "timestamp_precision", text, sizeof text);
	check_value(path, "iotdb_version", text, sizeof text);
	if (iotdb_property(path, "iotdb_version", text, sizeof text))
		(void)!precedence_of_version(text, &rule);
	check_value(path, "dn_data_dirs", list, sizeof list);
	if (!iotdb_property(path, "dn_data_dirs", list, sizeof list))
		return 0;
	check_dirs(list, NULL);
	check_dirs(list, "/opt/iotdb");
	return 0;
}
