#include "restate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "domain/entry.h"
#include "follow.h"
#include "overlap.h"
#include "spool.h"

#define DEVICES_MAX \
	100000u /* of one partition; more are not deleted, and that is told */

/* ---- the range ---- */

struct devices {
	char **v; /* owned, with what it points to */
	size_t n, cap;
	struct tsfile_range range;
	bool is_cut;
};

static void devices_release(struct devices *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		free(d->v[i]);
	free(d->v);
}

static bool is_line(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return false;
	}
	return n > 0;
}

static int add_name(struct devices *d, const char *name, size_t len)
{
	if (!is_line(name, len) || d->n == DEVICES_MAX) {
		d->is_cut = true;
		return 0;
	}
	if (array_room(&d->v, d->n, &d->cap, sizeof(*d->v)))
		return -ENOMEM;
	d->v[d->n] = strndup(name, len);
	return d->v[d->n] ? (d->n++, 0) : -ENOMEM;
}

static int take_device(void *arg, const struct tsfile_device *dev)
{
	return add_name(arg, dev->path, dev->path_len);
}

/* Devices that have no row left in any file of the partition: the region's are known. */
static int add_region(struct listing *l, struct devices *d)
{
	sqlite3_stmt *st = l->db->devices;
	int r;

	(void)sqlite3_bind_text(st, 1, l->database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, l->region);
	while ((r = db_row(&l->db->db, st, &l->err)) == 1) {
		const char *name = (const char *)sqlite3_column_text(st, 0);

		r = name ? add_name(d, name, strlen(name)) : 0;
		if (r) {
			(void)sqlite3_reset(st);
			break;
		}
	}
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void drop_duplicates(struct devices *d)
{
	size_t i, n = 0;

	if (!d->n)
		return;
	qsort(d->v, d->n, sizeof(*d->v), compare_names);
	for (i = 1; i < d->n; i++) {
		if (strcmp(d->v[n], d->v[i]) == 0)
			free(d->v[i]);
		else
			d->v[++n] = d->v[i];
	}
	d->n = n + 1;
}

/* Devices and times of one file; one that cannot be read says nothing. */
static int add_file(struct devices *d, int fd)
{
	const struct tsfile_visit visit = {.device = take_device, .arg = d};
	struct tsfile_index index = {.version = 0};
	int r = tsfile_index_read(fd, &visit, &index, NULL);

	if (r == 0)
		known_widen(&d->range, &index.range);
	else if (r != -ENOMEM)
		d->is_cut = true;
	if (d->n > 4096)
		drop_duplicates(d);
	return r == -ENOMEM ? r : 0;
}

int restate_open_pin(struct listing *l, int64_t pipe, uint64_t serial)
{
	char path[SPOOL_PATH_LEN], dir[SPOOL_DIR_LEN];
	sqlite3_stmt *st = l->db->pin;
	int fd = -ENOENT, r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_int64(st, 2, (int64_t)serial);
	r = db_row(&l->db->db, st, NULL);
	if (r != 1)
		return r < 0 ? r : fd;
	if (db_text(st, 1, dir, sizeof(dir)) == 0)
		fd = open(spool_path(dir, (uint64_t)sqlite3_column_int64(st, 0),
				     MODS_NONE, path),
			  O_RDONLY | O_CLOEXEC);
	(void)sqlite3_reset(st);
	return fd;
}

/* Above and below the living files a lost one may have held rows. */
static int add_lost(struct listing *l, struct listing_pipe *lp,
		    struct devices *d)
{
	const struct known_list *lost = &lp->plan.stale;
	int64_t first = d->range.first;
	bool any = d->range.any, is_unknown = false;
	int64_t last;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < lost->n; i++) {
		CLEANUP_CLOSE int fd =
			restate_open_pin(l, lp->pipe, lost->v[i].serial);

		known_widen(&d->range, &lost->v[i].range);
		if (fd >= 0)
			r = add_file(d, fd);
		is_unknown |= !lost->v[i].range.any &&
			      (fd < 0 || lost->v[i].is_derived);
	}
	if (r == 0 && is_unknown && d->range.any) {
		r = restate_end(l, lp->pipe, &last);
		if (r == 1 && last > d->range.last)
			d->range.last = last;
	}
	if (r >= 0 && any && d->range.first < first)
		restate_front(l, lp, &d->range.first, first);
	return r < 0 ? r : 0;
}

