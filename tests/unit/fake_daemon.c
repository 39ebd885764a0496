/* fake_daemon syncd|recvd SOCKET: a control socket with a canned tree and a few
 * statements that work, so that pipefs and pipectl can be tried without a sync.
 *
 * syncd: a sink s and a pipe p (START, STOP, DROP; WAIT answers after its seconds, or
 * never); every statement adds a line to log and p/events. recvd: server/, one sender. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "domain/control.h"
#include "ground/clock.h"

struct fake {
	struct loop *loop;
	struct control *control;
	bool is_recvd, is_running, is_dropped;
	int64_t changed_ms;
	struct buf log;
	struct loop_signal term;
};

struct waiting {
	struct loop_timer timer;
	struct request *rq;
	struct fake *fake;
};

struct leaf {
	const char *path;
	enum tree_kind kind;
	const char *text; /* NULL: made when read */
};

static const struct leaf syncd_tree[] = {
	{"/", TREE_DIR, ""},
	{"/last_error", TREE_FILE, NULL},
	{"/identity", TREE_FILE, "sender_name edge-1\nid 1234\n"},
	{"/sinktypes", TREE_FILE, "IoTDB\n"},
	{"/metrics", TREE_FILE,
	 "# TYPE tsferry_up gauge\ntsferry_up{daemon=\"syncd\"} 1\n"},
	{"/log", TREE_FILE, NULL},
	{"/sinks", TREE_DIR, ""},
	{"/sinks/s", TREE_DIR, ""},
	{"/sinks/s/type", TREE_FILE, "IoTDB\n"},
	{"/sinks/s/ip", TREE_FILE, "127.0.0.1\n"},
	{"/p", TREE_DIR, ""},
	{"/p/status", TREE_FILE, NULL},
	{"/p/message", TREE_FILE, ""},
	{"/p/sink", TREE_LINK, "../sinks/s"},
	{"/p/events", TREE_FILE, NULL},
};

static const struct leaf recvd_tree[] = {
	{"/", TREE_DIR, ""},
	{"/last_error", TREE_FILE, NULL},
	{"/metrics", TREE_FILE,
	 "# TYPE tsferry_up gauge\ntsferry_up{daemon=\"recvd\"} 1\n"},
	{"/log", TREE_FILE, NULL},
	{"/server", TREE_DIR, ""},
	{"/server/status", TREE_FILE, NULL},
	{"/server/port", TREE_FILE, "6670\n"},
	{"/server/senders", TREE_DIR, ""},
	{"/server/senders/edge-1", TREE_DIR, ""},
	{"/server/senders/edge-1/key", TREE_FILE, "abcd\n"},
};

static const struct leaf *leaves(const struct fake *f, size_t *n)
{
	*n = f->is_recvd ? ARRAY_LEN(recvd_tree) : ARRAY_LEN(syncd_tree);
	return f->is_recvd ? recvd_tree : syncd_tree;
}

static bool is_hidden(const struct fake *f, const char *path)
{
	return f->is_dropped && strncmp(path, "/p", 2) == 0 &&
	       (!path[2] || path[2] == '/');
}

static void fill_node(const struct fake *f, const struct leaf *lf,
		      struct tree_node *node)
{
	const char *slash = strrchr(lf->path, '/');

	*node = (struct tree_node){.kind = lf->kind,
				   .mode = lf->kind == TREE_FILE ? 0444 : 0755,
				   .mtime_ms = f->changed_ms};
	(void)snprintf(node->name, sizeof node->name, "%s", slash + 1);
}

static void make_text(const struct fake *f, const char *path, struct buf *out)
{
	const struct refusal *last = control_last_refusal(f->control);
	char when[CLOCK_TEXT_LEN];

	if (strcmp(path, "/last_error") == 0) {
		if (last->wall_ms)
			buf_addf(out,
				 "time %s\nuser %u\nstatement %s\ncode "
				 "%d\ntext %s\n",
				 clock_text(last->wall_ms, when), last->uid,
				 last->statement, last->code, last->text);
	} else if (strcmp(path, "/p/status") == 0) {
		buf_adds(out, f->is_running ? "RUNNING\n" : "STOP\n");
	} else if (strcmp(path, "/server/status") == 0) {
		buf_adds(out, f->is_running ? "true\n" : "false\n");
	} else {
		buf_add(out, buf_data(&f->log), f->log.len);
	}
}

static int read_tree(void *arg, const char *path, struct tree_node *node,
		     struct buf *content)
{
	struct fake *f = arg;
	size_t n;
	const struct leaf *lf = leaves(f, &n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(lf[i].path, path) != 0 || is_hidden(f, path))
			continue;
		fill_node(f, &lf[i], node);
		if (strcmp(path, "/last_error") == 0)
			node->mtime_ms =
				control_last_refusal(f->control)->wall_ms;
		if (content && lf[i].text)
			buf_adds(content, lf[i].text);
		else if (content)
			make_text(f, path, content);
		return 0;
	}
	return -ENOENT;
}

