/* pipectl: one statement, or one look at the tree, from the command line; for hosts
 * without FUSE and for scripts. Asks the daemons' control sockets and shows what a mount
 * would show. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl_text.h"
#include "domain/control.h"
#include "domain/sql.h"
#include "ground/cli.h"
#include "ground/clock.h"
#include "join.h"
#include "view.h"

#define SOCKETS_MAX VIEW_PARTS
#define WAIT_MS 60000
#define TREE_MS 2000
#define NOTE_MS 1000

enum {
	DONE,
	REFUSED,
	NOT_UNDERSTOOD = CLI_WRONG,
	NO_DAEMON,
	LATE
};

struct pipectl {
	const char *sockets[SOCKETS_MAX];
	unsigned homes[SOCKETS_MAX]; /* who is behind each; 0 = not known yet */
	size_t n_sockets;
	const char *denied; /* a socket that this user may not open; or NULL */
	enum table_form form;
};

static const struct cli cli = {
	.name = "pipectl",
	.usage = "usage: pipectl [-t|-j] [-s SOCKET]... [STATEMENT...]\n"
		 "       pipectl [-s SOCKET]... ls [PATH] | cat PATH\n"
		 "       pipectl --help | --version\n",
};

static void write_out(FILE *to, struct buf *b)
{
	if (b->len)
		(void)fwrite(buf_data(b), 1, b->len, to);
}

/* ---- the tree ---- */

static void ask_part(const struct pipectl *pc, struct view *v, unsigned part)
{
	struct buf request CLEANUP(buf_release);

	buf_init(&request, VIEW_PATH_MAX + 16);
	for (unsigned n = 0; view_request(v, n, &request); n++) {
		struct reply r CLEANUP(reply_release) = {0};
		int err = control_ask(pc->sockets[part], buf_str(&request),
				      TREE_MS, &r);

		view_take(v, part, n, err < 0 ? NULL : &r, err);
		if (v->part[part].err)
			return;
		buf_clear(&request);
	}
}

static int show_list(const struct view *v, const struct view_own *own,
		     struct buf *out)
{
	struct view_entry *list CLEANUP_FREE = NULL;
	size_t n;
	int err = view_list(v, own, &list, &n);

	if (err == -ENOTDIR) {
		buf_addf(out, "%s\n", v->path);
		return 0;
	}
	for (size_t i = 0; !err && i < n; i++)
		buf_addf(out, "%s\n", list[i].node.name);
	return err;
}

static int look_at(const struct pipectl *pc, enum view_what what,
		   const char *path, struct buf *out)
{
	struct view_own own = {.start_ms = clock_wall_ms(), .last_error = ""};
	struct view *v CLEANUP_FREE = xcalloc(1, sizeof *v);
	int err = view_init(v, what, path);

	if (err)
		return err;
	for (unsigned i = 0; i < pc->n_sockets; i++) {
		ask_part(pc, v, i);
		if (view_is_settled(v, i))
			break;
	}
	err = what == VIEW_LIST ? show_list(v, &own, out)
				: view_read(v, &own, out);
	for (unsigned i = 0; err == -ENOENT && i < pc->n_sockets; i++) {
		if (v->part[i].err == -ETIMEDOUT)
			err = -ETIMEDOUT;
	}
	view_release(v);
	return err;
}

/* "p/status", "/p/status" and, as a person has it before his eyes in a mount,
 * "/pipes/p/status". */
static void clean_path(char *to, size_t size, const char *path)
{
	size_t n = 0;

	to[n++] = '/';
	for (; *path && n + 1 < size; path++) {
		if (*path == '/' && to[n - 1] == '/')
			continue;
		to[n++] = *path;
	}
	if (n > 1 && to[n - 1] == '/')
		n--;
	to[n] = '\0';
}

static bool is_in_pipes(const char *path)
{
	return strncmp(path, "/pipes", 6) == 0 &&
	       (path[6] == '/' || path[6] == '\0');
}

static bool has_daemon(const struct pipectl *pc)
{
	for (size_t i = 0; i < pc->n_sockets; i++) {
		struct reply r CLEANUP(reply_release) = {0};

		if (control_ask(pc->sockets[i], ".stat /", TREE_MS, &r) >= 0)
			return true;
	}
	return false;
}

static int look(const struct pipectl *pc, const char *verb, const char *arg)
{
	enum view_what what = *verb == 'l' ? VIEW_LIST : VIEW_READ;
	char path[VIEW_PATH_MAX];
	struct buf out CLEANUP(buf_release);
	int err;

	buf_init(&out, VIEW_TEXT_MAX);
	clean_path(path, sizeof path, arg);
	err = look_at(pc, what, path, &out);
	if (err == -ENOENT && is_in_pipes(path))
		err = look_at(pc, what, path[6] ? path + 6 : "/", &out);
	write_out(stdout, &out);
	if (!err)
		return DONE;
	(void)fprintf(stderr, "pipectl: %s %s: %s\n", verb, path,
		      err_words(-err));
	if (err == -ETIMEDOUT)
		return LATE;
	return err == -ENOENT && !has_daemon(pc) ? NO_DAEMON : REFUSED;
}

