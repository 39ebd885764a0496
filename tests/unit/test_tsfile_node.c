/* The tree of an index and the metadata around it: what may lie where, how deep, how
 * often, and in which forms writers ended it. */
#include "test.h"
#include "tests/tsfile_made_read.h"

static struct last last;
static struct tsfile_index ix;

#define RUN_END 38 /* of one put_blob() at 8 */

/* A run of one series at 8, and a node of series over it that says what is given. */
static struct made one_node(unsigned n, uint64_t at, uint64_t end,
			    unsigned type)
{
	struct made m = made_begin(3);
	uint64_t node;

	put_blob(&m, "a", 1, 2);
	node = m.b.len;
	put_uvarint(&m, n);
	if (n > 0)
		put_child(&m, "a", at);
	put_end(&m, end, type);
	put_root(&m, "root.d", node);
	return m;
}

static void children_lie_in_the_index(void)
{
	static const struct {
		uint64_t at, end;
	} wrong[] = {
		{7, RUN_END},		/* the separator */
		{0, RUN_END},		/* the head */
		{8, RUN_END + 1},	/* the node itself */
		{RUN_END, RUN_END},	/* nothing */
		{RUN_END + 1, RUN_END}, /* less */
		{8, UINT64_MAX},	/* far away */
		{UINT64_MAX, RUN_END},	/* negative */
		{8, (uint64_t)INT64_MIN},
	};
	struct made m = one_node(1, 8, RUN_END, 3);

	CHECK(is_good(&m, &last, &ix));
	for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
		m = one_node(1, wrong[k].at, wrong[k].end, 3);
		CHECK(is_refused(&m, "a child between 8 and "));
	}
	/* A span that is not what its series fill. */
	m = one_node(1, 8, RUN_END - 1, 3);
	CHECK(is_refused(&m, "more bytes"));
	m = one_node(1, 9, RUN_END, 3);
	CHECK(is_refused(&m, "expected "));
}

static void nodes_have_their_kind(void)
{
	static const unsigned wrong[] = {0, 1, 4, 255};
	struct made m;

	for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
		m = one_node(1, 8, RUN_END, wrong[k]);
		CHECK(is_refused(&m, "a node of type 2 or 3, it is"));
	}
	m = one_node(1, 8, RUN_END, 2); /* its child would be a node, too */
	CHECK(is_refused(&m, "expected "));
	m = one_node(0, 0, RUN_END, 3);
	CHECK(is_refused(&m, "a node with children, it has none"));
	m = one_node(200, 8, RUN_END, 3);
	CHECK(is_refused(&m, "they would be 200"));
	m = made_begin(3);
	put_blob(&m, "a", 1, 2);
	put_node(&m, "a", 8, RUN_END, 3);
	put_zeros(&m, 1);
	put_root(&m, "root.d", RUN_END);
	CHECK(is_refused(&m, "a node of "));
}

static void children_rise(void)
{
	for (int wrong = 0; wrong < 3; wrong++) {
		struct made m = made_begin(3);
		uint64_t second, node;

		put_blob(&m, "a", 1, 2);
		second = m.b.len;
		put_blob(&m, "b", 1, 2);
		node = m.b.len;
		put_uvarint(&m, 2);
		put_child(&m, "a", wrong == 1 ? second : 8);
		put_child(&m, "b", wrong == 2 ? 8 : second);
		put_end(&m, node, 3);
		put_root(&m, "root.d", node);
		if (wrong)
			CHECK(is_refused(&m, "expected a child between"));
		else
			CHECK(is_good(&m, &last, &ix));
	}
}

/* Two devices that share the series of one. */
static void nothing_is_shared(void)
{
	struct made m = made_begin(3);
	uint64_t one, two;

	put_blob(&m, "a", 1, 2);
	one = put_node(&m, "a", 8, m.b.len, 3);
	two = put_node(&m, "a", 8, one, 3);
	begin_metadata(&m);
	put_uvarint(&m, 2);
	put_device(&m, "root.d1");
	wr_be64(&m.b, one);
	put_device(&m, "root.d2");
	wr_be64(&m.b, two);
	put_end(&m, m.metadata, 1);
	put_offset(&m);
	put_tail(&m);
	CHECK(is_refused(&m, "refers to some bytes twice"));
}

/* A chain of nodes, each with one child. */
static struct made chain(unsigned levels)
{
	struct made m = made_begin(3);
	uint64_t at = 8, end, node;

	put_blob(&m, "a", 1, 2);
	for (unsigned k = 1; k < levels; k++) {
		end = m.b.len;
		node = put_node(&m, "a", at, end, k == 1 ? 3 : 2);
		at = node;
	}
	put_root(&m, "root.d", at);
	return m;
}

