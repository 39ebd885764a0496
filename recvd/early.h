/* Entries of an incarnation that are durable above its durable serial: what passed a hole, in
 * ascending order, at most EARLY_MAX of them. Memory only: the catalog's table `early` is what
 * survives. Nothing here blocks.
 *
 * Why one may pass: every serial in front of it that is not durable belongs to another
 * database. So, whatever becomes of those, what it has to be applied behind is here. */
#ifndef TSFERRY_EARLY_H
#define TSFERRY_EARLY_H

#include "domain/proto.h"

/* Of an incarnation so many that only filled a serial (entry_only_fills) are remembered, so that
 * an older copy of the edge, which knows what was there, finds out (protocol, section 6). */
#define FILLS_MAX 64u

struct early {
	struct early_one *ones; /* owned */
	size_t n, cap;
};

void early_release(struct early *e);
void early_copy(struct early *to, const struct early *from); /* `to` has none yet */
void early_add(struct early *e, const struct early_one *one); /* again: no change */
/* The same with the FILLS_MAX highest only. */
void early_add_fill(struct early *e, const struct early_one *one);
/* NULL: it is not one. */
const struct early_one *early_find(const struct early *e, uint64_t serial);
/* Those up to a serial are none any more. */
void early_pass(struct early *e, uint64_t durable);

/* A message that tells of n of them, at most EARLY_MAX. */
void early_encode(const struct early_one *ones, size_t n, struct buf *b);

#endif
