/* What IoTDB's own files say: data directories, version, precision, time zone.
 *
 * Read from iotdb_home/conf (one or several files, by version) and from the
 * system.properties that a server keeps beside its data directories (iotdb-formats,
 * section 1). Best effort: what is not found stays empty, except the directories.
 * Blocks on a disk; start and doctor only. */
#ifndef TSFERRY_IOTDB_HOME_H
#define TSFERRY_IOTDB_HOME_H

#include <stdbool.h>

#include "domain/sql.h"
#include "ground/err.h"

#define DATA_DIRS_MAX 16
#define DATA_DIR_LEN 400

struct iotdb_facts {
	char dirs[DATA_DIRS_MAX][DATA_DIR_LEN];
	size_t n_dirs;
	char version[32];  /* "1.3.3"; "" = not found */
	char precision[8]; /* "ms", "us", "ns"; "" = not found */
	char time_zone[64];
};

/* Splits a list of directories at commas and semicolons; relative ones stand below
 * `base` (NULL: they are refused). */
int iotdb_split_dirs(struct iotdb_facts *f, const char *list, const char *base,
		     struct err *e) MUST_CHECK;

/* Directories, time zone and, if it stands there, precision out of home/conf; the
 * version from what the server wrote into its system directory, else from the name of
 * its library in home/lib. */
int iotdb_read_home(struct iotdb_facts *f, const char *home,
		    struct err *e) MUST_CHECK;

/* Version and precision out of system.properties in DIR/../system, or in schema below
 * it, where they are not known yet. */
void iotdb_read_beside(struct iotdb_facts *f);

/* The value of `key` in a properties file into `to`: true when it stands there. */
bool iotdb_property(const char *path, const char *key, char *to, size_t size);

#endif