static void levels(void)
{
	struct made m = chain(TSFILE_LEVELS_MAX);

	CHECK(is_good(&m, &last, &ix));
	m = chain(TSFILE_LEVELS_MAX + 1);
	CHECK(is_refused(&m, "expected at most 32 levels"));
	m = chain(5000);
	CHECK(is_refused(&m, "expected at most 32 levels"));
}

#define MANY 20000

/* `n` nodes of type 0 or 1 over the nodes that begin at `at`, `degree` in each, but
 * the highest, which is put where the metadata begins. */
static void put_devices(struct made *m, uint64_t *at, unsigned n,
			unsigned degree)
{
	unsigned stride = 1, type = 1;

	for (;;) {
		unsigned nodes = (n + degree - 1) / degree, k = 0;
		uint64_t end = m->b.len;

		if (nodes == 1)
			begin_metadata(m);
		for (unsigned i = 0; i < nodes; i++) {
			unsigned c = n - k < degree ? n - k : degree;
			uint64_t here = m->b.len;

			put_uvarint(m, c);
			for (unsigned j = 0; j < c; j++, k++) {
				char name[40];

				(void)snprintf(name, sizeof name, "root.d%u",
					       k * stride);
				put_device(m, name);
				wr_be64(&m->b, at[k]);
			}
			put_end(m, k < n ? at[k] : end, type);
			at[i] = here;
		}
		if (nodes == 1)
			return;
		n = nodes;
		stride *= degree;
		type = 0;
	}
}

/* Indexes of a MiB or two, flat and steep: within what may be read. */
static void many_devices(void)
{
	static const unsigned degrees[] = {2, 3, 256, MANY};
	static uint64_t runs[MANY + 1], at[MANY];

	for (size_t d = 0; d < ARRAY_LEN(degrees); d++) {
		struct made m = made_begin(d % 2 ? 4 : 3);

		for (unsigned k = 0; k < MANY; k++) {
			runs[k] = m.b.len;
			put_blob(&m, "a", -(int64_t)k, k);
		}
		runs[MANY] = m.b.len;
		for (unsigned k = 0; k < MANY; k++)
			at[k] = put_node(&m, "a", runs[k], runs[k + 1], 3);
		put_devices(&m, at, MANY, degrees[d]);
		put_offset(&m);
		put_tail(&m);
		CHECK(is_good(&m, &last, &ix));
		CHECK(ix.devices == MANY && ix.range.first == 1 - MANY &&
		      ix.range.last == MANY - 1);
		CHECK(strstr(last.path, "root.d19999"));
	}
}

#define APART 2000
#define NODE_LEN 20 /* of one put_node() */

/* Devices by turns at the beginning of the index and far behind, so that every step
 * reads somewhere else. */
static void scattered(void)
{
	static uint64_t runs[APART + 1], nodes[APART], at[APART];
	struct made m = made_begin(3);

	for (int k = 0; k < APART; k++) {
		runs[k] = m.b.len;
		put_blob(&m, "a", 1, 2);
	}
	runs[APART] = m.b.len;
	for (int k = 0; k < APART; k++)
		nodes[k] = put_node(&m, "a", runs[k], runs[k + 1], 3);
	for (int k = 0; k < APART; k++) {
		int of = k % 2 ? APART / 2 + k / 2 : k / 2;

		at[k] = m.b.len;
		put_uvarint(&m, 1);
		put_device(&m, "near");
		wr_be64(&m.b, nodes[of]);
		put_end(&m, nodes[of] + NODE_LEN, 1);
	}
	begin_metadata(&m);
	put_uvarint(&m, APART);
	for (int k = 0; k < APART; k++) {
		put_device(&m, "near");
		wr_be64(&m.b, at[k]);
	}
	put_end(&m, m.metadata, 0);
	put_offset(&m);
	put_tail(&m);
	CHECK(is_refused(&m, "more scattered"));
}

/* One device, and what `rest` says behind the offset of the index. */
static struct made ending(unsigned version, const char *rest, size_t n)
{
	struct made m = made_begin(version);
	uint64_t node;

	put_blob(&m, "a", 1, 2);
	node = put_node(&m, "a", 8, m.b.len, 3);
	begin_metadata(&m);
	put_uvarint(&m, 1);
	put_device(&m, "root.d");
	wr_be64(&m.b, node);
	put_end(&m, m.metadata, 1);
	put_offset(&m);
	buf_add(&m.b, rest, n);
	put_tail(&m);
	return m;
}

