#include "survey.h"

#include "follow.h"
#include "overlap.h"

/* A file without rows has a range that overlaps nothing. */
static void learn(struct known_file *k, int fd)
{
	struct err e = {0};

	if (overlap_row_sum(fd, &k->range, &k->row_sum, &e))
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

		if (fd < 0)
			continue; /* gone, or a disk is away */
		learn(k, fd);
		n += k->has_sum;
		r = known_add(&lp->plan.learned, k);
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
