/* A deletion that is noticed late: rows that were written after it at the edge may have been
 * captured before it. In the cloud it would take them away, so their files follow again. */
#include <errno.h>
#include <string.h>

#include "deletion_inside.h"
#include "domain/tsfile_index.h"
#include "follow.h"
#include "overlap.h"
#include "restate.h"

static void pieces_release(struct deletion_pieces *p)
{
	free(p->v);
}

static int read_pieces(const struct deletion *d, struct deletion_pieces *out)
{
	const uint8_t *at = buf_data(&d->records);
	size_t left = d->records.len;
	struct record rec;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = records_next(d->kind, at, left, &rec)) != 0) {
		if (n < 0)
			return (int)n;
		r = rec.path ? deletion_piece(out, &rec) : 0;
		at += n;
		left -= (size_t)n;
	}
	return r;
}

static int is_missing(void *arg, const struct record *rec, int64_t first,
		      int64_t last)
{
	(void)arg;
	(void)rec;
	(void)first;
	(void)last;
	return 1;
}

/* 1 when the file's own deletions lack a part of it. */
static int lacks(const struct deletion_judging *j, const struct living *f,
		 const struct deletion_pieces *p)
{
	CLEANUP(coverage_release) struct coverage have;
	size_t i;
	int r;

	coverage_init(&have);
	r = deletion_load(j, f, &have);
	for (i = 0; r == 0 && i < p->n; i++)
		r = coverage_missing(&have, &p->v[i].rec, 0, is_missing, NULL);
	return r;
}

static int take_device(void *arg, const struct tsfile_device *d)
{
	const struct deletion_pieces *p = arg;

	return d->range.any && deletion_is_touched(p, d);
}

static int has_rows(const struct deletion_pieces *p, int fd)
{
	const struct tsfile_visit visit = {.device = take_device,
					   .arg = (void *)(uintptr_t)p};
	struct tsfile_index index = {.version = 0};
	int r = tsfile_index_read(fd, &visit, &index, NULL);

	return r == -ENOMEM ? r : r != 0; /* unreadable: it may */
}

static bool is_fresh(const struct deletion_judging *j, const struct living *f)
{
	size_t i;

	for (i = 0; i < j->fresh->n; i++) {
		if (living_compare(&j->fresh->v[i], f) == 0)
			return true;
	}
	return false;
}

static int judge_one(struct deletion_judging *j, const struct deletion *d,
		     const struct deletion_pieces *p,
		     const struct known_file *k)
{
	const struct tsfile_range range = {true, d->first, d->last};
	struct living f = k->f;
	CLEANUP_CLOSE int fd = -1;
	int r;

	if (!k->serial || k->is_owed || is_fresh(j, &f) ||
	    (k->range.any && !overlap_ranges(&k->range, &range)))
		return 0;
	r = lacks(j, &f, p);
	if (r != 1)
		return r;
	fd = follow_open(j->l, &f);
	if (fd < 0) /* its product owes it, if there will be one */
		return restate_is_withheld(j->l, &f)
			       ? living_add(&j->lp->plan.owed, &f)
			       : 0;
	r = has_rows(p, fd);
	if (r != 1)
		return r;
	f.is_again = true;
	r = living_add(&j->lp->plan.owed, &f);
	return r ? r : living_add(j->fresh, &f);
}

int deletion_follow_behind(struct deletion_judging *j)
{
	CLEANUP(known_release) struct known_list all = {.n = 0};
	const struct plan *plan = &j->lp->plan;
	size_t i, k;
	int r;

	if (!plan->deletions.n)
		return 0;
	known_bind(j->l->db->known, j->lp->pipe, j->l->database, j->l->region,
		   j->l->partition);
	r = known_read(&j->l->db->db, j->l->db->known, &all, &j->l->err);
	for (i = 0; r == 0 && i < plan->products.n; i++)
		r = known_add(&all, &plan->products.v[i]);
	for (i = 0; r == 0 && i < plan->deletions.n; i++) {
		const struct deletion *d = &plan->deletions.v[i];
		CLEANUP(pieces_release) struct deletion_pieces p = {.n = 0};

		if (!d->is_late)
			continue; /* what was captured before it is older */
		r = read_pieces(d, &p);
		for (k = 0; r == 0 && k < all.n; k++)
			r = judge_one(j, d, &p, &all.v[k]);
	}
	return r;
}
