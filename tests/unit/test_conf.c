#include <errno.h>
#include <limits.h>

#include "ground/conf.h"
#include "test.h"

struct target {
	char room[24];
	char name[8];
	int64_t pipes, bytes, time, free;
	bool copy;
	int mode;
};

#define AT(f) offsetof(struct target, f)

static const struct conf_key keys[] = {
	{"name", "alias", CONF_TEXT, AT(name), 8, 0, 0, NULL, "", true, "h"},
	{"max_pipes", NULL, CONF_INT, AT(pipes), 0, 1, 64, NULL, "1", true,
	 "h"},
	{"bytes", NULL, CONF_BYTES, AT(bytes), 0, 0, 0, NULL, "4M", true, "h"},
	{"time", NULL, CONF_TIME, AT(time), 0, 100, 86400000, NULL, "60s", true,
	 "h"},
	{"free", NULL, CONF_BYTES, AT(free), 0, 5, 1 << 30, NULL, "", true,
	 "h"},
	{"copy", NULL, CONF_BOOL, AT(copy), 0, 0, 0, NULL, "no", false, "h"},
	{"mode", NULL, CONF_CHOICE, AT(mode), 0, 0, 0, "tls plain  other",
	 "tls", false, "h"},
	{"spool", NULL, CONF_SHARE, AT(room), 24, 0, 0, NULL, "10%", true, "h"},
};

#define N_KEYS ARRAY_LEN(keys)

static struct target t;
static bool given[N_KEYS];
static struct err e;

static int parse_n(const char *text, size_t n)
{
	return conf_parse("f", text, n, keys, N_KEYS, &t, given, &e);
}

static int parse(const char *text)
{
	return parse_n(text, strlen(text));
}

/* What is said about a file with this text. */
static const char *refusal(const char *text)
{
	return parse(text) == -EINVAL && e.sys == EINVAL ? e.text : "accepted";
}

static void defaults(void)
{
	CHECK(parse("") == 0);
	CHECK_STR(t.name, "");
	CHECK(t.pipes == 1 && t.bytes == 4 << 20 && t.time == 60000);
	CHECK(t.free == 0 && !t.copy && t.mode == 0);
	for (size_t i = 0; i < N_KEYS; i++)
		CHECK(!given[i]);
}

static void a_whole_file(void)
{
	CHECK(parse("\xef\xbb\xbf# comment = no\n"
		    "! another\n\n   \t\r\n"
		    "  name =\ta b=c \t\r\n"
		    "max_pipes=64\n"
		    "bytes=3g\n"
		    "time = 100ms\n"
		    "copy=YES\n"
		    "mode=Other") == 0);
	CHECK_STR(t.name, "a b=c");
	CHECK(t.pipes == 64 && t.bytes == INT64_C(3) << 30 && t.time == 100);
	CHECK(t.copy && t.mode == 2);
	CHECK(given[0] && given[1] && given[2] && given[3] && !given[4]);
	CHECK(given[5] && given[6]);
}

static void units(void)
{
	static const struct {
		const char *text;
		int64_t bytes, time;
	} rows[] = {
		{"bytes=7\ntime=2", 7, 2000},
		{"bytes=7K\ntime=2s", 7168, 2000},
		{"bytes=7k\ntime=2m", 7168, 120000},
		{"bytes=7M\ntime=2h", 7 << 20, 7200000},
		{"bytes=1T\ntime=1d", INT64_C(1) << 40, 86400000},
		{"bytes=9223372036854775807\ntime=100ms", INT64_MAX, 100},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK(parse(rows[i].text) == 0);
		CHECK(t.bytes == rows[i].bytes && t.time == rows[i].time);
	}
}

static void keys_that_are_wrong(void)
{
	CHECK_STR(refusal("\n\nmax_pipe=3\n"),
		  "f:3: unknown key 'max_pipe' (did you mean 'max_pipes'?)");
	CHECK_STR(refusal("Name=x"),
		  "f:1: unknown key 'Name' (did you mean 'name'?)");
	CHECK_STR(refusal("qqqqqqq=x"), "f:1: unknown key 'qqqqqqq'");
	CHECK_STR(refusal("mode=tls\n\nmode=plain"),
		  "f:3: duplicate key 'mode', first on line 1");
	CHECK_STR(refusal("name=a\nalias=b"),
		  "f:2: duplicate key 'alias', first on line 1");
	CHECK_STR(refusal("name"), "f:1: expected key=value, got 'name'");
	CHECK_STR(refusal("=5"), "f:1: expected key=value, got '=5'");
	CHECK_STR(refusal(" = 5"), "f:1: expected key=value, got '= 5'");
}

