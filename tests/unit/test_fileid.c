#include <errno.h>

#include "domain/fileid.h"
#include "test.h"

static void both_ways(void)
{
	static const char *const paths[] = {
		"sequence/root.sg/3/19723/1795423680332-1-0-0.tsfile",
		"unsequence/root.sg/0/0/1-2-3-4.tsfile",
		"sequence/root.`a-b`/21/-1/9-8-7-6.tsfile",
		"unsequence/root.\xe6\xb0\xb4/4294967295/-9223372036854775808/"
		"0-0-0-0.tsfile",
		"sequence/plant/1/9223372036854775807/"
		"9223372036854775807-9223372036854775807-9223372036854775807-"
		"9223372036854775807"
		".tsfile",
	};
	char to[FILEID_PATH_MAX];

	for (size_t k = 0; k < ARRAY_LEN(paths); k++) {
		struct fileid id;

		CHECK(fileid_parse_path(&id, paths[k]) == 0);
		CHECK_STR(fileid_path(&id, to), paths[k]);
	}
}

static void parts(void)
{
	struct fileid id;
	char to[FILEID_PATH_MAX];

	CHECK(fileid_parse_path(
		      &id, "unsequence/root.`a-b`/7/-12/11-22-33-44.tsfile") ==
	      0);
	CHECK_STR(id.database, "root.`a-b`");
	CHECK(id.unsequence && id.region == 7 && id.partition == -12);
	CHECK(id.t == 11 && id.v == 22 && id.i == 33 && id.c == 44);
	CHECK_STR(fileid_dir(&id, to), "unsequence/root.`a-b`/7/-12");
	CHECK_STR(fileid_name(&id, to), "11-22-33-44.tsfile");
	CHECK_STR(fileid_space(&id), "unsequence");
}

static void longest_fits(void)
{
	struct fileid id = {.unsequence = true,
			    .region = UINT32_MAX,
			    .partition = INT64_MIN,
			    .t = INT64_MAX,
			    .v = INT64_MAX,
			    .i = INT64_MAX,
			    .c = INT64_MAX};
	struct fileid again;
	char to[FILEID_PATH_MAX];

	memset(id.database, 'd', DATABASE_MAX);
	CHECK(strlen(fileid_path(&id, to)) < FILEID_PATH_MAX);
	CHECK_STR(to + strlen(to) - 7, ".tsfile");
	CHECK(fileid_parse_path(&again, to) == 0);
	CHECK(fileid_equal(&id, &again));
}

static void other_names(void)
{
	static const char *const names[] = {
		"",
		".tsfile",
		"1-1-0-0",
		"1-1-0-0.tsfile.resource",
		"1-1-0-0.tsfile.mods",
		"1-1-0-0.tsfil",
		"1-1-0-0.TSFILE",
		"1-1-0.tsfile",
		"1-1-0-0-0.tsfile",
		"1--1-0-0.tsfile",
		"-1-1-0-0.tsfile",
		"+1-1-0-0.tsfile",
		" 1-1-0-0.tsfile",
		"1-1-0-0 .tsfile",
		"1-1-0-.tsfile",
		"1-1-0-0x.tsfile",
		"1-1-0-0.inner",
		"1_1_0_0.tsfile",
		"../1-1-0-0.tsfile",
	};
	struct fileid id = {.t = 77};

	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		CHECK(fileid_parse_name(&id, names[k]) == -EINVAL);
		CHECK(id.t == 77);
	}
}

/* Written otherwise than IoTDB writes them, two names would have one identity. */
static void leading_zeros(void)
{
	struct fileid id;
	int64_t partition;
	uint32_t region;

	CHECK(fileid_parse_name(&id, "0-0-0-0.tsfile") == 0);
	CHECK(fileid_parse_name(&id, "01-1-0-0.tsfile") == -EINVAL);
	CHECK(fileid_parse_name(&id, "1-1-0-00.tsfile") == -EINVAL);
	CHECK(fileid_parse_partition(&partition, "0") == 0 && partition == 0);
	CHECK(fileid_parse_partition(&partition, "00") == -EINVAL);
	CHECK(fileid_parse_partition(&partition, "-0") == -EINVAL);
	CHECK(fileid_parse_partition(&partition, "-01") == -EINVAL);
	CHECK(fileid_parse_region(&region, "03") == -EINVAL);
}

