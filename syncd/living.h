/* Lists of the files of one partition, small and sorted in place: there may be a hundred
 * thousand. A list owns its memory; nothing here blocks. */
#ifndef TSFERRY_LIVING_H
#define TSFERRY_LIVING_H

#include "domain/precedence.h"
#include "partition.h"

struct living_list {
	struct living *v; /* owned */
	size_t n, cap;
};

void living_release(struct living_list *l);
int living_add(struct living_list *l, const struct living *one) MUST_CHECK;

/* By space, T, V, I, C: the order of the catalog's rows. */
int living_compare(const struct living *a, const struct living *b);

/* By precedence at the edge: above zero when `a` wins over `b`. */
int living_rank(const struct living *a, const struct living *b,
		enum precedence rule);

/* What a list is sorted by: precedence, or identity where there is none. */
struct living_order {
	bool is_identity;
	enum precedence rule;
};

void living_sort(struct living_list *l, struct living_order by);

/* In a list that is sorted by identity; NULL when it is not there. */
struct living *living_find(const struct living_list *l,
			   const struct living *key);

#endif
