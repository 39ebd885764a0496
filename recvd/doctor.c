/* Each check says one line, what it found or what mends it, and goes on: an operator
 * wants all of it at once. */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "ground/child.h"
#include "ground/fileio.h"
#include "settings.h"

struct visit {
	struct settings s;
	int n_failed;
};

static void good(const char *what, const char *text)
{
	(void)printf("ok    %s: %s\n", what, text);
}

static void bad(struct visit *v, const char *what, const char *text,
		const char *cure)
{
	(void)printf("FAIL  %s: %s\n      mend: %s\n", what, text, cure);
	v->n_failed++;
}

static void print_settings(const struct visit *v)
{
	for (size_t i = 0; i < settings_n_keys; i++) {
		CLEANUP(buf_release) struct buf value;

		buf_init(&value, 8192);
		conf_show(&settings_keys[i], &v->s, &value);
		(void)printf("      %s=%s\n", settings_keys[i].name,
			     buf_str(&value));
	}
}

static void cure_of_dir(char *to, size_t size, const char *path)
{
	(void)snprintf(to, size, "install -d -m 0700 -o $(id -un) %s", path);
}

/* A directory that we can make a file in, or could make. */
static void check_dir(struct visit *v, const char *what, const char *path,
		      bool may_make)
{
	char cure[SETTINGS_PATH_MAX + 64], parent[SETTINGS_PATH_MAX];
	const char *asked = path;
	char *slash;

	cure_of_dir(cure, sizeof cure, path);
	(void)snprintf(parent, sizeof parent, "%s", path);
	while (may_make && access(asked, F_OK) < 0 &&
	       (slash = strrchr(parent, '/'))) {
		*slash = 0;
		asked = parent[0] ? parent : "/";
		if (!parent[0])
			break;
	}
	if (access(asked, W_OK | X_OK) < 0)
		bad(v, what, err_words(errno), cure);
	else
		good(what, path);
}

static void check_machine(struct visit *v)
{
	char path[SETTINGS_PATH_MAX + 16], cure[2 * SETTINGS_PATH_MAX + 96];
	CLEANUP(buf_release) struct buf ours, theirs;

	buf_init(&ours, 256);
	buf_init(&theirs, 256);
	(void)snprintf(path, sizeof path, "%s/machine-id", v->s.state_dir);
	if (file_read_all(AT_FDCWD, path, &ours) < 0 ||
	    file_read_all(AT_FDCWD, "/etc/machine-id", &theirs) < 0)
		return;
	(void)snprintf(cure, sizeof cure,
		       "if the state moved here: cp /etc/machine-id %s; if it "
		       "is a clone: remove %s",
		       path, v->s.state_dir);
	if (strcmp(buf_str(&ours), buf_str(&theirs)) != 0)
		bad(v, "machine", "the state directory is another machine's",
		    cure);
}

static bool is_answered(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	return fd >= 0 &&
	       connect(fd, (const struct sockaddr *)&to, sizeof to) == 0;
}

static void check_socket(struct visit *v)
{
	char dir[sizeof v->s.control_socket];
	char *slash;

	(void)snprintf(dir, sizeof dir, "%s", v->s.control_socket);
	slash = strrchr(dir, '/');
	if (!slash) {
		bad(v, "control_socket", "not an absolute path",
		    "control_socket=/run/tsferry/recvd.sock");
		return;
	}
	*slash = 0;
	check_dir(v, "control_socket", slash == dir ? "/" : dir, false);
}

static void check_port(struct visit *v, bool is_up)
{
	struct err e = {0};
	unsigned port = 0;
	CLEANUP_CLOSE int fd = -1;
	char text[64];

	if (is_up) {
		good("port", "a recvd is running here and has it");
		return;
	}
	fd = net_listen(v->s.bind, (unsigned)v->s.pipe_server_port, &port, &e);
	(void)snprintf(text, sizeof text, "%u can be bound", port);
	if (fd < 0)
		bad(v, "port", e.text,
		    "ss -ltnp shows who has it; or set bind, pipe_server_port");
	else
		good("port", text);
}

