#include "prefix.h"

#include <errno.h>
#include <string.h>

#include "ground/buf.h"
#include "tsfile_index.h"

#ifndef PREFIX_MARGIN
#	define PREFIX_MARGIN \
		4096u /* on both sides: times do not tell bytes exactly */
#endif

struct chunk {
	uint64_t series; /* of device and name */
	uint64_t begin, end;
	int64_t first, last;
	uint32_t next; /* of the same slot; index + 1 */
};

struct chunks {
	struct chunk *c; /* owned */
	size_t n, cap;
	uint64_t device; /* while its series are heard */
	uint64_t end;	 /* of the file's data, at most */
	bool is_too_many;
};

struct part {
	uint64_t begin, end; /* in the source; end 0: none */
};

struct prefix {
	struct chunks product;
	uint32_t *slots; /* owned: the first chunk of a series; index + 1 */
	size_t n_slots;	 /* a power of two */
	uint64_t n_blocks;
	unsigned n_sources;
	struct part *parts; /* owned; PREFIX_SOURCES_MAX for each block */
};

static uint64_t hash_of(const char *p, size_t n, uint64_t seed)
{
	struct digest d = digest_block(p, n);
	uint64_t v;

	memcpy(&v, d.b, sizeof v);
	return (v ^ seed) * 0x9e3779b97f4a7c15u;
}

static int hear_series(void *arg, const struct tsfile_device *d,
		       const struct tsfile_series *s)
{
	struct chunks *l = arg;

	(void)s;
	l->device = hash_of(d->path, d->path_len, 0);
	return 0;
}

static int hear_chunk(void *arg, const struct tsfile_device *d,
		      const struct tsfile_series *s,
		      const struct tsfile_chunk *c)
{
	struct chunks *l = arg;

	(void)d;
	if (!c->range.any || c->offset >= l->end)
		return 0;
	if (l->n == PREFIX_CHUNKS_MAX) {
		l->is_too_many = true;
		return 1;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 1024;
		struct chunk *more = realloc(l->c, cap * sizeof *more);

		if (!more)
			return -ENOMEM;
		l->c = more;
		l->cap = cap;
	}
	l->c[l->n++] = (struct chunk){
		.series = hash_of(s->name, s->name_len, l->device),
		.begin = c->offset,
		.first = c->range.first,
		.last = c->range.last,
	};
	return 0;
}

