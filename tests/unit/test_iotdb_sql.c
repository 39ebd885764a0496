#include <errno.h>

#include "recvd/iotdb_code.h"
#include "recvd/iotdb_sql.h"
#include "test.h"

/* Statements as text, and what codes mean: everything of the IoTDB loader that needs no
 * server. */

static const char *path_for(unsigned version, const char *path, struct buf *b)
{
	buf_init(b, 4096);
	return sql_add_path(version, path, strlen(path), b) < 0 ? "refused"
								: buf_str(b);
}

static void names(void)
{
	static const struct {
		unsigned version;
		const char *in, *out;
	} cases[] = {
		{10303, "root.sg.d1.s", "root.sg.d1.s"},
		{10303, "root.sg.`a-b`.s", "root.sg.`a-b`.s"},
		{10303, "root.sg.a-b.s", "root.sg.`a-b`.s"},
		{10303, "root.sg.12.s", "root.sg.`12`.s"},
		{10303, "root.sg.1e5", "root.sg.`1e5`"},
		{10303, "root.sg.time", "root.sg.`time`"},
		{10303, "root.sg.`a``b.c`.*", "root.sg.`a``b.c`.*"},
		{10303, "root.**.s*", "root.**.s*"},
		{10303, "root.\xe6\xb0\xb4.s", "root.\xe6\xb0\xb4.s"},
		{1304, "root.sg.12.s", "root.sg.12.s"},
		{1304, "root.sg.`plain`.s", "root.sg.plain.s"},
		{1304, "root.sg.`a-b`.s", "root.sg.`a-b`.s"},
		{10303, "root..s", "refused"},
		{10303, "root.`open", "refused"},
		{10303, "root.`a`b", "refused"},
		{10303, "", "refused"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_release) struct buf b;

		CHECK_STR(path_for(cases[i].version, cases[i].in, &b),
			  cases[i].out);
	}
}

static void levels(void)
{
	CHECK(sql_level("root.sg") == 1);
	CHECK(sql_level("root.a.`b.c`.d") == 3);
	CHECK(sql_level("root") == -EINVAL);
	CHECK(sql_is_tree("root.a") && sql_is_tree("root"));
	CHECK(!sql_is_tree("factory") && !sql_is_tree("rooted.a"));
}

static const char *load_for(unsigned version, struct buf *b)
{
	struct sql_load load = {.path = "/x/it's", .level = 2};

	buf_init(b, 4096);
	return sql_load(version, &load, b) < 0 ? "refused" : buf_str(b);
}

/* On success must always be said: its default differs between releases. */
static void loads(void)
{
	CLEANUP(buf_release) struct buf a, b, c, d;

	CHECK_STR(load_for(1304, &a), "LOAD '/x/it's' AUTOREGISTER=true,"
				      "SGLEVEL=2,VERIFY=true");
	CHECK_STR(load_for(10001, &b),
		  "LOAD '/x/it''s' SGLEVEL=2 VERIFY=false ONSUCCESS=NONE");
	CHECK_STR(load_for(10303, &c),
		  "LOAD '/x/it''s' WITH ('database-level'='2','on-success'="
		  "'delete')");
	CHECK_STR(load_for(20006, &d),
		  "LOAD '/x/it''s' WITH ('database-level'='2','on-success'="
		  "'delete','convert-on-type-mismatch'='false')");
	CHECK(!sql_load_consumes(10302) && sql_load_consumes(10303));
	CHECK(sql_load_wants_mods(10303) && !sql_load_wants_mods(10202) &&
	      !sql_load_wants_mods(20006));
}

static void deletes(void)
{
	CLEANUP(buf_release) struct buf a, b, c;

	buf_init(&a, 4096);
	buf_init(&b, 4096);
	buf_init(&c, 4096);
	CHECK(sql_delete(10303, "root.a.s\0root.b-c.*", 2, INT64_MIN, 5, &a) ==
	      0);
	CHECK_STR(buf_str(&a), "DELETE FROM root.a.s, root.`b-c`.* WHERE time "
			       "<= 5");
	CHECK(sql_delete(10303, "root.a.s", 1, -3, INT64_MAX, &b) == 0);
	CHECK_STR(buf_str(&b), "DELETE FROM root.a.s WHERE time >= -3");
	CHECK(sql_delete(10303, "root.a.s", 1, 7, 7, &c) == 0);
	CHECK_STR(buf_str(&c), "DELETE FROM root.a.s WHERE time = 7");
}

