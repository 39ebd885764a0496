#include "records.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ground/bytes.h"
#include "mods_form.h"

#define RANGE_LEN 17 /* type, start, end */

static ssize_t text_next(const char *p, size_t n, struct record *rec)
{
	const char *newline = memchr(p, '\n', n);
	int64_t *const numbers[] = {&rec->end, &rec->start, &rec->offset};
	const char *to;

	if (!newline)
		return -EBADMSG;
	rec->raw_len = (size_t)(newline - p) + 1;
	if (rec->raw_len <= RECORD_LEN || memcmp(p, RECORD, RECORD_LEN) != 0)
		return (ssize_t)rec->raw_len; /* aborted */
	to = newline;
	p += RECORD_LEN;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const char *comma = memrchr(p, ',', (size_t)(to - p));

		if (!comma)
			return -EBADMSG;
		*numbers[i] = strtoll(comma + 1, NULL, 10);
		to = comma;
	}
	rec->path = p;
	rec->path_len = (size_t)(to - p);
	return (ssize_t)rec->raw_len;
}

static const char *take_string(struct rd *r, size_t *len)
{
	int32_t n = rd_svarint(r);

	*len = n > 0 ? (size_t)n : 0;
	return n > 0 ? rd_bytes(r, (size_t)n) : "";
}

static void skip_strings(struct rd *r, int64_t n)
{
	size_t len;

	for (int64_t i = 0; i < n && !r->bad; i++)
		(void)take_string(r, &len);
}

/* Tags nest only through AND; what is still to come is counted instead. */
static void skip_tags(struct rd *r)
{
	int64_t left = 1;
	size_t len;

	for (; left > 0 && !r->bad; left--) {
		switch (rd_u8(r)) {
		case TAGS_ANY:
			break;
		case TAGS_FULL:
			skip_strings(r, rd_uvarint(r));
			break;
		case TAGS_SEGMENT:
			(void)take_string(r, &len);
			(void)rd_svarint(r);
			break;
		case TAGS_AND:
			left += rd_svarint(r);
			break;
		default: /* a byte of a file */
			r->bad = true;
		}
	}
}

static ssize_t binary_next(const uint8_t *p, size_t n, struct record *rec)
{
	struct rd r = rd_over(p, n);
	uint8_t type = rd_u8(&r);

	rec->start = (int64_t)rd_be64(&r);
	rec->end = (int64_t)rd_be64(&r);
	rec->path = take_string(&r, &rec->path_len);
	rec->is_table = type == TABLE_DELETION;
	if (rec->is_table) {
		skip_tags(&r);
		skip_strings(&r, rd_svarint(&r));
	}
	if (r.bad || type > TREE_DELETION)
		return -EBADMSG;
	rec->raw_len = n - rd_left(&r);
	return (ssize_t)rec->raw_len;
}

ssize_t records_next(enum mods_kind kind, const uint8_t *p, size_t n,
		     struct record *rec)
{
	memset(rec, 0, sizeof *rec);
	rec->kind = kind;
	rec->raw = p;
	rec->offset = INT64_MAX;
	if (!n)
		return 0;
	switch (kind) {
	case MODS_NONE:
		break;
	case MODS_TEXT:
		return text_next((const char *)p, n, rec);
	case MODS_BINARY:
		return binary_next(p, n, rec);
	}
	return -EBADMSG;
}

int records_add(enum mods_kind kind, const char *path, size_t path_len,
		int64_t start, int64_t end, struct buf *out)
{
	if (kind == MODS_TEXT) {
		if (!mods_is_path(path, path_len))
			return -ENOTSUP;
		buf_addf(out,
			 RECORD "%.*s,%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
			 (int)path_len, path, INT64_MAX, start, end);
		return 0;
	}
	wr_u8(out, TREE_DELETION);
	wr_be64(out, (uint64_t)start);
	wr_be64(out, (uint64_t)end);
	wr_svarint(out, (int32_t)path_len);
	buf_add(out, path, path_len);
	return 0;
}

int records_add_clipped(const struct record *rec, int64_t time_min,
			int64_t time_max, enum mods_kind kind, struct buf *out)
{
	int64_t start = rec->start > time_min ? rec->start : time_min;
	int64_t end = rec->end < time_max ? rec->end : time_max;

	if (!rec->path || rec->offset == 0 || start > end)
		return 0;
	if (!rec->is_table)
		return records_add(kind, rec->path, rec->path_len, start, end,
				   out);
	if (kind != MODS_BINARY)
		return -ENOTSUP;
	wr_u8(out, TABLE_DELETION);
	wr_be64(out, (uint64_t)start);
	wr_be64(out, (uint64_t)end);
	buf_add(out, rec->raw + RANGE_LEN, rec->raw_len - RANGE_LEN);
	return 0;
}

static bool covers(const struct record *rec, const char *database)
{
	size_t n = strlen(database);

	if (!rec->path || rec->is_table || rec->start > INT64_MIN ||
	    rec->end < INT64_MAX)
		return false;
	if (rec->path_len == 7 && memcmp(rec->path, "root.**", 7) == 0)
		return true;
	return rec->path_len == n + 3 && memcmp(rec->path, database, n) == 0 &&
	       memcmp(rec->path + n, ".**", 3) == 0;
}

bool records_delete_database(enum mods_kind kind, const uint8_t *p, size_t n,
			     const char *database)
{
	struct record rec;
	ssize_t len;

	while ((len = records_next(kind, p, n, &rec)) > 0) {
		if (covers(&rec, database))
			return true;
		p += len;
		n -= (size_t)len;
	}
	return false;
}
