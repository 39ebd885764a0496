#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fileid.h"
#include "sql.h"
#include "sql_lex.h"
#include "sql_parts.h"

/* Recursive descent. The words a statement begins with are read from the table of
 * statements; what follows them has one function per shape. */

#define SYNTAX "Error occurred while parsing SQL to physical plan: "
#define DEFAULT_IP "127.0.0.1"
#define DEFAULT_PORT 6670u

/* Words that are no names unless in back quotes. */
static const char *const reserved[] = {
	"ALTER",  "AS",	       "CREATE",     "DROP",	     "FROM",
	"LOAD",	  "PIPE",      "PIPES",	     "ROOT",	     "PIPESINK",
	"SELECT", "PIPESINKS", "PIPESERVER", "PIPESINKTYPE", "SHOW",
	"START",  "STOP",      "TIME",	     "TIMESTAMP",    "TO",
	"WHERE",  "WITH",
};

void parse_advance(struct parse *p)
{
	p->now = lex_next(&p->lx);
}

bool parse_at(const struct parse *p, const char *word)
{
	return piece_is(&p->now, word);
}

bool parse_at_sign(const struct parse *p, const char *sign)
{
	return piece_is_sign(&p->now, sign);
}

bool parse_at_end(const struct parse *p)
{
	return p->now.kind == PIECE_END || parse_at_sign(p, ";");
}

int shown_len(const char *at, size_t n, size_t max)
{
	if (n <= max)
		return (int)n;
	while (max > 0 && ((unsigned char)at[max] & 0xc0) == 0x80)
		max--;
	return (int)max;
}

static void describe(const struct piece *t, char *to, size_t size)
{
	int len = shown_len(t->at, t->len, SHOWN_MAX);
	unsigned char c = (unsigned char)*t->at;

	if (t->kind == PIECE_END)
		(void)snprintf(to, size, "the end of the statement");
	else if (t->kind == PIECE_OPEN)
		(void)snprintf(to, size, "a quote that is not closed: %.*s",
			       len, t->at);
	else if (c < 0x20 || c == 0x7f)
		(void)snprintf(to, size, "the byte 0x%02x", c);
	else if (*t->at == '\'')
		(void)snprintf(to, size, "%.*s", len, t->at);
	else
		(void)snprintf(to, size, "'%.*s%s'", len, t->at,
			       (size_t)len < t->len ? "..." : "");
}

/* p-1 and a.b come in as a name and a sign: the commonest typing error of those
 * who are used to dashes. */
static bool splits_a_name(const struct parse *p)
{
	return p->now.kind == PIECE_SIGN && p->now.at > p->lx.text &&
	       lex_is_word_byte(p->now.at - 1) && strchr("-./+*%", *p->now.at);
}

int expected(struct parse *p, const char *what)
{
	char came[SHOWN_MAX + 48];
	const char *alike;
	unsigned line, col;

	describe(&p->now, came, sizeof came);
	lex_place(p->lx.text, p->now.at, &line, &col);
	(void)err_say(p->e, ERR_SYNTAX, EINVAL,
		      SYNTAX "line %u:%u expected %s, came %s", line, col, what,
		      came);
	alike = lex_lookalike(p->lx.text, strlen(p->lx.text));
	if (alike)
		(void)err_hint(p->e, "%s", alike);
	else if (splits_a_name(p))
		(void)err_hint(p->e, "names with other letters than A-Z a-z "
				     "0-9 _ : @ # $ { } are written in back "
				     "quotes: `a-b`");
	else if (parse_at_sign(p, "["))
		(void)err_hint(p->e, "the square brackets of the documentation "
				     "mean that a part may be left out");
	return -EINVAL;
}

struct err *parse_late(struct parse *p)
{
	return p->late.sys ? NULL : &p->late;
}

static int take_word(struct parse *p, const char *word)
{
	if (!parse_at(p, word))
		return expected(p, word);
	parse_advance(p);
	return 0;
}

int take_sign(struct parse *p, const char *sign, const char *what)
{
	if (!parse_at_sign(p, sign))
		return expected(p, what);
	parse_advance(p);
	return 0;
}

/* Names */

static bool is_reserved(const struct piece *t)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (piece_is(t, reserved[i]))
			return true;
	}
	return false;
}

static int copy_name(struct parse *p, char *to)
{
	if (piece_copy(&p->now, to, SQL_NAME_MAX + 1) < 0)
		(void)err_say(parse_late(p), ERR_REFUSED, E2BIG,
			      "The name %.*s... is longer than %d bytes.",
			      shown_len(p->now.at, p->now.len, SHOWN_MAX),
			      p->now.at, SQL_NAME_MAX);
	else if (!*to)
		return expected(p, "a name that is not empty");
	parse_advance(p);
	return 0;
}

