#include "record_tags.h"

#include <string.h>

#include "ground/bytes.h"
#include "mods_form.h"

#define BEFORE_TABLE 17 /* type, start, end */

struct device {
	const struct record *rec;
	const char *const *tags;
	size_t n;
};

/* A string whose length is -1 for null. */
static const char *take_string(struct rd *r, size_t *len)
{
	int32_t n = rd_svarint(r);

	*len = n > 0 ? (size_t)n : 0;
	if (n < 0)
		return NULL;
	return n > 0 ? rd_bytes(r, (size_t)n) : "";
}

static bool is_same(const char *have, const char *want, size_t len)
{
	if (!have || !want)
		return !have && !want;
	return strlen(have) == len && memcmp(have, want, len) == 0;
}

/* Segment 0 is the table, which is the record's own. */
static bool segment_matches(const struct device *d, int64_t k, const char *want,
			    size_t len)
{
	if (k == 0)
		return want && len == d->rec->path_len &&
		       memcmp(want, d->rec->path, len) == 0;
	if (k < 0)
		return false;
	return is_same((uint64_t)k <= d->n ? d->tags[k - 1] : NULL, want, len);
}

static bool full_matches(const struct device *d, struct rd *r)
{
	uint32_t n = rd_uvarint(r);
	bool is_match = true;

	for (uint32_t k = 0; k < n && !r->bad; k++) {
		size_t len;
		const char *want = take_string(r, &len);

		is_match = is_match && segment_matches(d, k, want, len);
	}
	for (size_t k = n; k <= d->n; k++)
		is_match = is_match && k > 0 && !d->tags[k - 1];
	return is_match;
}

static bool tag_matches(const struct device *d, struct rd *r)
{
	size_t len;
	const char *want = take_string(r, &len);

	return segment_matches(d, rd_svarint(r), want, len);
}

/* Predicates nest only through AND, so that all of them have to match. */
static bool walk(const struct device *d, struct rd *r)
{
	bool is_match = true;
	int64_t left = 1;

	for (; left > 0 && !r->bad; left--) {
		switch (rd_u8(r)) {
		case TAGS_ANY:
			break;
		case TAGS_FULL:
			is_match = full_matches(d, r) && is_match;
			break;
		case TAGS_SEGMENT:
			is_match = tag_matches(d, r) && is_match;
			break;
		case TAGS_AND:
			left += rd_svarint(r);
			break;
		default: /* a byte of a file */
			r->bad = true;
		}
	}
	return is_match && !r->bad;
}

/* Stands at the predicate. */
static struct rd predicate_of(const struct record *rec)
{
	struct rd r = rd_over(rec->raw, rec->raw_len);
	size_t len;

	(void)rd_bytes(&r, BEFORE_TABLE);
	(void)take_string(&r, &len);
	return r;
}

bool record_matches_tags(const struct record *rec, const char *const *tags,
			 size_t n)
{
	struct device d = {.rec = rec, .tags = tags, .n = n};
	struct rd r = predicate_of(rec);

	return rec->is_table && walk(&d, &r);
}

size_t record_columns(const struct record *rec)
{
	struct device none = {.rec = rec};
	struct rd r = predicate_of(rec);
	int32_t n;

	if (!rec->is_table)
		return 0;
	(void)walk(&none, &r);
	n = rd_svarint(&r);
	return n > 0 && !r.bad ? (size_t)n : 0;
}
