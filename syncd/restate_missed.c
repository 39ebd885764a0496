/* Whether rows are missing, and compactions that nobody saw. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "follow.h"
#include "overlap.h"
#include "restate.h"

#define REPAIRED_FROM (UINT64_MAX >> 2) /* iotdb-formats, section 2.1 */

static bool sum_of(struct listing *l, int64_t pipe, const struct known_file *k,
		   uint64_t *sum)
{
	CLEANUP_CLOSE int fd = -1;
	struct tsfile_range range;
	struct err e = {0};

	*sum = k->row_sum;
	if (k->has_sum || k->is_derived)
		return k->has_sum;
	fd = restate_open_pin(l, pipe, k->serial);
	return fd >= 0 && overlap_row_sum(fd, &range, sum, &e) == 0;
}

bool restate_is_equal(struct listing *l, int64_t pipe,
		      const struct known_list *sources,
		      struct living *const *products, size_t n)
{
	uint64_t before = 0, after = 0;
	size_t i;

	for (i = 0; i < sources->n; i++) {
		uint64_t sum;

		if (!sum_of(l, pipe, &sources->v[i], &sum))
			return false;
		before += sum;
	}
	for (i = 0; i < n; i++) {
		CLEANUP_CLOSE int fd = follow_open(l, products[i]);
		struct tsfile_range range;
		struct err e = {0};
		uint64_t sum;

		if (fd < 0 || overlap_row_sum(fd, &range, &sum, &e))
			return false;
		after += sum;
	}
	return sources->n > 0 && before == after;
}

/* Whether a file that is gone may be in a new one, by their names. A product has an I or a C.
 * Inside a space it takes the name of its first source, in order of T, so of several
 * compactions too no source is older. An unsequence file goes into the C of a sequence file, or is
 * inserted: V and I stay, T is between its neighbours'. A repair makes an unsequence file of
 * a T beyond all clocks. Where no file that is gone could be in a product, what is gone was
 * not compacted. */
bool restate_may_be_in(const struct living *f, const struct living *v)
{
	bool is_product = f->i > 0 || f->c > 0;

	if (v->unsequence == f->unsequence)
		return is_product && v->t >= f->t;
	if (f->unsequence)
		return f->t >= REPAIRED_FROM;
	return f->c > 0 || (v->v == f->v && v->i == f->i && v->t != f->t);
}

static bool is_product(const struct living *f,
		       const struct living_list *vanished)
{
	size_t i;

	if (f->is_again || f->is_judged)
		return false;
	for (i = 0; i < vanished->n; i++) {
		if (restate_may_be_in(f, &vanished->v[i]))
			return true;
	}
	return false;
}

static int read_vanished(struct listing *l, int64_t pipe,
			 const struct living_list *vanished,
			 struct known_list *out)
{
	CLEANUP(known_release) struct known_list all = {.n = 0};
	size_t i;
	int r;

	known_bind(l->db->known, pipe, l->database, l->region, l->partition);
	r = known_read(&l->db->db, l->db->known, &all, &l->err);
	for (i = 0; r == 0 && i < vanished->n; i++) {
		const struct known_file *k = known_find(&all, &vanished->v[i]);

		if (k)
			r = known_add(out, k);
	}
	return r;
}

/* Of serial 0 is what lies before the start time: the cloud has none of its rows. */
static int rejoin(struct listing *l, struct listing_pipe *lp, struct living *f,
		  const struct known_list *gone)
{
	struct known_file p = {.f = *f, .range = follow_range(l, f)};
	size_t i;

	for (i = 0; i < gone->n; i++) {
		const struct known_file *k = &gone->v[i];

		if (k->serial > p.serial)
			p.serial = k->serial;
		if (!i || k->serial_low < p.serial_low)
			p.serial_low = k->serial_low;
	}
	f->is_rejoined = p.serial != 0;
	if (!f->is_rejoined)
		return 0;
	return plan_owe_product(&lp->plan, &p);
}

static int judge_missed(struct listing *l, struct listing_pipe *lp,
			struct living **products, size_t n,
			struct living_list *vanished)
{
	CLEANUP(known_release) struct known_list gone = {.n = 0};
	bool is_equal;
	size_t i;
	int r = read_vanished(l, lp->pipe, vanished, &gone);

	if (r)
		return r;
	is_equal = restate_is_equal(l, lp->pipe, &gone, products, n);
	buf_addf(&lp->plan.news,
		 "%s/%" PRIu32 "/%" PRId64
		 ": a compaction that was not seen made %zu files of %zu, %s\n",
		 l->database, l->region, l->partition, n, gone.n,
		 is_equal ? "no row is missing"
			  : "rows may have been deleted before it");
	for (i = 0; r == 0 && lp->sync_del_op && i < n; i++)
		r = rejoin(l, lp, products[i], &gone);
	for (i = 0; r == 0 && i < gone.n; i++) {
		r = living_add(&lp->plan.gone, &gone.v[i].f);
		if (r == 0 && !is_equal)
			r = known_add(&lp->plan.stale, &gone.v[i]);
	}
	vanished->n = 0;
	return r;
}

int restate_find_missed(struct listing *l, struct listing_pipe *lp,
			const struct living_list *fresh,
			struct living_list *vanished)
{
	CLEANUP_FREE struct living **products = NULL;
	size_t i, n = 0;

	if (!vanished->n || !fresh->n)
		return 0;
	products = calloc(fresh->n, sizeof(struct living *));
	if (!products)
		return -ENOMEM;
	for (i = 0; i < fresh->n; i++) {
		if (!fresh->v[i].is_again && is_product(&fresh->v[i], vanished))
			products[n++] = &fresh->v[i];
	}
	return n ? judge_missed(l, lp, products, n, vanished) : 0;
}
