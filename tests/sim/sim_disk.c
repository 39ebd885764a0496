/* A disk that forgets: every page written and not synced survives a power cut or not,
 * by chance; names made or removed survive in order, up to some point; a failed sync
 * leaves pages clean and lost, as Linux does. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

struct sim_file *disk_find(struct sim_disk *d, unsigned dir, uint64_t serial,
			   bool is_list)
{
	for (struct sim_file *f = d->files; f; f = f->next)
		if (f->serial == serial && f->dir == dir &&
		    f->is_list == is_list && f->is_linked)
			return f;
	return NULL;
}

static void add_op(struct sim_disk *d, struct sim_file *f, bool is_linked)
{
	sim_grow(&d->ops, d->n_ops, &d->cap_ops, sizeof(*d->ops));
	d->ops[d->n_ops++] = (struct sim_dir_op){f, is_linked};
}

struct sim_file *disk_make(struct sim_disk *d, unsigned dir, uint64_t serial,
			   bool is_list)
{
	struct sim_file *f = xcalloc(1, sizeof(*f));

	(void)snprintf(f->name, sizeof(f->name), "%u/%" PRIu64 ".%s", dir,
		       serial, is_list ? "blocks" : "tsfile");
	f->dir = dir;
	f->serial = serial;
	f->is_list = is_list;
	f->is_linked = true;
	f->next = d->files;
	d->files = f;
	add_op(d, f, true);
	return f;
}

static void grow(uint8_t **p, size_t have, size_t want)
{
	uint8_t *more = xcalloc(1, want);

	if (have)
		memcpy(more, *p, have);
	free(*p);
	*p = more;
}

static void make_room(struct sim_file *f, size_t n)
{
	size_t cap = f->cap ? f->cap : SIM_PAGE;

	if (n <= f->cap)
		return;
	while (cap < n)
		cap *= 2;
	grow(&f->now, f->cap, cap);
	grow(&f->kept, f->cap, cap);
	grow(&f->dirty, f->cap / SIM_PAGE, cap / SIM_PAGE);
	f->cap = cap;
}

void disk_write(struct sim_file *f, size_t offset, const void *p, size_t n)
{
	if (n == 0)
		return;
	make_room(f, offset + n);
	memcpy(f->now + offset, p, n);
	for (size_t i = offset / SIM_PAGE; i <= (offset + n - 1) / SIM_PAGE;
	     i++)
		f->dirty[i] = 1;
	if (offset + n > f->len)
		f->len = offset + n;
}

static void keep_page(struct sim_file *f, size_t page)
{
	memcpy(f->kept + page * SIM_PAGE, f->now + page * SIM_PAGE, SIM_PAGE);
	f->dirty[page] = 0;
}

void disk_sync(struct sim_file *f)
{
	for (size_t i = 0; i < f->cap / SIM_PAGE; i++)
		if (f->dirty[i])
			keep_page(f, i);
	f->kept_len = f->len;
}

void disk_sync_failed(struct sim_file *f)
{
	if (f->cap)
		memset(f->dirty, 0, f->cap / SIM_PAGE);
}

void disk_unlink(struct sim_disk *d, struct sim_file *f)
{
	f->is_linked = false;
	add_op(d, f, false);
}

static void free_file(struct sim_file *f)
{
	free(f->now);
	free(f->kept);
	free(f->dirty);
	free(f);
}

static bool has_op(const struct sim_disk *d, const struct sim_file *f)
{
	for (size_t i = 0; i < d->n_ops; i++)
		if (d->ops[i].file == f)
			return true;
	return false;
}

/* Files that neither the cache nor the medium names, nor will. */
static void reap(struct sim_disk *d)
{
	struct sim_file **at = &d->files;

	while (*at) {
		struct sim_file *f = *at;

		if (f->is_linked || f->is_kept || has_op(d, f)) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		free_file(f);
	}
}

void disk_sync_dir(struct sim_disk *d, unsigned dir)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_ops; i++)
		if (dir && d->ops[i].file->dir != dir)
			d->ops[n++] = d->ops[i];
		else
			d->ops[i].file->is_kept = d->ops[i].is_linked;
	d->n_ops = n;
	reap(d);
}

/* A page that was on its way when the power went: its first half. */
static void tear_page(struct sim_file *f, size_t page)
{
	memcpy(f->kept + page * SIM_PAGE, f->now + page * SIM_PAGE,
	       SIM_PAGE / 2);
}

static void forget(struct sim *s, struct sim_file *f)
{
	size_t len = sim_chance(s, 500) ? f->len : f->kept_len;

	for (size_t i = 0; i < f->cap / SIM_PAGE; i++) {
		if (!f->dirty[i])
			continue;
		if (sim_chance(s, 500))
			keep_page(f, i);
		else if (sim_chance(s, 200))
			tear_page(f, i);
	}
	if (len < f->kept_len)
		len = f->kept_len;
	if (f->cap) {
		memset(f->kept + len, 0, f->cap - len);
		memcpy(f->now, f->kept, f->cap);
		memset(f->dirty, 0, f->cap / SIM_PAGE);
	}
	f->len = f->kept_len = len;
}

void disk_power_cut(struct sim *s, struct sim_disk *d)
{
	size_t n = sim_random(s, d->n_ops + 1);

	for (size_t i = 0; i < n; i++)
		d->ops[i].file->is_kept = d->ops[i].is_linked;
	d->n_ops = 0;
	for (struct sim_file *f = d->files; f; f = f->next) {
		f->is_linked = f->is_kept;
		forget(s, f);
	}
	reap(d);
}

/* A copy of what the cache shows, synced. */
void disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
	memset(to, 0, sizeof(*to));
	for (const struct sim_file *f = from->files; f; f = f->next) {
		struct sim_file *copy;

		if (!f->is_linked)
			continue;
		copy = disk_make(to, f->dir, f->serial, f->is_list);
		disk_write(copy, 0, f->now, f->len);
		disk_sync(copy);
	}
	disk_sync_dir(to, 0);
}

void disk_release(struct sim_disk *d)
{
	while (d->files) {
		struct sim_file *f = d->files;

		d->files = f->next;
		free_file(f);
	}
	free(d->ops);
	memset(d, 0, sizeof(*d));
}
