#include "follow.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "overlap.h"

int follow_open_in(const struct listing *l, uint32_t region, int64_t partition,
		   struct living *f)
{
	char path[DATA_DIR_LEN + FILEID_PATH_MAX + 2], file[FILEID_PATH_MAX];
	struct fileid id;
	size_t i;
	int fd = -1;

	listing_file(l, f, &id);
	id.region = region;
	id.partition = partition;
	(void)fileid_path(&id, file);
	for (i = 0; fd < 0 && i < l->n_data_dirs; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", l->data_dirs[i],
			       file);
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
			return -errno;
		f->volume = (uint8_t)i;
	}
	return fd < 0 ? -ENOENT : fd;
}

int follow_open(const struct listing *l, struct living *f)
{
	return follow_open_in(l, l->region, l->partition, f);
}

struct tsfile_range follow_range(const struct listing *l, struct living *f)
{
	const struct tsfile_visit nobody = {.arg = NULL};
	struct tsfile_index ix = {.version = 0};
	CLEANUP_CLOSE int fd = follow_open(l, f);

	if (fd < 0 || tsfile_index_read(fd, &nobody, &ix, NULL) || ix.unsure)
		return (struct tsfile_range){.any = false};
	return ix.range;
}

struct ranked {
	enum precedence rule;
};

static int by_rank(const void *a, const void *b, void *arg)
{
	const struct known_file *ka = a, *kb = b;
	const struct ranked *r = arg;

	return living_rank(&ka->f, &kb->f, r->rule);
}

/* Captured files above `low`, in ascending precedence; what is derived just now is
 * among them. */
static int read_higher(struct listing *l, int64_t pipe,
		       const struct known_list *derived,
		       const struct living *low, struct known_list *out)
{
	sqlite3_stmt *st = l->db->known;
	struct ranked rule = {l->precedence};
	struct known_file k;
	size_t i;
	int r;

	known_bind(st, pipe, l->database, l->region, l->partition);
	while ((r = db_row(&l->db->db, st, &l->err)) == 1) {
		known_row(st, &k);
		if (living_rank(&k.f, low, l->precedence) <= 0)
			continue;
		r = known_add(out, &k);
		if (r) {
			(void)sqlite3_reset(st);
			return r;
		}
	}
	for (i = 0; r == 0 && i < derived->n; i++) {
		if (living_rank(&derived->v[i].f, low, l->precedence) > 0)
			r = known_add(out, &derived->v[i]);
	}
	if (r == 0 && out->n > 1)
		qsort_r(out->v, out->n, sizeof(*out->v), by_rank, &rule);
	return r;
}

struct following {
	struct listing *l;
	struct listing_pipe *lp;
	struct overlap below; /* what is loaded behind, so far */
	struct living_list again;
};

static void following_release(struct following *fw)
{
	overlap_release(&fw->below);
	living_release(&fw->again);
}

/* One that is gone meanwhile is found to be so when it is captured. */
static void lay_below(struct following *fw, const struct living *f)
{
	struct tsfile_range range;
	struct living at = *f;
	CLEANUP_CLOSE int fd = follow_open(fw->l, &at);

	if (fd >= 0)
		overlap_add(&fw->below, fd, &range);
}

/* Whether a captured file overlaps what comes below it. */
static int must_follow(struct following *fw, struct known_file *k)
{
	bool is_known = k->range.any, is_shared;
	CLEANUP_CLOSE int fd = -1;
	int r = 0;

	if (is_known && !overlap_ranges(&k->range, &fw->below.all))
		return 0;
	fd = follow_open(fw->l, &k->f);
	if (fd < 0)
		return 0; /* it stands there no more */
	is_shared = overlap_hits(&fw->below, fd, &k->range);
	if (!is_known && k->range.any)
		r = known_add(&fw->lp->plan.learned, k);
	if (r == 0 && is_shared)
		overlap_add(&fw->below, fd, &k->range);
	return r ? r : is_shared;
}

static int walk_up(struct following *fw, const struct living_list *fresh,
		   struct known_list *higher)
{
	size_t at = 0, i;
	int r = 0;

	for (i = 0; r >= 0 && i < higher->n; i++) {
		struct known_file *k = &higher->v[i];
		int order = 1;

		for (; at < fresh->n; at++) {
			order = living_rank(&fresh->v[at], &k->f,
					    fw->l->precedence);
			if (order >= 0)
				break;
			lay_below(fw, &fresh->v[at]);
		}
		if (order == 0)
			continue; /* it goes again anyway */
		r = must_follow(fw, k);
		if (r == 1) {
			k->f.is_again = true;
			r = living_add(&fw->again, &k->f);
		}
	}
	return r < 0 ? r : 0;
}

static void tell(struct following *fw, const struct living *low)
{
	char name[FILEID_PATH_MAX];
	struct fileid id;

	listing_file(fw->l, low, &id);
	buf_addf(&fw->lp->plan.news,
		 "%s %s comes below %zu captured files that it overlaps: they "
		 "follow again\n",
		 id.database, fileid_path(&id, name), fw->again.n);
}

int follow_add(struct listing *l, struct listing_pipe *lp,
	       struct living_list *fresh, const struct living *top)
{
	CLEANUP(following_release)
	struct following fw = {.l = l, .lp = lp};
	CLEANUP(known_release) struct known_list higher = {.n = 0};
	size_t i;
	int r;

	if (!fresh->n || living_rank(&fresh->v[0], top, l->precedence) >= 0)
		return 0;
	r = read_higher(l, lp->pipe, &lp->plan.products, &fresh->v[0], &higher);
	if (r == 0)
		r = walk_up(&fw, fresh, &higher);
	if (r == 0 && fw.again.n)
		tell(&fw, &fresh->v[0]);
	for (i = 0; r == 0 && i < fw.again.n; i++) {
		r = living_add(&lp->plan.owed, &fw.again.v[i]);
		if (r == 0)
			r = living_add(fresh, &fw.again.v[i]);
	}
	if (r == 0 && fw.again.n)
		living_sort(fresh,
			    (struct living_order){.rule = l->precedence});
	return r;
}
