#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "domain/control_inside.h"
#include "ground/clock.h"
#include "test.h"

#define MEMBERS_GID 54321u

/* A daemon that answers what it is asked, at once or when told to. */
struct daemon {
	struct loop *loop;
	struct control *control;
	struct loop_timer timer; /* ends run() */
	int turns_left;
	struct request *held;
	int n_statements, n_gone;
	char path[128];
};

static struct daemon d;

static void on_gone(struct request *rq)
{
	(void)rq;
	d.n_gone++;
}

static void show_rows(struct request *rq, int n)
{
	const char *heading[] = {"name", "status", NULL};
	const char *row[] = {"p\t1", "STOP", NULL};

	control_heading(rq, heading);
	for (int i = 0; i < n; i++)
		control_row(rq, row);
	control_done(rq);
}

static void on_statement(void *arg, struct request *rq)
{
	struct err e = {0};

	CHECK(arg == &d);
	d.n_statements++;
	switch ((int)rq->stmt.kind) {
	case STMT_SHOW_PIPES:
		show_rows(rq, 2);
		return;
	case STMT_SHOW_PIPESINKS:
		show_rows(rq, 500000);
		return;
	case STMT_WAIT_PIPE:
		d.held = rq;
		rq->gone = on_gone;
		return;
	case STMT_DROP_PIPE:
		(void)err_set(&e, ENOENT, "There is no existing pipe %s.\n\x1b",
			      rq->stmt.name);
		control_fail(rq, &e);
		return;
	default:
		control_done(rq);
	}
}

static struct sql_setting setting(void *arg)
{
	(void)arg;
	return (struct sql_setting){SQL_US, 1700000000000};
}

static int tree_read(void *arg, const char *path, struct tree_node *node,
		     struct buf *content)
{
	static const struct {
		const char *path, *name, *content;
		enum tree_kind kind;
	} nodes[] = {
		{"/", "", "", TREE_DIR},
		{"/p", "p", "", TREE_DIR},
		{"/p/status", "status", "STOP\n", TREE_FILE},
		{"/p/empty", "empty", "", TREE_FILE},
		{"/p/two lines", "two lines", "a\n\nb", TREE_FILE},
		{"/p/sink", "sink", "../sinks/s", TREE_LINK},
		{"/p/huge", "huge", NULL, TREE_FILE},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		if (strcmp(nodes[i].path, path) != 0)
			continue;
		(void)strcpy(node->name, nodes[i].name);
		node->kind = nodes[i].kind;
		node->mode = node->kind == TREE_DIR ? 0755 : 0444;
		node->mtime_ms = 1648673910689;
		if (content && nodes[i].content)
			buf_adds(content, nodes[i].content);
		else if (content)
			while (content->len < TREE_FILE_MAX && !content->failed)
				buf_adds(content, "\n");
		return 0;
	}
	return -ENOENT;
}

static int tree_list(void *arg, const char *path,
		     int (*fn)(void *to, const struct tree_node *node),
		     void *to)
{
	static const char *const names[] = {"/p/status", "/p/two lines",
					    "/p/sink"};

	if (strcmp(path, "/p/status") == 0)
		return -ENOTDIR;
	if (strcmp(path, "/p") != 0)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tree_node node = {0};
		int r = tree_read(arg, names[i], &node, NULL);

		if (r == 0)
			r = fn(to, &node);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct control_ops ops = {
	.statement = on_statement,
	.setting = setting,
	.tree = {.read = tree_read, .list = tree_list},
	.arg = &d,
	.home = HOME_SYNCD,
};

/* On a busy machine one turn may outlast any time: some more are always given. */
static void on_timer(struct loop_timer *t)
{
	if (d.turns_left-- > 0)
		loop_timer_set(d.loop, t, 0);
	else
		loop_stop(d.loop);
}

/* Lets the loop run for so long; what is ready happens. */
static void run(uint64_t ms)
{
	d.turns_left = 8;
	loop_timer_set(d.loop, &d.timer, ms);
	if (loop_run(d.loop) < 0)
		abort();
}

static void stop(void)
{
	control_free(d.control);
	loop_free(d.loop);
	d.control = NULL;
	d.loop = NULL;
}

static void start(void)
{
	struct err e = {0};

	/* A test that failed left its own behind. */
	if (d.loop)
		stop();
	memset(&d, 0, sizeof d);
	(void)snprintf(d.path, sizeof d.path, "%s/c.sock", test_dir());
	d.timer.fn = on_timer;
	if (loop_new(&d.loop, &e) < 0 ||
	    control_new(&d.control, d.loop, d.path, &ops, &e) < 0) {
		printf("# %s\n", e.text);
		exit(2);
	}
}

static int dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)strcpy(sa.sun_path, d.path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		perror("connect");
		exit(2);
	}
	return fd;
}

