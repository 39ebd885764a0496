/* The edge's schema on its way: listings by syncd-ask, and what differs as SCHEMA entries
 * (schema_pass.h), every SCHEMA_POLL_MS or, where a listing takes longer than a twentieth of
 * that, less often. Only where iotdb_rpc is set.
 *
 * "Schema goes first": when a pipe starts for the first time, capture is held until a listing
 * has been taken up or none can be had, SCHEMA_HOLD_MS at most. WAIT PIPE and flush_interval
 * have a listing of their own. So a series comes before the files that hold it, unless both
 * are younger than the last listing; then LOAD makes it, and the SCHEMA behind it says its tags.
 *
 * What is taken away takes two listings, a second apart. Before the second one everything
 * sealed is captured, and capture is held until its SCHEMA is committed: files of before come
 * before it, and rows of a series that is made anew come behind it. Where that takes longer
 * than the hold may, it is tried again at the next poll.
 *
 * A server that does not answer costs a note and nothing else. Loop only; never blocks. */
#ifndef TSFERRY_SCHEMA_H
#define TSFERRY_SCHEMA_H

#include "edge.h"

#define SCHEMA_POLL_MS 10000u
#define SCHEMA_POLL_MAX_MS 600000u
#define SCHEMA_HOLD_MS 5000u
#define SCHEMA_AGAIN_MS 1000u

struct schema;

struct schema_waiter {
	void (*fn)(
		struct schema_waiter *w); /* never from inside schema_wait() */
	struct schema_waiter *next;
	uint64_t cycle; /* the schema's: the first that counts */
};

struct schema *schema_new(struct edge *e);
void schema_free(
	struct schema *s); /* when no job of names and outbox is left */

/* At start, behind pipes_load() and before capture begins; a pipe starts for the first time;
 * the configuration changed. */
void schema_begin(struct schema *s);
void schema_pipe_begins(struct schema *s);
void schema_changed(struct schema *s);

/* When a listing that begins from now on is taken up, or cannot be had. False: there is
 * nothing to wait for. */
bool schema_wait(struct schema *s, struct schema_waiter *w);
void schema_unwait(struct schema *s, struct schema_waiter *w);

/* Whether the server has been listed and tells no identity: then a database that is gone may
 * be another server's, and is not dropped in the cloud. */
bool schema_is_of_nobody(const struct schema *s);

#endif