static int take_name(struct parse *p, char *to, const char *what)
{
	if (p->now.kind != PIECE_NAME &&
	    (p->now.kind != PIECE_WORD || is_reserved(&p->now))) {
		int r = expected(p, what);

		if (p->now.kind == PIECE_STRING)
			(void)err_hint(p->e, "a name is written bare or in "
					     "back quotes: `a b`");
		return r;
	}
	return copy_name(p, to);
}

/* Senders are called as their hosts are: edge-07.example.com is one name. */
static int take_sender(struct parse *p)
{
	int r;

	if (p->now.kind != PIECE_NAME)
		p->now = lex_run(&p->lx, p->now);
	if (p->now.kind != PIECE_NAME && p->now.kind != PIECE_WORD)
		return expected(p, "a sender's name");
	r = copy_name(p, p->st->name);
	if (r == 0)
		(void)!sql_check_sink_name(p->st->name, parse_late(p));
	return r;
}

static int take_optional_name(struct parse *p)
{
	if (parse_at_end(p))
		return 0;
	return take_name(p, p->st->name, "a name");
}

/* Statements */

static void check_type(struct parse *p)
{
	char type[SQL_NAME_MAX + 1] = "";

	if (!p->st->type[0] || strcasecmp(p->st->type, "IoTDB") == 0)
		return;
	for (size_t i = 0; p->st->type[i]; i++)
		type[i] = (char)tolower((unsigned char)p->st->type[i]);
	(void)err_say(parse_late(p), ERR_REFUSED, EINVAL,
		      "Do not support pipeSink type %s", type);
}

static int take_create_pipesink(struct parse *p)
{
	struct stmt *st = p->st;
	int r = take_name(p, st->name, "a pipesink's name");

	if (r < 0)
		return r;
	(void)!sql_check_sink_name(st->name, parse_late(p));
	memcpy(st->ip, DEFAULT_IP, sizeof DEFAULT_IP);
	st->port = DEFAULT_PORT;
	r = take_word(p, "AS");
	if (r < 0)
		return r;
	if (p->now.kind != PIECE_WORD)
		return expected(p, "IoTDB");
	r = copy_name(p, st->type);
	if (r < 0)
		return r;
	check_type(p);
	return parse_at_sign(p, "(") ? take_sink_attrs(p) : 0;
}

static int take_alter_pipesink(struct parse *p)
{
	int r = take_name(p, p->st->name, "a pipesink's name");

	return r < 0 ? r : take_sink_attrs(p);
}

static int take_create_pipe(struct parse *p)
{
	struct stmt *st = p->st;
	int r = take_name(p, st->name, "a pipe's name");

	if (r < 0)
		return r;
	(void)!sql_check_pipe_name(st->name, parse_late(p));
	r = take_word(p, "TO");
	if (r == 0)
		r = take_name(p, st->sink, "a pipesink's name");
	if (r == 0 && parse_at(p, "FROM")) {
		parse_advance(p);
		r = take_query(p);
	}
	if (r == 0 && parse_at(p, "WITH")) {
		parse_advance(p);
		r = take_pipe_attrs(p);
	}
	return r;
}

static int take_resync(struct parse *p)
{
	int r = take_name(p, p->st->name, "a pipe's name");

	if (r < 0 || parse_at_end(p))
		return r;
	r = take_word(p, "FROM");
	return r < 0 ? r : take_time(p);
}

/* A whole word of digits. */
static int take_number(struct parse *p, uint64_t max, const char *what,
		       uint64_t *out)
{
	uint64_t v = 0;

	if (p->now.kind != PIECE_WORD)
		return expected(p, what);
	for (size_t i = 0; i < p->now.len; i++) {
		unsigned digit = (unsigned char)p->now.at[i] - (unsigned)'0';

		if (digit > 9 || v > (max - digit) / 10)
			return expected(p, what);
		v = v * 10 + digit;
	}
	*out = v;
	parse_advance(p);
	return 0;
}

static int take_wait(struct parse *p)
{
	uint64_t seconds = 0;
	int r = take_name(p, p->st->name, "a pipe's name");

	if (r < 0 || parse_at_end(p))
		return r;
	r = take_number(p, INT32_MAX, "a number of seconds", &seconds);
	p->st->seconds = (int64_t)seconds;
	p->st->has_seconds = r == 0;
	return r;
}

static int take_retry(struct parse *p)
{
	if (!parse_at(p, "ALL"))
		return take_number(p, INT64_MAX,
				   "an id of SHOW QUARANTINE, or ALL",
				   &p->st->id);
	p->st->is_all = true;
	parse_advance(p);
	return 0;
}

