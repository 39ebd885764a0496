/* Pieces of a statement: words, quoted things, signs. Private to the parser.
 *
 * A word is made of the letters IoTDB allows in names: ASCII letters, digits and
 * _ : @ # $ { }, and everything beyond ASCII except the full-width comma, which is
 * a comma. Blanks, newlines and comment lines (first character `#` or `--`) are
 * between pieces. Pieces point into the text; nothing is copied or allocated. */
#ifndef TSFERRY_SQL_LEX_H
#define TSFERRY_SQL_LEX_H

#include <stdbool.h>

#include "ground/base.h"

enum piece_kind {
	PIECE_END,
	PIECE_WORD,
	PIECE_NAME,   /* in back quotes */
	PIECE_STRING, /* in ' or " */
	PIECE_SIGN,   /* ( ) , ; = == < > <= >= != * ** . - + ... */
	PIECE_OPEN,   /* a quote that is never closed */
};

struct piece {
	enum piece_kind kind;
	const char *at;
	size_t len; /* in the text, quotes included */
};

struct lexer {
	const char *text, *p;
};

void lex_begin(struct lexer *lx, const char *text);
struct piece lex_next(struct lexer *lx);

/* Everything from the beginning of `from` to the next blank, bracket, comma, `;`,
 * quote or sign of comparison as one word (addresses, numbers with a sign, names with
 * dashes). Empty when nothing such stands there; the lexer goes on behind it. */
struct piece lex_run(struct lexer *lx, struct piece from);

bool piece_is(const struct piece *p, const char *word); /* in any case */
bool piece_is_sign(const struct piece *p, const char *sign);

/* What it means: quotes taken off, doubled ones made single. -E2BIG. */
int piece_copy(const struct piece *p, char *to, size_t size) MUST_CHECK;

/* Line (from 1) and column (from 0, in characters) of `at`, as IoTDB counts them. */
void lex_place(const char *text, const char *at, unsigned *line, unsigned *col);

bool lex_is_word_byte(const char *p);
bool lex_is_blank(char c); /* newlines too */

/* What a sign in n bytes of text that only looks like one of ours stands for, as a person
 * is told it (text that passed a word processor or a Chinese keyboard); NULL: none. */
const char *lex_lookalike(const char *text, size_t n);

/* How long what stands before a statement is: the byte order mark of a file from Windows,
 * the prompt of IoTDB's command line ("IoTDB>") with the blanks before it; 0: neither. */
size_t lex_prompt(const char *p, const char *end);

/* Whether a comment begins here; `p` must be the first character of its line that is
 * not a blank, `end` the end of the text. */
bool lex_is_comment(const char *p, const char *end);

#endif
