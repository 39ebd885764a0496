/* Statements: text to `struct stmt`. Knows no daemon and no state.
 *
 * The grammar is tsferry-sql(5). One table (sql_statements) names every statement,
 * who answers it, what right it needs and its help line; parser, help, completion and
 * man page come from it. A statement that is not understood is -EINVAL with code 401
 * and "Error occurred while parsing SQL to physical plan: line L:C what was expected,
 * what came"; a wrong attribute or time carries the original tool's own code and words
 * (statement reference, section 1). The prompt "IoTDB>" in front of a pasted statement
 * is no part of it. */
#ifndef TSFERRY_SQL_H
#define TSFERRY_SQL_H

#include <stdbool.h>

#include "ground/buf.h"
#include "ground/err.h"

enum stmt_kind {
	STMT_CREATE_PIPESINK,
	STMT_ALTER_PIPESINK,
	STMT_DROP_PIPESINK,
	STMT_SHOW_PIPESINKTYPE,
	STMT_SHOW_PIPESINKS, /* and SHOW PIPESINK [name] */
	STMT_CREATE_PIPE,
	STMT_SHOW_PIPES, /* and SHOW PIPE [name] */
	STMT_START_PIPE,
	STMT_STOP_PIPE,
	STMT_DROP_PIPE,
	STMT_RESYNC_PIPE,
	STMT_WAIT_PIPE,
	STMT_START_PIPESERVER,
	STMT_STOP_PIPESERVER,
	STMT_SHOW_PIPESERVER,
	STMT_SHOW_SENDERS,
	STMT_ADMIT_SENDER,
	STMT_FORGET_SENDER,
	STMT_SHOW_QUARANTINE,
	STMT_RETRY,
	STMT_SKIP,
	STMT_LOAD_CONFIGURATION,
	STMT_SHOW_VERSION,
	STMT_SHOW_STATEMENTS,
};

enum stmt_home { HOME_SYNCD = 1, HOME_RECVD = 2, HOME_BOTH = 3 };

struct stmt_form {
	enum stmt_kind kind;
	enum stmt_home home;
	bool is_open;	   /* everybody may (SHOW) */
	const char *right; /* "START_PIPE", as the 602 sentence names it */
	const char *text;  /* START PIPE <name> */
	const char *help;
};

/* Some kinds have two rows (SHOW PIPES, SHOW PIPE [<name>]). */
extern const struct stmt_form sql_statements[];
extern const size_t sql_n_statements;

#define SQL_NAME_MAX 255
#define SQL_STATEMENT_MAX 65536u

enum sql_precision { SQL_MS, SQL_US, SQL_NS };

struct stmt {
	enum stmt_kind kind;
	char name[SQL_NAME_MAX + 1]; /* pipe, sink or sender; "" = none given */
	char sink[SQL_NAME_MAX + 1]; /* CREATE PIPE ... TO */
	char type[SQL_NAME_MAX + 1]; /* CREATE PIPESINK ... AS, as written */

	bool has_ip, has_port, has_key;
	char ip[256];
	unsigned port;
	char key[128];

	bool has_from; /* a start time was given */
	bool from_is_exclusive; /* `>` rather than `>=` */
	int64_t from; /* in the edge's precision */
	bool sync_del_op; /* true unless said otherwise */
	/* An attribute in WITH that no pipe has; "" = none. It is refused by who knows
	 * the pipes, because a pipe that exists is refused before it. */
	char unknown_attr[64];
	char query[512]; /* the text in FROM ( ... ), blanks made single; "" = none */

	bool has_seconds;
	int64_t seconds; /* WAIT PIPE */
	bool is_all; /* RETRY ALL */
	uint64_t id; /* RETRY, SKIP */
};

struct sql_setting {
	enum sql_precision precision; /* of bare integers and of `from` */
	int64_t now_ms;
};

int sql_parse(struct stmt *st, const char *text, const struct sql_setting *set, struct err *e)
	MUST_CHECK;

const struct stmt_form *sql_form(enum stmt_kind kind);

/* Where the first statement in n bytes ends: its length with the `;` or newline that
 * ends it, 0 when it has no end yet. Quotes and brackets hold newlines and `;`; a line
 * that begins with FROM, WITH, TO, AS or `(` continues the one before. `is_last`: no
 * more bytes will come, so what is left is a statement. Empty statements and comments
 * are returned too; sql_is_blank() tells them. */
size_t sql_split(const char *text, size_t n, bool is_last);
bool sql_is_blank(const char *text, size_t n);

/* The statement on one line, as the control socket takes it: comment lines dropped,
 * newlines as blanks. Added to `out`. */
void sql_flatten(struct buf *out, const char *text, size_t n);

/* Whether a name may be a pipe's: not a fixed entry of /pipes, no "/", no control
 * bytes, not beginning with ".", at most SQL_NAME_MAX bytes of UTF-8. */
int sql_check_pipe_name(const char *name, struct err *e) MUST_CHECK;
int sql_check_sink_name(const char *name, struct err *e) MUST_CHECK;

/* A time literal, for START times and RESYNC: an integer, a date with or without time of
 * day, fraction and offset, or now(), quoted or bare, with durations added or taken away
 * (tsferry-sql(5), TIMES). Local where no offset is given. Failures are code 303. */
int sql_time(const char *text, const struct sql_setting *set, int64_t *out, struct err *e)
	MUST_CHECK;

#endif
