/* Who may what on the control socket, and the socket's file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "control_fixture.h"

#define MEMBERS_GID 54321u

static void rights_come_from_the_socket(void)
{
	if (getuid() != 0) {
		printf("# skipped: not root\n");
		return;
	}
	start();
	CHECK(chmod(test_dir(), 0755) == 0);
	d.control->own_uid = 12345;
	d.control->has_group = true;
	d.control->group = MEMBERS_GID;
	CHECK(ask_as_child(0, 8, "START PIPE p") == 0);
	CHECK(ask_as_child(12345, 8, "START PIPE p") == 0);
	CHECK(ask_as_child(1000, MEMBERS_GID, "START PIPE p") == 0);
	CHECK(d.n_statements == 3);
	CHECK(ask_as_child(1000, 8, "START PIPE p") == 602 % 250);
	CHECK(ask_as_child(1000, 8, "LOAD CONFIGURATION") == 602 % 250);
	CHECK(ask_as_child(1000, 8, "SHOW PIPES") == 0);
	CHECK(ask_as_child(1000, 8, ".cat /p/status") == 0);
	CHECK(ask_as_child(1000, MEMBERS_GID, ".as 0") == 602 % 250);
	CHECK(ask_as_child(12345, 8, ".as 1000 8") == 0);
	CHECK(d.n_statements == 4);
	d.control->has_group = false;
	CHECK(ask_as_child(1000, MEMBERS_GID, "START PIPE p") == 602 % 250);
	stop();
}

#define NO(op)                                                    \
	"8602-EACCES\n8602 No permissions for this operation " op \
	" (root, the daemon's user and members of the group tsferry may)\n"

static void root_speaks_for_others(void)
{
	static const char *const wrong[] = {
		".as \n",      ".as x\n",    ".as 1 x\n", ".as 1,2\n",
		".as 1 2 3\n", ".as 1 2,\n", ".as -1\n",  ".as 4294967296\n",
	};
	CLEANUP_CLOSE int fd = -1;

	start();
	d.control->has_group = true;
	d.control->group = MEMBERS_GID;
	d.control->own_uid = getuid();
	fd = dial();
	CHECK(begins(say(fd, ".as 1000 8,9\n"), "0000 "));
	CHECK_STR(say(fd, "START PIPE p\n"), NO("START_PIPE"));
	CHECK_STR(say(fd, "CREATE PIPESINK s AS IoTDB\n"),
		  NO("CREATE_PIPESINK"));
	CHECK(control_last_refusal(d.control)->uid == 1000);
	CHECK_STR(say(fd, "SHOW PIPES\n"), PIPES);
	CHECK(begins(say(fd, ".as 1000 8,54321,9\n"), "0000 "));
	CHECK_STR(say(fd, "START PIPE p\n"), DONE);
	CHECK(begins(say(fd, ".as 1000 \n"), "0000 "));
	CHECK_STR(say(fd, "START PIPE p\n"), NO("START_PIPE"));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK_STR(say(fd, wrong[i]),
			  "9401-EINVAL\n9401 Expected .as UID GID,GID,...\n");
	CHECK_STR(say(fd, "START PIPE p\n"), NO("START_PIPE"));
	CHECK(begins(say(fd, ".as 0\n"), "0000 "));
	CHECK_STR(say(fd, "START PIPE p\n"), DONE);
	stop();
}

/* ---- the socket file ---- */

static void the_socket_file_is_looked_after(void)
{
	struct control *second = NULL;
	struct err e = {0};
	struct stat st;
	char path[128], want[512];
	int fd;

	start();
	CHECK(stat(d.path, &st) == 0 && (st.st_mode & 0777) == 0666);
	CHECK(control_new(&second, d.loop, d.path, &ops, &e) == -EADDRINUSE);
	(void)snprintf(want, sizeof want,
		       "control socket %s: another daemon answers there; stop "
		       "it or choose another control_socket",
		       d.path);
	CHECK_STR(e.text, want);
	/* Dead: the file without a listener. The times of files are coarse. */
	run(20);
	fd = d.control->listen.fd;
	loop_del(&d.control->listen);
	(void)close(fd);
	CHECK(control_new(&second, d.loop, d.path, &ops, &e) == 0);
	/* The old one's end must not take the new one's file. */
	d.control->listen.fd = -1;
	control_free(d.control);
	d.control = second;
	CHECK(stat(d.path, &st) == 0);
	fd = dial();
	CHECK_STR(say(fd, "SHOW PIPES\n"), PIPES);
	(void)close(fd);
	(void)strcpy(path, d.path);
	stop();
	CHECK(stat(path, &st) < 0 && errno == ENOENT);
}

static void failures_name_path_and_cure(void)
{
	struct control *c = NULL;
	struct err e = {0};
	struct loop *l;
	char path[300], want[600];
	int fd;

	CHECK(loop_new(&l, NULL) == 0);
	(void)snprintf(path, sizeof path, "%s/no/c.sock", test_dir());
	(void)snprintf(want, sizeof want,
		       "control socket %s: No such file or directory (make its "
		       "directory: mkdir -p %s/no)",
		       path, test_dir());
	CHECK(control_new(&c, l, path, &ops, &e) == -ENOENT && !c);
	CHECK_STR(e.text, want);

	(void)snprintf(path, sizeof path, "%s/file", test_dir());
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	(void)close(fd);
	CHECK(control_new(&c, l, path, &ops, &e) == -EEXIST);
	CHECK(strstr(e.text, "it exists and is not a socket; remove it"));

	memset(path, 'x', 200);
	path[200] = '\0';
	CHECK(control_new(&c, l, path, &ops, NULL) == -ENAMETOOLONG);
	loop_free(l);
}

int main(void)
{
	test_run("rights come from the socket", rights_come_from_the_socket);
	test_run("root speaks for others", root_speaks_for_others);
	test_run("the socket file is looked after",
		 the_socket_file_is_looked_after);
	test_run("failures name path and cure", failures_name_path_and_cure);
	return test_end();
}
