#include <errno.h>
#include <string.h>

#include "deletion_inside.h"
#include "domain/pattern.h"
#include "domain/tsfile_index.h"

#define PIECES_MATCHED 64    /* beyond, every device counts as touched */
#define LINES_MAX (8u << 20) /* bytes of devices of one deletion */
#define LINES_SORTED_FROM (1u << 20) /* from here on doubles are taken out */

/* ---- whom the pieces touch ---- */

struct clipping {
	const struct deletion_pieces *p;
	struct buf devices; /* owned */
	struct tsfile_range range;
	int64_t floor; /* rows before it never travelled */
};

static void clipping_release(struct clipping *c)
{
	buf_release(&c->devices);
}

static bool piece_touches(const struct deletion_piece *p,
			  const struct tsfile_device *d)
{
	if (p->first > d->range.last || p->last < d->range.first)
		return false;
	return p->rec.is_table
		       ? d->table_len == p->rec.path_len &&
				 memcmp(d->path, p->rec.path, d->table_len) == 0
		       : pattern_may_touch(p->rec.path, p->rec.path_len,
					   d->path, d->path_len);
}

bool deletion_is_touched(const struct deletion_pieces *p,
			 const struct tsfile_device *d)
{
	size_t i;

	if (p->n > PIECES_MATCHED)
		return true;
	for (i = 0; i < p->n; i++) {
		if (piece_touches(&p->v[i], d))
			return true;
	}
	return false;
}

/* A name that no line can hold is not told: no statement could name it either. */
static bool is_plain_line(const struct tsfile_device *d)
{
	size_t i;

	for (i = 0; i < d->path_len; i++) {
		unsigned char c = (unsigned char)d->path[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return d->path_len > 0 && d->path_len < DELETION_DEVICES_MAX;
}

static int take_device(void *arg, const struct tsfile_device *d)
{
	struct tsfile_device at = *d;
	struct clipping *c = arg;

	if (!d->range.any || d->range.last < c->floor || !is_plain_line(d))
		return 0;
	if (at.range.first < c->floor)
		at.range.first = c->floor;
	if (!deletion_is_touched(c->p, &at))
		return 0;
	buf_add(&c->devices, d->path, d->path_len);
	buf_adds(&c->devices, "\n");
	if (!c->range.any || at.range.first < c->range.first)
		c->range.first = at.range.first;
	if (!c->range.any || d->range.last > c->range.last)
		c->range.last = d->range.last;
	c->range.any = true;
	return buf_end(&c->devices) ? -E2BIG : 0;
}

/* ---- entries in the making ---- */

static int make_records(const struct deletion_source *s,
			const struct deletion_pieces *p, struct buf *out)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < p->n; i++)
		r = records_add_clipped(&p->v[i].rec, p->v[i].first,
					p->v[i].last, s->kind, out);
	return r ? r : buf_end(out);
}

static struct deletion *find_alike(struct deletions *d, enum mods_kind kind,
				   const struct buf *records)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		struct deletion *o = &d->v[i];

		if (!o->is_closed && o->kind == kind &&
		    o->records.len == records->len &&
		    memcmp(buf_data(&o->records), buf_data(records),
			   records->len) == 0)
			return o;
	}
	return NULL;
}

static struct deletion *make_one(struct deletions *d, enum mods_kind kind,
				 const struct buf *records)
{
	struct deletion *o = deletions_add(d);

	if (!o)
		return NULL;
	o->kind = kind;
	o->first = INT64_MAX;
	o->last = INT64_MIN;
	buf_init(&o->records, MODS_MAX);
	buf_add(&o->records, buf_data(records), records->len);
	buf_init(&o->devices, 2 * LINES_MAX);
	return o;
}

