#include "coverage.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ground/bytes.h"

#define TABLE_TIMES_LEN \
	17 /* type, start, end: in front of what a table record says */

void coverage_init(struct coverage *c)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->names, COVERAGE_MAX);
}

void coverage_release(struct coverage *c)
{
	buf_release(&c->names);
	free(c->v);
	coverage_init(c);
}

static int add_range(struct coverage *c, const struct coverage_range *one)
{
	if (array_room(&c->v, c->n, &c->cap, sizeof(*c->v)))
		return -ENOMEM;
	c->v[c->n++] = *one;
	return 0;
}

bool coverage_is_partial(const struct record *rec, uint64_t body_len)
{
	return rec->offset > 0 && (uint64_t)rec->offset < body_len;
}

/* Whether the record can delete anything at all. */
static bool counts(const struct record *rec)
{
	return rec->path && rec->offset > 0 && rec->start <= rec->end;
}

static void add_what(const struct record *rec, uint64_t body_len,
		     struct buf *out)
{
	if (rec->is_table) {
		buf_adds(out, "T");
		buf_add(out, rec->raw + TABLE_TIMES_LEN,
			rec->raw_len - TABLE_TIMES_LEN);
		return;
	}
	if (coverage_is_partial(rec, body_len))
		buf_addf(out, "@%" PRId64 ":", rec->offset);
	else
		buf_adds(out, "t");
	buf_add(out, rec->path, rec->path_len);
}

static int coverage_add(struct coverage *c, const struct record *rec,
			uint64_t body_len)
{
	struct coverage_range one = {.what = (uint32_t)c->names.len,
				     .first = rec->start,
				     .last = rec->end};

	if (!counts(rec))
		return 0;
	add_what(rec, body_len, &c->names);
	if (buf_end(&c->names))
		return -E2BIG;
	one.len = (uint32_t)(c->names.len - one.what);
	return add_range(c, &one);
}

int coverage_add_all(struct coverage *c, enum mods_kind kind, const void *p,
		     size_t n, uint64_t body_len)
{
	const uint8_t *at = p;
	struct record rec;
	ssize_t len;
	int r = 0;

	while (r == 0 && (len = records_next(kind, at, n, &rec)) != 0) {
		if (len < 0)
			return (int)len;
		r = coverage_add(c, &rec, body_len);
		at += len;
		n -= (size_t)len;
	}
	return r;
}

static int compare_bytes(const void *a, size_t a_len, const void *b,
			 size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_what(const void *a, const void *b, void *arg)
{
	const struct coverage_range *x = a, *y = b;
	const uint8_t *names = arg;
	int order =
		compare_bytes(names + x->what, x->len, names + y->what, y->len);

	return order ? order : (x->first > y->first) - (x->first < y->first);
}

static bool touch(const struct coverage *c, const struct coverage_range *a,
		  const struct coverage_range *b)
{
	const uint8_t *names = buf_data(&c->names);

	if (compare_bytes(names + a->what, a->len, names + b->what, b->len))
		return false;
	return a->last == INT64_MAX || b->first <= a->last + 1;
}

static void sort(struct coverage *c)
{
	size_t i, n = 0;

	if (c->n_sorted == c->n)
		return;
	qsort_r(c->v, c->n, sizeof(*c->v), by_what, buf_data(&c->names));
	for (i = 0; i < c->n; i++) {
		struct coverage_range *top = n ? &c->v[n - 1] : NULL;

		if (top && touch(c, top, &c->v[i])) {
			if (c->v[i].last > top->last)
				top->last = c->v[i].last;
		} else {
			c->v[n++] = c->v[i];
		}
	}
	c->n = c->n_sorted = n;
}

/* The first range of `what`, or where it would stand. */
static size_t find(const struct coverage *c, const struct buf *what)
{
	const uint8_t *names = buf_data(&c->names);
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_bytes(names + c->v[mid].what, c->v[mid].len,
				  buf_data(what), what->len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_of(const struct coverage *c, size_t i, const struct buf *what)
{
	return i < c->n && c->v[i].len == what->len &&
	       memcmp(buf_data(&c->names) + c->v[i].what, buf_data(what),
		      what->len) == 0;
}

int coverage_missing(struct coverage *c, const struct record *rec,
		     uint64_t body_len,
		     int (*fn)(void *arg, const struct record *rec,
			       int64_t first, int64_t last),
		     void *arg)
{
	CLEANUP(buf_release) struct buf what = {0};
	int64_t from = rec->start;
	size_t i;
	int r = 0;

	if (!counts(rec))
		return 0;
	buf_init(&what, MODS_MAX);
	add_what(rec, body_len, &what);
	if (buf_end(&what))
		return -E2BIG;
	sort(c);
	for (i = find(c, &what); r == 0 && is_of(c, i, &what); i++) {
		const struct coverage_range *have = &c->v[i];

		if (have->last < from)
			continue;
		if (have->first > rec->end)
			break;
		if (have->first > from)
			r = fn(arg, rec, from, have->first - 1);
		if (have->last >= rec->end)
			return r;
		from = have->last + 1;
	}
	return r ? r : fn(arg, rec, from, rec->end);
}

void coverage_encode(struct coverage *c, struct buf *out)
{
	size_t i;

	sort(c);
	for (i = 0; i < c->n; i++) {
		wr_u32(out, c->v[i].len);
		buf_add(out, buf_data(&c->names) + c->v[i].what, c->v[i].len);
		wr_i64(out, c->v[i].first);
		wr_i64(out, c->v[i].last);
	}
}

int coverage_decode(struct coverage *c, const void *p, size_t n)
{
	struct rd r = rd_over(p, n);

	while (rd_left(&r)) {
		struct coverage_range one = {.what = (uint32_t)c->names.len,
					     .len = rd_u32(&r)};
		const void *what = rd_bytes(&r, one.len);
		int failed;

		one.first = rd_i64(&r);
		one.last = rd_i64(&r);
		if (r.bad || !what || one.first > one.last)
			return -EBADMSG;
		buf_add(&c->names, what, one.len);
		failed = buf_end(&c->names) ? -E2BIG : add_range(c, &one);
		if (failed)
			return failed;
	}
	return 0;
}

static int print_range(const struct coverage *c, const struct coverage_range *o,
		       enum mods_kind kind, struct buf *out)
{
	const char *what = (const char *)buf_data(&c->names) + o->what, *colon;

	if (*what == 'T' && kind != MODS_BINARY)
		return -ENOTSUP;
	if (*what == 'T') {
		wr_u8(out, 0);
		wr_be64(out, (uint64_t)o->first);
		wr_be64(out, (uint64_t)o->last);
		buf_add(out, what + 1, o->len - 1);
		return 0;
	}
	colon = *what == '@' ? memchr(what, ':', o->len) : NULL;
	if (colon && kind == MODS_TEXT)
		buf_addf(out, "DELETION,%.*s,%.*s,%" PRId64 ",%" PRId64 "\n",
			 (int)(what + o->len - colon - 1), colon + 1,
			 (int)(colon - what - 1), what + 1, o->first, o->last);
	else if (!colon)
		return records_add(kind, what + 1, o->len - 1, o->first,
				   o->last, out);
	return 0;
}

int coverage_print(struct coverage *c, enum mods_kind kind, struct buf *out)
{
	size_t i;
	int r = 0;

	sort(c);
	for (i = 0; r == 0 && i < c->n; i++)
		r = print_range(c, &c->v[i], kind, out);
	return r ? r : buf_end(out);
}
