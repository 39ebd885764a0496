#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "control_inside.h"
#include "ground/clock.h"

/* What request lines mean: who may ask, which requests are answered here, and how
 * answers are written. */

#define GROUPS_MAX 65536

/* Answers */

void conn_end(struct conn *c, const char *text)
{
	buf_addf(&c->out, "0000 %s\n", text);
}

void conn_fail(struct conn *c, int code, int sys, const char *text)
{
	int class = code == ERR_SYNTAX && sys != E2BIG ? 9 : 8;

	buf_addf(&c->out, "%d%03d-%s\n%d%03d ", class, code,
		 reply_errno_name(sys), class, code);
	reply_sentence(&c->out, text);
	buf_adds(&c->out, "\n");
}

static void add_cells(struct request *rq, const char *code,
		      const char *const *cells)
{
	struct pending *p = CONTAINER_OF(rq, struct pending, rq);
	size_t before, n = 0;

	if (!p->conn)
		return;
	for (size_t i = 0; cells[i]; i++)
		n += 2 * strlen(cells[i]) + 1;
	if (p->n_bytes + n + 8 > REPLY_ROWS_MAX) {
		p->n_left_out++;
		return;
	}
	before = p->conn->out.len;
	buf_adds(&p->conn->out, code);
	for (size_t i = 0; cells[i]; i++)
		table_cell(&p->conn->out, i == 0, cells[i]);
	buf_adds(&p->conn->out, "\n");
	p->n_bytes += p->conn->out.len - before;
}

void control_heading(struct request *rq, const char *const *cells)
{
	add_cells(rq, "2000-", cells);
}

void control_row(struct request *rq, const char *const *cells)
{
	add_cells(rq, "1000-", cells);
}

/* n bytes at most, never half a character. */
static void clip(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size);

	if (n == size)
		n = size - 1;
	while (n > 0 && from[n] && ((unsigned char)from[n] & 0xc0) == 0x80)
		n--;
	memcpy(to, from, n);
	to[n] = '\0';
}

static void note(struct control *c, uid_t uid, int code, const char *statement,
		 const char *text)
{
	c->last.wall_ms = clock_wall_ms();
	c->last.uid = (unsigned)uid;
	c->last.code = code;
	clip(c->last.statement, sizeof c->last.statement, statement);
	clip(c->last.text, sizeof c->last.text, text);
}

static void end(struct pending *p)
{
	struct conn *c = p->conn;

	if (c) {
		c->pending = NULL;
		conn_resume(c);
	}
	free(p->text);
	free(p);
}

void control_fail(struct request *rq, const struct err *e)
{
	struct pending *p = CONTAINER_OF(rq, struct pending, rq);
	int code = e->code ? e->code : ERR_REFUSED;

	if (rq->control)
		note(rq->control, rq->uid, code, rq->text, e->text);
	if (p->conn) {
		struct buf *out = &p->conn->out;
		int class = code == ERR_SYNTAX ? 9 : 8;

		buf_addf(out, "%d%03d-%s\n%d%03d ", class, code,
			 reply_errno_name(e->sys), class, code);
		reply_sentence(out, e->text);
		buf_adds(out, "\n");
	}
	end(p);
}

void control_done(struct request *rq)
{
	struct pending *p = CONTAINER_OF(rq, struct pending, rq);

	if (p->n_left_out) {
		struct err e = {0};

		(void)err_set(&e, E2BIG,
			      "An answer has at most %u bytes: %zu rows are "
			      "left out.",
			      CONTROL_REPLY_MAX, p->n_left_out);
		control_fail(rq, &e);
		return;
	}
	if (p->conn)
		conn_end(p->conn, "The statement is executed successfully.");
	end(p);
}

void control_gone(struct pending *p)
{
	p->conn->pending = NULL;
	p->conn = NULL;
	p->rq.control = NULL;
	if (p->rq.gone)
		p->rq.gone(&p->rq);
}

/* Rights */

/* Whether a user may do more than look; is_member: of the group that may. */
static bool control_may(const struct control *c, uid_t uid, bool is_member)
{
	return uid == 0 || uid == c->own_uid || is_member;
}

