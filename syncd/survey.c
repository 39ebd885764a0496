#include "survey.h"

#include "follow.h"
#include "overlap.h"
#include "restate.h"

struct telling {
	struct listing *l;
	struct plan *plan;
};

static int take_device(void *arg, const struct tsfile_device *d)
{
	struct telling *t = arg;

	if (!seen_is_news(&t->l->db->seen, t->l->database, t->l->region, d))
		return 0;
	buf_add(&t->plan->devices, d->path, d->path_len);
	buf_adds(&t->plan->devices, "\n");
	return 0;
}

/* A file without rows has a range that overlaps nothing. */
static void learn(struct listing *l, struct plan *plan, struct known_file *k,
		  int fd)
{
	struct telling t = {l, plan};
	struct err e = {0};

	if (overlap_row_sum_each(fd, &k->range, &k->row_sum, take_device, &t,
				 &e))
		return;
	k->has_sum = true;
	if (!k->range.any)
		k->range = (struct tsfile_range){true, INT64_MAX, INT64_MIN};
}

static int survey_pipe(struct listing *l, struct listing_pipe *lp)
{
	CLEANUP(known_release) struct known_list all = {.n = 0};
	size_t i, n = 0;
	int r;

	known_bind(l->db->unread, lp->pipe, l->database, l->region,
		   l->partition);
	r = known_read(&l->db->db, l->db->unread, &all, &l->err);
	for (i = 0; r == 0 && i < all.n; i++) {
		struct known_file *k = &all.v[i];
		CLEANUP_CLOSE int fd = follow_open(l, &k->f);

		if (fd < 0 && !k->is_derived)
			fd = restate_open_pin(l, lp->pipe, k->serial);
		if (fd < 0)
			continue; /* gone, or a disk is away */
		learn(l, &lp->plan, k, fd);
		n += k->has_sum;
		r = known_add(&lp->plan.learned, k);
	}
	if (buf_end(&lp->plan.devices)) {
		/* What was left out is told again by other files. */
		seen_forget(&l->db->seen);
	}
	return r ? r : n > 0 && all.n == SURVEY_BATCH;
}

int survey_run(struct listing *l)
{
	size_t i;
	int r = 0, more = 0;

	for (i = 0; r >= 0 && i < l->n_pipes; i++) {
		r = survey_pipe(l, &l->pipes[i]);
		more |= r == 1;
	}
	return r < 0 ? r : more;
}
