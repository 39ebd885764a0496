/* syncd.conf: defaults, refusals, what IoTDB's own files add, LOAD CONFIGURATION. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "conf_page.h"
#include "ground/fileio.h"
#include "syncd/settings.h"
#include "test.h"

static const char *put(const char *name, const char *text)
{
	static char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
	return path;
}

static void make_dir(const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	if (mkdir(path, 0755) && errno != EEXIST)
		abort();
}

static int load(struct settings *s, const char *text, struct err *e)
{
	return settings_load(s, put("syncd.conf", text), e);
}

static struct settings *fresh(void)
{
	return xcalloc(1, sizeof(struct settings));
}

static void defaults(void)
{
	CLEANUP_FREE struct settings *s = fresh();
	struct err e = {0};

	CHECK(load(s, "data_dirs=/data/a , /data/b;/data/c/\n", &e) == 0);
	CHECK(s->facts.n_dirs == 3);
	CHECK_STR(s->facts.dirs[1], "/data/b");
	CHECK_STR(s->facts.dirs[2], "/data/c");
	CHECK_STR(s->state_dir, "/var/lib/tsferry/syncd");
	CHECK(s->scan_interval_ms == 60000 && !s->is_scan_interval_given);
	CHECK(s->max_retries == 5 && s->max_pipes == 1);
	CHECK(s->transport == TRANSPORT_TLS && !s->spool_copy);
	CHECK(s->sender_name[0]);
	CHECK_STR(s->facts.precision, "ms");
	CHECK(s->precedence == PRECEDENCE_UNSEQUENCE_WINS);
}

static void wrong_files(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", "expected data_dirs or iotdb_home"},
		{"data_dirs=/a\niotdb_home=/b\n", "found both"},
		{"data_dirs=here\n", "absolute"},
		{"data_dirs=/a\ncolour=red\n", "syncd.conf:2"},
		{"data_dirs=/a\nmax_pipes=0\n", "syncd.conf:2"},
		{"data_dirs=/a\nspool_min_free=101%\n", "spool_min_free"},
		{"data_dirs=/a\nspool_max_bytes=much\n", "spool_max_bytes"},
		{"data_dirs=/a\niotdb_version=new\n", "iotdb_version"},
		{"data_dirs=/a\nsender_name=a/b\n", "sender_name"},
		{"iotdb_home=/nowhere\n", "data_dirs instead"},
	};
	CLEANUP_FREE struct settings *s = fresh();
	size_t i;

	s->max_pipes = 4711;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};

		CHECK(load(s, cases[i].text, &e) < 0);
		if (!strstr(e.text, cases[i].says))
			printf("# %s\n", e.text);
		CHECK(strstr(e.text, cases[i].says));
	}
	CHECK(s->max_pipes == 4711); /* unchanged */
}

static void iotdb_1_3(void)
{
	CLEANUP_FREE struct settings *s = fresh();
	char text[600], want[600];
	struct err e = {0};

	make_dir("home");
	make_dir("home/conf");
	make_dir("home/data");
	make_dir("home/data/datanode");
	make_dir("home/data/datanode/data");
	make_dir("home/data/datanode/system");
	make_dir("home/data/datanode/system/schema");
	(void)put("home/conf/iotdb-system.properties",
		  "# dn_data_dirs=not/this\n dn_data_dirs = "
		  "data/datanode/data,/other \ntime_zone=+08:00\r\n");
	(void)put("home/data/datanode/system/schema/system.properties",
		  "iotdb_version=1.3.2\ntimestamp_precision=us\n");
	(void)snprintf(text, sizeof(text), "iotdb_home=%s/home\n", test_dir());
	(void)snprintf(want, sizeof(want), "%s/home/data/datanode/data",
		       test_dir());
	CHECK(load(s, text, &e) == 0);
	CHECK(s->facts.n_dirs == 2);
	CHECK_STR(s->facts.dirs[0], want);
	CHECK_STR(s->facts.dirs[1], "/other");
	CHECK_STR(s->facts.version, "1.3.2");
	CHECK_STR(s->facts.precision, "us");
	CHECK_STR(s->facts.time_zone, "+08:00");
	CHECK(s->precedence == PRECEDENCE_BY_VERSION);
}