static void values_that_are_wrong(void)
{
	CHECK_STR(refusal("max_pipes=x"),
		  "f:1: max_pipes: expected a number from 1 to 64, got 'x'");
	CHECK_STR(refusal("max_pipes=65"),
		  "f:1: max_pipes: expected a number from 1 to 64, got '65'");
	CHECK_STR(refusal("max_pipes="),
		  "f:1: max_pipes: expected a number from 1 to 64, got ''");
	CHECK_STR(refusal("bytes=1.5G"),
		  "f:1: bytes: expected a number of bytes (with K, M, G or T) "
		  "of at least 0, got '1.5G'");
	CHECK_STR(refusal("free=4"),
		  "f:1: free: expected a number of bytes (with K, M, G or T) "
		  "from 5 to 1G, got '4'");
	CHECK_STR(refusal("time=99ms"),
		  "f:1: time: expected a time (with ms, s, m, h or d) from "
		  "100ms to 1d, got '99ms'");
	CHECK_STR(refusal("copy=1"), "f:1: copy: expected yes or no, got '1'");
	CHECK_STR(refusal("mode=tl"),
		  "f:1: mode: expected one of tls, plain, other, got 'tl'");
	CHECK_STR(refusal("mode="),
		  "f:1: mode: expected one of tls, plain, other, got ''");
	CHECK_STR(refusal("alias=12345678"),
		  "f:1: alias: expected at most 7 bytes, got '12345678'");
	CHECK(parse("name=1234567") == 0);
}

static void numbers_that_are_none(void)
{
	static const char *const wrong[] = {
		"bytes=-1",	  "bytes=9223372036854775808",
		"bytes=8388608T", "bytes=-",
		"bytes=+1",	  "bytes=0x10",
		"bytes=1 K",	  "bytes=1KB",
		"bytes=K",	  "time=99999999999999999d",
		"max_pipes=1K",	  "max_pipes=--2",
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK(parse(wrong[i]) == -EINVAL);
	CHECK(parse("bytes=8388607T") == 0);
}

static void empty_numbers_with_an_empty_default(void)
{
	CHECK(parse("free=\nname=") == 0);
	CHECK(t.free == 0 && given[4] && given[0]);
}

static void all_mistakes_at_once(void)
{
	CHECK_STR(
		refusal("a1234567=1\nmax_pipes=0\nmax_pipes=2\ncopy=yes\n\n!"),
		"f:1: unknown key 'a1234567'\n"
		"f:2: max_pipes: expected a number from 1 to 64, got '0'\n"
		"f:3: duplicate key 'max_pipes', first on line 2");
}

static void too_many_mistakes_are_counted(void)
{
	char text[4000] = "";
	size_t told = 0;
	unsigned more = 0;
	const char *last;

	for (int i = 0; i < 200; i++)
		strcat(text, "qqqqqqq=1\n");
	CHECK(parse(text) == -EINVAL);
	for (const char *s = e.text; (s = strchr(s, '\n')); s++)
		told++;
	last = strrchr(e.text, '\n');
	CHECK(last && sscanf(last, "\nand %u more", &more) == 1);
	CHECK(told > 20 && told + more == 200);
}

static void a_refused_file_changes_nothing(void)
{
	CHECK(parse("max_pipes=7\nname=old") == 0);
	CHECK(parse("max_pipes=9\nname=new\ncopy=perhaps") == -EINVAL);
	CHECK(t.pipes == 7 && !strcmp(t.name, "old"));
	CHECK(given[0] && given[1] && !given[5]);
	CHECK(conf_parse("f", "x", 1, keys, N_KEYS, &t, NULL, NULL) == -EINVAL);
}

static void bytes_that_are_no_text(void)
{
	CHECK_STR(refusal("name=a\x1b[m"),
		  "f:1: expected text, got a control byte");
	CHECK(parse_n("name=a\0b\n", 9) == -EINVAL);
	CHECK_STR(e.text, "f:1: expected text, got a control byte");
	CHECK(parse_n("\0", 1) == -EINVAL);
	CHECK(parse("name=\xc3\xa9\n") == 0);
	CHECK_STR(t.name, "\xc3\xa9");
}

static void long_things(void)
{
	CLEANUP_FREE char *text = xcalloc((1 << 20) + 2, 1);

	memset(text, 'k', 1 << 20);
	CHECK(parse(text) == -EINVAL && strlen(e.text) < 200);
	text[70] = '=';
	CHECK(parse(text) == -EINVAL && strlen(e.text) < 200);
	memcpy(text, "name=", 5);
	CHECK(parse(text) == -EINVAL && strlen(e.text) < 200);
	CHECK(strstr(e.text, "kkk...'"));
	CHECK(parse_n(text, (1 << 20) + 1) == -E2BIG);
}

static void from_a_file(void)
{
	char path[PATH_MAX], want[PATH_MAX + 100];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/c.conf", test_dir());
	CHECK(conf_load(path, keys, N_KEYS, &t, given, &e) == -ENOENT);
	(void)snprintf(want, sizeof want,
		       "cannot read %s: No such file or directory", path);
	CHECK_STR(e.text, want);
	f = fopen(path, "w");
	CHECK(f && fputs("max_pipes=5\nfoo=1\n", f) >= 0 && fclose(f) == 0);
	CHECK(conf_load(path, keys, N_KEYS, &t, given, &e) == -EINVAL);
	(void)snprintf(want, sizeof want, "%s:2: unknown key 'foo'", path);
	CHECK_STR(e.text, want);
	f = fopen(path, "w");
	CHECK(f && fputs("max_pipes=5\n", f) >= 0 && fclose(f) == 0);
	CHECK(conf_load(path, keys, N_KEYS, &t, NULL, &e) == 0 && t.pipes == 5);
	CHECK(truncate(path, (1 << 20) + 1) == 0);
	CHECK(conf_load(path, keys, N_KEYS, &t, NULL, &e) == -E2BIG);
}

/* What is shown, read again, is the same. */
static void shown_as_written(void)
{
	static const char text[] =
		"name=a b\nmax_pipes=3\nbytes=1536K\n"
		"time=90s\nfree=5\ncopy=yes\nmode=plain\nspool=7%\n";
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 1000);
	CHECK(parse(text) == 0);
	for (size_t i = 0; i < N_KEYS; i++) {
		buf_addf(&b, "%s=", keys[i].name);
		conf_show(&keys[i], &t, &b);
		buf_adds(&b, "\n");
	}
	CHECK_STR(buf_str(&b), text);
	buf_clear(&b);
	CHECK(parse("bytes=0\ntime=100ms") == 0);
	conf_show(&keys[2], &t, &b);
	conf_show(&keys[3], &t, &b);
	CHECK_STR(buf_str(&b), "0100ms");
}

