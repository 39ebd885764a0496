#include <errno.h>
#include <string.h>

#include "domain/record_tags.h"
#include "domain/records.h"
#include "ground/bytes.h"
#include "recvd/job_line.h"
#include "test.h"

static const char text[] =
	"DELETION,root.sg.d1.s1,100,5,9\n"
	"DELETION,root.sg.`a,b`.**,9223372036854775807,-10,20\n"
	"DELETION,root.sg.**,0,1,2\n";

static const uint8_t *bytes_of(const char *s)
{
	return (const uint8_t *)s;
}

static void text_records(void)
{
	const uint8_t *p = bytes_of(text);
	size_t n = sizeof text - 1;
	struct record rec;
	ssize_t len = records_next(MODS_TEXT, p, n, &rec);

	CHECK(len == 31 && rec.path_len == 13 &&
	      memcmp(rec.path, "root.sg.d1.s1", 13) == 0);
	CHECK(rec.offset == 100 && rec.start == 5 && rec.end == 9);
	p += len;
	n -= (size_t)len;
	len = records_next(MODS_TEXT, p, n, &rec);
	CHECK(len > 0 && rec.path_len == 16 &&
	      memcmp(rec.path, "root.sg.`a,b`.**", 16) == 0);
	CHECK(rec.offset == INT64_MAX && rec.start == -10 && rec.end == 20);
	CHECK(records_next(MODS_TEXT, p, 5, &rec) == -EBADMSG);
	CHECK(records_next(MODS_TEXT, p, 0, &rec) == 0);
}

static int clip_all(enum mods_kind from, const void *p, size_t n,
		    enum mods_kind to, int64_t min, int64_t max,
		    struct buf *out)
{
	const uint8_t *at = p;
	struct record rec;
	ssize_t len;

	while ((len = records_next(from, at, n, &rec)) > 0) {
		int r = records_add_clipped(&rec, min, max, to, out);

		if (r < 0)
			return r;
		at += len;
		n -= (size_t)len;
	}
	return (int)len;
}

static void clipping(void)
{
	CLEANUP(buf_release) struct buf out;

	buf_init(&out, 4096);
	CHECK(clip_all(MODS_TEXT, text, sizeof text - 1, MODS_TEXT, 7, 15,
		       &out) == 0);
	/* an offset of 0 is inert; the rest is for the whole file */
	CHECK_STR(buf_str(&out),
		  "DELETION,root.sg.d1.s1,9223372036854775807,7,9\n"
		  "DELETION,root.sg.`a,b`.**,9223372036854775807,7,15\n");
	buf_clear(&out);
	CHECK(clip_all(MODS_TEXT, text, sizeof text - 1, MODS_TEXT, 21, 30,
		       &out) == 0);
	CHECK(out.len == 0);
}

static void other_form_and_back(void)
{
	CLEANUP(buf_release) struct buf binary, back;

	buf_init(&binary, 4096);
	buf_init(&back, 4096);
	CHECK(clip_all(MODS_TEXT, text, sizeof text - 1, MODS_BINARY, INT64_MIN,
		       INT64_MAX, &binary) == 0);
	CHECK(clip_all(MODS_BINARY, buf_data(&binary), binary.len, MODS_TEXT,
		       INT64_MIN, INT64_MAX, &back) == 0);
	CHECK_STR(buf_str(&back),
		  "DELETION,root.sg.d1.s1,9223372036854775807,5,9\n"
		  "DELETION,root.sg.`a,b`.**,9223372036854775807,-10,20\n");
}

static void table_records_stay_binary(void)
{
	CLEANUP(buf_release) struct buf b, out;
	struct record rec;

	buf_init(&b, 4096);
	buf_init(&out, 4096);
	wr_u8(&b, 0);
	wr_be64(&b, 1);
	wr_be64(&b, 100);
	wr_svarint(&b, 2);
	buf_adds(&b, "t1");
	wr_u8(&b, 3); /* AND of */
	wr_svarint(&b, 2);
	wr_u8(&b, 0); /* anything */
	wr_u8(&b, 2); /* and a segment */
	wr_svarint(&b, 1);
	buf_adds(&b, "x");
	wr_svarint(&b, 1);
	wr_svarint(&b, 1);
	wr_svarint(&b, 2);
	buf_adds(&b, "c1");
	CHECK(records_next(MODS_BINARY, buf_data(&b), b.len, &rec) ==
	      (ssize_t)b.len);
	CHECK(rec.is_table && rec.start == 1 && rec.end == 100);
	CHECK(records_add_clipped(&rec, 0, 50, MODS_TEXT, &out) == -ENOTSUP);
	CHECK(records_add_clipped(&rec, 0, 50, MODS_BINARY, &out) == 0);
	CHECK(out.len == b.len &&
	      memcmp(buf_data(&out) + 17, buf_data(&b) + 17, b.len - 17) == 0);
	CHECK(records_next(MODS_BINARY, buf_data(&out), out.len, &rec) > 0 &&
	      rec.end == 50);
	for (size_t n = 1; n < b.len; n++)
		CHECK(records_next(MODS_BINARY, buf_data(&b), n, &rec) ==
		      -EBADMSG);
}

static bool whole(const char *s)
{
	return records_delete_database(MODS_TEXT, bytes_of(s), strlen(s),
				       "root.sg");
}

#define EVER ",1,-9223372036854775808,9223372036854775807\n"

