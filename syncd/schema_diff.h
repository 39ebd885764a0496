/* What makes the cloud's schema that of the edge, as statements, one a line (recvd's loader
 * says them word for word; iotdb-formats, section 9). Pure.
 *
 * Every statement may be said twice: what exists is told apart from what fails. So a series
 * is created and then given its alias, tags and attributes by UPSERT, whether LOAD made it
 * before or not. An alias can be changed but not taken away; an encoding or a compressor of a
 * series that exists is left as it is in the cloud: both change no answer. */
#ifndef TSFERRY_SCHEMA_DIFF_H
#define TSFERRY_SCHEMA_DIFF_H

#include "schema_line.h"

/* A database, or a series with all that belongs to it. `s` is cut. */
void schema_create(const struct series *s, struct buf *out);
/* The same series, listed before and now; both cut. Nothing where nothing is to be said. */
void schema_alter(const struct series *before, const struct series *now,
		  struct buf *out);
void schema_drop(const char *database, struct buf *out);
void schema_remove(const char *path, struct buf *out);

/* Another series under the same name: it was deleted and made anew, and the cloud refuses the
 * rows of the new one until the old one is gone. */
bool schema_is_another(const struct series *before, const struct series *now);

#endif
