/* What the statements of a SCHEMA entry speak of, as far as an order and a hold need to
 * know: paths, and whether something is taken away. Words are compared, statements are not
 * parsed: what cannot be told counts as touched. Paths are IoTDB's (`root.` and nodes; a
 * node in back quotes is one node); strings in quotes are no paths. A database of tables
 * has no paths here. Pure. */
#ifndef TSFERRY_SCHEMA_TEXT_H
#define TSFERRY_SCHEMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a statement speaks of one of `paths` (one a line), of something above it or below
 * it. "" stands for every path. */
bool schema_touches(const char *text, size_t n, const char *paths);

/* Whether a statement names a path outside of a database; that path (cut) in `word`. */
bool schema_strays(const char *text, size_t n, const char *database, char *word,
		   size_t size);

/* Whether a statement begins with DELETE or DROP. */
bool schema_removes(const char *text, size_t n);

/* Whether a statement takes a whole database away: DELETE DATABASE, DROP DATABASE, DELETE
 * STORAGE GROUP. */
bool schema_drops(const char *text, size_t n);

#endif
