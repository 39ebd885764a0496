/* flush_interval: the edge IoTDB is asked to FLUSH when its oldest unsealed file (an open
 * `.tsfile` without `.resource`; T of its name says since when) is older than that.
 *
 * A walk is asked for first, so that the age is that of now, and a listing of the schema, so
 * that series come before the file that holds them. Once an interval at most: a file that no
 * FLUSH seals (left by a crash) is none of ours. A refusal is a note, until a FLUSH is done or
 * the configuration changes; a server that does not answer is ask.h's. Loop only. */
#ifndef TSFERRY_FLUSH_H
#define TSFERRY_FLUSH_H

#include "edge.h"

struct flush;

struct flush *flush_new(struct edge *e);
void flush_free(struct flush *f);
void flush_changed(struct flush *f); /* at start, and with the configuration */

#endif
