#include <string.h>
#include <strings.h>

#include "sql.h"
#include "sql_lex.h"

/* Where statements end in a stream of bytes, before anything is parsed. Only
 * quotes, brackets, comment lines and the first word of the next line matter. */

struct scan {
	const char *text;
	size_t n, i;
	size_t depth;
	bool at_line_start; /* only blanks since the newline */
	bool has_content;
	bool is_last;
};

static const char *end_of(const struct scan *s)
{
	return s->text + s->n;
}

enum answer {
	NO,
	YES,
	UNDECIDED
};

/* A character may have three bytes; the text ends where it ends, not with a NUL. */
static bool ends_word(const char *p, const char *end)
{
	char at[4] = "";

	for (size_t i = 0; i < 3 && p + i < end; i++)
		at[i] = p[i];
	return p == end || !lex_is_word_byte(at);
}

static enum answer is_continuation_word(const char *p, const char *end,
					bool is_last)
{
	static const char *const words[] = {"FROM", "WITH", "TO", "AS"};
	size_t left = (size_t)(end - p);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i]);

		if (left < len || (left == len && !is_last)) {
			if (!is_last && strncasecmp(p, words[i], left) == 0)
				return UNDECIDED;
			continue;
		}
		if (strncasecmp(p, words[i], len) == 0 &&
		    ends_word(p + len, end))
			return YES;
	}
	return NO;
}

/* Whether the lines from p on go on with the statement before them. Empty lines
 * and comments decide nothing; when nothing else is there, it has ended. */
static enum answer continues(const char *p, const char *end, bool is_last)
{
	for (;;) {
		while (p < end && lex_is_blank(*p))
			p++;
		if (p == end)
			return NO;
		if (!lex_is_comment(p, end))
			break;
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			return NO;
	}
	if (*p == '(')
		return YES;
	return is_continuation_word(p, end, is_last);
}

/* A comment line: over it. Returns the length of the statement when the comment
 * is one by itself. */
static size_t over_comment(struct scan *s)
{
	const char *p = s->text + s->i;
	const char *nl = memchr(p, '\n', s->n - s->i);

	if (!nl) {
		s->i = s->n;
		return !s->has_content && s->is_last ? s->n : 0;
	}
	s->i = (size_t)(nl - s->text);
	return s->has_content ? 0 : s->i + 1;
}

static size_t over_newline(struct scan *s)
{
	enum answer a;

	s->i++;
	s->at_line_start = true;
	if (s->depth)
		return 0;
	if (!s->has_content)
		return s->i;
	a = continues(s->text + s->i, end_of(s), s->is_last);
	if (a == NO)
		return s->i;
	if (a == UNDECIDED)
		s->i = s->n;
	return 0;
}

static void over_quoted(struct scan *s)
{
	const char *p = s->text + s->i;
	const char *close = memchr(p + 1, *p, s->n - s->i - 1);

	s->i = close ? (size_t)(close - s->text) + 1 : s->n;
}

static void over_content(struct scan *s, char c)
{
	s->has_content = true;
	s->at_line_start = false;
	if (c == '\'' || c == '"' || c == '`') {
		over_quoted(s);
		return;
	}
	if (c == '(' || c == '[')
		s->depth++;
	else if ((c == ')' || c == ']') && s->depth)
		s->depth--;
	s->i++;
}

size_t sql_split(const char *text, size_t n, bool is_last)
{
	struct scan s = {.text = text,
			 .n = n,
			 .at_line_start = true,
			 .is_last = is_last};

	s.i = lex_prompt(text, text + n); /* a comment may stand behind it */
	while (s.i < n) {
		char c = text[s.i];
		size_t len = 0;

		if (c == '\n') {
			len = over_newline(&s);
		} else if (lex_is_blank(c)) {
			s.i++;
		} else if (c == ';' && !s.depth) {
			return s.i + 1;
		} else if (s.at_line_start &&
			   lex_is_comment(text + s.i, text + n)) {
			len = over_comment(&s);
		} else if (s.at_line_start && c == '-' && s.i + 1 == n &&
			   !is_last) {
			return 0;
		} else {
			over_content(&s, c);
		}
		if (len)
			return len;
	}
	return is_last ? n : 0;
}

bool sql_is_blank(const char *text, size_t n)
{
	const char *p = text + lex_prompt(text, text + n), *end = text + n;
	bool at_line_start = true;

	while (p < end) {
		if (at_line_start && lex_is_comment(p, end)) {
			p = memchr(p, '\n', (size_t)(end - p));
			if (!p)
				return true;
		}
		if (*p == '\n')
			at_line_start = true;
		else if (*p == ';')
			at_line_start = false;
		else if (!lex_is_blank(*p))
			return false;
		p++;
	}
	return true;
}

/* Copies one quoted piece, newlines in it as blanks. */
static const char *flatten_quoted(struct buf *out, const char *p,
				  const char *end)
{
	const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));
	const char *stop = close ? close + 1 : end;

	for (; p < stop; p++)
		buf_add(out, *p == '\n' || *p == '\r' ? " " : p, 1);
	return stop;
}

void sql_flatten(struct buf *out, const char *text, size_t n)
{
	const char *p = text, *end = text + n;
	const char *behind_prompt = text + lex_prompt(text, end);
	bool at_line_start = true;

	for (; p < behind_prompt; p++)
		buf_add(out, lex_is_blank(*p) ? " " : p, 1);
	while (p < end) {
		if (at_line_start && lex_is_comment(p, end)) {
			p = memchr(p, '\n', (size_t)(end - p));
			if (!p)
				return;
		}
		if (*p == '\'' || *p == '"' || *p == '`') {
			at_line_start = false;
			p = flatten_quoted(out, p, end);
			continue;
		}
		if (*p == '\n')
			at_line_start = true;
		else if (!lex_is_blank(*p))
			at_line_start = false;
		buf_add(out, *p == '\n' || *p == '\r' ? " " : p, 1);
		p++;
	}
}
