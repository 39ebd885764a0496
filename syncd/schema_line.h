/* One line of a listing of the edge's schema, as syncd-ask writes it and the catalog keeps
 * it. Pure.
 *
 *	DATABASE \t PATH \t SHAPE \t TYPE \t ENCODING \t COMPRESSOR \t ALIAS \t TAGS \t ATTRIBUTES
 *
 * A line with an empty PATH is the database itself and stands before its series. Lines are
 * sorted by database, then path, byte by byte. Names are quoted as IoTDB 1.0 and later do. TAGS
 * and ATTRIBUTES are pairs, sorted by key: key SCHEMA_EQUALS value, SCHEMA_NEXT between two.
 * Nothing in a line holds a control character but these: what does is left out of a listing,
 * because a statement is one line. */
#ifndef TSFERRY_SCHEMA_LINE_H
#define TSFERRY_SCHEMA_LINE_H

#include <stdbool.h>

#include "ground/buf.h"

#define SCHEMA_NEXT '\x1e'
#define SCHEMA_EQUALS '\x1f'
#define SCHEMA_LINE_MAX 65536u
/* REST of a database's own row, in the catalog only: its end was said to the cloud, and it has
 * not come again since. */
#define SCHEMA_DROPPED "dropped"

/* Borrowed from the line it was cut from. */
struct series {
	char *database, *path;
	char *rest; /* from SHAPE on: what the catalog compares */
	bool is_aligned;
	const char *type, *encoding, *compressor, *alias, *tags, *attributes;
};

/* Cuts a line (without its newline) in place, but for `rest`: *s has it whole until
 * series_cut(). -EBADMSG. */
int series_parse(struct series *s, char *line) MUST_CHECK;
/* Cuts `rest`, which is not whole any more then. Of a database: nothing to cut. */
int series_cut(struct series *s) MUST_CHECK;

/* <0, 0, >0: the order of lines. */
int series_compare(const char *database, const char *path,
		   const struct series *b);

/* False when a name could not stand in a line. */
bool series_is_plain(const char *text);

#endif
