#include "tsfile_series.h"

#include <inttypes.h>
#include <string.h>

#define TIME_COLUMN 0x80 /* in the first byte */
#define MANY_CHUNKS 0x3f

/* What follows count, first and last time, by data type (tsfile-format, section 3.3):
 * so many bytes, then so many values with a length each. A type that is not listed
 * cannot be passed over. */
static const struct {
	bool known;
	uint8_t fixed, values;
} statistics[] = {
	[0] = {true, 10, 0}, /* BOOLEAN */
	[1] = {true, 24, 0}, /* INT32 */
	[2] = {true, 40, 0}, /* INT64 */
	[3] = {true, 24, 0}, /* FLOAT */
	[4] = {true, 40, 0}, /* DOUBLE */
	[5] = {true, 0, 2},  /* TEXT */
	[TSFILE_TYPE_VECTOR] = {true, 0, 0},
	[8] = {true, 40, 0}, /* TIMESTAMP */
	[9] = {true, 24, 0}, /* DATE */
	[10] = {true, 0, 0}, /* BLOB */
	[11] = {true, 0, 4}, /* STRING */
	[12] = {true, 0, 0}, /* OBJECT */
};

void tsfile_range_add(struct tsfile_range *r, const struct tsfile_range *other)
{
	if (!other->any)
		return;
	if (!r->any || other->first < r->first)
		r->first = other->first;
	if (!r->any || other->last > r->last)
		r->last = other->last;
	r->any = true;
}

/* Without a point the times are whatever its writer had there. */
static struct tsfile_range read_range(struct tsfile_span *s, uint32_t count)
{
	struct tsfile_range r = {.any = count > 0};

	r.first = (int64_t)span_be64(s);
	r.last = (int64_t)span_be64(s);
	if (!r.any)
		return (struct tsfile_range){0};
	if (r.first > r.last)
		span_fail(s,
			  "expected a first time before the last, they are "
			  "%" PRId64 " and %" PRId64,
			  r.first, r.last);
	return r;
}

/* What a type has behind its times. */
static void pass_values(struct tsfile_span *s, uint8_t type)
{
	span_skip(s, statistics[type].fixed);
	for (unsigned k = 0; k < statistics[type].values; k++)
		span_skip_binary(s, false);
}

bool tsfile_series_read(struct tsfile_span *s, char *name,
			struct tsfile_series *out)
{
	uint8_t flags = span_u8(s);
	int32_t len = span_name(s, name, TSFILE_NAME_MAX);

	if (len < 0)
		span_fail(s, "expected the name of a series, it is null");
	name[len < 0 ? 0 : len] = '\0';
	*out = (struct tsfile_series){.name = name,
				      .name_len = len < 0 ? 0 : (size_t)len};
	out->type = span_u8(s);
	out->is_time = out->type == TSFILE_TYPE_VECTOR;
	if ((flags & TIME_COLUMN) && !out->is_time)
		span_fail(s,
			  "expected a time column to have type %d, it has %d",
			  TSFILE_TYPE_VECTOR, out->type);
	out->has_one_chunk = !(flags & MANY_CHUNKS);
	out->chunks_len = span_count(s);
	out->count = span_count(s);
	out->range = read_range(s, out->count);
	if (out->type >= ARRAY_LEN(statistics) || !statistics[out->type].known)
		return false;
	pass_values(s, out->type);
	span_skip(s, out->chunks_len);
	return !s->src->failed;
}

bool tsfile_chunk_read(struct tsfile_span *s, const struct tsfile_series *of,
		       struct tsfile_chunk *out)
{
	*out = (struct tsfile_chunk){.offset = span_be64(s),
				     .range = of->range};
	if (!of->has_one_chunk) {
		out->range = read_range(s, span_count(s));
		pass_values(s, of->type);
	}
	return !s->src->failed;
}