static void whole_databases(void)
{
	CHECK(whole("DELETION,root.**" EVER));
	CHECK(whole("DELETION,root.x,1,2,3\nDELETION,root.sg.**" EVER));
	CHECK(!whole("DELETION,root.sg.d1.**" EVER));
	CHECK(!whole("DELETION,root.other.**" EVER));
	CHECK(!whole("DELETION,root.sg.**,1,0,9223372036854775807\n"));
}

static void job_lines(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job_fields f;
	char line[256];
	int64_t n;

	buf_init(&b, 4096);
	job_addf(&b, "job", "%d", 7);
	job_add(&b, "text", "a\tb\nc\\n=d");
	job_add(&b, "empty", "");
	(void)snprintf(line, sizeof line, "%s", buf_str(&b));
	CHECK(!strchr(line, '\n') && job_line_parse(line, &f) == 0 && f.n == 3);
	CHECK(job_field_int(&f, "job", &n) == 0 && n == 7);
	CHECK_STR(job_field(&f, "text"), "a\tb\nc\\n=d");
	CHECK_STR(job_field(&f, "empty"), "");
	CHECK(!job_field(&f, "none") &&
	      job_field_int(&f, "text", &n) == -EINVAL);
	CHECK(job_result_parse("applied") == JOB_APPLIED &&
	      job_result_parse("well") == JOB_NONE);
	(void)snprintf(line, sizeof line, "job=1\t\tx=y");
	CHECK(job_line_parse(line, &f) == -EBADMSG);
	(void)snprintf(line, sizeof line, "=1");
	CHECK(job_line_parse(line, &f) == -EBADMSG);
}

/* A line that is no record would make a server ignore the whole text file. */
static void no_malformed_text(void)
{
	static const char *const paths[] = {"s1", "rootless.d.s",
					    "root.d.`a\nb`"};
	CLEANUP(buf_release) struct buf out;

	buf_init(&out, 256);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct record rec = {.kind = MODS_BINARY,
				     .path = paths[i],
				     .path_len = strlen(paths[i]),
				     .offset = INT64_MAX,
				     .start = 1,
				     .end = 5};

		CHECK(records_add_clipped(&rec, 0, 9, MODS_TEXT, &out) ==
		      -ENOTSUP);
		CHECK(out.len == 0);
		CHECK(records_add_clipped(&rec, 0, 9, MODS_BINARY, &out) == 0);
		CHECK(out.len > 0);
		buf_clear(&out);
	}
}

static void add_string(struct buf *b, const char *value)
{
	wr_svarint(b, value ? (int32_t)strlen(value) : -1);
	buf_adds(b, value ? value : "");
}

/* Up to the predicate, which the caller adds, and the columns. */
static void begin_record(struct buf *b)
{
	buf_clear(b);
	wr_u8(b, 0);
	wr_be64(b, 1);
	wr_be64(b, 9);
	add_string(b, "t1");
}

static bool matches(struct buf *b, const char *one, const char *two)
{
	const char *tags[] = {one, two};
	struct record rec;

	return records_next(MODS_BINARY, buf_data(b), b->len, &rec) ==
		       (ssize_t)b->len &&
	       record_matches_tags(&rec, tags, 2);
}

static void tags_of_devices(void)
{
	CLEANUP(buf_release) struct buf b;
	struct record rec;

	buf_init(&b, 4096);
	begin_record(&b);
	wr_u8(&b, 0); /* anything */
	wr_svarint(&b, 0);
	CHECK(matches(&b, "a", NULL) && matches(&b, NULL, NULL));

	begin_record(&b);
	wr_u8(&b, 2); /* the second tag is null */
	add_string(&b, NULL);
	wr_svarint(&b, 2);
	wr_svarint(&b, 0);
	CHECK(matches(&b, "a", NULL) && !matches(&b, "a", "null"));

	begin_record(&b);
	wr_u8(&b, 3); /* both */
	wr_svarint(&b, 2);
	wr_u8(&b, 2);
	add_string(&b, "a");
	wr_svarint(&b, 1);
	wr_u8(&b, 2);
	add_string(&b, "");
	wr_svarint(&b, 2);
	wr_svarint(&b, 0);
	CHECK(matches(&b, "a", "") && !matches(&b, "a", NULL) &&
	      !matches(&b, "b", ""));

	begin_record(&b);
	wr_u8(&b, 1); /* t1, null, x: the whole device */
	buf_add(&b, "\3", 1);
	add_string(&b, "t1");
	add_string(&b, NULL);
	add_string(&b, "x");
	wr_svarint(&b, 0);
	CHECK(matches(&b, NULL, "x") && !matches(&b, NULL, NULL) &&
	      !matches(&b, "x", "x"));

	begin_record(&b);
	wr_u8(&b, 1); /* t1, a: nulls at the end are left out */
	buf_add(&b, "\2", 1);
	add_string(&b, "t1");
	add_string(&b, "a");
	wr_svarint(&b, 1);
	add_string(&b, "column");
	CHECK(matches(&b, "a", NULL) && !matches(&b, "a", "x"));
	CHECK(records_next(MODS_BINARY, buf_data(&b), b.len, &rec) > 0 &&
	      record_columns(&rec) == 1);
}

int main(void)
{
	test_run("text records, read from the right", text_records);
	test_run("records are clipped in time", clipping);
	test_run("text becomes binary and text again", other_form_and_back);
	test_run("records about tables have no text form",
		 table_records_stay_binary);
	test_run("records about tables know their devices by tags",
		 tags_of_devices);
	test_run("a path that would break a text file has no text form",
		 no_malformed_text);
	test_run("deletions of a whole database are known", whole_databases);
	test_run("job lines both ways", job_lines);
	return test_end();
}