/* ---- statements ---- */

static int exit_of(const struct reply *r)
{
	if (r->code == 0)
		return DONE;
	if (r->code >= 9000)
		return NOT_UNDERSTOOD;
	if (r->sys == ENXIO)
		return NO_DAEMON;
	return r->sys == ETIMEDOUT ? LATE : REFUSED;
}

static int show(const struct pipectl *pc, const struct reply *r)
{
	struct buf out CLEANUP(buf_release);

	buf_init(&out, 4 * CONTROL_REPLY_MAX);
	if (r->code) {
		reply_print(r, TABLE_DRAWN, &out);
		(void)fflush(stdout);
		write_out(stderr, &out);
		return exit_of(r);
	}
	if (pc->form == TABLE_DRAWN)
		reply_print(r, TABLE_DRAWN, &out);
	else if (r->heading)
		table_print(&out, pc->form, r->heading,
			    (const char *const *)r->rows, r->n_rows);
	write_out(stdout, &out);
	(void)fflush(stdout);
	return DONE;
}

static int timeout_of(const struct stmt *st)
{
	if (st->kind != STMT_WAIT_PIPE)
		return WAIT_MS;
	/* Without a limit of its own it waits as long as the person does. */
	if (!st->has_seconds || st->seconds > INT_MAX / 1000 - 5)
		return INT_MAX;
	return (int)st->seconds * 1000 + 5000;
}

/* Tells the first daemon that is there, for last_error. */
static void note(const struct pipectl *pc, const char *text,
		 const struct reply *r)
{
	struct buf line CLEANUP(buf_release);

	buf_init(&line, SQL_STATEMENT_MAX);
	buf_addf(&line, ".note %.255s\t%d\t%s", text, r->code % 1000, r->text);
	for (size_t i = 0; i < pc->n_sockets; i++) {
		struct reply ack CLEANUP(reply_release) = {0};

		if (control_ask(pc->sockets[i], buf_str(&line), NOTE_MS,
				&ack) >= 0)
			return;
	}
}

static int refuse(const struct pipectl *pc, const char *text,
		  const struct err *e)
{
	struct reply r = {0};

	join_failure(&r, e);
	note(pc, text, &r);
	return show(pc, &r);
}

/* The trouble with a daemon that is there, as its answer. */
static void add_trouble(struct reply *all, int err, int timeout_ms)
{
	struct reply r = {0};
	struct err e = {0};

	if (err == -ETIMEDOUT)
		(void)err_set(&e, ETIMEDOUT,
			      "no answer within %d s; what was asked for may "
			      "still happen (SHOW PIPES or SHOW SENDERS tells)",
			      timeout_ms / 1000);
	else
		(void)err_set(&e, EIO,
			      "the daemon went away before it answered (%s); "
			      "what was asked for may have happened",
			      err_words(-err));
	join_failure(&r, &e);
	join_reply(all, &r);
}

static bool is_absent(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED;
}

/* Who is behind a socket that -s names: SHOW VERSION says it. Nobody: 0. */
static unsigned home_of(struct pipectl *pc, const char *socket)
{
	struct reply r CLEANUP(reply_release) = {0};
	int err = control_ask(socket, "SHOW VERSION", TREE_MS, &r);

	if (err == -EACCES)
		pc->denied = socket;
	if (err < 0 || !r.n_rows)
		return 0;
	if (strncmp(r.rows[0], "syncd\t", 6) == 0)
		return HOME_SYNCD;
	return strncmp(r.rows[0], "recvd\t", 6) == 0 ? HOME_RECVD : HOME_BOTH;
}

static void find_homes(struct pipectl *pc)
{
	for (size_t i = 0; i < pc->n_sockets; i++) {
		if (!pc->homes[i])
			pc->homes[i] = home_of(pc, pc->sockets[i]);
	}
}

static void ask_each(struct pipectl *pc, const struct stmt_form *form,
		     const char *text, int timeout_ms, struct reply *all)
{
	for (size_t i = 0; i < pc->n_sockets; i++) {
		struct reply r CLEANUP(reply_release) = {0};
		int err;

		if (form->home != HOME_BOTH && !(pc->homes[i] & form->home))
			continue;
		err = control_ask(pc->sockets[i], text, timeout_ms, &r);
		if (err < 0) {
			if (err == -EACCES)
				pc->denied = pc->sockets[i];
			else if (!is_absent(err))
				add_trouble(all, err, timeout_ms);
			continue;
		}
		if (form->kind == STMT_SHOW_STATEMENTS)
			join_table(all, &r);
		else
			join_reply(all, &r);
	}
}

static const char *home_name(enum stmt_home home)
{
	switch (home) {
	case HOME_SYNCD:
		return "syncd";
	case HOME_RECVD:
		return "recvd";
	case HOME_BOTH:
		return "neither syncd nor recvd";
	}
	return "";
}