static int list_tree(void *arg, const char *path,
		     int (*fn)(void *to, const struct tree_node *node),
		     void *to)
{
	struct fake *f = arg;
	size_t n, len = path[1] ? strlen(path) : 0;
	const struct leaf *lf = leaves(f, &n);
	struct tree_node node;
	int r = read_tree(arg, path, &node, NULL);

	if (r < 0)
		return r;
	if (node.kind != TREE_DIR)
		return -ENOTDIR;
	for (size_t i = 1; i < n && r == 0; i++) {
		if (strncmp(lf[i].path, path, len) != 0 ||
		    lf[i].path[len] != '/' ||
		    strchr(lf[i].path + len + 1, '/') ||
		    is_hidden(f, lf[i].path))
			continue;
		fill_node(f, &lf[i], &node);
		r = fn(to, &node);
	}
	return r;
}

static void over(struct loop_timer *t)
{
	struct waiting *w = CONTAINER_OF(t, struct waiting, timer);

	control_done(w->rq);
	free(w);
}

static void wait_for(struct fake *f, struct request *rq)
{
	struct waiting *w;

	if (!rq->stmt.has_seconds) {
		rq->gone = control_done; /* not before */
		return;
	}
	w = xcalloc(1, sizeof *w);
	w->timer.fn = over;
	w->rq = rq;
	w->fake = f;
	loop_timer_set(f->loop, &w->timer, (uint64_t)rq->stmt.seconds * 1000);
}

static void show(struct fake *f, struct request *rq)
{
	const char *heading[] = {"create time", "name",	   "pipeSink",
				 "status",	"message", NULL};
	const char *row[] = {"2022-03-30T20:58:30.689",		 "p", "s",
			     f->is_running ? "RUNNING" : "STOP", "",  NULL};

	control_heading(rq, heading);
	if (!f->is_dropped)
		control_row(rq, row);
	control_done(rq);
}

static void change(struct fake *f, struct request *rq, bool is_running)
{
	struct err e = {0};

	if (!f->is_recvd &&
	    (f->is_dropped || strcmp(rq->stmt.name, "p") != 0)) {
		(void)err_say(&e, ERR_REFUSED, ENOENT,
			      "There is no existing pipe %s.", rq->stmt.name);
		control_fail(rq, &e);
		return;
	}
	f->is_running = is_running;
	f->is_dropped |= rq->stmt.kind == STMT_DROP_PIPE;
	f->changed_ms = clock_wall_ms();
	control_done(rq);
}

static void on_statement(void *arg, struct request *rq)
{
	struct fake *f = arg;
	char when[CLOCK_TEXT_LEN];

	buf_addf(&f->log, "%s %u %s\n", clock_text(clock_wall_ms(), when),
		 rq->uid, rq->text);
	if (rq->stmt.kind == STMT_WAIT_PIPE)
		wait_for(f, rq);
	else if (rq->stmt.kind == STMT_START_PIPE ||
		 rq->stmt.kind == STMT_START_PIPESERVER)
		change(f, rq, true);
	else if (rq->stmt.kind == STMT_STOP_PIPE ||
		 rq->stmt.kind == STMT_DROP_PIPE ||
		 rq->stmt.kind == STMT_STOP_PIPESERVER)
		change(f, rq, false);
	else if (rq->stmt.kind == STMT_SHOW_PIPES)
		show(f, rq);
	else
		control_done(rq);
}

static void on_term(struct loop_signal *s)
{
	loop_stop(CONTAINER_OF(s, struct fake, term)->loop);
}

int main(int argc, char **argv)
{
	struct fake f = {.changed_ms = clock_wall_ms()};
	struct control_ops ops = {
		.statement = on_statement,
		.tree = {.read = read_tree, .list = list_tree, .arg = &f},
		.arg = &f};
	struct err e = {0};
	int r;

	if (argc != 3)
		return 2;
	f.is_recvd = strcmp(argv[1], "recvd") == 0;
	ops.home = f.is_recvd ? HOME_RECVD : HOME_SYNCD;
	buf_init(&f.log, TREE_FILE_MAX);
	r = loop_new(&f.loop, &e);
	if (r == 0)
		r = loop_on_signal(f.loop, &f.term, SIGTERM, on_term);
	if (r == 0)
		r = control_new(&f.control, f.loop, argv[2], &ops, &e);
	if (r == 0)
		r = loop_run(f.loop);
	if (r < 0)
		(void)fprintf(stderr, "fake_daemon: %s\n", e.text);
	control_free(f.control);
	buf_release(&f.log);
	loop_free(f.loop);
	return r < 0;
}
