#include "mods.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fileid.h"
#include "ground/bytes.h"
#include "mods_form.h"

/* Text: one record a line, DELETION,PATH,OFFSET,START,END, read from the right
 * because a path may hold commas. A line `aborted` cancels the record before it
 * (0.13 to 1.1). */
#define ABORTED "aborted"
#define ABORTED_LEN (sizeof ABORTED - 1)

/* Binary: bounds that no real record comes near; what claims more is not torn but
 * malformed, or it would be waited for in vain. */
#define STRING_MAX 65535
#define LIST_MAX 65536
#define DEPTH_MAX 16

const char *mods_suffix(enum mods_kind kind)
{
	switch (kind) {
	case MODS_NONE:
		return "";
	case MODS_TEXT:
		return ".mods";
	case MODS_BINARY:
		return ".mods2";
	}
	return "";
}

static bool is_int64(const char *p, size_t n)
{
	bool is_negative = n && *p == '-';
	int64_t v = 0;

	if (n == is_negative)
		return false;
	for (size_t i = is_negative; i < n; i++) {
		int digit = p[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v))
			return false;
		if (__builtin_add_overflow(v, is_negative ? -digit : digit, &v))
			return false;
	}
	return true;
}

bool mods_is_path(const char *p, size_t n)
{
	if (n < 4 || memcmp(p, "root", 4) != 0 || (n > 4 && p[4] != '.'))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

/* What is wrong with a line, or NULL. `n_standing` records before it hold. */
static const char *line_fault(const char *p, size_t n, size_t n_standing)
{
	static const char *const not_number[] = {
		"its end is no 64-bit integer",
		"its start is no 64-bit integer",
		"its offset is no 64-bit integer",
	};

	if (n == ABORTED_LEN && memcmp(p, ABORTED, n) == 0)
		return n_standing ? NULL : "'aborted' with no record before it";
	if (n < RECORD_LEN || memcmp(p, RECORD, RECORD_LEN) != 0)
		return "expected DELETION,path,offset,start,end";
	p += RECORD_LEN;
	n -= RECORD_LEN;
	for (size_t k = 0; k < ARRAY_LEN(not_number); k++) {
		const char *comma = memrchr(p, ',', n);
		size_t before;

		if (!comma)
			return "expected DELETION,path,offset,start,end";
		before = (size_t)(comma - p);
		if (!is_int64(comma + 1, n - before - 1))
			return not_number[k];
		n = before;
	}
	return mods_is_path(p, n) ? NULL : "its path is none below root";
}

static int text_whole(const char *p, size_t n, size_t *whole, struct err *e)
{
	size_t n_records = 0, n_standing = 0, at = 0;
	char shown[200];

	for (;;) {
		const char *line = p + at,
			   *newline = memchr(line, '\n', n - at);
		size_t len;
		const char *fault;

		if (!newline)
			break;
		len = (size_t)(newline - line);
		n_records++;
		fault = line_fault(line, len, n_standing);
		if (fault)
			return err_set(
				e, EBADMSG,
				"deletion record %zu is malformed: %s: '%s'",
				n_records, fault,
				name_shown(shown, sizeof shown, line, len));
		n_standing += len == ABORTED_LEN ? (size_t)-1 : 1;
		at += len + 1;
	}
	*whole = at;
	return 0;
}

/* A record of the binary form under the cursor. The cursor turns bad when the bytes
 * end early: torn. With a fault the record can never become one. */
struct scan {
	struct rd r;
	const char *fault;
};

static void scan_fault(struct scan *s, const char *fault)
{
	if (!s->r.bad)
		s->fault = fault;
	(void)rd_bytes(&s->r, SIZE_MAX);
}

static uint32_t scan_uvarint(struct scan *s)
{
	size_t left = rd_left(&s->r), n = 0;
	uint32_t v;

	while (n < left && n < 5 && (s->r.p[n] & 0x80))
		n++;
	if (n < 5 && n == left) { /* goes on where the bytes end */
		(void)rd_bytes(&s->r, SIZE_MAX);
		return 0;
	}
	if (n == 5) {
		scan_fault(s, "a number of more than five bytes");
		return 0;
	}
	v = rd_uvarint(&s->r);
	if (s->r.bad)
		s->fault = "a number above 32 bits";
	return v;
}

static int32_t scan_svarint(struct scan *s)
{
	uint32_t u = scan_uvarint(s);

	return (int32_t)((u >> 1) ^ (0 - (u & 1)));
}

static void scan_string(struct scan *s, int32_t min)
{
	int32_t n = scan_svarint(s);

	if (s->r.bad)
		return;
	if (n < min || n > STRING_MAX)
		scan_fault(s, "a string of an impossible length");
	else if (n > 0)
		(void)rd_bytes(&s->r, (size_t)n);
}

/* n strings; a null one has the length -1. */
static void scan_strings(struct scan *s, int64_t n, int32_t min)
{
	if (n < 0 || n > LIST_MAX)
		scan_fault(s, "a list of an impossible length");
	for (int64_t i = 0; i < n && !s->r.bad; i++)
		scan_string(s, min);
}

static void scan_tags(struct scan *s, unsigned depth)
{
	uint8_t kind = rd_u8(&s->r);
	int32_t n;

	if (s->r.bad)
		return;
	switch (kind) {
	case TAGS_ANY:
		return;
	case TAGS_FULL:
		n = (int32_t)scan_uvarint(s);
		if (n == 0)
			scan_fault(s, "a device without a segment");
		scan_strings(s, n, -1);
		return;
	case TAGS_SEGMENT:
		scan_string(s, -1);
		if (scan_svarint(s) < 0)
			scan_fault(s, "a negative segment index");
		return;
	case TAGS_AND:
		n = scan_svarint(s);
		if (n < 0 || n > LIST_MAX || depth == DEPTH_MAX)
			scan_fault(s,
				   "predicates nested or listed without end");
		for (int32_t i = 0; i < n && !s->r.bad; i++)
			scan_tags(s, depth + 1);
		return;
	}
	scan_fault(s, "a tag predicate that is none of 0 to 3");
}

static void scan_record(struct scan *s)
{
	uint8_t kind = rd_u8(&s->r);

	if (kind != TABLE_DELETION && kind != TREE_DELETION) {
		scan_fault(s, "its type is neither 0 nor 1");
		return;
	}
	(void)rd_be64(&s->r);
	(void)rd_be64(&s->r);
	scan_string(s, 1);
	if (kind == TREE_DELETION)
		return;
	scan_tags(s, 0);
	scan_strings(s, scan_svarint(s), 0);
}

static int binary_whole(const void *p, size_t n, size_t *whole, struct err *e)
{
	struct scan s = {.r = rd_over(p, n)};
	const uint8_t *first = s.r.p;
	size_t n_records = 0, at = 0;

	while (rd_left(&s.r)) {
		n_records++;
		scan_record(&s);
		if (s.fault)
			return err_set(e, EBADMSG,
				       "deletion record %zu, at byte %zu, is "
				       "malformed: %s",
				       n_records, at, s.fault);
		if (s.r.bad)
			break;
		at = (size_t)(s.r.p - first);
	}
	*whole = at;
	return 0;
}

int mods_whole(enum mods_kind kind, const void *p, size_t n, size_t *whole,
	       struct err *e)
{
	*whole = 0;
	if (n == 0)
		return 0;
	if (n > MODS_MAX)
		return err_set(
			e, E2BIG,
			"deletion records of %zu bytes, at most %u are carried",
			n, MODS_MAX);
	switch (kind) {
	case MODS_NONE:
		break;
	case MODS_TEXT:
		return text_whole(p, n, whole, e);
	case MODS_BINARY:
		return binary_whole(p, n, whole, e);
	}
	return err_set(e, EBADMSG,
		       "%zu bytes of deletion records of no known form", n);
}

/* Takes the last line that stands behind `floor` back out. */
static void drop_last_line(struct buf *out, size_t floor)
{
	const char *first = (const char *)buf_data(out) + floor, *newline;

	if (out->len == floor)
		return;
	newline = memrchr(first, '\n', out->len - floor - 1);
	out->len = floor + (newline ? (size_t)(newline - first) + 1 : 0);
}

void mods_add_standing(const void *p, size_t n, struct buf *out)
{
	const char *line = p, *end = line + n, *newline;
	size_t floor = out->len;

	for (; line < end && !out->failed; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			break;
		if (newline - line == ABORTED_LEN &&
		    memcmp(line, ABORTED, ABORTED_LEN) == 0)
			drop_last_line(out, floor);
		else
			buf_add(out, line, (size_t)(newline - line) + 1);
	}
}

void mods_add_cut(enum mods_kind kind, int64_t last_deleted_time,
		  struct buf *out)
{
	static const char everything[] = "root.**";

	assert(kind != MODS_NONE);
	if (kind == MODS_TEXT) {
		buf_addf(out, RECORD "%s,%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
			 everything, INT64_MAX, INT64_MIN, last_deleted_time);
		return;
	}
	wr_u8(out, TREE_DELETION);
	wr_be64(out, (uint64_t)INT64_MIN);
	wr_be64(out, (uint64_t)last_deleted_time);
	wr_svarint(out, (int32_t)sizeof everything - 1);
	buf_adds(out, everything);
}

void mods_add_table_cut(const char *table, size_t len,
			int64_t last_deleted_time, struct buf *out)
{
	wr_u8(out, TABLE_DELETION);
	wr_be64(out, (uint64_t)INT64_MIN);
	wr_be64(out, (uint64_t)last_deleted_time);
	wr_svarint(out, (int32_t)len);
	buf_add(out, table, len);
	wr_u8(out, TAGS_ANY);
	wr_svarint(out, 0); /* every column */
}
