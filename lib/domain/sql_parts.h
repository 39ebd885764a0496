/* The parser's own state, shared by the files that know one part of the grammar each
 * (sql_parse.c, sql_attr.c, sql_from.c). Private to the parser.
 *
 * Two kinds of refusal: what is not a statement ends the parse at once (401, from
 * expected()); what is one, but says something that cannot be (411, 303), goes to
 * parse_late() and is answered only when the rest has proved to be well formed, because
 * that is the order in which the original answers. */
#ifndef TSFERRY_SQL_PARTS_H
#define TSFERRY_SQL_PARTS_H

#include "sql.h"
#include "sql_lex.h"

#define SHOWN_MAX 60

struct parse {
	struct lexer lx;
	struct piece now; /* one piece of look-ahead */
	struct stmt *st;
	const struct sql_setting *set;
	struct err *e;
	struct err late;
};

void parse_advance(struct parse *p);
bool parse_at(const struct parse *p, const char *word);
bool parse_at_sign(const struct parse *p, const char *sign);
bool parse_at_end(const struct parse *p); /* `;` too */

/* -EINVAL and the sentence "line L:C expected WHAT, came ...". */
int expected(struct parse *p, const char *what) MUST_CHECK;
int take_sign(struct parse *p, const char *sign, const char *what) MUST_CHECK;

/* Where the first thing said wrongly goes; NULL, which err_say() accepts, after it. */
struct err *parse_late(struct parse *p);

/* n bytes of text as a sentence shows them: at most `max`, never half a character. */
int shown_len(const char *at, size_t n, size_t max);

/* The form of the table whose keywords stand at the front. */
int take_keywords(struct parse *p, const struct stmt_form **out) MUST_CHECK;

/* ( ip = ..., port = ..., key = ... ) */
int take_sink_attrs(struct parse *p) MUST_CHECK;
/* SyncDelOp = true|false, behind WITH */
int take_pipe_attrs(struct parse *p) MUST_CHECK;

/* ( select ** from root [where time >= ...] ), behind FROM */
int take_query(struct parse *p) MUST_CHECK;
/* A time that reaches to the end of the statement, behind RESYNC ... FROM */
int take_time(struct parse *p) MUST_CHECK;

#endif
