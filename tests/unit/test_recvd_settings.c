#include <errno.h>
#include <fcntl.h>

#include "conf_page.h"
#include "ground/fileio.h"
#include "recvd/settings.h"
#include "test.h"

static char path[600];

static int write_conf(const char *text)
{
	CLEANUP_CLOSE int fd = -1;

	(void)snprintf(path, sizeof path, "%s/recvd.conf", test_dir());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : file_pwrite(fd, text, strlen(text), 0);
}

static int load(struct settings *s, const char *text, struct err *e)
{
	int r = write_conf(text);

	return r < 0 ? r : settings_load(s, path, NULL, e);
}

/* The text is refused, with these words. */
static int refused(const char *text, const char *words)
{
	struct settings s = {0};
	struct err e = {0};
	int r = load(&s, text, &e);

	if (r >= 0 || !strstr(e.text, words))
		printf("# %d %s\n", r, e.text);
	return r < 0 && strstr(e.text, words) && strstr(e.text, "recvd.conf") &&
	       !s.state_dir[0];
}

static void defaults(void)
{
	struct settings s;

	CHECK(load(&s, "# nothing\n", NULL) == 0);
	CHECK_STR(s.state_dir, "/var/lib/tsferry/recvd");
	CHECK_STR(s.control_socket, "/run/tsferry/recvd.sock");
	CHECK(s.pipe_server_port == 6670);
	CHECK_STR(s.ip_white_list, "0.0.0.0/0,::/0");
	CHECK_STR(s.loader, "archive");
	CHECK_STR(s.archive_dir, "/var/lib/tsferry/recvd/archive");
	CHECK(s.hold_deletes == HOLD_NONE && s.quarantine == QUARANTINE_HOLD);
	CHECK(s.transport == TRANSPORT_TLS && s.admit == ADMIT_FIRST_USE);
	CHECK(settings_min_free(&s, 1000) == 100);
}

static void values(void)
{
	struct settings s;

	CHECK(load(&s,
		   "state_dir=/x\nsync_server_port = "
		   "7\nquarantine=pass\nadmit=known\n"
		   "hold_deletes=database\nstaging_min_free=3M\nstaging_max_"
		   "bytes=2K\n"
		   "loader=/usr/lib/mine\n",
		   NULL) == 0);
	CHECK(s.pipe_server_port == 7 && s.quarantine == QUARANTINE_PASS);
	CHECK(s.admit == ADMIT_KNOWN && s.hold_deletes == HOLD_DATABASE);
	CHECK(settings_min_free(&s, 5) == 3u << 20 &&
	      s.staging_max_bytes == 2048);
	CHECK_STR(s.archive_dir, "/x/archive");
}

static void refusals(void)
{
	CHECK(refused("loader=iotdb\n", "needs iotdb_rpc"));
	CHECK(refused("load_dir=here\n", "expected an absolute path"));
	CHECK(refused("loader=mine\n", "absolute path of a program"));
	CHECK(refused("state_dir=here\n", "expected an absolute path"));
	CHECK(refused("archive_dir=here\n", "expected an absolute path"));
	CHECK(refused("staging_min_free=101%\n", "staging_min_free"));
	CHECK(refused("staging_min_free=5X\n", "staging_min_free"));
	CHECK(refused("staging_min_free=-5\n", "staging_min_free"));
	CHECK(refused("ip_white_list=10.0.0.0/99\n", "ip_white_list"));
	CHECK(refused("retain_max_bytes=-1\n", "retain_max_bytes"));
	CHECK(refused("pipe_server_port=65536\n", "pipe_server_port"));
	CHECK(refused("nonsense=1\n", "nonsense"));
	CHECK(refused("admit=known\nadmit=known\n", "admit"));
}

static const char *effect(const struct settings_change *c, int n,
			  const char *key)
{
	for (int i = 0; i < n; i++)
		if (strcmp(c[i].key, key) == 0)
			return c[i].effect;
	return "not told";
}

static void reload(void)
{
	struct settings_change c[SETTINGS_KEYS_MAX];
	struct settings s;
	int n;

	CHECK(load(&s, "state_dir=/x\n", NULL) == 0);
	CHECK(write_conf("state_dir=/y\nload_dir=/x/load\narchive_dir=/x/"
			 "archive\nadmit=known\nbind=127.0.0.1\n") == 0);
	n = settings_reload(&s, path, c, NULL, NULL);
	CHECK(n == 3);
	CHECK_STR(effect(c, n, "admit"), "took effect");
	CHECK_STR(effect(c, n, "bind"),
		  "takes effect at the next START PIPESERVER");
	CHECK_STR(effect(c, n, "state_dir"), "needs a restart");
	CHECK(s.admit == ADMIT_KNOWN);
	CHECK_STR(s.bind, "127.0.0.1");
	CHECK_STR(s.state_dir, "/x");
	/* what needs a restart is told again, the rest is in force */
	CHECK(settings_reload(&s, path, c, NULL, NULL) == 1);
}

static void reload_is_all_or_nothing(void)
{
	struct settings_change c[SETTINGS_KEYS_MAX];
	struct settings s;
	struct err e = {0};

	CHECK(load(&s, "", NULL) == 0);
	CHECK(write_conf("admit=known\nquarantine=perhaps\n") == 0);
	CHECK(settings_reload(&s, path, c, NULL, &e) < 0);
	CHECK(strstr(e.text, "recvd.conf:2"));
	CHECK(s.admit == ADMIT_FIRST_USE);
}

static void host_bits_are_warned_about(void)
{
	CLEANUP(buf_release) struct buf warnings;
	struct settings s;

	buf_init(&warnings, 4096);
	CHECK(write_conf("ip_white_list=192.168.0.1/1\n") == 0);
	CHECK(settings_load(&s, path, &warnings, NULL) == 0);
	CHECK(strstr(buf_str(&warnings), "192.168.0.1/1"));
}

static void manual(void)
{
	CHECK(conf_page_agrees(".Sh RECVD.CONF\n", settings_keys,
			       settings_n_keys));
}

int main(void)
{
	test_run("the manual has every key, its default, and whether it is hot",
		 manual);
	test_run("defaults are those of the design", defaults);
	test_run("values and the alias are taken", values);
	test_run("what is wrong is refused with file and key", refusals);
	test_run("a reload takes hot keys and names the others", reload);
	test_run("a reload with a mistake changes nothing",
		 reload_is_all_or_nothing);
	test_run("host bits in the white list are warned about",
		 host_bits_are_warned_about);
	return test_end();
}
