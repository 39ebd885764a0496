/* A serial that gets another entry (lost.h) forks the history of its pipe, and an older copy of
 * the catalog, put back or cloned, must find that out from whatever serial the receiver names:
 * it knows the entries behind the filled one as well, by their nonces (protocol, section 6).
 * Therefore those that were assigned and not sent when it was filled travel under another
 * nonce from then on: the catalog's, by which the spool names its pins, with the fork's
 * salt. What is assigned later has a nonce that no older copy knows anyway. What may have passed
 * the filled serial (EARLY) keeps its nonce; there the receiver names what fills it.
 *
 * Forks of a pipe stand in the catalog's `meta`, under "forks" and the pipe's id: u64 first,
 * last, salt of each, little endian. They do not overlap and go when what they are about was
 * released. At most FORKS_MAX: a further one is not told apart from its older copies. */
#ifndef TSFERRY_FORK_H
#define TSFERRY_FORK_H

#include "ground/buf.h"

#define FORKS_MAX 256u
#define FORKS_LEN (FORKS_MAX * 24u) /* in the catalog, at most */

struct fork {
	uint64_t first, last, salt;
};

struct forks {
	size_t n;
	struct fork at[FORKS_MAX]; /* ascending */
};

/* What `nonce` of an entry is on the wire; never 0 unless it is. */
uint64_t forks_nonce(const struct forks *f, uint64_t serial, uint64_t nonce);
/* Serials first to last, of which none is durable or on its way, have another history now;
 * those up to `released` are forgotten. */
void forks_add(struct forks *f, uint64_t released, const struct fork *new);

void forks_encode(const struct forks *f, struct buf *out);
/* 0, or -EBADMSG and none. */
int forks_decode(struct forks *f, const void *p, size_t len) MUST_CHECK;

#endif