#define RUN_UNTIL(cond)                                    \
	for (int turn = 0; turn < 1000 && !(cond); turn++) \
	run(1)

/* What came after `text` was written and the loop ran a little; "EOF" behind it
 * when the daemon closed. */
static const char *say_n(int fd, const char *text, size_t n)
{
	static char got[65536];
	size_t len = 0;

	if (n && write(fd, text, n) != (ssize_t)n)
		return "short write";
	run(10);
	for (;;) {
		ssize_t r =
			recv(fd, got + len, sizeof got - 4 - len, MSG_DONTWAIT);

		if (r > 0) {
			len += (size_t)r;
			continue;
		}
		got[len] = '\0';
		if (r == 0)
			(void)strcpy(got + len, "EOF");
		return got;
	}
}

static const char *say(int fd, const char *text)
{
	return say_n(fd, text, strlen(text));
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

#define DONE "0000 The statement is executed successfully.\n"
#define PIPES "2000-name\tstatus\n1000-p\\t1\tSTOP\n1000-p\\t1\tSTOP\n" DONE

static void statements_are_answered(void)
{
	CLEANUP_CLOSE int fd = -1;

	start();
	fd = dial();
	CHECK_STR(say(fd, "show pipes\n"), PIPES);
	CHECK_STR(say(fd, "START PIPE p;\r\n"), DONE);
	CHECK_STR(say(fd, "DROP PIPE p\n"),
		  "8411-ENOENT\n8411 There is no existing pipe p.\\n?\n");
	CHECK_STR(say(fd, "STARTPIPE p\n") + 0,
		  "9401-EINVAL\n9401 Error occurred while parsing SQL to "
		  "physical plan: line 1:0 expected CREATE, ALTER, DROP, SHOW, "
		  "START, STOP, RESYNC, WAIT, ADMIT, FORGET, RETRY, SKIP or "
		  "LOAD, came 'STARTPIPE'\n");
	CHECK_STR(say(fd, "SHOW SENDERS\n"),
		  "8411-ENXIO\n8411 recvd answers this statement, not syncd\n");
	CHECK_STR(say(fd, "SHOW VERSION\n"),
		  "2000-daemon\tversion\n1000-syncd\t" TSFERRY_VERSION
		  "\n" DONE);
	CHECK_STR(say(fd, "\n  # nothing\n"), "0000 \n0000 \n");
	CHECK(begins(say(fd, "SHOW STATEMENTS\n"),
		     "2000-statement\tanswered by\tmeaning\n"
		     "1000-CREATE PIPESINK <name> AS IoTDB [("));
	CHECK(d.n_statements == 3);
	stop();
}

static void refusals_are_remembered(void)
{
	CLEANUP_CLOSE int fd = -1;
	const struct refusal *last;

	start();
	fd = dial();
	last = control_last_refusal(d.control);
	CHECK(last->code == 0);
	(void)say(fd, "DROP PIPE p\nSHOW PIPES\n.ls /no\n");
	CHECK(last->code == 411 && last->uid == getuid());
	CHECK(llabs(last->wall_ms - clock_wall_ms()) < 5000);
	CHECK_STR(last->statement, "DROP PIPE p");
	CHECK_STR(last->text, "There is no existing pipe p.\n\x1b");
	CHECK_STR(say(fd, ".note mkdir /pipes/x\t1\tUse\\tCREATE PIPE\n"),
		  "0000 Noted.\n");
	CHECK(last->code == 1);
	CHECK_STR(last->statement, "mkdir /pipes/x");
	CHECK_STR(last->text, "Use\tCREATE PIPE");
	CHECK(begins(say(fd, ".note x\n.note x\ty\tz\n.note x\t1000\tz\n"),
		     "9401-EINVAL\n9401 Expected .note"));
	CHECK(last->code == 1);
	stop();
}

static void lines_may_come_in_pieces_and_together(void)
{
	const char *text = "SHOW PIPES\nSTART PIPE p\nSHOW PIPES\n";
	char want[512] = PIPES DONE PIPES, got[512];
	CLEANUP_CLOSE int fd = -1;
	struct buf many;

	start();
	fd = dial();
	CHECK_STR(say(fd, text), want);
	got[0] = '\0';
	for (const char *p = text; *p; p++)
		(void)strcat(got, say_n(fd, p, 1));
	CHECK_STR(got, want);
	buf_init(&many, 100000);
	for (int i = 0; i < 3000; i++)
		buf_adds(&many, "START PIPE p\n");
	CHECK(begins(say_n(fd, buf_str(&many), many.len), DONE));
	buf_release(&many);
	RUN_UNTIL(d.n_statements == 3006);
	CHECK(d.n_statements == 3006);
	stop();
}

static void answers_may_come_later_and_in_order(void)
{
	CLEANUP_CLOSE int fd = -1, other = -1;

	start();
	fd = dial();
	other = dial();
	CHECK_STR(say(fd, "WAIT PIPE p\nSHOW PIPES\n"), "");
	CHECK(d.n_statements == 1 && d.held);
	CHECK_STR(d.held->text, "WAIT PIPE p");
	CHECK_STR(say(other, "SHOW PIPES\n"), PIPES);
	control_done(d.held);
	CHECK_STR(say(fd, ""), DONE PIPES);
	CHECK(d.n_gone == 0);
	stop();
}

static void a_client_may_leave(void)
{
	int fd;

	start();
	fd = dial();
	(void)say(fd, "WAIT PIPE p\nSTART PIPE q\n");
	(void)close(fd);
	run(10);
	CHECK(d.n_gone == 1 && d.control->n_conns == 0);
	show_rows(d.held, 3);
	run(10);
	CHECK(d.n_statements == 1);

	/* Sent and gone: it was asked all the same. */
	fd = dial();
	CHECK(write(fd, "START PIPE p\n", 13) == 13);
	(void)close(fd);
	run(10);
	CHECK(d.n_statements == 2 && d.control->n_conns == 0);

	/* With a request open when the daemon ends. */
	fd = dial();
	(void)say(fd, "WAIT PIPE p\n");
	control_free(d.control);
	CHECK(d.n_gone == 2);
	control_done(d.held);
	d.control = NULL;
	CHECK_STR(say(fd, ""), "EOF");
	(void)close(fd);
	stop();
}

static void half_closed_clients_get_their_answers(void)
{
	CLEANUP_CLOSE int fd = -1, half = -1;

	start();
	fd = dial();
	CHECK(write(fd, "SHOW PIPES\nWAIT PIPE p\n", 23) == 23);
	CHECK(shutdown(fd, SHUT_WR) == 0);
	CHECK_STR(say(fd, ""), PIPES);
	CHECK(d.n_gone == 0);
	control_done(d.held);
	CHECK_STR(say(fd, ""), DONE "EOF");

	half = dial();
	CHECK(write(half, "DROP PIPE prod", 14) == 14);
	CHECK(shutdown(half, SHUT_WR) == 0);
	CHECK_STR(say(half, ""),
		  "9401-EINVAL\n9401 The request ends without a newline, so it "
		  "may be half of one: nothing was done.\nEOF");
	CHECK(d.n_statements == 2);
	stop();
}

static void the_tree_is_answered(void)
{
	CLEANUP_CLOSE int fd = -1;
	const char *got;

	start();
	fd = dial();
	CHECK_STR(say(fd, ".stat /\n"), "1000-d 755 0 1648673910689\n0000 \n");
	CHECK_STR(say(fd, ".stat /p/status\n"),
		  "1000-f 444 5 1648673910689\n0000 \n");
	CHECK_STR(say(fd, ".cat /p/status\n"), "1001-STOP\n0000 \n");
	CHECK_STR(say(fd, ".cat /p/two lines\n"),
		  "1001-a\n1001-\n1001-b\n0000 \n");
	CHECK_STR(say(fd, ".cat /p/empty\n"), "0000 \n");
	CHECK_STR(say(fd, ".cat /p/sink\n"), "1001-../sinks/s\n0000 \n");
	CHECK_STR(say(fd, ".ls /p\n"),
		  "1000-f 444 5 1648673910689 status\n"
		  "1000-f 444 4 1648673910689 two lines\n"
		  "1000-l 444 10 1648673910689 sink\n0000 \n");
	CHECK_STR(say(fd, ".cat /p\n"),
		  "8411-EISDIR\n8411 /p: Is a directory\n");
	CHECK_STR(say(fd, ".cat /no\n"),
		  "8411-ENOENT\n8411 /no: No such file or directory\n");
	CHECK_STR(say(fd, ".ls p\n"),
		  "8411-ENOENT\n8411 p: No such file or directory\n");
	CHECK_STR(say(fd, ".ls /p/status\n"),
		  "8411-ENOTDIR\n8411 /p/status: Not a directory\n");
	got = say(fd, ".rm /p\n");
	CHECK_STR(got, "9401-EINVAL\n9401 Expected a statement, .as, .ls, "
		       ".cat, .stat or .note.\n");
	stop();
}

static void too_much_is_refused(void)
{
	char *text = xcalloc(1, SQL_STATEMENT_MAX + 100);
	CLEANUP_CLOSE int fd = -1, zero = -1;

	start();
	fd = dial();
	memset(text, ' ', SQL_STATEMENT_MAX + 1);
	memcpy(text, "SHOW PIPES", 10);
	text[SQL_STATEMENT_MAX] = '\n';
	CHECK_STR(say_n(fd, text, SQL_STATEMENT_MAX + 1), PIPES);
	text[SQL_STATEMENT_MAX] = ' ';
	CHECK_STR(say_n(fd, text, SQL_STATEMENT_MAX + 1),
		  "8401-E2BIG\n8401 A request is one line of at most 65536 "
		  "bytes.\nEOF");
	zero = dial();
	CHECK(begins(say_n(zero, "SHOW\0PIPES\n", 11), "9401-EINVAL\n"));
	CHECK_STR(say(zero, "SHOW PIPES\n"), PIPES);
	free(text);
	stop();
}

static void long_answers_say_what_they_lack(void)
{
	struct reply r;
	pid_t pid;
	int status;

	start();
	pid = fork();
	if (pid == 0) {
		int e = control_ask(d.path, "SHOW PIPESINKS", 10000, &r);

		_exit(e == 0 && r.code == 8411 && r.sys == E2BIG &&
				      r.n_rows > 100000 &&
				      strstr(r.text, "rows are left out")
			      ? 0
			      : 1);
	}
	for (int i = 0; i < 500 && waitpid(pid, &status, WNOHANG) == 0; i++)
		run(20);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	stop();
}

static void slow_readers_cost_one_reply(void)
{
	CLEANUP_CLOSE int fd = -1;

	start();
	fd = dial();
	for (int i = 0; i < 100; i++)
		CHECK(write(fd, "SHOW PIPESINKS\n", 15) == 15);
	run(100);
	CHECK(d.n_statements == 1);
	CHECK(d.control->queued > 0 && d.control->queued <= CONTROL_REPLY_MAX);
	CHECK(d.control->conns->stuck.slot != 0);
	/* Its time is over. */
	loop_timer_set(d.loop, &d.control->conns->stuck, 1);
	run(20);
	CHECK(d.control->n_conns == 0 && d.control->queued == 0);
	stop();
}

/* ---- who may what ---- */

static int ask_as_child(uid_t uid, gid_t gid, const char *request)
{
	struct reply r;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		gid_t groups[] = {7, gid};

		if (setgroups(2, groups) < 0 || setgid(65534) < 0 ||
		    setuid(uid) < 0 ||
		    control_ask(d.path, request, 5000, &r) < 0)
			_exit(255);
		_exit(r.code == 0 ? 0 : r.code % 1000 % 250);
	}
	for (int i = 0; i < 500 && waitpid(pid, &status, WNOHANG) == 0; i++)
		run(10);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

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

static void rubbish_harms_nothing(void)
{
	unsigned seed = 1;

	start();
	for (int round = 0; round < 200; round++) {
		char junk[600];
		int fd = dial();

		for (size_t i = 0; i < sizeof junk; i++) {
			seed = seed * 1103515245u + 12345u;
			junk[i] = (char)(seed >> 16);
			if (seed >> 28 == 0)
				junk[i] = '\n';
			if (seed >> 28 == 1)
				junk[i] = '.';
		}
		CHECK(write(fd, junk, sizeof junk) == (ssize_t)sizeof junk);
		if (round % 2)
			run(1);
		(void)close(fd);
	}
	RUN_UNTIL(d.control->n_conns == 0);
	CHECK(d.control->n_conns == 0);
	stop();
}

static void many_clients_are_served(void)
{
	static int fds[1500];
	struct rlimit rl = {4096, 4096};
	size_t n = 0;

	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		(void)getrlimit(RLIMIT_NOFILE, &rl);
	start();
	for (; n < ARRAY_LEN(fds) && 2 * n + 100 < rl.rlim_cur; n++) {
		fds[n] = dial();
		if (n % 100 == 0)
			run(1);
	}
	RUN_UNTIL(d.control->n_conns == n);
	CHECK(d.control->n_conns == n && n >= 100);
	for (size_t i = 0; i < n; i += 7)
		CHECK(write(fds[i], "SHOW PIPES\n", 11) == 11);
	RUN_UNTIL(d.n_statements == (int)((n + 6) / 7));
	for (size_t i = 0; i < n; i += 7) {
		char got[256] = "";

		CHECK(recv(fds[i], got, sizeof got - 1, MSG_DONTWAIT) > 0);
		CHECK_STR(got, PIPES);
	}
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	RUN_UNTIL(d.control->n_conns == 0);
	CHECK(d.control->n_conns == 0);
	stop();
}

/* Without descriptors nobody is accepted, and the daemon must not spin. */
static void it_waits_for_descriptors(void)
{
	struct rlimit old, rl;
	CLEANUP_CLOSE int fd = -1, probe = -1;

	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	start();
	fd = dial();
	probe = dup(fd);
	rl = (struct rlimit){(rlim_t)probe, old.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	run(10);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(d.control->accept_again.slot != 0 && d.control->n_conns == 0);
	RUN_UNTIL(d.control->n_conns == 1);
	CHECK_STR(say(fd, "SHOW PIPES\n"), PIPES);
	stop();
}

/* ---- clients ---- */

struct asked {
	int n, err, code;
	char text[SENTENCE_LEN_MAX];
	bool free_it, ask_again;
	struct client *client;
};

static void on_done(void *arg, const struct reply *r, int err)
{
	struct asked *a = arg;

	a->n++;
	a->err = err;
	a->code = r ? r->code : -1;
	if (r)
		(void)snprintf(a->text, sizeof a->text, "%s", r->text);
	if (a->free_it)
		client_free(a->client);
	else if (a->ask_again) {
		a->ask_again = false;
		client_ask(a->client, "START PIPE p", 1000, on_done, a);
	}
}

static void a_client_asks_in_a_loop(void)
{
	struct asked a = {0};

	start();
	CHECK(client_new(&a.client, d.loop, d.path) == 0);
	CHECK(client_is_idle(a.client));
	client_ask(a.client, "CREATE PIPE p\nTO s\n-- why\n;", 1000, on_done,
		   &a);
	CHECK(a.n == 0 && !client_is_idle(a.client));
	run(10);
	CHECK(a.n == 1 && a.err == 0 && a.code == 0);
	client_ask(a.client, "DROP PIPE x", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 2 && a.code == 8411);
	CHECK_STR(a.text, "There is no existing pipe x.\n?");
	a.ask_again = true;
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 4 && d.control->n_conns == 1);
	a.free_it = true;
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 5 && d.control->n_conns == 0);
	stop();
}