static int add_file(struct deletion *o, const struct clipping *c)
{
	bool is_long;

	if (c->range.first < o->first)
		o->first = c->range.first;
	if (c->range.last > o->last)
		o->last = c->range.last;
	is_long = o->devices.len < LINES_SORTED_FROM &&
		  o->devices.len + c->devices.len >= LINES_SORTED_FROM;
	buf_add(&o->devices, buf_data(&c->devices), c->devices.len);
	if (buf_end(&o->devices) || buf_end(&o->records))
		return -ENOMEM;
	if (is_long && deletion_sort_lines(&o->devices))
		return -ENOMEM;
	o->is_closed = o->devices.len > LINES_SORTED_FROM;
	return 0;
}

int deletion_emit(struct deletion_judging *j, const struct deletion_source *s,
		  int fd, const struct deletion_pieces *p)
{
	CLEANUP(clipping_release)
	struct clipping c = {.p = p, .floor = j->lp->floor};
	struct tsfile_visit visit = {.device = take_device, .arg = &c};
	struct deletions *all = &j->lp->plan.deletions;
	CLEANUP(buf_release) struct buf records;
	struct tsfile_index ix;
	struct deletion *o;
	int r;

	buf_init(&c.devices, LINES_MAX);
	buf_init(&records, MODS_MAX);
	r = tsfile_index_read(fd, &visit, &ix, &j->l->err);
	if (r == 0 && c.range.any)
		r = make_records(s, p, &records);
	if (r || !c.range.any)
		return r;
	o = find_alike(all, s->kind, &records);
	if (!o)
		o = make_one(all, s->kind, &records);
	if (!o)
		return -ENOMEM;
	/* Of a product of which nothing was read so far, too. */
	o->is_late |= s->made_of || (s->k.is_derived && !s->k.mods_stamp);
	return add_file(o, &c);
}

/* ---- products ---- */

static int note_piece(void *arg, const struct record *rec, int64_t first,
		      int64_t last)
{
	(void)rec;
	(void)first;
	(void)last;
	*(bool *)arg = true;
	return 1;
}

static bool may_have_rows(const struct known_file *k, const struct record *rec)
{
	return !k->range.any ||
	       (rec->start <= k->range.last && rec->end >= k->range.first);
}

static const struct compaction *compaction_of(const struct listing *l,
					      const struct living *product)
{
	size_t i, n;

	for (i = 0; i < l->compactions.n; i++) {
		const struct compaction *c = &l->compactions.v[i];

		for (n = 0; n < c->n; n++) {
			if (c->v[n].role == JOURNAL_TARGET &&
			    living_compare(&c->v[n].f, product) == 0)
				return c;
		}
	}
	return NULL;
}

/* 1: has it, or cannot have such rows; 0: lacks it. */
static int source_has(struct deletion_judging *j, const struct living *f,
		      const struct record *rec, bool *is_asked)
{
	CLEANUP(coverage_release) struct coverage have;
	struct known_file k = {.f = *f};
	bool is_missing = false;
	int r;

	coverage_init(&have);
	if (deletion_find_known(j, f, &k) == 1 && !may_have_rows(&k, rec))
		return 1;
	*is_asked = true;
	r = deletion_load(j, f, &have);
	if (r == 0)
		r = coverage_missing(&have, rec, 0, note_piece, &is_missing);
	return r < 0 ? r : !is_missing;
}

int deletion_inherited(struct deletion_judging *j,
		       const struct deletion_source *s,
		       const struct record *rec, struct deletion_pieces *out)
{
	const struct compaction *c = compaction_of(j->l, s->made_of);
	bool is_asked = false;
	size_t i;
	int r = 1;

	if (!rec->path || rec->offset == 0)
		return 0;
	for (i = 0; r == 1 && c && i < c->n; i++) {
		if (c->v[i].role == JOURNAL_SOURCE)
			r = source_has(j, &c->v[i].f, rec, &is_asked);
	}
	for (i = 0; r == 1 && !c && i < j->gone.n; i++)
		r = source_has(j, &j->gone.v[i], rec, &is_asked);
	if (r < 0 || (r == 1 && is_asked))
		return r < 0 ? r : 0;
	return deletion_piece(out, rec);
}