static int compare_chunks(const void *a, const void *b)
{
	const struct chunk *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static int read_chunks(struct chunks *l, int fd, uint64_t len, struct err *e)
{
	struct tsfile_visit visit = {
		.series = hear_series, .chunk = hear_chunk, .arg = l};
	struct tsfile_index index;
	int r;

	l->end = len;
	r = tsfile_index_read(fd, &visit, &index, e);
	if (l->is_too_many)
		return -E2BIG;
	if (r < 0)
		return r;
	if (l->n)
		qsort(l->c, l->n, sizeof *l->c, compare_chunks);
	for (size_t i = 0; i < l->n; i++)
		l->c[i].end = i + 1 < l->n ? l->c[i + 1].begin : len;
	return 0;
}

static int make_slots(struct prefix *p)
{
	p->n_slots = 1024;
	while (p->n_slots < 2 * p->product.n)
		p->n_slots *= 2;
	p->slots = calloc(p->n_slots, sizeof *p->slots);
	if (!p->slots)
		return -ENOMEM;
	for (size_t i = 0; i < p->product.n; i++) {
		struct chunk *c = &p->product.c[i];
		uint32_t *slot = &p->slots[c->series & (p->n_slots - 1)];

		c->next = *slot;
		*slot = (uint32_t)i + 1;
	}
	return 0;
}

int prefix_new(struct prefix **out, int fd, uint64_t len, struct err *e)
{
	struct prefix *p = xcalloc(1, sizeof *p);
	int r = read_chunks(&p->product, fd, len, e);

	if (r == 0)
		r = make_slots(p);
	p->n_blocks = block_count(len);
	if (r == 0)
		p->parts = calloc(p->n_blocks * PREFIX_SOURCES_MAX,
				  sizeof *p->parts);
	if (r == 0 && !p->parts)
		r = -ENOMEM;
	if (r < 0) {
		prefix_free(p);
		return r;
	}
	*out = p;
	return 0;
}

void prefix_free(struct prefix *p)
{
	if (!p)
		return;
	free(p->product.c);
	free(p->slots);
	free(p->parts);
	free(p);
}

/* ---- a source's chunks ---- */

/* Where time t lies in a chunk, as if its rows were even. */
static uint64_t place_of(const struct chunk *c, int64_t t)
{
	double span = (double)c->last - (double)c->first;
	double part = span > 0 ? ((double)t - (double)c->first) / span : 0;

	return c->begin + (uint64_t)(part * (double)(c->end - c->begin));
}

static void widen(struct part *x, uint64_t begin, uint64_t end)
{
	if (x->end == 0)
		*x = (struct part){begin, end};
	if (begin < x->begin)
		x->begin = begin;
	if (end > x->end)
		x->end = end;
}

/* The bytes [begin, end) of the product have the times that [from, to) of the source has:
 * each block that they touch gets its share. */
static void relate(struct prefix *p, uint64_t begin, uint64_t end,
		   uint64_t from, uint64_t to)
{
	double scale =
		end > begin ? (double)(to - from) / (double)(end - begin) : 0;

	for (uint64_t b = begin / BLOCK_LEN;
	     b < p->n_blocks && b * BLOCK_LEN <= end; b++) {
		uint64_t low = b * BLOCK_LEN > begin ? b * BLOCK_LEN : begin;
		uint64_t high =
			(b + 1) * BLOCK_LEN < end ? (b + 1) * BLOCK_LEN : end;
		uint64_t first = from +
				 (uint64_t)((double)(low - begin) * scale),
			 last = from +
				(uint64_t)((double)(high - begin) * scale);

		widen(&p->parts[b * PREFIX_SOURCES_MAX + p->n_sources], first,
		      last > first ? last : first + 1);
	}
}

static void match(struct prefix *p, const struct chunk *s)
{
	uint32_t at = p->slots[s->series & (p->n_slots - 1)];

	for (; at; at = p->product.c[at - 1].next) {
		const struct chunk *c = &p->product.c[at - 1];
		int64_t first = c->first > s->first ? c->first : s->first,
			last = c->last < s->last ? c->last : s->last;

		if (c->series != s->series || first > last)
			continue;
		relate(p, place_of(c, first),
		       last == c->last ? c->end : place_of(c, last),
		       place_of(s, first),
		       last == s->last ? s->end : place_of(s, last));
	}
}

int prefix_add_source(struct prefix *p, int fd, uint64_t len, struct err *e)
{
	struct chunks l = {0};
	int r;

	if (p->n_sources == PREFIX_SOURCES_MAX)
		return -E2BIG;
	r = read_chunks(&l, fd, len, e);
	for (size_t i = 0; r == 0 && i < l.n; i++)
		match(p, &l.c[i]);
	for (uint64_t b = 0; r == 0 && b < p->n_blocks; b++) {
		struct part *x =
			&p->parts[b * PREFIX_SOURCES_MAX + p->n_sources];

		if (x->end == 0)
			continue;
		x->begin =
			x->begin > PREFIX_MARGIN ? x->begin - PREFIX_MARGIN : 0;
		x->end = x->end + PREFIX_MARGIN < len ? x->end + PREFIX_MARGIN
						      : len;
	}
	free(l.c);
	p->n_sources++;
	return r;
}

unsigned prefix_ranges(const struct prefix *p, uint64_t block,
		       struct held_range out[HELD_RANGES_MAX])
{
	const struct part *parts;
	uint64_t sum = 0;
	unsigned n = 0;

	if (block >= p->n_blocks)
		return 0;
	parts = &p->parts[block * PREFIX_SOURCES_MAX];

	for (unsigned i = 0; i < p->n_sources; i++)
		sum += parts[i].end - parts[i].begin;
	for (unsigned i = 0; i < p->n_sources; i++) {
		uint64_t len = parts[i].end - parts[i].begin;

		/* Too much: of each the same share. */
		if (sum > HELD_PREFIX_MAX)
			len = (uint64_t)((double)len * HELD_PREFIX_MAX /
					 (double)sum);
		if (len)
			out[n++] = (struct held_range){.file = (uint8_t)i,
						       .offset = parts[i].begin,
						       .len = (uint32_t)len};
	}
	return n;
}
