/* CREATE PIPE asks a receiver whether it would let this edge in, and learns its key.
 *
 * One call with a HELLO that only asks, again while the receiver says that this edge
 * comes too often; at most ten seconds. `done` is called once,
 * never from inside probe_begin(); with e->sys 0 when the receiver would. */
#ifndef TSFERRY_PROBE_H
#define TSFERRY_PROBE_H

#include "edge.h"

void probe_begin(struct edge *e, const struct sink_row *sink, const char *pipe,
		 void (*done)(void *arg, const char *key, const struct err *e),
		 void *arg);

#endif
