/* Series and names as no writer leaves them, or seldom: what is wrong is refused with a
 * sentence, what is right is taken. */
#include "test.h"
#include "tests/tsfile_made_read.h"

static struct last last;
static struct tsfile_index ix;

static void ranges(void)
{
	for (unsigned version = 3; version <= 4; version++) {
		struct made m = made_begin(version);

		put_series(&m, 0, "a", BLOB, 2, 7, 9, 0);
		put_series(&m, 0, "b", BLOB, 1, INT64_MIN, INT64_MIN, 0);
		put_series(&m, 0, "c", BLOB, 0, INT64_MAX, INT64_MIN, 0);
		put_series(&m, 0, "d", BLOB, 0, -5, 99, 0);
		put_rest(&m, "a");
		CHECK(is_good(&m, &last, &ix));
		CHECK_STR(last.path, version == 3 ? "root.d" : "t.root.d");
		CHECK(!last.d.aligned && !last.d.unsure && last.n_series == 4);
		CHECK(ix.range.any && ix.range.first == INT64_MIN);
		CHECK(ix.range.last == 9 && ix.devices == 1);
		CHECK(ix.version == version);
	}
}

static void without_a_point(void)
{
	struct made m = made_begin(3);

	put_series(&m, 0, "a", BLOB, 0, 0, 0, 0);
	put_rest(&m, "a");
	CHECK(is_good(&m, &last, &ix));
	CHECK(ix.devices == 1 && !ix.range.any && !last.d.range.any);
	m = made_begin(3);
	put_blob(&m, "a", 9, 8);
	put_rest(&m, "a");
	CHECK(is_refused(&m, "they are 9 and 8"));
}

/* With the marks, without them, and where only the name tells. */
static void aligned(void)
{
	struct made m = made_begin(4);

	put_series(&m, 0x80, "", VECTOR, 3, 10, 30, 0);
	put_series(&m, 0x40, "s", BLOB, 2, 10, 20, 0);
	put_rest(&m, "");
	CHECK(is_good(&m, &last, &ix));
	CHECK(last.d.aligned && ix.range.first == 10 && ix.range.last == 30);
	m = made_begin(3);
	put_series(&m, 0, "", VECTOR, 3, 10, 30, 0);
	put_series(&m, 0, "s", BLOB, 2, 5, 40, 0);
	put_rest(&m, "");
	CHECK(is_good(&m, &last, &ix));
	CHECK(last.d.aligned && ix.range.first == 10 && ix.range.last == 30);
	m = made_begin(3);
	put_series(&m, 0, "", BLOB, 3, 10, 30, 0);
	put_series(&m, 0, "s", BLOB, 2, 5, 40, 0);
	put_rest(&m, "");
	CHECK(is_good(&m, &last, &ix));
	CHECK(last.d.aligned && ix.range.first == 5 && ix.range.last == 40);
	m = made_begin(3);
	put_series(&m, 0x80, "", INT32, 3, 10, 30, 24);
	put_rest(&m, "");
	CHECK(is_refused(&m, "a time column to have type 6, it has 1"));
	m = made_begin(3);
	put_blob(&m, "a", 1, 2);
	put_series(&m, 0x80, "b", VECTOR, 3, 10, 30, 0);
	put_rest(&m, "a");
	CHECK(is_refused(&m, "time column in front of the others"));
}

