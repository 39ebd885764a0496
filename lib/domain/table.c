#include "table.h"

#include <string.h>

/* A row travels as its cells with tabs between them; inside a cell \t, \n and \\
 * stand for the three bytes that would break that. The same three are legal in
 * JSON, so only quotes and control bytes are added there. */

#define COLUMNS_MAX 64

struct cell {
	const char *at;
	size_t len;
};

void table_cell(struct buf *row, bool is_first, const char *text)
{
	if (!is_first)
		buf_add(row, "\t", 1);
	while (*text) {
		size_t n = strcspn(text, "\t\n\\");

		buf_add(row, text, n);
		text += n;
		if (!*text)
			return;
		buf_adds(row, *text == '\t'   ? "\\t"
			      : *text == '\n' ? "\\n"
					      : "\\\\");
		text++;
	}
}

/* The next cell of a row; false when there is none. *p is NULL at the end. */
static bool next_cell(const char **p, struct cell *c)
{
	if (!*p)
		return false;
	c->at = *p;
	c->len = strcspn(*p, "\t");
	*p = c->at[c->len] ? c->at + c->len + 1 : NULL;
	return true;
}

static bool is_double_backslash(const struct cell *c, size_t i)
{
	return c->at[i] == '\\' && i + 1 < c->len && c->at[i + 1] == '\\';
}

/* The character at p, which has at most `left` bytes; 0: none begins here. */
static uint32_t code_point(const char *p, size_t left)
{
	const unsigned char *c = (const unsigned char *)p;

	if (*c >= 0xf0 && left >= 4)
		return (c[0] & 7u) << 18 | (c[1] & 63u) << 12 |
		       (c[2] & 63u) << 6 | (c[3] & 63u);
	if (*c >= 0xe0 && *c < 0xf0 && left >= 3)
		return (c[0] & 15u) << 12 | (c[1] & 63u) << 6 | (c[2] & 63u);
	return 0;
}

/* Those that a terminal draws two columns wide (Unicode, East Asian Width W and F, by
 * blocks); all of them have three bytes or four. */
static bool is_wide(uint32_t code)
{
	static const uint32_t blocks[][2] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},	{0x3041, 0xa4cf},
		{0xa960, 0xa97c},   {0xac00, 0xd7a3},	{0xf900, 0xfaff},
		{0xfe30, 0xfe6f},   {0xff01, 0xff60},	{0xffe0, 0xffe6},
		{0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (code >= blocks[i][0] && code <= blocks[i][1])
			return true;
	return false;
}

/* In columns, as drawn. */
static size_t cell_width(const struct cell *c)
{
	size_t width = 0;

	for (size_t i = 0; i < c->len; i++) {
		if (is_double_backslash(c, i))
			i++;
		if (((unsigned char)c->at[i] & 0xc0) != 0x80)
			width += 1 + is_wide(code_point(c->at + i, c->len - i));
	}
	return width;
}

static void add_blanks(struct buf *out, size_t n, const char *blank)
{
	for (size_t i = 0; i < n; i++)
		buf_add(out, blank, 1);
}

static void widen(size_t widths[COLUMNS_MAX], size_t *n_columns,
		  const char *row)
{
	struct cell c;

	for (size_t i = 0; i < COLUMNS_MAX && next_cell(&row, &c); i++) {
		size_t width = cell_width(&c);

		if (width > widths[i])
			widths[i] = width;
		if (i + 1 > *n_columns)
			*n_columns = i + 1;
	}
}

static void draw_rule(struct buf *out, const size_t *widths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_add(out, "+", 1);
		add_blanks(out, widths[i], "-");
	}
	buf_adds(out, "+\n");
}

static void draw_row(struct buf *out, const size_t *widths, size_t n,
		     const char *row)
{
	for (size_t i = 0; i < n; i++) {
		struct cell c = {.at = ""};

		(void)next_cell(&row, &c);
		buf_add(out, "|", 1);
		add_blanks(out, widths[i] - cell_width(&c), " ");
		for (size_t k = 0; k < c.len; k++) {
			if (is_double_backslash(&c, k))
				k++;
			buf_add(out, c.at + k, 1);
		}
	}
	buf_adds(out, "|\n");
}

static void draw(struct buf *out, const char *heading, const char *const *rows,
		 size_t n)
{
	size_t widths[COLUMNS_MAX] = {0}, n_columns = 0;

	widen(widths, &n_columns, heading);
	for (size_t i = 0; i < n; i++)
		widen(widths, &n_columns, rows[i]);
	draw_rule(out, widths, n_columns);
	draw_row(out, widths, n_columns, heading);
	draw_rule(out, widths, n_columns);
	for (size_t i = 0; i < n; i++)
		draw_row(out, widths, n_columns, rows[i]);
	draw_rule(out, widths, n_columns);
}

void table_json_string(struct buf *out, const char *at, size_t len)
{
	buf_add(out, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)at[i];

		if (c == '\\' && i + 1 < len && strchr("tn\\", at[i + 1])) {
			buf_add(out, at + i, 2);
			i++;
		} else if (c == '"' || c == '\\') {
			buf_addf(out, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_addf(out, "\\u%04x", c);
		} else {
			buf_add(out, at + i, 1);
		}
	}
	buf_add(out, "\"", 1);
}

static void add_json(struct buf *out, const char *heading, const char *row)
{
	const char *sep = "{";
	struct cell key, value;

	while (next_cell(&heading, &key)) {
		value = (struct cell){.at = ""};
		(void)next_cell(&row, &value);
		buf_adds(out, sep);
		table_json_string(out, key.at, key.len);
		buf_add(out, ":", 1);
		table_json_string(out, value.at, value.len);
		sep = ",";
	}
	buf_adds(out, "}\n");
}

void table_print(struct buf *out, enum table_form form, const char *heading,
		 const char *const *rows, size_t n)
{
	switch (form) {
	case TABLE_DRAWN:
		draw(out, heading, rows, n);
		return;
	case TABLE_TABS:
		for (size_t i = 0; i < n; i++) {
			buf_adds(out, rows[i]);
			buf_add(out, "\n", 1);
		}
		return;
	case TABLE_JSON:
		for (size_t i = 0; i < n; i++)
			add_json(out, heading, rows[i]);
		return;
	}
}
