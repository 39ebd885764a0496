#include "domain/table.h"
#include "domain/tree.h"
#include "test.h"

static const char *printed(enum table_form form, const char *heading,
			   const char *const *rows, size_t n)
{
	static char text[4096];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	table_print(&out, form, heading, rows, n);
	(void)snprintf(text, sizeof text, "%s", buf_str(&out));
	buf_release(&out);
	return text;
}

static void cells_are_escaped(void)
{
	struct buf row;

	buf_init(&row, 100);
	table_cell(&row, true, "a\tb");
	table_cell(&row, false, "");
	table_cell(&row, false, "c\\d\ne");
	CHECK_STR(buf_str(&row), "a\\tb\t\tc\\\\d\\ne");
	buf_release(&row);
}

static void tables_are_drawn_as_iotdb_draws_them(void)
{
	const char *rows[] = {
		"2022-03-30T20:58:30.689\tmy_pipe\tmy_pipesink\tSTOP\t"};

	CHECK_STR(printed(TABLE_DRAWN,
			  "create time\tname\tpipeSink\tstatus\tmessage", rows,
			  1),
		  "+-----------------------+-------+-----------+------+-------+"
		  "\n"
		  "|            create time|   name|   pipeSink|status|message|"
		  "\n"
		  "+-----------------------+-------+-----------+------+-------+"
		  "\n"
		  "|2022-03-30T20:58:30.689|my_pipe|my_pipesink|  STOP|       |"
		  "\n"
		  "+-----------------------+-------+-----------+------+-------+"
		  "\n");
}

static void widths_are_in_columns(void)
{
	const char *rows[] = {"\xe4\xb8\xad\xe6\x96\x87\tx", "a\\\\b\tc\\nd",
			      "only one", "1\t2\t3"};

	CHECK_STR(printed(TABLE_DRAWN, "name\tv", rows, 4),
		  "+--------+----+-+\n"
		  "|    name|   v| |\n"
		  "+--------+----+-+\n"
		  "|    \xe4\xb8\xad\xe6\x96\x87|   x| |\n"
		  "|     a\\b|c\\nd| |\n"
		  "|only one|    | |\n"
		  "|       1|   2|3|\n"
		  "+--------+----+-+\n");
}

static void empty_tables_have_a_heading(void)
{
	CHECK_STR(printed(TABLE_DRAWN, "type", NULL, 0),
		  "+----+\n|type|\n+----+\n+----+\n");
	CHECK_STR(printed(TABLE_TABS, "type", NULL, 0), "");
	CHECK_STR(printed(TABLE_JSON, "type", NULL, 0), "");
}

static void tabs_and_json_are_for_machines(void)
{
	const char *rows[] = {"p\ta\\tb\\\\ \"q\"", "\x01z"};

	CHECK_STR(printed(TABLE_TABS, "name\tlast seen", rows, 2),
		  "p\ta\\tb\\\\ \"q\"\n\x01z\n");
	CHECK_STR(printed(TABLE_JSON, "name\tlast seen", rows, 2),
		  "{\"name\":\"p\",\"last seen\":\"a\\tb\\\\ \\\"q\\\"\"}\n"
		  "{\"name\":\"\\u0001z\",\"last seen\":\"\"}\n");
}

static void paths_are_walked_by_components(void)
{
	char name[TREE_NAME_MAX + 1], path[400] = "/";
	const char *p = tree_step("/senders//edge-07/", name);

	CHECK_STR(name, "senders");
	p = tree_step(p, name);
	CHECK_STR(name, "edge-07");
	CHECK_STR(p, "/");
	CHECK(!tree_step(p, name));
	CHECK(!tree_step("/", name) && !tree_step("", name));
	memset(path + 1, 'x', 255);
	p = tree_step(path, name);
	CHECK(strlen(name) == 255 && *p == '\0');
	memset(path + 1, 'x', 256);
	p = tree_step(path, name);
	CHECK(p && name[0] == '\0' && *p == '\0');
}

int main(void)
{
	test_run("cells are escaped", cells_are_escaped);
	test_run("tables are drawn as IoTDB draws them",
		 tables_are_drawn_as_iotdb_draws_them);
	test_run("widths are in columns, ideographs take two", widths_are_in_columns);
	test_run("empty tables have a heading", empty_tables_have_a_heading);
	test_run("tabs and JSON are for machines",
		 tabs_and_json_are_for_machines);
	test_run("paths are walked by components",
		 paths_are_walked_by_components);
	return test_end();
}
