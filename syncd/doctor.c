#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ask.h"
#include "ground/child.h"
#include "ground/fileio.h"
#include "ground/net.h"
#include "ground/netpath.h"
#include "settings.h"
#include "spool.h"
#include "watch.h"

#define CONNECT_MS 5000
#define OTHER_MOUNT                                                       \
	"different mounts; set spool_dir to a directory on the mount of " \
	"the data directory, or spool_copy=yes"

struct doctor {
	struct settings set;
	int n_failures;
};

static void good(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void bad(struct doctor *d, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void good(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("ok    ", stdout);
	(void)vprintf(fmt, ap);
	(void)fputc('\n', stdout);
	va_end(ap);
}

static void bad(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("FAIL  ", stdout);
	(void)vprintf(fmt, ap);
	(void)fputc('\n', stdout);
	va_end(ap);
	d->n_failures++;
}

static void print_settings(const struct doctor *d)
{
	size_t i;

	for (i = 0; i < settings_n_keys; i++) {
		CLEANUP(buf_release) struct buf value;

		buf_init(&value, 8192);
		conf_show(&settings_keys[i], &d->set, &value);
		(void)printf("%s=%s\n", settings_keys[i].name, buf_str(&value));
	}
	(void)printf("# IoTDB %s, precision %s, time zone %s, %s\n",
		     d->set.facts.version[0] ? d->set.facts.version
					     : "of unknown version",
		     d->set.facts.precision,
		     d->set.facts.time_zone[0] ? d->set.facts.time_zone
					       : "of the system",
		     d->set.precedence == PRECEDENCE_BY_VERSION
			     ? "files rank by version"
			     : "unsequence files rank above sequence files");
}

/* ---- links ---- */

/* Some file of the data directory that can be tried: the first one found. */
struct sample {
	char path[1024];
	unsigned depth;
};

static int find_sample(void *arg, const char *name, unsigned char d_type)
{
	struct sample *s = arg;
	size_t at = strlen(s->path);
	struct stat st;
	int r = 0;

	(void)d_type;
	if (name[0] == '.' || s->depth > 4 ||
	    at + strlen(name) + 2 > sizeof(s->path))
		return 0;
	(void)snprintf(s->path + at, sizeof(s->path) - at, "/%s", name);
	if (lstat(s->path, &st) == 0 && S_ISDIR(st.st_mode)) {
		CLEANUP_CLOSE int fd = file_open_dir(s->path);

		s->depth++;
		r = fd < 0 ? 0 : file_list(fd, find_sample, s);
		s->depth--;
	} else if (S_ISREG(st.st_mode) && strstr(name, ".tsfile")) {
		return 1;
	}
	if (r <= 0)
		s->path[at] = '\0';
	return r > 0;
}

static void try_link(struct doctor *d, const struct volume *v,
		     const char *source)
{
	char to[SPOOL_DIR_LEN + 32];

	(void)snprintf(to, sizeof(to), "%s/doctor.link", v->spool_dir);
	(void)unlink(to);
	if (link(source, to) == 0) {
		(void)unlink(to);
		good("%s can be linked into %s", source, v->spool_dir);
	} else if (d->set.spool_copy) {
		good("%s cannot be linked into %s (%s): it will be copied",
		     source, v->spool_dir, err_words(errno));
	} else if (errno == EXDEV) {
		bad(d, "%s cannot be linked into %s: " OTHER_MOUNT, source,
		    v->spool_dir);
	} else {
		bad(d,
		    "%s cannot be linked into %s: %s; run syncd as IoTDB's own "
		    "user (systemctl edit tsferry-syncd: User=iotdb), or give "
		    "it CAP_FOWNER",
		    source, v->spool_dir, err_words(errno));
	}
}

static void check_room(struct doctor *d, const struct volume *v)
{
	CLEANUP_CLOSE int fd = file_open_dir(v->spool_dir);
	uint64_t free_bytes = 0, total = 0, wanted;

	if (fd < 0 || file_space(fd, &free_bytes, &total))
		return;
	wanted = conf_share(d->set.spool_min_free, total);
	if (free_bytes < wanted)
		bad(d,
		    "%s: %" PRIu64 " MiB free, spool_min_free asks for %" PRIu64
		    " MiB; free some room or lower spool_min_free",
		    v->spool_dir, free_bytes >> 20, wanted >> 20);
	else
		good("%s: %" PRIu64 " MiB free", v->spool_dir,
		     free_bytes >> 20);
}

static void check_watch(struct doctor *d, const char *dir)
{
	CLEANUP_CLOSE int fd = inotify_init1(IN_CLOEXEC);
	int wd = fd < 0 ? -errno : watch_add(fd, dir, false);

	if (wd >= 0)
		good("%s can be watched", dir);
	else
		bad(d,
		    "%s cannot be watched: %s; sysctl -w "
		    "fs.inotify.max_user_watches=1048576 "
		    "fs.inotify.max_user_instances=1024",
		    dir, err_words(-wd));
}

static bool is_one_device(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev;
}

static void check_links(struct doctor *d, const struct volume *v)
{
	struct sample sample = {.depth = 0};
	CLEANUP_CLOSE int fd = file_open_dir(v->data_dir);

	(void)snprintf(sample.path, sizeof(sample.path), "%s", v->data_dir);
	if (fd >= 0 && file_list(fd, find_sample, &sample) > 0)
		try_link(d, v, sample.path);
	else if (!d->set.spool_copy &&
		 !is_one_device(v->data_dir, v->spool_dir))
		bad(d, "%s: " OTHER_MOUNT, v->spool_dir);
	else
		good("%s holds no TsFile yet, so no link was tried",
		     v->data_dir);
}

/* What the doctor has to make goes again: it may be another user who starts syncd. */
static void check_spool(struct doctor *d, const struct volume *v)
{
	bool is_ours = mkdir(v->spool_dir, 0700) == 0;

	if (!is_ours && errno != EEXIST) {
		bad(d,
		    "%s cannot be made: %s; run syncd as IoTDB's own user, or "
		    "install -d -o $USER %s",
		    v->spool_dir, err_words(errno), v->spool_dir);
		return;
	}
	check_room(d, v);
	check_links(d, v);
	if (is_ours)
		(void)rmdir(v->spool_dir);
}

static void check_dir(struct doctor *d, size_t i)
{
	const char *dir = d->set.facts.dirs[i];
	struct volume v = {.id = 0};

	(void)snprintf(v.data_dir, sizeof(v.data_dir), "%s", dir);
	if (d->set.spool_dir[0])
		(void)snprintf(v.spool_dir, sizeof(v.spool_dir), "%s",
			       d->set.spool_dir);
	else
		(void)snprintf(v.spool_dir, sizeof(v.spool_dir),
			       "%s/.tsferry-spool", dir);
	if (access(dir, R_OK | X_OK)) {
		bad(d,
		    "data directory %s: %s; start IoTDB once, or correct "
		    "data_dirs",
		    dir, err_words(errno));
		return;
	}
	check_watch(d, dir);
	check_spool(d, &v);
}

/* ---- state and receivers ---- */

static int wait_connected(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int n = poll(&p, 1, CONNECT_MS);

	if (n <= 0)
		return -ETIMEDOUT;
	return net_connect_result(fd);
}

static void check_receiver(struct doctor *d, const char *sink, const char *host,
			   unsigned port)
{
	CLEANUP_CLOSE int fd = -1;
	struct net_addr addr;
	char text[NET_ENDPOINT_LEN];
	struct err e = {0};
	int r = net_resolve(host, port, &addr, &e);

	if (r) {
		bad(d, "pipeSink %s: %s; ALTER PIPESINK %s (ip='...')", sink,
		    e.text, sink);
		return;
	}
	fd = net_connect(&addr);
	r = fd < 0 ? fd : wait_connected(fd);
	if (r)
		bad(d,
		    "pipeSink %s, %s: %s; START PIPESERVER there, and let "
		    "the port through",
		    sink, net_endpoint(host, port, text), err_words(-r));
	else
		good("pipeSink %s: %s takes connections", sink,
		     net_endpoint(host, port, text));
}

static void check_sinks(struct doctor *d)
{
	char path[sizeof(d->set.state_dir) + 16], name[256], host[HOST_LEN];
	struct db db = {0};
	sqlite3_stmt *st;
	struct err e = {0};

	(void)snprintf(path, sizeof(path), "%s/catalog.db", d->set.state_dir);
	if (access(path, F_OK))
		return;
	if (db_open_reader(&db, path, &e) ||
	    db_prepare(&db, &st, "SELECT name, host, port FROM sink", &e)) {
		bad(d, "%s", e.text);
		db_close(&db);
		return;
	}
	while (db_row(&db, st, &e) == 1) {
		if (db_text(st, 0, name, sizeof(name)) == 0 &&
		    db_text(st, 1, host, sizeof(host)) == 0)
			check_receiver(d, name, host,
				       (unsigned)sqlite3_column_int(st, 2));
	}
	(void)sqlite3_finalize(st);
	db_close(&db);
}

/* Links work without it: what is lost is speed where packets are lost. */
static void check_bbr(void)
{
	CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char name[NET_ALGORITHM_LEN] = "";
	int r = fd < 0 ? -errno : net_path_bbr(fd);

	if (r == 0) {
		good("long links use BBR, which loss does not slow down");
		return;
	}
	if (fd >= 0)
		(void)!net_path_algorithm(fd, name);
	good("long links use '%s', since BBR can not be had (%s): slower where "
	     "packets are lost; modprobe tcp_bbr, and 'bbr' in "
	     "net.ipv4.tcp_allowed_congestion_control",
	     name, err_words(-r));
}

/* ---- the edge IoTDB ---- */

/* syncd-ask logs in as it would, and says what it found. */
static int ask_as_it_would(const struct doctor *d, char *text, size_t size,
			   struct err *e)
{
	char program[600];
	const char *const argv[] = {program,
				    "--check",
				    d->set.iotdb_rpc,
				    d->set.iotdb_user,
				    d->set.iotdb_password_file,
				    NULL};
	struct child c = {0};
	struct pollfd ended;
	size_t n = 0;
	ssize_t k;
	int r;

	ask_program(program, sizeof(program));
	r = child_start(&c, argv, e);
	if (r < 0)
		return r;
	(void)fcntl(c.from_fd, F_SETFL, 0);
	while (n < size - 1 &&
	       (k = read(c.from_fd, text + n, size - 1 - n)) > 0)
		n += (size_t)k;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	ended = (struct pollfd){.fd = c.pid_fd, .events = POLLIN};
	(void)poll(&ended, 1, CONNECT_MS);
	r = child_end(&c);
	return WIFEXITED(r) ? WEXITSTATUS(r) : 1;
}

static void check_iotdb(struct doctor *d)
{
	char text[1100] = "";
	struct err e = {0};
	int r;

	if (!d->set.iotdb_rpc[0])
		return;
	r = ask_as_it_would(d, text, sizeof(text), &e);
	if (r < 0)
		bad(d, "%s; install syncd-ask beside syncd", e.text);
	else if (r > 0)
		bad(d,
		    "%s%s; correct iotdb_rpc, iotdb_user and "
		    "iotdb_password_file; the server must run and let this "
		    "user in (files travel without it, schema does not)",
		    strncmp(text, "iotdb_", 6) == 0 ? "" : "iotdb_rpc: ", text);
	else
		good("iotdb_rpc: %s", text);
}

static void check_state_dir(struct doctor *d)
{
	const char *dir = d->set.state_dir;
	bool is_ours = mkdir(dir, 0700) == 0;

	if (!is_ours && errno != EEXIST)
		bad(d, "state_dir %s: %s; install -d -m 700 -o $USER %s", dir,
		    err_words(errno), dir);
	else if (access(dir, R_OK | W_OK | X_OK))
		bad(d, "state_dir %s: %s; chown $USER %s", dir,
		    err_words(errno), dir);
	else
		good("state_dir %s can be written", dir);
	if (is_ours)
		(void)rmdir(dir);
}

static void check_socket(struct doctor *d)
{
	char dir[sizeof(d->set.control_socket)] = ".";
	char *slash;

	if (strchr(d->set.control_socket, '/'))
		memcpy(dir, d->set.control_socket, sizeof(dir));
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	if (access(dir, W_OK | X_OK))
		bad(d, "control_socket %s: %s: %s; install -d -o $USER %s",
		    d->set.control_socket, dir, err_words(errno), dir);
	else
		good("control_socket %s can be made", d->set.control_socket);
}

int doctor_run(const char *conf_path)
{
	struct doctor *d = xcalloc(1, sizeof(*d));
	struct err e = {0};
	size_t i;
	int n;

	if (settings_load(&d->set, conf_path, &e)) {
		bad(d, "%s; %s", e.text,
		    access(conf_path, R_OK) ? "name a file that can be read"
					    : "correct the file");
	} else {
		print_settings(d);
		check_state_dir(d);
		check_socket(d);
		for (i = 0; i < d->set.facts.n_dirs; i++)
			check_dir(d, i);
		check_iotdb(d);
		check_sinks(d);
		check_bbr();
	}
	n = d->n_failures;
	free(d);
	if (n)
		(void)printf("%d of these must be mended\n", n);
	return n ? 1 : 0;
}
