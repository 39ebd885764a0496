#include "recvd/schema_text.h"
#include "test.h"

static bool touches(const char *text, const char *paths)
{
	return schema_touches(text, strlen(text), paths);
}

static void paths_are_compared_node_by_node(void)
{
	CHECK(touches("CREATE TIMESERIES root.sg.d1.s1 WITH DATATYPE=INT64",
		      "root.sg.d1.s1"));
	CHECK(!touches("CREATE TIMESERIES root.sg.d1.s11 WITH DATATYPE=INT64",
		       "root.sg.d1.s1"));
	CHECK(!touches("CREATE TIMESERIES root.sg.d10.s1 WITH DATATYPE=INT64",
		       "root.sg.d1.s1"));
	CHECK(touches("CREATE ALIGNED TIMESERIES root.sg.d1(s1 INT64)",
		      "root.sg.d1.s1"));
	CHECK(touches("DELETE TIMESERIES root.sg.*.s1", "root.sg.d1.s1"));
	CHECK(touches("DELETE TIMESERIES root.sg.**", "root.sg.d1.s1"));
	CHECK(!touches("DELETE TIMESERIES root.other.**", "root.sg.d1.s1"));
	CHECK(touches("x root.sg.d2.s1\ny root.sg.d3.s1",
		      "root.sg.d1.s1\nroot.sg.d3.s1"));
	CHECK(touches("anything", ""));
}

static void a_node_in_back_quotes_is_one_node(void)
{
	CHECK(touches("DELETE TIMESERIES root.sg.`a.b (c)`.s1",
		      "root.sg.`a.b (c)`.s1"));
	CHECK(!touches("DELETE TIMESERIES root.sg.`a.b`.s1", "root.sg.a.b.s1"));
}

static void strings_are_no_paths(void)
{
	CHECK(!touches("ALTER TIMESERIES root.sg.d2.s1 ADD TAGS "
		       "a='root.sg.d1.s1', b=\"root.sg.d1.s1\"",
		       "root.sg.d1.s1"));
	CHECK(!touches("CREATE TIMESERIES xroot.sg.d1.s1", "root.sg.d1.s1"));
	CHECK(!touches("a='never ends root.sg.d1.s1", "root.sg.d1.s1"));
}

static bool strays(const char *text, const char *database)
{
	char word[8];

	return schema_strays(text, strlen(text), database, word, sizeof word);
}

static void what_leaves_a_database_is_named(void)
{
	char word[64];
	const char *text = "CREATE DATABASE root.sg\nDROP DATABASE root.other";

	CHECK(!strays("CREATE DATABASE root.sg", "root.sg"));
	CHECK(!strays("DELETE TIMESERIES root.sg.d1.**", "root.sg"));
	CHECK(strays("DELETE TIMESERIES root.**", "root.sg"));
	CHECK(strays("DELETE TIMESERIES root.*.d1.s1", "root.sg"));
	CHECK(strays("DELETE TIMESERIES root.sg2.d1", "root.sg"));
	CHECK(strays("DELETE TIMESERIES root", "root.sg"));
	CHECK(schema_strays(text, strlen(text), "root.sg", word, sizeof word));
	CHECK_STR(word, "root.other");
	CHECK(!strays("CREATE TABLE t (a STRING TAG)", "factory"));
}

static bool removes(const char *text)
{
	return schema_removes(text, strlen(text));
}

static void removals_are_seen_in_any_line_and_case(void)
{
	CHECK(removes("DELETE TIMESERIES root.sg.d1.s1"));
	CHECK(removes("CREATE DATABASE root.sg\n  drop database root.sg"));
	CHECK(!removes("CREATE TIMESERIES root.sg.deleted"));
	CHECK(!removes("DELETED x"));
	CHECK(!removes(""));
}

static bool drops(const char *text)
{
	return schema_drops(text, strlen(text));
}

static void the_end_of_a_database_is_seen(void)
{
	CHECK(drops("DELETE DATABASE root.sg\n"));
	CHECK(drops("A\n drop  Database root.sg"));
	CHECK(drops("DELETE STORAGE GROUP root.sg"));
	CHECK(!drops("DELETE TIMESERIES root.sg.database"));
	CHECK(!drops("CREATE DATABASE root.sg"));
	CHECK(!drops("DELETE\nDATABASE root.sg"));
	CHECK(!drops("DELETE DATABASE"));
}

int main(void)
{
	test_run("paths are compared node by node",
		 paths_are_compared_node_by_node);
	test_run("a node in back quotes is one node",
		 a_node_in_back_quotes_is_one_node);
	test_run("strings are no paths", strings_are_no_paths);
	test_run("what leaves a database is named",
		 what_leaves_a_database_is_named);
	test_run("removals are seen in any line and case",
		 removals_are_seen_in_any_line_and_case);
	test_run("the end of a database is seen", the_end_of_a_database_is_seen);
	return test_end();
}
