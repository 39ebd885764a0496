/* Statements for an IoTDB of a version, as text (iotdb-formats, sections 6.1 and 9;
 * iotdb-observed, section 3). Versions are numbers as rpc_version_number() has them (10303
 * = 1.3.3). Pure. */
#ifndef TSFERRY_IOTDB_SQL_H
#define TSFERRY_IOTDB_SQL_H

#include <stdbool.h>

#include "ground/buf.h"
#include "ground/err.h"
#include "iotdb/path.h"

/* A database of the tree model: its path begins with root. */
bool sql_is_tree(const char *database);

/* Nodes behind root: what LOAD calls the database's level. -EINVAL. */
int sql_level(const char *database) MUST_CHECK;

int sql_create_database(unsigned version, const char *database,
			struct buf *out) MUST_CHECK;

/* Whether a successful LOAD takes the source away (and nothing else does), as we ask for it:
 * from 1.3.3 on. Before, it was taken even after a failure. */
bool sql_load_consumes(unsigned version);

/* Whether every file needs deletion records beside it, be they empty: 1.3.3 remembers for one
 * without any where it came from, and a later DELETE is written there, or refused with 605
 * (seen on 1.3.3; not on 1.0.1, 1.2.2, 2.0.6). */
bool sql_load_wants_mods(unsigned version);

struct sql_load {
	const char *path; /* of a file or of a directory */
	unsigned level;
	const char *tables; /* the database, when it is one of tables; 2.0 on */
};

int sql_load(unsigned version, const struct sql_load *load,
	     struct buf *out) MUST_CHECK;

/* DELETE FROM paths (NUL-separated, `n_paths`) where time is in a range, both inclusive. */
int sql_delete(unsigned version, const char *paths, unsigned n_paths,
	       int64_t start, int64_t end, struct buf *out) MUST_CHECK;

/* An identifier of the dialect of tables (quote '"'), or a string ('\''): doubled inside. */
void sql_add_quoted(const char *text, size_t n, char quote, struct buf *out);

/* The part of a pattern that is about the series of one device: adds DEVICE.X and a NUL. With
 * `is_database`, `device` is a database and the part is what is inside of it, which may take
 * two paths. Returns how many paths it added; -EINVAL. */
int sql_clip(const char *pattern, size_t n, const char *device, size_t device_n,
	     bool is_database, struct buf *out) MUST_CHECK;

/* How 2.x orders devices: by segments, the first of which is up to three nodes. 1.x: as
 * plain strings. <0, 0, >0. -1 too when one is no path, which is no harm here. */
int sql_compare_segments(const char *a, size_t a_n, const char *b, size_t b_n);

#endif
