#include "sql_lex.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define FULL_WIDTH_COMMA "\xef\xbc\x8c"
#define FULL_WIDTH_LEN 3

static bool is_full_width_comma(const char *p)
{
	return strncmp(p, FULL_WIDTH_COMMA, FULL_WIDTH_LEN) == 0;
}

bool lex_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

bool lex_is_word_byte(const char *p)
{
	unsigned char c = (unsigned char)*p;

	if (c >= 0x80)
		return !is_full_width_comma(p);
	return isalnum(c) || (c && strchr("_:@#${}", c));
}

bool lex_is_comment(const char *p, const char *end)
{
	if (p < end && *p == '#')
		return true;
	return end - p >= 2 && p[0] == '-' && p[1] == '-';
}

const char *lex_lookalike(const char *text, size_t n)
{
	static const struct {
		const char *sign, *words;
	} signs[] = {
		{"\xef\xbc\x88", "the full-width bracket is written ("},
		{"\xef\xbc\x89", "the full-width bracket is written )"},
		{"\xef\xbc\x9b", "the full-width semicolon is written ;"},
		{"\xef\xbc\x9d", "the full-width sign is written ="},
		{"\xe2\x80\x98", "a curled quote is written '"},
		{"\xe2\x80\x99", "a curled quote is written '"},
		{"\xe2\x80\x9c", "a curled quote is written \""},
		{"\xe2\x80\x9d", "a curled quote is written \""},
		{"\xe2\x80\x93", "a long dash is written -"},
		{"\xc2\xa0", "the no-break space is written as a blank"},
		{"\xe3\x80\x80", "the wide space is written as a blank"},
	};

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (memmem(text, n, signs[i].sign, strlen(signs[i].sign)))
			return signs[i].words;
	}
	return NULL;
}

size_t lex_prompt(const char *p, const char *end)
{
	static const char mark[] = "\xef\xbb\xbf", prompt[] = "IoTDB>";
	const char *s = p;
	size_t n = 0;

	if ((size_t)(end - p) >= sizeof mark - 1 &&
	    memcmp(p, mark, sizeof mark - 1) == 0)
		s += n = sizeof mark - 1;
	while (s < end && lex_is_blank(*s))
		s++;
	if ((size_t)(end - s) < sizeof prompt - 1 ||
	    strncasecmp(s, prompt, sizeof prompt - 1) != 0)
		return n;
	return (size_t)(s - p) + sizeof prompt - 1;
}

void lex_begin(struct lexer *lx, const char *text)
{
	lx->text = text;
	lx->p = text + lex_prompt(text, text + strlen(text));
}

static bool begins_line(const struct lexer *lx)
{
	const char *p = lx->p;

	while (p > lx->text && p[-1] != '\n') {
		if (!lex_is_blank(p[-1]))
			return false;
		p--;
	}
	return true;
}

static void skip_blanks(struct lexer *lx)
{
	for (;;) {
		while (lex_is_blank(*lx->p))
			lx->p++;
		if (*lx->p != '#' && (lx->p[0] != '-' || lx->p[1] != '-'))
			return;
		if (!begins_line(lx))
			return;
		lx->p += strcspn(lx->p, "\n");
	}
}

static struct piece quoted(struct lexer *lx, char quote)
{
	struct piece t = {.at = lx->p};
	const char *p = lx->p + 1;

	for (;;) {
		const char *close = strchr(p, quote);

		if (!close) {
			t.kind = PIECE_OPEN;
			t.len = strlen(t.at);
			break;
		}
		if (close[1] != quote) {
			t.kind = quote == '`' ? PIECE_NAME : PIECE_STRING;
			t.len = (size_t)(close + 1 - t.at);
			break;
		}
		p = close + 2;
	}
	lx->p = t.at + t.len;
	return t;
}

static size_t sign_len(const char *p)
{
	static const char pairs[][3] = {
		"==", ">=", "<=", "!=", "<>", "**", "&&", "||"};

	if (is_full_width_comma(p))
		return FULL_WIDTH_LEN;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (strncmp(p, pairs[i], 2) == 0)
			return 2;
	}
	return 1;
}

struct piece lex_next(struct lexer *lx)
{
	struct piece t;

	skip_blanks(lx);
	if (*lx->p == '\'' || *lx->p == '"' || *lx->p == '`')
		return quoted(lx, *lx->p);
	t = (struct piece){.kind = PIECE_END, .at = lx->p};
	if (!*lx->p)
		return t;
	if (!lex_is_word_byte(lx->p)) {
		t.kind = PIECE_SIGN;
		t.len = sign_len(lx->p);
	} else {
		t.kind = PIECE_WORD;
		while (lex_is_word_byte(lx->p + t.len))
			t.len++;
	}
	lx->p += t.len;
	return t;
}

struct piece lex_run(struct lexer *lx, struct piece from)
{
	struct piece t = {.kind = PIECE_WORD, .at = from.at};
	const char *p = from.at;

	while (!iscntrl((unsigned char)*p) && *p != ' ' &&
	       !is_full_width_comma(p) && !strchr("()[],;'\"`=<>!", *p))
		p++;
	t.len = (size_t)(p - from.at);
	if (t.len == 0)
		return from;
	lx->p = p;
	return t;
}

bool piece_is(const struct piece *p, const char *word)
{
	return p->kind == PIECE_WORD && strlen(word) == p->len &&
	       strncasecmp(p->at, word, p->len) == 0;
}

bool piece_is_sign(const struct piece *p, const char *sign)
{
	if (p->kind != PIECE_SIGN)
		return false;
	if (strcmp(sign, ",") == 0 && is_full_width_comma(p->at))
		return true;
	return strlen(sign) == p->len && memcmp(p->at, sign, p->len) == 0;
}

int piece_copy(const struct piece *p, char *to, size_t size)
{
	bool has_quotes = p->kind == PIECE_NAME || p->kind == PIECE_STRING;
	const char *s = p->at, *end = p->at + p->len;
	size_t n = 0;

	if (has_quotes) {
		s++;
		end--;
	}
	to[0] = '\0';
	for (; s < end; s++) {
		if (n + 1 >= size) {
			to[0] = '\0';
			return -E2BIG;
		}
		to[n++] = *s;
		if (has_quotes && *s == *p->at)
			s++;
	}
	to[n] = '\0';
	return 0;
}

void lex_place(const char *text, const char *at, unsigned *line, unsigned *col)
{
	*line = 1;
	*col = 0;
	for (const char *p = text; p < at; p++) {
		if (*p == '\n') {
			(*line)++;
			*col = 0;
		} else if (((unsigned char)*p & 0xc0) != 0x80) {
			(*col)++;
		}
	}
}