/* One statement, on one line. Returns the exit status. */
static int run(struct pipectl *pc, const char *text)
{
	struct stmt *st CLEANUP_FREE = xcalloc(1, sizeof *st);
	struct sql_setting set = {.precision = SQL_MS,
				  .now_ms = clock_wall_ms()};
	struct reply all CLEANUP(reply_release) = {0};
	const struct stmt_form *form;
	struct err e = {0};

	if (sql_parse(st, text, &set, &e) < 0)
		return refuse(pc, text, &e);
	form = sql_form(st->kind);
	if (form->home != HOME_BOTH)
		find_homes(pc);
	ask_each(pc, form, text, timeout_of(st), &all);
	if (all.text[0])
		return show(pc, &all);
	if (pc->denied)
		(void)err_say(&e, ERR_REFUSED, EACCES,
			      "The control socket %s may not be opened by this "
			      "user. (its directory must let him through)",
			      pc->denied);
	else
		(void)err_say(&e, ERR_REFUSED, ENXIO,
			      "%s is%s running on this host",
			      home_name(form->home),
			      form->home == HOME_BOTH ? "" : " not");
	return refuse(pc, text, &e);
}

/* Statements in n bytes, in order, until one fails. What is left stays in `b`. */
static int run_all(struct pipectl *pc, struct buf *b, bool is_last)
{
	struct buf line CLEANUP(buf_release);
	struct err e = {0};
	int r = DONE;

	buf_init(&line, SQL_STATEMENT_MAX + 1);
	while (b->len && r == DONE) {
		const char *p = (const char *)buf_data(b);
		size_t n = sql_split(p, b->len, is_last);

		if (n == 0)
			break;
		buf_clear(&line);
		ctl_complete(&line, "/", p, n);
		if (line.len && ctl_check_lines("/", p, n, &e) < 0)
			r = refuse(pc, buf_str(&line), &e);
		else if (line.len)
			r = run(pc, buf_str(&line));
		buf_consume(b, n);
	}
	return r;
}

static int run_stdin(struct pipectl *pc)
{
	struct buf b CLEANUP(buf_release);
	int r = DONE;

	buf_init(&b, 2 * SQL_STATEMENT_MAX);
	while (r == DONE) {
		uint8_t *to = buf_room(&b, SQL_STATEMENT_MAX);
		ssize_t n = to ? read(STDIN_FILENO, to, SQL_STATEMENT_MAX) : -1;

		if (n < 0 && to && errno == EINTR)
			continue;
		if (n < 0) {
			(void)fprintf(stderr, "pipectl: standard input: %s\n",
				      to ? err_words(errno)
					 : "a statement has more than 64 KiB");
			return NOT_UNDERSTOOD;
		}
		buf_fill(&b, (size_t)n);
		r = run_all(pc, &b, n == 0);
		if (n == 0)
			break;
	}
	return r;
}

/* No statement is a single word, so arguments without blanks are the words of one:
 * pipectl START PIPE p. */
static int run_arguments(struct pipectl *pc, int n, char *const *args)
{
	struct buf b CLEANUP(buf_release);
	bool is_words = true;

	buf_init(&b, 4u << 20);
	for (int i = 0; i < n; i++)
		is_words &= !strpbrk(args[i], " \t\n;");
	for (int i = 0; i < n; i++) {
		buf_adds(&b, args[i]);
		buf_adds(&b, is_words ? " " : "\n");
	}
	if (buf_end(&b) < 0)
		return cli_wrong(&cli);
	return run_all(pc, &b, true);
}

static void add_socket(struct pipectl *pc, const char *path, unsigned homes)
{
	if (pc->n_sockets == SOCKETS_MAX)
		return;
	pc->sockets[pc->n_sockets] = path;
	pc->homes[pc->n_sockets++] = homes;
}

static int run_words(struct pipectl *pc, int n, char *const *words)
{
	const char *verb = n ? words[0] : "";

	if (n == 0)
		return isatty(STDIN_FILENO) ? cli_wrong(&cli) : run_stdin(pc);
	if (strcmp(verb, "ls") == 0)
		return n <= 2 ? look(pc, verb, n == 2 ? words[1] : "/")
			      : cli_wrong(&cli);
	if (strcmp(verb, "cat") == 0)
		return n == 2 ? look(pc, verb, words[1]) : cli_wrong(&cli);
	return run_arguments(pc, n, words);
}

int main(int argc, char **argv)
{
	struct pipectl pc = {.form = TABLE_DRAWN};
	int c;

	while ((c = cli_next(&cli, argc, argv, "+tjs:")) != -1) {
		if (c == CLI_ANSWERED)
			return DONE;
		else if (c == 't')
			pc.form = TABLE_TABS;
		else if (c == 'j')
			pc.form = TABLE_JSON;
		else if (c == 's' && pc.n_sockets < SOCKETS_MAX)
			add_socket(&pc, optarg, 0);
		else
			return cli_wrong(&cli);
	}
	if (!pc.n_sockets) {
		add_socket(&pc, "/run/tsferry/syncd.sock", HOME_SYNCD);
		add_socket(&pc, "/run/tsferry/recvd.sock", HOME_RECVD);
	}
	argc -= optind;
	argv += optind;
	return cli_end(&cli, run_words(&pc, argc, argv));
}