static bool has_group(const gid_t *groups, size_t n, gid_t group)
{
	for (size_t i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

/* The groups that the peer had when it connected. */
static bool peer_is_member(const struct conn *c)
{
	CLEANUP_FREE gid_t *groups = NULL;
	struct ucred cred;
	socklen_t len = sizeof cred;
	gid_t group = c->control->group;

	if (!c->control->has_group)
		return false;
	if (getsockopt(c->io.fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    cred.gid == group)
		return true;
	groups = malloc(GROUPS_MAX * sizeof *groups);
	len = GROUPS_MAX * sizeof *groups;
	if (!groups ||
	    getsockopt(c->io.fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	return has_group(groups, len / sizeof *groups, group);
}

static bool is_privileged(struct conn *c)
{
	if (c->right == RIGHT_UNKNOWN) {
		bool may = control_may(c->control, c->uid, false) ||
			   peer_is_member(c);

		c->right = may ? RIGHT_YES : RIGHT_NO;
	}
	return c->right == RIGHT_YES;
}

/* "1000" from *p; false when none stands there. */
static bool take_id(const char **p, unsigned *id)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++) {
		v = v * 10 + (unsigned)(**p - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*id = (unsigned)v;
	return true;
}

/* UID GID,GID,...; the list may be empty or left out. */
static bool take_as(const struct control *c, const char *args, unsigned *uid,
		    bool *is_member)
{
	unsigned gid;

	*is_member = false;
	if (!take_id(&args, uid))
		return false;
	for (char sep = ' '; *args; sep = ',') {
		if (*args++ != sep)
			return false;
		if (!*args)
			return sep == ' ';
		if (!take_id(&args, &gid))
			return false;
		if (c->has_group && gid == c->group)
			*is_member = true;
	}
	return true;
}

static void on_as(struct conn *c, char *args)
{
	const struct control *control = c->control;
	bool is_member;
	unsigned uid;

	if (!control_may(control, c->peer_uid, false)) {
		conn_fail(c, ERR_NO_RIGHT, EPERM,
			  "Only root and the daemon's own user may ask for "
			  "others.");
		return;
	}
	if (!take_as(control, args, &uid, &is_member)) {
		conn_fail(c, ERR_SYNTAX, EINVAL,
			  "Expected .as UID GID,GID,...");
		return;
	}
	c->uid = uid;
	c->right = control_may(control, uid, is_member) ? RIGHT_YES : RIGHT_NO;
	conn_end(c, "The next requests are made for this user.");
}

/* Notes */

/* .note STATEMENT<tab>CODE<tab>TEXT: the three pieces cut apart. */
static bool take_note(char *args, unsigned *code, char **text)
{
	char *digits = strchr(args, '\t');
	char *rest = digits ? strchr(digits + 1, '\t') : NULL;
	const char *p;

	if (!rest)
		return false;
	*digits++ = '\0';
	*rest++ = '\0';
	p = digits;
	*text = rest;
	return take_id(&p, code) && !*p && *code <= 999;
}

static void on_note(struct conn *c, char *args)
{
	unsigned code;
	char *text;

	if (!take_note(args, &code, &text)) {
		conn_fail(c, ERR_SYNTAX, EINVAL,
			  "Expected .note STATEMENT<tab>CODE<tab>TEXT");
		return;
	}
	reply_unescape(args);
	reply_unescape(text);
	note(c->control, c->uid, (int)code, args, text);
	conn_end(c, "Noted.");
}

/* Statements */

static const char *home_name(enum stmt_home home)
{
	switch (home) {
	case HOME_SYNCD:
		return "syncd";
	case HOME_RECVD:
		return "recvd";
	case HOME_BOTH:
		return "syncd and recvd";
	}
	return "";
}

static void show_version(struct request *rq)
{
	const char *heading[] = {"daemon", "version", NULL};
	const char *row[] = {home_name(rq->control->ops.home), TSFERRY_VERSION,
			     NULL};

	control_heading(rq, heading);
	control_row(rq, row);
	control_done(rq);
}

static void show_statements(struct request *rq)
{
	const char *heading[] = {"statement", "answered by", "meaning", NULL};

	control_heading(rq, heading);
	for (size_t i = 0; i < sql_n_statements; i++) {
		const struct stmt_form *f = &sql_statements[i];
		const char *row[] = {f->text, home_name(f->home), f->help,
				     NULL};

		if (f->home & rq->control->ops.home)
			control_row(rq, row);
	}
	control_done(rq);
}

static int check(struct request *rq, struct err *e)
{
	struct control *control = rq->control;
	struct sql_setting set = {SQL_MS, 0};
	const struct stmt_form *form;
	int r;

	if (control->ops.setting)
		set = control->ops.setting(control->ops.arg);
	r = sql_parse(&rq->stmt, rq->text, &set, e);
	if (r < 0)
		return r;
	form = sql_form(rq->stmt.kind);
	if (!(form->home & control->ops.home))
		return err_say(e, ERR_REFUSED, ENXIO,
			       "%s answers this statement, not %s",
			       home_name(form->home),
			       home_name(control->ops.home));
	if (form->is_open || rq->is_privileged)
		return 0;
	(void)err_say(e, ERR_NO_RIGHT, EACCES,
		      "No permissions for this operation %s", form->right);
	return err_hint(e, "root, the daemon's user and members of the group "
			   "tsferry may");
}

static void on_statement(struct conn *c, const char *text)
{
	struct pending *p;
	struct err e = {0};

	if (sql_is_blank(text, strlen(text))) {
		conn_end(c, "");
		return;
	}
	p = xcalloc(1, sizeof *p);
	p->conn = c;
	p->text = xstrdup(text);
	p->rq.control = c->control;
	p->rq.text = p->text;
	p->rq.uid = (unsigned)c->uid;
	p->rq.is_privileged = is_privileged(c);
	c->pending = p;
	if (check(&p->rq, &e) < 0)
		control_fail(&p->rq, &e);
	else if (p->rq.stmt.kind == STMT_SHOW_VERSION)
		show_version(&p->rq);
	else if (p->rq.stmt.kind == STMT_SHOW_STATEMENTS)
		show_statements(&p->rq);
	else
		c->control->ops.statement(c->control->ops.arg, &p->rq);
}

void control_line(struct conn *c, char *line, size_t n)
{
	static const struct {
		const char *verb;
		void (*fn)(struct conn *c, char *args);
	} verbs[] = {
		{".as ", on_as},	{".ls ", control_ls},
		{".cat ", control_cat}, {".stat ", control_stat},
		{".note ", on_note},
	};

	if (n && line[n - 1] == '\r')
		line[--n] = '\0';
	if (strlen(line) != n || n > SQL_STATEMENT_MAX) {
		conn_fail(c, ERR_SYNTAX, n > SQL_STATEMENT_MAX ? E2BIG : EINVAL,
			  "A request is one line of at most 65536 bytes, none "
			  "of them zero.");
		return;
	}
	if (line[0] != '.') {
		on_statement(c, line);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		size_t len = strlen(verbs[i].verb);

		if (strncmp(line, verbs[i].verb, len) == 0) {
			verbs[i].fn(c, line + len);
			return;
		}
	}
	conn_fail(c, ERR_SYNTAX, EINVAL,
		  "Expected a statement, .as, .ls, .cat, .stat or .note.");
}