/* -global is for clusters; the words are the original's. */
static int take_load(struct parse *p)
{
	if (parse_at_end(p))
		return 0;
	p->now = lex_run(&p->lx, p->now);
	if (parse_at(p, "-global") || parse_at(p, "global"))
		(void)err_say(parse_late(p), ERR_REFUSED, EINVAL,
			      "Error occurred in query process: The "
			      "constructor with 1 parameters is for load local "
			      "configuration (each daemon reads its own file: "
			      "LOAD CONFIGURATION)");
	else if (!parse_at(p, "-local") && !parse_at(p, "local"))
		return 0;
	parse_advance(p);
	return 0;
}

static int take_tail(struct parse *p, const struct stmt_form *form)
{
	switch (form->kind) {
	case STMT_CREATE_PIPESINK:
		return take_create_pipesink(p);
	case STMT_ALTER_PIPESINK:
		return take_alter_pipesink(p);
	case STMT_CREATE_PIPE:
		return take_create_pipe(p);
	case STMT_DROP_PIPESINK:
		return take_name(p, p->st->name, "a pipesink's name");
	case STMT_START_PIPE:
	case STMT_STOP_PIPE:
	case STMT_DROP_PIPE:
		return take_name(p, p->st->name, "a pipe's name");
	case STMT_SHOW_PIPESINKS:
	case STMT_SHOW_PIPES:
		/* The plural takes no name. */
		return strchr(form->text, '<') ? take_optional_name(p) : 0;
	case STMT_RESYNC_PIPE:
		return take_resync(p);
	case STMT_WAIT_PIPE:
		return take_wait(p);
	case STMT_ADMIT_SENDER:
	case STMT_FORGET_SENDER:
		return take_sender(p);
	case STMT_SHOW_PIPESERVER:
		if (parse_at(p, "STATUS"))
			parse_advance(p);
		return 0;
	case STMT_RETRY:
		return take_retry(p);
	case STMT_SKIP:
		return take_number(p, INT64_MAX, "an id of SHOW QUARANTINE",
				   &p->st->id);
	case STMT_LOAD_CONFIGURATION:
		return take_load(p);
	case STMT_SHOW_PIPESINKTYPE:
	case STMT_START_PIPESERVER:
	case STMT_STOP_PIPESERVER:
	case STMT_SHOW_SENDERS:
	case STMT_SHOW_QUARANTINE:
	case STMT_SHOW_VERSION:
	case STMT_SHOW_STATEMENTS:
		return 0;
	}
	return -EINVAL;
}

static int parse(struct parse *p)
{
	const struct stmt_form *form = NULL;
	int r = take_keywords(p, &form);

	if (r < 0)
		return r;
	p->st->kind = form->kind;
	r = take_tail(p, form);
	if (r < 0)
		return r;
	while (parse_at_sign(p, ";"))
		parse_advance(p);
	if (p->now.kind != PIECE_END)
		return expected(p, "the end of the statement");
	if (p->late.sys) {
		*p->e = p->late;
		return -p->late.sys;
	}
	return 0;
}

int sql_parse(struct stmt *st, const char *text, const struct sql_setting *set,
	      struct err *e)
{
	struct err own;
	struct parse p = {.st = st, .set = set, .e = e ? e : &own};

	*st = (struct stmt){.sync_del_op = true};
	if (strnlen(text, SQL_STATEMENT_MAX + 1) > SQL_STATEMENT_MAX)
		return err_say(e, ERR_SYNTAX, E2BIG,
			       SYNTAX "the statement is longer than %u bytes",
			       SQL_STATEMENT_MAX);
	lex_begin(&p.lx, text);
	parse_advance(&p);
	return parse(&p);
}

/* Names that are directories of /pipes */

int sql_check_sink_name(const char *name, struct err *e)
{
	if (name_is_plain(name))
		return 0;
	return err_say(e, ERR_REFUSED, EINVAL,
		       "The name '%.*s' can not be a directory of /pipes: it "
		       "must be UTF-8 without '/' and control characters, must "
		       "not begin with '.', and have 1 to %d bytes.",
		       shown_len(name, strlen(name), SHOWN_MAX), name,
		       SQL_NAME_MAX);
}

int sql_check_pipe_name(const char *name, struct err *e)
{
	static const char *const fixed[] = {
		"ctl",	 "help",   "last_error", "identity", "sinktypes",
		"log",	 "sinks",  "server",	 "gaps",     "limits",
		"links", "health", "events",	 "metrics",
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (strcmp(name, fixed[i]) == 0)
			return err_say(
				e, ERR_REFUSED, EINVAL,
				"The name '%s' can not be a pipe's: "
				"/pipes/%s is a fixed entry. Take another "
				"name.",
				name, name);
	}
	return sql_check_sink_name(name, e);
}