static void check_loader(struct visit *v, char path[SETTINGS_PATH_MAX + 16])
{
	ssize_t n = readlink("/proc/self/exe", path, SETTINGS_PATH_MAX - 1);
	char *slash;

	if (!settings_loader_is_ours(&v->s)) {
		(void)snprintf(path, SETTINGS_PATH_MAX + 16, "%s", v->s.loader);
	} else {
		path[n > 0 ? n : 0] = 0;
		slash = strrchr(path, '/');
		(void)snprintf(slash ? slash : path, 16, "/recvd-load");
	}
	if (access(path, X_OK) < 0)
		bad(v, "loader", err_words(errno),
		    "install recvd-load beside recvd, or chmod +x it");
	else
		good("loader", path);
}

/* The loader logs in as it would, and says what it found, a line each. */
static void check_iotdb(struct visit *v, const char *program)
{
	const char *const argv[] = {program,
				    "--check",
				    v->s.load_dir,
				    v->s.iotdb_rpc,
				    v->s.iotdb_user,
				    v->s.iotdb_password_file,
				    settings_load_via(&v->s),
				    NULL};
	struct child c = {0};
	struct err e = {0};
	char text[1024] = "";
	struct pollfd ended;
	size_t n = 0;
	ssize_t k;
	int status;

	if (child_start(&c, argv, &e) < 0) {
		bad(v, "iotdb", e.text, "install recvd-load beside recvd");
		return;
	}
	(void)fcntl(c.from_fd, F_SETFL, 0);
	while (n < sizeof text - 1 &&
	       (k = read(c.from_fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)k;
	text[n] = 0;
	while (n && text[n - 1] == '\n')
		text[--n] = 0;
	ended = (struct pollfd){.fd = c.pid_fd, .events = POLLIN};
	(void)poll(&ended, 1, 10000);
	status = child_end(&c);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		good("iotdb", text);
	else
		bad(v, "iotdb", text,
		    "iotdb_rpc, iotdb_user and iotdb_password_file; the server "
		    "must run and let this user in");
}

static void check_space(struct visit *v)
{
	CLEANUP_CLOSE int fd = file_open_dir(v->s.state_dir);
	uint64_t n_free, total;
	char text[128];

	if (fd < 0 || file_space(fd, &n_free, &total) < 0)
		return;
	(void)snprintf(text, sizeof text,
		       "%llu of %llu bytes free, staging_min_free keeps %llu",
		       (unsigned long long)n_free, (unsigned long long)total,
		       (unsigned long long)settings_min_free(&v->s, total));
	if (n_free <= settings_min_free(&v->s, total))
		bad(v, "space", text, "free some, or lower staging_min_free");
	else
		good("space", text);
}

int doctor(const char *config_path)
{
	struct visit v = {0};
	CLEANUP(buf_release) struct buf warnings;
	char program[SETTINGS_PATH_MAX + 16];
	struct err e = {0};

	buf_init(&warnings, 65536);
	if (settings_load(&v.s, config_path, &warnings, &e) < 0) {
		bad(&v, "configuration", e.text,
		    "edit the file; recvd(8) and tsferry.conf(5)");
		return 1;
	}
	good("configuration", config_path);
	print_settings(&v);
	if (warnings.len)
		(void)printf("warn  %s\n", buf_str(&warnings));
	check_dir(&v, "state_dir", v.s.state_dir, true);
	check_machine(&v);
	check_dir(&v, "archive_dir", v.s.archive_dir, true);
	check_socket(&v);
	check_port(&v, is_answered(v.s.control_socket));
	check_loader(&v, program);
	if (strcmp(v.s.loader, "iotdb") == 0)
		check_iotdb(&v, program);
	check_space(&v);
	return v.n_failed ? 1 : 0;
}