/* What stands behind such a series in its run is hidden; the next run is not. */
static void unknown_types(void)
{
	struct made m = made_begin(3);
	uint64_t second, node;

	put_blob(&m, "a", 7, 9);
	put_series(&m, 0, "b", UNKNOWN, 1, 8, 8, 3);
	put_blob(&m, "c", 1, 2);
	second = m.b.len;
	put_blob(&m, "d", 7, 9);
	node = m.b.len;
	put_uvarint(&m, 2);
	put_child(&m, "a", 8);
	put_child(&m, "d", second);
	put_end(&m, node, 3);
	put_root(&m, "root.d", node);
	CHECK(is_good(&m, &last, &ix));
	CHECK(last.n_series == 3 && last.d.unsure && ix.unsure);
	CHECK(ix.range.first == INT64_MIN && ix.range.last == INT64_MAX);
	m = made_begin(3);
	put_series(&m, 0x80, "", VECTOR, 3, 10, 30, 0);
	put_series(&m, 0x40, "s", 200, 2, 10, 20, 0);
	put_rest(&m, "");
	CHECK(is_good(&m, &last, &ix));
	CHECK(last.n_series == 2 && last.d.unsure);
	CHECK(ix.range.first == 10 && ix.range.last == 30);
}

/* Statistics of texts hold whole values, longer than any window. */
static void put_text(struct made *m, uint32_t len, uint32_t written)
{
	wr_u8(&m->b, 0);
	put_name(m, "t");
	wr_u8(&m->b, TEXT);
	put_uvarint(m, 8);
	put_uvarint(m, 1);
	wr_be64(&m->b, 6);
	wr_be64(&m->b, 6);
	put_be32(m, len);
	put_zeros(m, written);
	put_be32(m, 1);
	put_zeros(m, 1 + 8);
}

static void long_texts(void)
{
	static const uint32_t impossible[] = {UINT32_MAX, 0x80000000, 500000,
					      INT32_MAX};
	struct made m = made_begin(3);

	put_blob(&m, "a", 5, 5);
	put_text(&m, 100000, 100000);
	put_text(&m, 0, 0);
	put_blob(&m, "z", 7, 7);
	put_rest(&m, "a");
	CHECK(is_good(&m, &last, &ix));
	CHECK(last.n_series == 4 && ix.range.first == 5 && ix.range.last == 7);
	for (size_t k = 0; k < ARRAY_LEN(impossible); k++) {
		m = made_begin(3);
		put_blob(&m, "a", 5, 5);
		put_text(&m, impossible[k], 100000);
		put_rest(&m, "a");
		CHECK(is_refused(&m, "expected "));
	}
}

/* One in front of the series is null, absent, cut, too long, of another name. */
static void series_that_are_none(void)
{
	struct made m = made_begin(3);

	wr_svarint(&m.b, -1);
	put_zeros(&m, 40);
	put_rest(&m, "a");
	CHECK(is_refused(&m, "it is another"));
	m = made_begin(3);
	wr_u8(&m.b, 0);
	wr_svarint(&m.b, -1);
	put_zeros(&m, 40);
	put_rest(&m, "a");
	CHECK(is_refused(&m, "the name of a series, it is null"));
	m = made_begin(3);
	put_blob(&m, "a", 1, 2);
	m.b.len -= 3;
	put_rest(&m, "a");
	CHECK(is_refused(&m, "more bytes"));
	m = made_begin(3);
	put_blob(&m, "b", 1, 2);
	put_rest(&m, "a");
	CHECK(is_refused(&m, "it is another"));
	m = made_begin(3);
	put_series(&m, 0, "a", BLOB, 0x80000000, 1, 2, 0);
	put_rest(&m, "a");
	CHECK(is_refused(&m, "a count below 2^31"));
	m = made_begin(3);
	put_blob(&m, "a", 1, 2);
	wr_u8(&m.b, 0);
	buf_adds(&m.b, "\xff\xff\xff\xff\x1f");
	put_rest(&m, "a");
	CHECK(is_refused(&m, "a number of 32 bits"));
}

/* A device whose path has `n` bytes, in a file that is otherwise right. */
static struct made named(unsigned version, size_t n)
{
	static char name[TSFILE_NAME_MAX + 2];
	struct made m = made_begin(version);

	memset(name, 'x', sizeof name);
	name[version == 4 ? n - 2 : n] = '\0';
	put_blob(&m, "a", 1, 2);
	put_root(&m, name, put_node(&m, "a", 8, m.b.len, 3));
	return m;
}

