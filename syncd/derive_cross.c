/* Whether captured files that are no sources still win, or lose, against a product as
 * they did against its sources, in the cloud as at the edge. */
#include "derive_inside.h"
#include "follow.h"
#include "overlap.h"

/* Whether what the cloud loaded last, of a captured file and one source, wins at the
 * edge between that file and the product, too. */
static bool is_in_order(const struct known_file *k, const struct known_file *s,
			bool is_above)
{
	return is_above ? k->serial_low > s->serial : k->serial < s->serial_low;
}

static bool is_disturbed(const struct judging *j, const struct compaction *c,
			 const struct known_file *k, bool is_above)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct known_file *s =
			c->v[i].role == JOURNAL_SOURCE
				? derive_source(j, &c->v[i].f)
				: NULL;

		if (!s || is_in_order(k, s, is_above))
			continue;
		if (!s->range.any || !k->range.any ||
		    overlap_ranges(&s->range, &k->range))
			return true;
	}
	return false;
}

static int follow_again(struct judging *j, const struct known_file *k)
{
	struct living again = k->f;
	size_t i;
	int r;

	for (i = 0; i < j->plan->owed.n; i++) {
		if (living_compare(&j->plan->owed.v[i], &again) == 0)
			return 0;
	}
	if (k->is_owed)
		return 0; /* it goes again anyway */
	again.is_again = true;
	r = living_add(&j->plan->owed, &again);
	return r ? r : living_add(j->fresh, &again);
}

/* One captured file against one product: 1 when the product must be sent. */
static int cross_one(struct judging *j, const struct compaction *c,
		     const struct living *product, const struct overlap *spans,
		     const struct known_file *k)
{
	bool is_above = living_rank(&k->f, product, j->l->precedence) > 0;
	struct known_file at = *k;
	struct tsfile_range range;
	CLEANUP_CLOSE int fd = -1;

	if (derive_vanished(j, &k->f) || !is_disturbed(j, c, k, is_above))
		return 0;
	fd = follow_open(j->l, &at.f);
	if (fd < 0 || !overlap_hits(spans, fd, &range))
		return 0;
	return is_above ? follow_again(j, &at) : 1;
}

/* 1 when some captured file forbids it that this product is derived. */
static int is_crossed(struct judging *j, const struct compaction *c,
		      struct living *product)
{
	CLEANUP(overlap_release) struct overlap spans = {.n = 0};
	CLEANUP_CLOSE int fd = follow_open(j->l, product);
	struct tsfile_range range;
	size_t i;
	int r = 0;

	if (fd < 0)
		return 0; /* gone again */
	overlap_add(&spans, fd, &range);
	for (i = 0; r == 0 && i < j->known.n; i++)
		r = cross_one(j, c, product, &spans, &j->known.v[i]);
	return r;
}

int derive_cross(struct judging *j, const struct compaction *c)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->n; i++) {
		struct living *f = c->v[i].role == JOURNAL_TARGET
					   ? derive_fresh(j, &c->v[i].f)
					   : NULL;

		if (f)
			r = is_crossed(j, c, f);
	}
	return r;
}
