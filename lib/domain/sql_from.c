#include <errno.h>
#include <string.h>

#include "sql_parts.h"

/* FROM ( select ** from root [where time >= <time>] ), and times that are not
 * quoted. Any other query is IoTDB's, but not a pipe's: 303, once its brackets have
 * proved to be in order. */

#define TIME_TEXT_MAX 256

static void not_supported(struct parse *p, const struct piece *at,
			  const char *what)
{
	struct err *e = parse_late(p);

	(void)err_say(e, ERR_METADATA, EINVAL,
		      "Check metadata error: Not support for this sql in "
		      "pipe.");
	(void)err_hint(e,
		       "expected %s, came '%.*s'; a pipe's query is select ** "
		       "from root [where time >= <time>]",
		       what, shown_len(at->at, at->len, SHOWN_MAX), at->at);
}

/* Both kinds count together: IoTDB's ranges are written [0, 10). */
static bool at_open(const struct parse *p)
{
	return parse_at_sign(p, "(") || parse_at_sign(p, "[");
}

static bool at_close(const struct parse *p)
{
	return parse_at_sign(p, ")") || parse_at_sign(p, "]");
}

/* Over everything up to the bracket that closes the query. */
static int skip_query(struct parse *p)
{
	size_t depth = 0;

	for (;; parse_advance(p)) {
		if (p->now.kind == PIECE_END || p->now.kind == PIECE_OPEN)
			return expected(p, "')'");
		if (at_open(p))
			depth++;
		else if (at_close(p) && depth-- == 0)
			return 0;
	}
}

static bool is_comparison(const struct piece *t)
{
	static const char *const signs[] = {"=", "==", "<",  "<=", "<>", "!=",
					    ">", ">=", "&&", "||", "&",	 "|"};
	static const char *const words[] = {"and",    "or",	"limit",
					    "offset", "slimit", "soffset",
					    "group",  "order",	"align",
					    "fill",   "without"};

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (piece_is_sign(t, signs[i]))
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (piece_is(t, words[i]))
			return true;
	}
	return piece_is_sign(t, ",");
}

static void set_time(struct parse *p, const char *at, const char *end)
{
	char text[TIME_TEXT_MAX];
	size_t n = (size_t)(end - at);

	/* Longer than any time is: cut, it is none either. */
	if (n >= sizeof text)
		n = (size_t)shown_len(at, n, sizeof text - 1);
	memcpy(text, at, n);
	text[n] = '\0';
	if (sql_time(text, p->set, &p->st->from, parse_late(p)) == 0)
		p->st->has_from = true;
}

/* Up to the end of the statement or the bracket that is not its own. */
int take_time(struct parse *p)
{
	const char *at = p->now.at, *end = at;
	size_t depth = 0;

	while (!parse_at_end(p) && p->now.kind != PIECE_OPEN) {
		if (at_close(p) && depth-- == 0)
			break;
		if (at_open(p))
			depth++;
		if (is_comparison(&p->now))
			not_supported(p, &p->now, "a time alone");
		end = p->now.at + p->now.len;
		parse_advance(p);
	}
	if (end == at)
		return expected(p, "a time");
	if (p->now.kind == PIECE_OPEN)
		return expected(p, "the end of the time");
	if (!p->late.sys)
		set_time(p, at, end);
	return 0;
}

static int take_where(struct parse *p)
{
	parse_advance(p);
	if (!parse_at(p, "time") && !parse_at(p, "timestamp")) {
		not_supported(p, &p->now, "time");
		return skip_query(p);
	}
	parse_advance(p);
	p->st->from_is_exclusive = parse_at_sign(p, ">");
	if (!p->st->from_is_exclusive && !parse_at_sign(p, ">=")) {
		not_supported(p, &p->now, "> or >=");
		return skip_query(p);
	}
	parse_advance(p);
	return take_time(p);
}

static int take_select(struct parse *p)
{
	if (!parse_at_sign(p, "**")) {
		not_supported(p, &p->now, "**");
		return skip_query(p);
	}
	parse_advance(p);
	if (!parse_at(p, "from")) {
		not_supported(p, &p->now, "from");
		return skip_query(p);
	}
	parse_advance(p);
	/* A path, so small letters only. */
	if (!parse_at(p, "root") || memcmp(p->now.at, "root", 4) != 0) {
		not_supported(p, &p->now, "root");
		return skip_query(p);
	}
	parse_advance(p);
	if (parse_at(p, "where"))
		return take_where(p);
	if (parse_at_sign(p, ")") || parse_at_sign(p, ";"))
		return 0;
	if (p->now.kind != PIECE_END)
		not_supported(p, &p->now, "where or ')'");
	return skip_query(p);
}

/* The query as `query` shows it: blanks made single, none at the ends. */
static void set_query(struct parse *p, const char *at, const char *end)
{
	char *to = p->st->query, quote = '\0';
	size_t n = 0, max = sizeof p->st->query - 1;

	for (; at < end && n < max; at++) {
		if (!quote && lex_is_blank(*at)) {
			if (n && to[n - 1] != ' ')
				to[n++] = ' ';
			continue;
		}
		if (quote)
			quote = (char)(*at == quote ? '\0' : quote);
		else if (*at == '\'' || *at == '"')
			quote = *at;
		to[n++] = *at;
	}
	if (n == max)
		(void)err_say(parse_late(p), ERR_REFUSED, E2BIG,
			      "The query of a pipe may have %zu bytes, this "
			      "one has more.",
			      max - 1);
	if (n && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
}

int take_query(struct parse *p)
{
	const char *at;
	int r = take_sign(p, "(", "'('");

	if (r < 0)
		return r;
	at = p->now.at;
	if (parse_at(p, "tracing"))
		not_supported(p, &p->now, "select");
	else if (!parse_at(p, "select"))
		return expected(p, "select");
	parse_advance(p);
	r = p->late.code == ERR_METADATA ? skip_query(p) : take_select(p);
	if (r < 0)
		return r;
	set_query(p, at, p->now.at);
	if (parse_at_sign(p, ";"))
		parse_advance(p);
	return take_sign(p, ")", "')'");
}
