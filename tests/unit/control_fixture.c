#include "control_fixture.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct daemon d;

static void on_gone(struct request *rq)
{
	(void)rq;
	d.n_gone++;
}

void show_rows(struct request *rq, int n)
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

const struct control_ops ops = {
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

void run(uint64_t ms)
{
	d.turns_left = 8;
	loop_timer_set(d.loop, &d.timer, ms);
	if (loop_run(d.loop) < 0)
		abort();
}

void stop(void)
{
	control_free(d.control);
	loop_free(d.loop);
	d.control = NULL;
	d.loop = NULL;
}

void start(void)
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

int dial(void)
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

const char *say_n(int fd, const char *text, size_t n)
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

const char *say(int fd, const char *text)
{
	return say_n(fd, text, strlen(text));
}

bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

int ask_as_child(uid_t uid, gid_t gid, const char *request)
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