/* ---- the living files ---- */

static bool is_among(const struct living_list *list, size_t n,
		     const struct living *f)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (living_compare(&list->v[i], f) == 0)
			return true;
	}
	return false;
}

bool restate_is_withheld(const struct listing *l, const struct living *f)
{
	size_t i, k;

	for (i = 0; i < l->compactions.n; i++) {
		const struct compaction *c = &l->compactions.v[i];

		for (k = 0; !c->is_decided && k < c->n; k++) {
			if (c->v[k].role == JOURNAL_SOURCE &&
			    living_compare(&c->v[k].f, f) == 0)
				return true;
		}
	}
	return false;
}

/* A captured file goes again, if it still stands. One whose rows are on their way into a
 * product owes it: so the product is sent. */
static int take_living(struct listing *l, struct listing_pipe *lp,
		       struct living_list *fresh, size_t n_fresh,
		       const struct known_file *k, struct devices *d)
{
	struct living f = k->f;
	CLEANUP_CLOSE int fd = follow_open(l, &f);
	int r;

	if (fd < 0)
		return restate_is_withheld(l, &f)
			       ? living_add(&lp->plan.owed, &f)
			       : 0;
	r = add_file(d, fd);
	if (r || is_among(fresh, n_fresh, &f))
		return r;
	f.is_again = true;
	r = living_add(fresh, &f);
	return r ? r : living_add(&lp->plan.owed, &f);
}

static int take_all_living(struct listing *l, struct listing_pipe *lp,
			   struct living_list *fresh, struct devices *d)
{
	CLEANUP(known_release) struct known_list all = {.n = 0};
	size_t i, n_fresh = fresh->n;
	int r = 0;

	for (i = 0; r == 0 && i < n_fresh; i++) {
		CLEANUP_CLOSE int fd = follow_open(l, &fresh->v[i]);

		if (fd >= 0)
			r = add_file(d, fd);
	}
	known_bind(l->db->known, lp->pipe, l->database, l->region,
		   l->partition);
	if (r == 0)
		r = known_read(&l->db->db, l->db->known, &all, &l->err);
	for (i = 0; r == 0 && i < all.n; i++)
		r = take_living(l, lp, fresh, n_fresh, &all.v[i], d);
	for (i = 0; r == 0 && i < lp->plan.products.n; i++)
		r = take_living(l, lp, fresh, n_fresh, &lp->plan.products.v[i],
				d);
	return r;
}

/* One entry for as many devices as it takes. */
static int add_entries(struct plan *p, const struct devices *d)
{
	CLEANUP(buf_release) struct buf lines;
	size_t i;
	int r = 0;

	buf_init(&lines, ENTRY_DEVICES_MAX);
	for (i = 0; r == 0 && i < d->n; i++) {
		if (lines.len + strlen(d->v[i]) + 1 > ENTRY_DEVICES_MAX) {
			r = plan_restate(p, buf_str(&lines), d->range.first,
					 d->range.last);
			buf_clear(&lines);
		}
		if (lines.len)
			buf_adds(&lines, "\n");
		buf_adds(&lines, d->v[i]);
	}
	if (r == 0 && lines.len)
		r = plan_restate(p, buf_str(&lines), d->range.first,
				 d->range.last);
	return r;
}

int restate_add(struct listing *l, struct listing_pipe *lp,
		struct living_list *fresh)
{
	CLEANUP(devices_release) struct devices d = {.n = 0};
	int r;