static void overflow(void)
{
	struct fileid id;
	int64_t partition = 5;
	uint32_t region = 5;

	CHECK(fileid_parse_name(&id, "9223372036854775808-1-0-0.tsfile") ==
	      -EINVAL);
	CHECK(fileid_parse_name(&id, "1-1-0-99999999999999999999999.tsfile") ==
	      -EINVAL);
	CHECK(fileid_parse_partition(&partition, "9223372036854775808") ==
	      -EINVAL);
	CHECK(fileid_parse_partition(&partition, "-9223372036854775809") ==
	      -EINVAL);
	CHECK(fileid_parse_region(&region, "4294967296") == -EINVAL);
	CHECK(partition == 5 && region == 5);
	CHECK(fileid_parse_partition(&partition, "-9223372036854775808") == 0);
	CHECK(partition == INT64_MIN);
}

static void directory_names(void)
{
	static const char *const bad[] = {"",	"-",	 "--1", "+1",
					  "1 ", "1.tmp", "0x1", "one",
					  ".",	"..",	 "1/",	"\xd9\xa1"};
	int64_t partition;
	uint32_t region;

	for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
		CHECK(fileid_parse_partition(&partition, bad[k]) == -EINVAL);
		CHECK(fileid_parse_region(&region, bad[k]) == -EINVAL);
	}
	CHECK(fileid_parse_region(&region, "-1") == -EINVAL);
	CHECK(fileid_parse_partition(&partition, "-1") == 0 && partition == -1);
}

static void hostile_paths(void)
{
	static const char *const paths[] = {
		"",
		"/",
		"sequence",
		"sequence/",
		"/sequence/root.sg/0/0/1-1-0-0.tsfile",
		"sequences/root.sg/0/0/1-1-0-0.tsfile",
		"sequence//0/0/1-1-0-0.tsfile",
		"sequence/../0/0/1-1-0-0.tsfile",
		"sequence/./0/0/1-1-0-0.tsfile",
		"sequence/.hidden/0/0/1-1-0-0.tsfile",
		"sequence/root.sg/../0/1-1-0-0.tsfile",
		"sequence/root.sg/0/../1-1-0-0.tsfile",
		"sequence/root.sg/0/0/../1-1-0-0.tsfile",
		"sequence/root.sg/0/0/0/1-1-0-0.tsfile",
		"sequence/root.sg/0/1-1-0-0.tsfile",
		"sequence/root.sg/0/0/1-1-0-0.tsfile/",
		"sequence/root.s\ng/0/0/1-1-0-0.tsfile",
		"sequence/root.s\xffg/0/0/1-1-0-0.tsfile",
		"load/root.sg/0/0/1-1-0-0.tsfile",
	};
	struct fileid id;

	for (size_t k = 0; k < ARRAY_LEN(paths); k++)
		CHECK(fileid_parse_path(&id, paths[k]) == -EINVAL);
}

static void four_kilobytes(void)
{
	char name[4097], path[8192];
	struct fileid id;
	struct err e = {0};

	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	(void)snprintf(path, sizeof path, "sequence/%s/0/0/1-1-0-0.tsfile",
		       name);
	CHECK(fileid_parse_path(&id, path) == -EINVAL);
	CHECK(fileid_parse_path(&id, name) == -EINVAL);
	CHECK(database_check(name, &e) == -EINVAL);
	CHECK(strstr(e.text, "longer than 255 bytes"));
	name[256] = '\0';
	CHECK(database_check(name, NULL) == -EINVAL);
	name[255] = '\0';
	CHECK(database_check(name, NULL) == 0);
	memset(name, '1', 4096);
	CHECK(fileid_parse_name(&id, name) == -EINVAL);
}

static void nul_ends_a_name(void)
{
	struct fileid id;

	CHECK(fileid_parse_name(&id, "1-1-0-0\0.tsfile") == -EINVAL);
	CHECK(fileid_parse_path(&id, "sequence/root\0.sg/0/0/1-1-0-0.tsfile") ==
	      -EINVAL);
}

