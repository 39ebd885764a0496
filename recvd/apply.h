/* Applying: takes durable entries in order, hands them to the loader in batches, and
 * keeps what became of them.
 *
 * A domain (incarnation, database) is applied in strict serial order. Its next batch is
 * taken only when the results of the last one are in the catalog; domains are
 * independent of each other. A newer incarnation of a sender waits, database by
 * database, for what the older ones still have.
 *
 * The loader's death is a retry with back-off, not an outage; jobs that kill it three
 * times in a row are tried one by one, and the one that does it alone is quarantined.
 * Nothing here blocks. */
#ifndef TSFERRY_APPLY_H
#define TSFERRY_APPLY_H

#include "recvd.h"

#define APPLY_DEATHS_MAX 3u
#define APPLY_KILLS_MAX 10u /* of SIGKILL: anybody's, or of a host without memory */
#define APPLY_RETRY_MS 1000u /* doubled each time, up to */
#define APPLY_RETRY_MAX_MS 60000u
#define APPLY_RESTART_MS 100u /* of the loader; doubled each time, up to the same */
#define APPLY_PATHS_MAX 16384u /* of a mismatch; longer lists stand for all paths */
#define APPLY_STOP_MAX_MS 30000u /* "stop": as above, up to this */

struct apply;

/* Starts its thread and the loader. */
int apply_new(struct apply **out, struct recvd *d, struct err *e) MUST_CHECK;
void apply_free(struct apply *a);

/* Something may have become possible: new entries, RETRY, other settings. */
void apply_kick(struct apply *a);
/* Settings were read again: what waits is tried at once, by a loader that knows them. */
void apply_reload(struct apply *a);

struct session;

/* Tells the edges, or one of them, why nothing of theirs is applied, or that it is again. */
void apply_tell_all(const struct apply *a);
void apply_tell(const struct apply *a, struct session *s);

/* For server/loader: "state idle" and so on, KEY VALUE lines. */
void apply_status(const struct apply *a, struct buf *out);

/* The quarantine was changed by an operator: RETRY makes an entry ready again, SKIP
 * ends it. Each answers through `done` once the catalog has it; e is NULL on success. */
struct apply_order {
	struct catalog_task task;
	struct apply *apply;
	bool is_skip;
	int64_t id; /* 0: all (RETRY) */
	struct quarantine_row *rows; /* owned; what it concerned */
	size_t n_rows;
	uint64_t applied; /* after a SKIP */
	void (*done)(struct apply_order *o, const struct err *e); /* owns o afterwards */
	void *arg;
};

void apply_order(struct apply *a, struct apply_order *o);
void apply_order_free(struct apply_order *o);

#endif