static void late_answers_are_given_up(void)
{
	struct asked a = {0};

	start();
	CHECK(client_new(&a.client, d.loop, d.path) == 0);
	client_ask(a.client, "WAIT PIPE p", 20, on_done, &a);
	run(60);
	CHECK(a.n == 1 && a.err == -ETIMEDOUT && client_is_idle(a.client));
	CHECK(d.n_gone == 1);
	control_done(d.held);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 2 && a.err == 0);
	/* Freed while it waits: nothing is called. */
	client_ask(a.client, "WAIT PIPE p", 60000, on_done, &a);
	run(5);
	client_free(a.client);
	run(40);
	CHECK(a.n == 2 && d.n_gone == 2);
	control_done(d.held);
	stop();
}

static void a_client_finds_the_daemon_again(void)
{
	struct asked a = {0};
	struct err e = {0};
	char *big = xcalloc(1, SQL_STATEMENT_MAX + 10);

	start();
	CHECK(client_new(&a.client, d.loop, d.path) == 0);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 1 && a.err == 0);
	/* Restarted, and the client's loop did not turn. */
	control_free(d.control);
	CHECK(control_new(&d.control, d.loop, d.path, &ops, &e) == 0);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 2 && a.err == 0);
	/* Gone in the middle of a request. */
	client_ask(a.client, "WAIT PIPE p", 1000, on_done, &a);
	run(10);
	control_free(d.control);
	control_done(d.held);
	run(10);
	CHECK(a.n == 3 && a.err == -ECONNRESET);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	CHECK(a.n == 3);
	run(10);
	CHECK(a.n == 4 && a.err == -ENOENT);
	CHECK(control_new(&d.control, d.loop, d.path, &ops, &e) == 0);
	memset(big, 'x', SQL_STATEMENT_MAX + 1);
	client_ask(a.client, big, 1000, on_done, &a);
	run(10);
	CHECK(a.n == 5 && a.err == -E2BIG);
	client_ask(a.client, ".ls /p\n.ls /q", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 6 && a.err == -EINVAL);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 7 && a.err == 0);
	client_free(a.client);
	free(big);
	stop();
}

