#include "overlap.h"

#include <string.h>

struct overlap_device {
	uint64_t key; /* 0 = free */
	int64_t first, last;
};

static const struct tsfile_range widest = {
	.any = true, .first = INT64_MIN, .last = INT64_MAX};

static uint64_t hash(uint64_t h, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (uint8_t)p[i]) * 1099511628211ull;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	return h ^ h >> 32;
}

uint64_t overlap_text_key(const char *text)
{
	return hash(1469598103934665603ull, text, strlen(text));
}

uint64_t overlap_key(const struct tsfile_device *d)
{
	uint64_t h = hash(1469598103934665603ull, d->path, d->path_len);

	return h ? h : 1;
}

void overlap_release(struct overlap *o)
{
	free(o->slots);
	memset(o, 0, sizeof(*o));
}

bool overlap_ranges(const struct tsfile_range *a, const struct tsfile_range *b)
{
	return a->any && b->any && a->first <= b->last && b->first <= a->last;
}

static void widen(struct tsfile_range *to, const struct tsfile_range *by)
{
	if (!by->any)
		return;
	if (!to->any) {
		*to = *by;
		return;
	}
	if (by->first < to->first)
		to->first = by->first;
	if (by->last > to->last)
		to->last = by->last;
}

/* Where the key is, or where it would be put. */
static struct overlap_device *slot_of(const struct overlap *o, uint64_t key)
{
	size_t at = (size_t)key & (o->cap - 1);

	while (o->slots[at].key && o->slots[at].key != key)
		at = (at + 1) & (o->cap - 1);
	return &o->slots[at];
}

/* Room for one device more; false when there are too many. */
static bool has_room(struct overlap *o)
{
	struct overlap more = {.cap = o->cap ? o->cap * 2 : 64};
	size_t i;

	if (o->n * 2 < o->cap)
		return true;
	if (o->n >= OVERLAP_DEVICES_MAX)
		return false;
	more.slots = calloc(more.cap, sizeof(*more.slots));
	if (!more.slots)
		return false;
	for (i = 0; i < o->cap; i++) {
		if (o->slots[i].key)
			*slot_of(&more, o->slots[i].key) = o->slots[i];
	}
	free(o->slots);
	o->slots = more.slots;
	o->cap = more.cap;
	return true;
}

static int add_device(void *arg, const struct tsfile_device *d)
{
	struct overlap *o = arg;
	uint64_t key = overlap_key(d);
	struct overlap_device *at;

	if (!d->range.any)
		return 0;
	if (!has_room(o)) {
		widen(&o->wide, &d->range);
		return 0;
	}
	at = slot_of(o, key);
	if (!at->key) {
		*at = (struct overlap_device){key, d->range.first,
					      d->range.last};
		o->n++;
		return 0;
	}
	if (d->range.first < at->first)
		at->first = d->range.first;
	if (d->range.last > at->last)
		at->last = d->range.last;
	return 0;
}

void overlap_add(struct overlap *o, int fd, struct tsfile_range *range)
{
	const struct tsfile_visit visit = {.device = add_device, .arg = o};
	struct tsfile_index index = {.version = 0};

	if (tsfile_index_read(fd, &visit, &index, NULL) == 0) {
		*range = index.range;
	} else {
		*range = widest;
		widen(&o->wide, range);
	}
	widen(&o->all, range);
}

struct question {
	const struct overlap *o;
	bool is_shared;
};

static int ask_device(void *arg, const struct tsfile_device *d)
{
	struct question *q = arg;
	const struct overlap *o = q->o;
	const struct overlap_device *at;

	if (overlap_ranges(&o->wide, &d->range))
		q->is_shared = true;
	if (q->is_shared || !o->cap || !d->range.any)
		return 0;
	at = slot_of(o, overlap_key(d));
	if (at->key && at->first <= d->range.last && d->range.first <= at->last)
		q->is_shared = true;
	return 0;
}

bool overlap_hits(const struct overlap *o, int fd, struct tsfile_range *range)
{
	struct question q = {.o = o};
	const struct tsfile_visit visit = {.device = ask_device, .arg = &q};
	struct tsfile_index index = {.version = 0};

	if (tsfile_index_read(fd, &visit, &index, NULL)) {
		*range = widest;
		return o->all.any;
	}
	*range = index.range;
	return q.is_shared;
}

struct summing {
	uint64_t sum;
	int (*fn)(void *arg, const struct tsfile_device *d);
	void *arg;
};

static int sum_series(void *arg, const struct tsfile_device *d,
		      const struct tsfile_series *s)
{
	struct summing *su = arg;

	su->sum += hash(overlap_key(d), s->name, s->name_len) * s->count;
	return 0;
}

static int pass_device(void *arg, const struct tsfile_device *d)
{
	struct summing *su = arg;

	return su->fn ? su->fn(su->arg, d) : 0;
}

int overlap_row_sum_each(int fd, struct tsfile_range *range, uint64_t *sum,
			 int (*fn)(void *arg, const struct tsfile_device *d),
			 void *arg, struct err *e)
{
	struct summing su = {.fn = fn, .arg = arg};
	const struct tsfile_visit visit = {
		.series = sum_series, .device = pass_device, .arg = &su};
	struct tsfile_index index = {.version = 0};
	int r = tsfile_index_read(fd, &visit, &index, e);

	if (r)
		return r;
	*sum = su.sum;
	*range = index.range;
	return 0;
}

int overlap_row_sum(int fd, struct tsfile_range *range, uint64_t *sum,
		    struct err *e)
{
	return overlap_row_sum_each(fd, range, sum, NULL, NULL, e);
}