/* Paths with commas between; "-" for none. */
static const char *clipped(const char *pattern, const char *device,
			   bool is_database, struct buf *b)
{
	int n;

	buf_init(b, 4096);
	n = sql_clip(pattern, strlen(pattern), device, strlen(device),
		     is_database, b);
	if (n <= 0)
		return n < 0 ? "refused" : "-";
	for (size_t i = 0; i + 1 < b->len; i++)
		if (!buf_data(b)[i])
			buf_data(b)[i] = ',';
	return buf_str(b);
}

static void clips(void)
{
	static const struct {
		const char *pattern, *device;
		bool is_database;
		const char *out;
	} cases[] = {
		{"root.sg.d.s", "root.sg.d", false, "root.sg.d.s"},
		{"root.sg.d.s", "root.sg.e", false, "-"},
		{"root.sg.d", "root.sg.d", false, "-"},
		{"root.**", "root.sg.d", false, "root.sg.d.*"},
		{"root.sg.*.s*", "root.sg.d", false, "root.sg.d.s*"},
		{"root.**.s", "root.sg.d", false, "root.sg.d.s"},
		{"root.**.d.*", "root.sg.x.d", false, "root.sg.x.d.*"},
		{"root.**.e.*", "root.sg.x.d", false, "-"},
		{"root.sg.d*.**", "root.sg.d12", false, "root.sg.d12.*"},
		{"root.sg.d.**", "root.sg.d", false, "root.sg.d.*"},
		{"root.sg.d.*.*", "root.sg.d", false, "-"},
		{"root.sg.`a.b`.s", "root.sg.`a.b`", false, "root.sg.`a.b`.s"},
		{"root.**", "root.sg", true, "root.sg.**"},
		{"root.**.x", "root.sg", true, "root.sg.**.x,root.sg.x"},
		{"root.sg.d.s", "root.sg", true, "root.sg.d.s"},
		{"root.other.d.s", "root.sg", true, "-"},
		{"root.*.d.s", "root.sg", true, "root.sg.d.s"},
		{"root", "root.sg", true, "-"},
		{"root..x", "root.sg", true, "refused"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_release) struct buf b;

		CHECK_STR(clipped(cases[i].pattern, cases[i].device,
				  cases[i].is_database, &b),
			  cases[i].out);
	}
}

/* A pattern that could be tried in more ways than there is time. */
static void clip_is_bounded(void)
{
	CLEANUP(buf_release) struct buf pattern, device, out;

	buf_init(&pattern, 4096);
	buf_init(&device, 4096);
	buf_adds(&pattern, "root");
	buf_adds(&device, "root");
	for (int i = 0; i < 28; i++)
		buf_adds(&pattern, ".**.a");
	for (int i = 0; i < 60; i++)
		buf_adds(&device, ".a");
	buf_adds(&device, ".b");
	CHECK_STR(
		clipped(buf_str(&pattern), buf_str(&device), false, &out),
		"root.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
		"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
		"a.a.b.a");
	buf_release(&out);
	buf_adds(&pattern, ".c.d");
	CHECK_STR(clipped(buf_str(&pattern), buf_str(&device), false, &out),
		  "-");
}

static int compare(const char *a, const char *b)
{
	return sql_compare_segments(a, strlen(a), b, strlen(b));
}

static void segments(void)
{
	/* plain strings: x.dev before z; segments: root.db | z first */
	CHECK(strcmp("root.db.x.dev", "root.db.z") < 0);
	CHECK(compare("root.db.x.dev", "root.db.z") > 0);
	CHECK(compare("root.db.a", "root.db.b") < 0);
	CHECK(compare("root.db.a", "root.db.a") == 0);
	CHECK(compare("root.a.b.c", "root.a.b.c.d") < 0);
	CHECK(compare("root.a", "root.b") < 0);
}

static void code_families(void)
{
	CHECK(iotdb_code_means(10303, 200, false, "") == MEANS_APPLIED);
	CHECK(iotdb_code_means(10303, 1100, false, "") == MEANS_QUARANTINE);
	CHECK(iotdb_code_means(10303, 1100, true, "") == MEANS_RETRY);
	CHECK(iotdb_code_means(10303, 801, false, "") == MEANS_STOP);
	CHECK(iotdb_code_means(10303, 801, true, "") == MEANS_STOP);
	CHECK(iotdb_code_means(10303, 501, false, "") == MEANS_ALREADY);
	CHECK(iotdb_code_means(10303, 4711, false, "") == MEANS_QUARANTINE);
	CHECK(iotdb_code_means(10303, 4711, true, "") == MEANS_RETRY);
	/* the same number, other families */
	CHECK(iotdb_code_means(1304, 701, false, "") == MEANS_RETRY);
	CHECK(iotdb_code_means(10303, 701, false, "") == MEANS_QUARANTINE);
	CHECK(iotdb_code_means(1304, 600, false, "") == MEANS_STOP);
	CHECK(iotdb_code_means(1304, 411, false, "") == MEANS_QUARANTINE);
}