/* Who has said .as on a connection must not be carried to another one. */
static void a_client_that_stays_is_told_of_the_break(void)
{
	struct asked a = {0};
	struct err e = {0};

	start();
	CHECK(client_new(&a.client, d.loop, d.path) == 0);
	client_stay(a.client);
	client_ask(a.client, ".as 1000 8", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 1 && a.err == 0 && a.code == 0);
	control_free(d.control);
	CHECK(control_new(&d.control, d.loop, d.path, &ops, &e) == 0);
	for (int i = 2; i < 4; i++) {
		client_ask(a.client, "START PIPE p", 1000, on_done, &a);
		run(10);
		CHECK(a.n == i && a.err == -EPIPE && d.n_statements == 0);
	}
	client_free(a.client);
	stop();
}

/* A server that is none of ours. */
static void strange_servers_are_left(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct asked a = {0};
	CLEANUP_CLOSE int fd = -1, conn = -1;

	start();
	(void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s/odd", test_dir());
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
	CHECK(listen(fd, 1) == 0);
	CHECK(client_new(&a.client, d.loop, sa.sun_path) == 0);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	conn = accept(fd, NULL, NULL);
	CHECK(write(conn, "SSH-2.0\n", 8) == 8);
	run(10);
	CHECK(a.n == 1 && a.err == -EBADMSG);
	client_free(a.client);
	stop();
}

static void asking_blocks_until_answered(void)
{
	struct reply r;
	char path[128];

	start();
	(void)strcpy(path, d.path);
	/* Nobody turns the loop: connected, never answered. */
	CHECK(control_ask(path, "SHOW PIPES", 30, &r) == -ETIMEDOUT);
	CHECK(control_ask("/nonexistent", "SHOW PIPES", 30, &r) == -ENOENT);
	CHECK(ask_as_child(getuid(), getgid(), "SHOW PIPES") == 0);
	CHECK(ask_as_child(getuid(), getgid(), "DROP PIPE x") == 411 % 250);
	stop();
	CHECK(control_ask(path, "SHOW PIPES", 30, &r) == -ENOENT);
}

int main(void)
{
	test_run("statements are answered", statements_are_answered);
	test_run("refusals are remembered", refusals_are_remembered);
	test_run("lines may come in pieces and together",
		 lines_may_come_in_pieces_and_together);
	test_run("answers may come later and in order",
		 answers_may_come_later_and_in_order);
	test_run("a client may leave", a_client_may_leave);
	test_run("half-closed clients get their answers",
		 half_closed_clients_get_their_answers);
	test_run("the tree is answered", the_tree_is_answered);
	test_run("too much is refused", too_much_is_refused);
	test_run("long answers say what they lack",
		 long_answers_say_what_they_lack);
	test_run("slow readers cost one reply", slow_readers_cost_one_reply);
	test_run("rights come from the socket", rights_come_from_the_socket);
	test_run("root speaks for others", root_speaks_for_others);
	test_run("the socket file is looked after",
		 the_socket_file_is_looked_after);
	test_run("failures name path and cure", failures_name_path_and_cure);
	test_run("rubbish harms nothing", rubbish_harms_nothing);
	test_run("many clients are served", many_clients_are_served);
	test_run("it waits for descriptors", it_waits_for_descriptors);
	test_run("a client asks in a loop", a_client_asks_in_a_loop);
	test_run("late answers are given up", late_answers_are_given_up);
	test_run("a client finds the daemon again",
		 a_client_finds_the_daemon_again);
	test_run("a client that stays is told of the break",
		 a_client_that_stays_is_told_of_the_break);
	test_run("strange servers are left", strange_servers_are_left);
	test_run("asking blocks until answered", asking_blocks_until_answered);
	return test_end();
}
