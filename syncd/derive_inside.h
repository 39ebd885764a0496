/* Between derive.c and derive_cross.c; included by these only. */
#ifndef TSFERRY_DERIVE_INSIDE_H
#define TSFERRY_DERIVE_INSIDE_H

#include "derive.h"

struct judging {
	struct listing *l;
	struct listing_pipe *lp;
	struct plan *plan; /* its */
	struct living_list *fresh, *vanished;
	size_t n_fresh; /* of fresh: sorted; what follows was added here */
	struct known_list known;
};

/* In the lists of what is gone and of what is new, by identity; NULL when not there. */
struct living *derive_vanished(const struct judging *j, const struct living *f);
struct living *derive_fresh(const struct judging *j, const struct living *f);

/* A source that is gone from the edge and captured, itself or by derivation. */
const struct known_file *derive_source(const struct judging *j,
				       const struct living *f);

/* 1 when some captured file forbids it that the products are derived; files that must
 * follow a product again are added. */
int derive_cross(struct judging *j, const struct compaction *c) MUST_CHECK;

#endif
