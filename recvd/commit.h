/* Group commit: complete entries of all sessions become durable together.
 *
 * An idle receiver commits at once; while one commit runs, what arrives forms the next
 * group (at most COMMIT_GROUP_MAX entries, COMMIT_BYTES_MAX bytes). A group is: large
 * inline payloads become files, files and their directories are synced, then one
 * catalog transaction. Only after that sessions are told.
 *
 * When anything fails, nothing of the group is durable, every session of it hears the
 * sentence, its files are dropped with their descriptors (never synced again), and what
 * those incarnations had queued behind is dropped too: serials stay without holes. */
#ifndef TSFERRY_COMMIT_H
#define TSFERRY_COMMIT_H

#include "recvd.h"

#define COMMIT_GROUP_MAX 1024u
#define COMMIT_BYTES_MAX (8u << 20)
#define COMMIT_FILES_ONE_BY_ONE 1u /* more are synced by syncfs: one wait for the disk */

struct commit;

struct commit *commit_new(struct recvd *d);
void commit_free(struct commit *c); /* after the catalog's tasks ended */

/* A complete entry. Both take what `en` (or f) owns; `data` is copied. -ENOMEM. */
int commit_payload(struct commit *c, struct incarnation *i, struct entry *en,
		   const struct digest *digest, const void *data, uint32_t len) MUST_CHECK;
void commit_file(struct commit *c, struct incarnation *i, struct stage_file *f,
		 const struct digest *digest);

/* Calls fn when everything handed over before is committed or has failed; never from
 * inside this call. */
struct commit_wait {
	void (*fn)(struct commit_wait *w);
	struct commit_wait *next;
	uint64_t ticket;
};

void commit_wait(struct commit *c, struct commit_wait *w);
void commit_unwait(struct commit *c, struct commit_wait *w); /* safe when not waiting */

/* At the end, when the catalog is closed: whoever still waits is called. */
void commit_finish(struct commit *c);

#endif
