#include "living.h"

#include <errno.h>

void living_release(struct living_list *l)
{
	free(l->v);
}

int living_add(struct living_list *l, const struct living *one)
{
	if (array_room(&l->v, l->n, &l->cap, sizeof(*l->v)))
		return -ENOMEM;
	l->v[l->n++] = *one;
	return 0;
}

int living_compare(const struct living *a, const struct living *b)
{
	if (a->unsequence != b->unsequence)
		return a->unsequence ? 1 : -1;
	if (a->t != b->t)
		return a->t > b->t ? 1 : -1;
	if (a->v != b->v)
		return a->v > b->v ? 1 : -1;
	if (a->i != b->i)
		return a->i > b->i ? 1 : -1;
	return (a->c > b->c) - (a->c < b->c);
}

static int by_key(const void *a, const void *b)
{
	return living_compare(a, b);
}

struct living *living_find(const struct living_list *l,
			   const struct living *key)
{
	if (!l->n)
		return NULL;
	return bsearch(key, l->v, l->n, sizeof(*l->v), by_key);
}

int living_rank(const struct living *a, const struct living *b,
		enum precedence rule)
{
	struct fileid fa, fb;

	/* The database is the same and is not looked at. */
	fa.database[0] = fb.database[0] = '\0';
	fa.region = fb.region = 0;
	fa.partition = fb.partition = 0;
	fa.unsequence = a->unsequence;
	fb.unsequence = b->unsequence;
	fa.t = a->t;
	fa.v = a->v;
	fa.i = a->i;
	fa.c = a->c;
	fb.t = b->t;
	fb.v = b->v;
	fb.i = b->i;
	fb.c = b->c;
	return precedence_compare(rule, &fa, &fb);
}

static int compare_files(const struct living *a, const struct living *b,
			 struct living_order by)
{
	return by.is_identity ? living_compare(a, b)
			      : living_rank(a, b, by.rule);
}

static void sift(struct living *v, size_t at, size_t n, struct living_order by)
{
	struct living moved = v[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= n)
			break;
		if (child + 1 < n &&
		    compare_files(&v[child], &v[child + 1], by) < 0)
			child++;
		if (compare_files(&moved, &v[child], by) >= 0)
			break;
		v[at] = v[child];
		at = child;
	}
	v[at] = moved;
}

/* Heapsort: the library's sort takes as much memory again for a long list. */
void living_sort(struct living_list *l, struct living_order by)
{
	size_t i;

	for (i = l->n / 2; i-- > 0;)
		sift(l->v, i, l->n, by);
	for (i = l->n; i-- > 1;) {
		struct living last = l->v[i];

		l->v[i] = l->v[0];
		l->v[0] = last;
		sift(l->v, 0, i, by);
	}
}
