#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ground/net.h"
#include "sql_parts.h"

/* Attributes, key = value, and what the ones that we know may be set to. Keys are
 * taken in any case and in back quotes; values bare or in ' or ". */

struct attr {
	struct piece key, value;
	char name[32];	/* "" = longer than any that we know */
	char text[256]; /* "" = empty, or longer than any that is right */
};

static int take_attr(struct parse *p, struct attr *a)
{
	*a = (struct attr){.key = p->now};
	if (p->now.kind != PIECE_WORD && p->now.kind != PIECE_NAME)
		return expected(p, "an attribute");
	(void)!piece_copy(&a->key, a->name, sizeof a->name);
	parse_advance(p);
	if (!parse_at_sign(p, "=") && !parse_at_sign(p, "=="))
		return expected(p, "=");
	parse_advance(p);
	if (p->now.kind != PIECE_STRING && p->now.kind != PIECE_NAME &&
	    p->now.kind != PIECE_OPEN)
		p->now = lex_run(&p->lx, p->now);
	if (p->now.kind != PIECE_STRING && p->now.kind != PIECE_NAME &&
	    p->now.kind != PIECE_WORD)
		return expected(p, "a value");
	a->value = p->now;
	(void)!piece_copy(&a->value, a->text, sizeof a->text);
	parse_advance(p);
	return 0;
}

static int twice(struct parse *p, const struct attr *a)
{
	p->now = a->key;
	return expected(p, "each attribute once");
}

/* The sentences of the original name the key in small letters. */
static void lower_key(const struct attr *a, char *key, size_t size)
{
	int n = shown_len(a->key.at, a->key.len, size - 1);

	for (int i = 0; i < n; i++)
		key[i] = (char)tolower((unsigned char)a->key.at[i]);
	key[n] = '\0';
}

static void unknown_attr(struct parse *p, const struct attr *a)
{
	char key[SHOWN_MAX + 1];

	lower_key(a, key, sizeof key);
	(void)err_say(parse_late(p), ERR_REFUSED, EINVAL,
		      "There is No attribute %s in IoTDB pipeSink.", key);
}

static void wrong_value(struct parse *p, const struct attr *a, const char *key,
			const char *type, const char *hint)
{
	const char *alike = lex_lookalike(a->value.at, a->value.len);
	struct err *e = parse_late(p);

	hint = alike ? alike : hint;
	(void)err_say(e, ERR_REFUSED, EINVAL,
		      "%s=%.*s has wrong format, require for %s.", key,
		      shown_len(a->value.at, a->value.len, 300), a->value.at,
		      type);
	if (e && hint)
		(void)err_hint(e, "%s", hint);
}

static bool is_bare(const struct attr *a, const char *word)
{
	return piece_is(&a->value, word);
}

static void set_ip(struct parse *p, const struct attr *a)
{
	if (a->value.kind == PIECE_NAME || is_bare(a, "null") ||
	    is_bare(a, "true") || is_bare(a, "false") ||
	    !net_is_host(a->text)) {
		wrong_value(p, a, "ip", "TEXT",
			    "an IPv4 or IPv6 address or a host name");
		return;
	}
	memcpy(p->st->ip, a->text, sizeof p->st->ip);
	p->st->has_ip = true;
}

static void set_port(struct parse *p, const struct attr *a)
{
	const char *s = a->text + (a->text[0] == '+');
	unsigned port = 0;

	for (; isdigit((unsigned char)*s) && port <= 65535; s++)
		port = port * 10 + (unsigned)(*s - '0');
	if (a->value.kind == PIECE_NAME || *s || port < 1 || port > 65535) {
		wrong_value(p, a, "port", "INT32",
			    port < 1 || port > 65535 ? "1 to 65535" : NULL);
		return;
	}
	p->st->port = port;
	p->st->has_port = true;
}

static void set_key(struct parse *p, const struct attr *a)
{
	size_t n = strspn(a->text, "0123456789abcdefABCDEF");

	if (a->value.kind == PIECE_NAME || n != 64 || a->text[n]) {
		wrong_value(p, a, "key", "TEXT",
			    "the 64 hexadecimal digits that /pipes/server/key "
			    "shows at the receiver");
		return;
	}
	for (size_t i = 0; i <= n; i++)
		p->st->key[i] = (char)tolower((unsigned char)a->text[i]);
	p->st->has_key = true;
}

static int take_sink_attr(struct parse *p, unsigned *seen)
{
	static const struct {
		const char *name;
		void (*set)(struct parse *p, const struct attr *a);
	} known[] = {{"ip", set_ip}, {"port", set_port}, {"key", set_key}};
	struct attr a;
	int r = take_attr(p, &a);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcasecmp(a.name, known[i].name) != 0)
			continue;
		if (*seen & 1u << i)
			return twice(p, &a);
		*seen |= 1u << i;
		known[i].set(p, &a);
		return 0;
	}
	unknown_attr(p, &a);
	return 0;
}

int take_sink_attrs(struct parse *p)
{
	unsigned seen = 0;
	int r = take_sign(p, "(", "'('");

	while (r == 0) {
		r = take_sink_attr(p, &seen);
		if (r < 0)
			return r;
		if (!parse_at_sign(p, ","))
			break;
		parse_advance(p);
	}
	if (r < 0)
		return r;
	if (parse_at_sign(p, ";"))
		parse_advance(p);
	return take_sign(p, ")", "',' or ')'");
}

static void set_sync_del_op(struct parse *p, const struct attr *a)
{
	bool is_true = strcasecmp(a->text, "true") == 0;

	if (a->value.kind == PIECE_NAME ||
	    (!is_true && strcasecmp(a->text, "false") != 0)) {
		wrong_value(p, a, "SyncDelOp", "BOOLEAN", "true or false");
		return;
	}
	p->st->sync_del_op = is_true;
}

/* The first one; in small letters, as the original's sentence has it. */
static void keep_unknown(struct parse *p, const struct attr *a)
{
	char *to = p->st->unknown_attr;

	if (!*to)
		lower_key(a, to, sizeof p->st->unknown_attr);
}

int take_pipe_attrs(struct parse *p)
{
	bool seen = false;

	for (;;) {
		struct attr a;
		int r = take_attr(p, &a);

		if (r < 0)
			return r;
		if (strcasecmp(a.name, "SyncDelOp") != 0) {
			keep_unknown(p, &a);
		} else if (seen) {
			return twice(p, &a);
		} else {
			set_sync_del_op(p, &a);
			seen = true;
		}
		if (!parse_at_sign(p, ","))
			return 0;
		parse_advance(p);
	}
}