	/* Who wants no deletions keeps the rows. */
	if (!lp->plan.stale.n || !lp->sync_del_op)
		return 0;
	r = take_all_living(l, lp, fresh, &d);
	if (r == 0)
		r = add_lost(l, lp, &d);
	if (r == 0)
		r = add_region(l, &d);
	if (d.range.first < lp->floor)
		d.range.first = lp->floor;
	if (r || lp->is_waiting || !d.range.any || d.range.first > d.range.last)
		return r;
	drop_duplicates(&d);
	r = add_entries(&lp->plan, &d);
	buf_addf(&lp->plan.news,
		 "%s/%" PRIu32 "/%" PRId64
		 ": RESTATE of %zu devices, times %" PRId64 "..%" PRId64
		 ", and its %zu files again%s\n",
		 l->database, l->region, l->partition, d.n, d.range.first,
		 d.range.last, fresh->n,
		 d.is_cut ? "; some devices cannot be named and are left out"
			  : "");
	return r;
}

/* ---- single files ---- */

void restate_release(struct restate *rs)
{
	size_t i;

	for (i = 0; i < rs->n_devices; i++)
		free(rs->devices[i]);
	free(rs->devices);
}

/* The partition's living files have the devices that its lost ones had, mostly. */
static int add_living_devices(struct listing *l, struct listing_pipe *lp,
			      struct devices *d)
{
	CLEANUP(known_release) struct known_list all = {.n = 0};
	const struct tsfile_range range = d->range;
	size_t i;
	int r;

	known_bind(l->db->known, lp->pipe, l->database, l->region,
		   l->partition);
	r = known_read(&l->db->db, l->db->known, &all, &l->err);
	for (i = 0; r == 0 && i < all.n; i++) {
		struct living f = all.v[i].f;
		CLEANUP_CLOSE int fd = follow_open(l, &f);

		if (fd >= 0)
			r = add_file(d, fd);
	}
	d->range = range;
	return r;
}

int restate_of_files(struct listing *l, struct listing_pipe *lp,
		     const struct known_list *lost, struct restate *out)
{
	CLEANUP(devices_release) struct devices d = {.n = 0};
	bool is_unpinned = false;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < lost->n; i++) {
		const struct known_file *k = &lost->v[i];
		CLEANUP_CLOSE int fd = restate_open_pin(l, lp->pipe, k->serial);

		known_widen(&d.range, &k->range);
		if (fd >= 0 && !k->is_derived)
			r = add_file(&d, fd);
		else
			is_unpinned = true;
	}
	if (r == 0 && is_unpinned)
		r = add_region(l, &d);
	if (r == 0 && is_unpinned)
		r = add_living_devices(l, lp, &d);
	if (r || !d.range.any)
		return r;
	drop_duplicates(&d);
	out->first = d.range.first < lp->floor ? lp->floor : d.range.first;
	out->last = d.range.last;
	out->devices = d.v;
	out->n_devices = d.n;
	d.v = NULL;
	d.n = 0;
	return 0;
}

void restate_print(const struct restate *rs, struct buf *lines)
{
	size_t i;

	for (i = 0; i < rs->n_devices; i++)
		buf_addf(lines, "%s%s", i ? "\n" : "", rs->devices[i]);
}

static int follow_overlapping(struct listing *l, struct listing_pipe *lp,
			      struct living_list *fresh,
			      const struct restate *rs)
{
	const struct tsfile_range range = {true, rs->first, rs->last};
	CLEANUP(devices_release) struct devices unused = {.n = 0};
	CLEANUP(known_release) struct known_list all = {.n = 0};
	size_t i, n_fresh = fresh->n;
	int r;

	known_bind(l->db->known, lp->pipe, l->database, l->region,
		   l->partition);
	r = known_read(&l->db->db, l->db->known, &all, &l->err);
	for (i = 0; r == 0 && i < all.n; i++) {
		const struct known_file *k = &all.v[i];

		if (!k->range.any || overlap_ranges(&k->range, &range))
			r = take_living(l, lp, fresh, n_fresh, k, &unused);
	}
	return r;
}

int restate_send(struct listing *l, struct listing_pipe *lp,
		 struct living_list *fresh, const struct restate *rs)
{
	const struct devices d = {.v = rs->devices,
				  .n = rs->n_devices,
				  .range = {true, rs->first, rs->last}};
	size_t i, before = lp->plan.n_restates;
	int r = add_entries(&lp->plan, &d);

	for (i = before; i < lp->plan.n_restates; i++)
		lp->plan.restates[i].is_held = rs->is_held;
	return r ? r : follow_overlapping(l, lp, fresh, rs);
}