static void names(void)
{
	for (unsigned version = 3; version <= 4; version++) {
		struct made m = named(version, TSFILE_NAME_MAX);

		CHECK(is_good(&m, &last, &ix));
		CHECK(last.d.path_len == TSFILE_NAME_MAX);
		CHECK(strlen(last.path) == TSFILE_NAME_MAX);
		m = named(version, TSFILE_NAME_MAX + 1);
		CHECK(is_refused(&m, "of at most"));
	}
}

/* A file of version 4 with one device, whose key is `key`. */
static struct made keyed(const char *key, size_t n)
{
	struct made m = made_begin(4);
	uint64_t node;

	put_blob(&m, "a", 1, 2);
	node = put_node(&m, "a", 8, m.b.len, 3);
	begin_metadata(&m);
	put_uvarint(&m, 1);
	buf_add(&m.b, key, n);
	wr_be64(&m.b, node);
	put_end(&m, m.metadata, 1);
	put_offset(&m);
	put_tail(&m);
	return m;
}

static void segments(void)
{
	struct made m = keyed("\4\2t\1\2x\6a.b", 10);

	CHECK(is_good(&m, &last, &ix));
	CHECK_STR(last.path, "t.null.x.a.b");
	m = keyed("\1\2t", 3);
	CHECK(is_good(&m, &last, &ix));
	CHECK_STR(last.path, "t");
	m = keyed("\2\2t\2\0", 5);
	CHECK(is_good(&m, &last, &ix));
	CHECK(last.d.path_len == 3 && memcmp(last.path, "t.\0", 4) == 0);
	m = keyed("\0", 1);
	CHECK(is_refused(&m, "it has no segments"));
	m = keyed("\2\2u\2x", 5);
	CHECK(is_refused(&m, "of its root's table"));
	m = keyed("\2\1\2x", 4);
	CHECK(is_refused(&m, "of its root's table"));
	m = keyed("\2\2t\3", 4);
	CHECK(is_refused(&m, "a name of at most"));
	m = keyed("\xff\xff\xff\xff\7\2t", 7);
	CHECK(is_refused(&m, "expected "));
	m = keyed("\xff\xff\xff\xff\x0f\2t", 7);
	CHECK(is_refused(&m, "a count below 2^31"));
}

/* Each segment would do; the path they make is too long. */
static void too_long_together(void)
{
	static char key[TSFILE_NAME_MAX];
	size_t n = TSFILE_NAME_MAX - 4;
	CLEANUP(buf_release) struct buf b;
	struct made m;

	buf_init(&b, 2 * TSFILE_NAME_MAX);
	memset(key, 'x', n);
	buf_adds(&b, "\3\2t");
	wr_svarint(&b, (int32_t)n);
	buf_add(&b, key, n);
	buf_adds(&b, "\1");
	m = keyed((const char *)buf_data(&b), b.len);
	CHECK(is_refused(&m, "a device's path of at most"));
}

static void devices_without_a_name(void)
{
	struct made m = made_begin(3);

	put_blob(&m, "a", 1, 2);
	put_root(&m, "", put_node(&m, "a", 8, m.b.len, 3));
	CHECK(is_refused(&m, "its name is empty"));
}

int main(void)
{
	test_run("ranges are merged, what has no point is not", ranges);
	test_run("a file without a point has no range", without_a_point);
	test_run("aligned devices are known, marked or not", aligned);
	test_run("unknown data types make a range wide, not wrong",
		 unknown_types);
	test_run("long texts in statistics are passed over", long_texts);
	test_run("what is no series is refused", series_that_are_none);
	test_run("names up to the maximum, none above", names);
	test_run("segments that are too long together", too_long_together);
	test_run("devices of version 4: null, dots, NUL, another table",
		 segments);
	test_run("a device has a name", devices_without_a_name);
	return test_end();
}