static void databases(void)
{
	static const char *const good[] = {
		"root.sg",
		"root.`a b`",
		"plant",
		"a",
		"\xc3\xa4",
		"\xe4\xb8\xad",
		"\xf0\x9f\x8c\xa1",
		"\xf4\x8f\xbf\xbf",
		"\xed\x9f\xbf",
		"\xc2\xa0",
		"a..b",
		"`",
	};

	static const struct {
		const char *name, *why;
	} bad[] = {
		{"", "empty"},
		{".", "dot"},
		{"..", "dot"},
		{".sg", "dot"},
		{"a/b", "slash"},
		{"/", "slash"},
		{"a\nb", "control"},
		{"a\x7f", "control"},
		{"\x1b[2J", "control"},
		{"a\xc2\x9b", "control"}, /* CSI in one character */
		{"\x80", "UTF-8"},	  /* a continuation alone */
		{"a\xc3", "UTF-8"},	  /* cut short */
		{"a\xe4\xb8", "UTF-8"},
		{"a\xf0\x9f\x8c", "UTF-8"},
		{"\xc0\xaf", "UTF-8"}, /* a slash, longer than needed */
		{"\xe0\x80\xaf", "UTF-8"},
		{"\xf0\x80\x80\xaf", "UTF-8"},
		{"\xed\xa0\x80", "UTF-8"}, /* a surrogate */
		{"\xf4\x90\x80\x80", "UTF-8"},
		{"\xff", "UTF-8"},
		{"\xc3(", "UTF-8"},
	};

	for (size_t k = 0; k < ARRAY_LEN(good); k++) {
		CHECK(database_check(good[k], NULL) == 0);
		CHECK(name_is_plain(good[k]));
	}
	for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
		struct err e = {0};

		CHECK(database_check(bad[k].name, &e) == -EINVAL);
		CHECK(strstr(e.text, bad[k].why));
		CHECK(!name_is_plain(bad[k].name));
	}
}

static void shown_is(const char *p, size_t n, const char *want)
{
	char to[9];

	CHECK_STR(name_shown(to, sizeof to, p, n), want);
}

static void shown(void)
{
	shown_is("", 0, "");
	shown_is("root.sg", 7, "root.sg");
	shown_is("a\0b\x1b\x7f\n", 6, "a?b???");
	shown_is("\xc3\xa4\xc2\x9b", 4, "\xc3\xa4??");
	shown_is("\xff\x9b(", 3, "?\?(");
	shown_is("1234567890", 10, "12345678");
	shown_is("1234567\xc3\xa4", 9, "1234567?");
}

static void internal(void)
{
	CHECK(database_is_internal("root.__system"));
	CHECK(database_is_internal("root.__audit"));
	CHECK(!database_is_internal("root.__systems"));
	CHECK(!database_is_internal("root.sg"));
}

static void equality(void)
{
	const struct fileid a = {"root.sg", true, 1, -2, 3, 4, 5, 6};
	struct fileid b[8] = {a, a, a, a, a, a, a, a};

	CHECK(fileid_equal(&a, &b[0]));
	b[0].database[0] = 'x';
	b[1].unsequence = false;
	b[2].region++;
	b[3].partition = 2;
	b[4].t++;
	b[5].v++;
	b[6].i++;
	b[7].c++;
	for (size_t k = 0; k < ARRAY_LEN(b); k++)
		CHECK(!fileid_equal(&a, &b[k]));
}

int main(void)
{
	test_run("a path read and written again is the same", both_ways);
	test_run("every part of a path arrives in its field", parts);
	test_run("the longest possible path fits and parses back",
		 longest_fits);
	test_run("other names are no TsFiles and leave the identity alone",
		 other_names);
	test_run("leading zeros and -0 are refused", leading_zeros);
	test_run("numbers beyond their type are refused", overflow);
	test_run("regions and partitions are whole decimal names",
		 directory_names);
	test_run("paths that leave their place are refused", hostile_paths);
	test_run("names of 4 KiB are refused", four_kilobytes);
	test_run("a NUL ends a name", nul_ends_a_name);
	test_run("a database is one directory name in UTF-8, or the reason is "
		 "told",
		 databases);
	test_run("names in sentences steer no terminal", shown);
	test_run("IoTDB's own databases are known", internal);
	test_run("identities differ when any part differs", equality);
	return test_end();
}