static void endings(void)
{
	static const struct {
		unsigned version;
		bool good;
		const char *rest;
		size_t n;
	} kinds[] = {
		{3, true, "", 0},
		{3, true, "\0", 1},
		{3, true, "\0\x80\2\5", 4},
		{3, true, "\2ab\x80\2\5", 6},
		{3, true, "\2ab\x80\2\5\1\2k\2v", 11}, /* 1.1.x */
		{3, true, "\2ab\x80\2\5\2\2k\1", 10},
		{3, true, "\0\2\2k\2v\2k\2v", 10},
		{3, false, "\2ab", 3},
		{3, false, "\2ab\x80\2\5\1\2k\2", 10},
		{3, false, "\2ab\x80\2\5\1\2k\2vx", 12},
		{3, false, "\3ab", 3},
		{4, true, "\0", 1},
		{4, true, "\0\0", 2},
		{4, true, "\2ab\x80\2\5\0", 7},
		{4, true, "\0\2\2k\2v", 6},
		{4, true, "\0\2\2k\1", 5},
		{4, true, "\0\1\2k\2v", 6},	  /* counted without a sign */
		{4, true, "\0\0\0\0\2\2k\2v", 9}, /* late 2024 */
		{4, false, "\0\1\1\1\2\2k\2v", 9},
		{4, false, "\0\2\2k", 4},
		{4, false, "\0\2\2k\3v", 6},
		{4, false, "\0\2\2k\2vv", 7},
		{4, false, "\2ab", 3},
		{4, false, "\xff\xff\xff\xff\7", 5},
	};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct made m =
			ending(kinds[k].version, kinds[k].rest, kinds[k].n);
		bool as_said = kinds[k].good ? is_good(&m, &last, &ix)
					     : is_refused(&m, "expected ");

		if (!as_said)
			printf("# ending %zu\n", k);
		CHECK(as_said);
	}
}

static void properties_without_end(void)
{
	static char big[(256u << 10) + 2];
	struct made m = ending(4, big, sizeof big);

	CHECK(is_refused(&m, "properties of at most"));
}

/* Version 4 with schemas, as the table model writes them (tsfile-format, section 10.3);
 * columns with properties, too. */
static void schemas(void)
{
	static const char columns[] = "\1\2t\2"
				      "\0\0\0\3id1\x0b\0\7\0\0\0\0\0\0\0\0"
				      "\0\0\0\2s1\1\4\7\0\0\0\1"
				      "\0\0\0\1k\xff\xff\xff\xff"
				      "\0\0\0\1";

	for (size_t cut = 0; cut < 12; cut++) {
		struct made m = made_begin(4);
		uint64_t node;

		put_blob(&m, "a", 1, 2);
		node = put_node(&m, "a", 8, m.b.len, 3);
		begin_metadata(&m);
		put_uvarint(&m, 1);
		put_device(&m, "x");
		wr_be64(&m.b, node);
		put_end(&m, m.metadata, 1);
		buf_add(&m.b, columns, sizeof columns - 1 - cut);
		wr_be64(&m.b, 7);
		put_tail(&m);
		if (cut == 0)
			CHECK(is_good(&m, &last, &ix));
		else
			CHECK(is_refused(&m, "expected "));
	}
}

/* Where the index begins, by the metadata; 2 must stand there. */
static void separators(void)
{
	static const uint64_t wrong[] = {0, 6, 8, 58, 59, 60, UINT64_MAX};

	for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
		struct made m = ending(3, "", 0);

		m.b.len -= 4 + 6 + 8;
		wr_be64(&m.b, wrong[k]);
		put_tail(&m);
		CHECK(is_refused(&m, "expected "));
	}
}

/* The roots must reach up to the metadata. */
static void a_gap_in_front_of_the_metadata(void)
{
	struct made m = made_begin(3);
	uint64_t node;

	put_blob(&m, "a", 1, 2);
	node = put_node(&m, "a", 8, m.b.len, 3);
	begin_metadata(&m);
	put_uvarint(&m, 1);
	put_device(&m, "root.d");
	wr_be64(&m.b, node);
	put_end(&m, m.metadata - 1, 1);
	put_offset(&m);
	put_tail(&m);
	CHECK(is_refused(&m, "expected the index to end at"));
}

int main(void)
{
	test_run("children lie in the index, before their parent",
		 children_lie_in_the_index);
	test_run("nodes are of the kind of their place, and fill their span",
		 nodes_have_their_kind);
	test_run("children rise", children_rise);
	test_run("two parents share nothing", nothing_is_shared);
	test_run("as many levels as promised", levels);
	test_run("many devices, in flat and in steep trees", many_devices);
	test_run("an index that makes every step a read is refused", scattered);
	test_run("what may follow the offset of the index", endings);
	test_run("properties have a maximum", properties_without_end);
	test_run("schemas of tables are passed over", schemas);
	test_run("the index begins behind its separator", separators);
	test_run("the index ends where the metadata begins",
		 a_gap_in_front_of_the_metadata);
	return test_end();
}