static void shares(void)
{
	static const char *const wrong[] = {"spool=",
					    "spool=10%%",
					    "spool=1Q",
					    "spool=101%",
					    "spool=-1",
					    "spool=1.5G",
					    "spool=10GB",
					    "spool=-5%",
					    "spool=1 G",
					    "spool=%",
					    "spool=99999999T",
					    "spool=1e3",
					    "spool=99999999999999999999"};

	CHECK(parse("") == 0 && conf_share(t.room, 1000) == 100);
	CHECK(parse("spool=0") == 0 && conf_share(t.room, 1000) == 0);
	CHECK(parse("spool=3k") == 0 && conf_share(t.room, 5) == 3072);
	CHECK(parse("spool=100%") == 0 && conf_share(t.room, 700) == 700);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK(parse(wrong[i]) == -EINVAL);
	CHECK_STR(refusal("\nspool=110%"),
		  "f:2: spool: expected bytes (10G) or a share (10%), got "
		  "'110%'");
}

int main(void)
{
	test_run("defaults", defaults);
	test_run("a whole file", a_whole_file);
	test_run("units", units);
	test_run("shares of a file system, and bytes", shares);
	test_run("keys that are wrong", keys_that_are_wrong);
	test_run("values that are wrong", values_that_are_wrong);
	test_run("numbers that are none", numbers_that_are_none);
	test_run("empty numbers", empty_numbers_with_an_empty_default);
	test_run("all mistakes at once", all_mistakes_at_once);
	test_run("too many mistakes", too_many_mistakes_are_counted);
	test_run("refused means unchanged", a_refused_file_changes_nothing);
	test_run("bytes that are no text", bytes_that_are_no_text);
	test_run("long things", long_things);
	test_run("from a file", from_a_file);
	test_run("shown as written", shown_as_written);
	return test_end();
}