static void iotdb_defaults(void)
{
	CLEANUP_FREE struct settings *s = fresh();
	char text[600], want[600];
	struct err e = {0};

	make_dir("old");
	make_dir("old/conf");
	(void)put("old/conf/iotdb-engine.properties", "rpc_port=6667\n");
	(void)snprintf(text, sizeof(text),
		       "iotdb_home=%s/old\niotdb_version=0.13.4\n"
		       "timestamp_precision=ns\n",
		       test_dir());
	(void)snprintf(want, sizeof(want), "%s/old/data/data", test_dir());
	CHECK(load(s, text, &e) == 0);
	CHECK_STR(s->facts.dirs[0], want);
	CHECK_STR(s->facts.precision, "ns");
	CHECK(s->precedence == PRECEDENCE_BY_VERSION);
}

static void iotdb_version_found(void)
{
	CLEANUP_FREE struct settings *s = fresh();
	char text[600];
	struct err e = {0};

	make_dir("new");
	make_dir("new/conf");
	make_dir("new/lib");
	make_dir("new/elsewhere");
	(void)put("new/conf/iotdb-system.properties",
		  "dn_data_dirs=/a,/b;/c\ndn_system_dir=elsewhere\n");
	(void)put("new/lib/iotdb-server-x.jar", "");
	(void)put("new/lib/iotdb-server-1.2.2.jar", "");
	(void)snprintf(text, sizeof(text), "iotdb_home=%s/new\n", test_dir());
	CHECK(load(s, text, &e) == 0);
	CHECK(s->facts.n_dirs == 3);
	CHECK_STR(s->facts.dirs[2], "/c"); /* a tier of its own */
	CHECK_STR(s->facts.version, "1.2.2");
	CHECK(s->precedence == PRECEDENCE_BY_VERSION);
	/* What the server wrote itself counts more; 1.3 and 2.0 write it here. */
	(void)put("new/elsewhere/system.properties", "iotdb_version=2.0.6\n");
	CHECK(load(s, text, &e) == 0);
	CHECK_STR(s->facts.version, "2.0.6");
	CHECK(s->precedence == PRECEDENCE_UNSEQUENCE_WINS);
}

static void count_change(void *arg, const struct conf_key *key,
			 const char *value)
{
	(void)value;
	((int *)arg)[key->hot]++;
}

static void reload(void)
{
	CLEANUP_FREE struct settings *s = fresh(), *n = fresh();
	int changes[2] = {0, 0};
	struct err e = {0};

	CHECK(load(s, "data_dirs=/a\n", &e) == 0);
	CHECK(load(n,
		   "data_dirs=/a\nrate_limit=1M\nspool_copy=yes\n"
		   "scan_interval=5s\n",
		   &e) == 0);
	settings_apply(s, n, count_change, changes);
	CHECK(changes[true] == 2 && changes[false] == 1);
	CHECK(s->rate_limit == 1 << 20 && s->scan_interval_ms == 5000);
	CHECK(s->is_scan_interval_given);
	CHECK(!s->spool_copy); /* needs a restart */
	changes[true] = changes[false] = 0;
	settings_apply(s, n, count_change, changes);
	CHECK(changes[true] == 0 && changes[false] == 1);
}

static void manual(void)
{
	CHECK(conf_page_agrees(".Sh SYNCD.CONF\n", settings_keys,
			       settings_n_keys));
}

int main(void)
{
	test_run("the manual has every key, its default, and whether it is hot",
		 manual);
	test_run("defaults are those of the design", defaults);
	test_run("what is wrong is named, and nothing is taken over",
		 wrong_files);
	test_run("iotdb_home of 1.3: directories, version, precision, zone",
		 iotdb_1_3);
	test_run("the version is what the server wrote, else its library's",
		 iotdb_version_found);
	test_run("iotdb_home of 0.13 with its defaults; given keys win",
		 iotdb_defaults);
	test_run("hot keys take effect, others need a restart", reload);
	return test_end();
}
