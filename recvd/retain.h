/* Applied entries that are kept within retain_max_bytes, for a RESYNC after the cloud lost data
 * (design, section 5; docs/protocol.md, "RESYNC").
 *
 * An entry becomes retained in the transaction that ends it: its row moves from `entry` to
 * `retained`, a staged file stays where it is under its own name and is explained by that
 * row from then on. So a power cut finds it waiting or retained, and a file never stands there
 * unexplained. What the archive has linked takes no room twice.
 *
 * Oldest out first, when retain_max_bytes is passed (it may be lowered at any time), and before
 * that whenever entries on their way need the room: retained bytes never keep anybody
 * out. Everything here is the loop's and does not block. */
#ifndef TSFERRY_RETAIN_H
#define TSFERRY_RETAIN_H

#include "recvd.h"

struct retain;

struct retain *retain_new(struct recvd *d);
void retain_stop(struct retain *r); /* nothing more is let go; safe on NULL */
void retain_free(struct retain *r); /* after the catalog's tasks ended */

/* Whether an entry of so many bytes is to be kept when it is applied. */
bool retain_wants(const struct settings *s, uint64_t payload_len);

/* Lets go of what does not fit any more; `need`: bytes that shall come. */
void retain_trim(struct retain *r, uint64_t need);

/* RESYNC: everything retained of a sender waits to be applied again, as entries of the
 * incarnations that brought it; those are dropped first. Batches; then `done`, e NULL on
 * success. */
struct retain_back {
	struct catalog_task task;
	struct recvd *d;
	struct sender *sender;
	int64_t after, last;	   /* seq of retained rows */
	uint64_t n;		   /* brought back */
	struct retained_row *rows; /* owned */
	int n_rows;
	void (*done)(struct retain_back *b,
		     const struct err *e); /* owns b afterwards */
	void *arg;
};

void retain_bring_back(struct retain_back *b);
void retain_back_free(struct retain_back *b);

#endif