/* Read-only, memory, disk, restart: never the entry's fault. */
static void node_trouble(void)
{
	static const int new_codes[] = {600,  601,  602,  605,	606,  610,
					611,  203,  204,  709,	717,  719,
					906,  907,  1003, 1005, 1006, 1007,
					1103, 1110, 1808};
	static const int old_codes[] = {317, 412, 413, 502, 503, 706};
	static const char *const sentences[] = {
		"Auto create or verify schema error when executing statement "
		"LoadTsFileStatement. Detail: forceAllocate: failed to "
		"allocate "
		"memory from query engine after 10 retries",
		"Load /x piece error in 1st phase. Because No space left on "
		"device",
		"Can't get next folder from [/data], because they are all "
		"full.",
		"Current system mode is read only, does not support load file",
		"Fail to do non-query operations because system is read-only.",
		"TsFile /x is loading by another scheduler.",
		"Auto create or verify schema error. Detail: "
		"org.apache.thrift.TException-->Fail to connect to any config "
		"node. Please check status of ConfigNodes",
		"Load /x error in 2nd phase. Because No load TsFile uuid efed "
		"recorded for execute load command ROLLBACK.",
	};

	for (size_t i = 0; i < ARRAY_LEN(new_codes); i++) {
		CHECK(iotdb_code_means(10001, new_codes[i], false, "") ==
		      MEANS_RETRY);
		CHECK(iotdb_code_means(20006, new_codes[i], false, "") ==
		      MEANS_RETRY);
	}
	for (size_t i = 0; i < ARRAY_LEN(old_codes); i++)
		CHECK(iotdb_code_means(1304, old_codes[i], false, "") ==
		      MEANS_RETRY);
	for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
		CHECK(iotdb_code_means(10303, 1100, false, sentences[i]) ==
		      MEANS_RETRY);
		CHECK(iotdb_code_means(1304, 411, false, sentences[i]) ==
		      MEANS_RETRY);
		/* a log-in that is refused stays refused */
		CHECK(iotdb_code_means(10303, 801, false, sentences[i]) ==
		      MEANS_STOP);
	}
	CHECK(iotdb_code_means(10303, 1100, false,
			       "The file /x is not a valid tsfile.") ==
	      MEANS_QUARANTINE);
	CHECK(iotdb_code_means(
		      10001, 605, false,
		      "Database not exists and failed to create "
		      "automatically because enable_auto_create_schema "
		      "is FALSE.") == MEANS_QUARANTINE);
}

static void sentences(void)
{
	char series[64];

	CHECK(iotdb_code_means(20006, 1100, false,
			       "Auto create or verify schema error. Detail: No "
			       "permissions for this operation, please add "
			       "privilege WRITE_SCHEMA on [root.a.d.s]") ==
	      MEANS_STOP);
	CHECK(iotdb_says_mismatch(
		"Auto create or verify schema error. Detail: Measurement "
		"PlainDeviceID{deviceID='root.plant.m2'}.count datatype not "
		"match, TsFile: INT32, IoTDB: TEXT..",
		series, sizeof series));
	CHECK_STR(series, "root.plant.m2.count");
	CHECK(iotdb_says_mismatch("Measurement root.a.d.s datatype not match",
				  series, sizeof series));
	CHECK_STR(series, "root.a.d.s");
	CHECK(!iotdb_says_mismatch("not a valid tsfile", series,
				   sizeof series));
	CHECK(iotdb_says_not_found("Can not find /x on this machine, notice"));
}

int main(void)
{
	test_run("names are quoted as each version wants", names);
	test_run("the level of a database is its depth", levels);
	test_run("LOAD per version, on-success always said", loads);
	test_run("DELETE FROM with open and closed ranges", deletes);
	test_run("patterns are cut to a device or a database", clips);
	test_run("a pattern of many ** costs no time", clip_is_bounded);
	test_run("devices by segments and by string", segments);
	test_run("codes mean what their family says", code_families);
	test_run("a node's trouble is tried again, whatever its number",
		 node_trouble);
	test_run("sentences that codes do not tell apart", sentences);
	return test_end();
}
