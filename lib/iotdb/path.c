#include "path.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* Length of the node at p, quotes included; 0: none. */
static size_t node_len(const char *p, size_t n)
{
	size_t i = 1;

	if (!n || *p != '`') {
		const char *dot = memchr(p, '.', n);

		return dot ? (size_t)(dot - p) : n;
	}
	for (; i < n; i++) {
		if (p[i] != '`')
			continue;
		if (i + 1 < n && p[i + 1] == '`')
			i++;
		else
			return i + 1;
	}
	return 0;
}

int sql_nodes(const char *path, size_t n, struct sql_node *nodes)
{
	int k = 0;

	for (;;) {
		size_t len = node_len(path, n);

		if (!len || k == SQL_NODES_MAX)
			return -EINVAL;
		nodes[k++] = (struct sql_node){path, len};
		if (len == n)
			return k;
		if (path[len] != '.')
			return -EINVAL;
		path += len + 1;
		n -= len + 1;
	}
}

bool sql_is_wildcard(const struct sql_node *node)
{
	return node->p[0] != '`' && memchr(node->p, '*', node->n);
}

/* A UTF-8 character of U+2E80 to U+9FFF, which needs no quotes: its length, or 0. */
static size_t ideograph(const uint8_t *p, size_t n)
{
	uint32_t c;

	if (n < 3 || (p[0] & 0xf0) != 0xe0)
		return 0;
	c = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 |
	    (uint32_t)(p[2] & 0x3f);
	return c >= 0x2e80 && c <= 0x9fff ? 3 : 0;
}

static bool is_word(const char *p, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(p, word, n) == 0;
}

/* Numbers ("1", "1e5") and reserved words are no names. */
static bool is_plain(const char *p, size_t n)
{
	bool has_letter = false;

	for (size_t i = 0; i < n;) {
		size_t wide = ideograph((const uint8_t *)p + i, n - i);

		if (!wide && !isalnum((unsigned char)p[i]) &&
		    !strchr("_:@#${}", p[i]))
			return false;
		has_letter |= wide || !isdigit((unsigned char)p[i]);
		i += wide ? wide : 1;
	}
	if (isdigit((unsigned char)p[0]) && has_letter) {
		size_t digits = strspn(p, "0123456789");

		/* 1e5 is a number; so that nobody has to know which others are */
		if (digits < n && (p[digits] == 'e' || p[digits] == 'E'))
			return false;
	}
	return n && has_letter && p[0] != '\0' && !is_word(p, n, "root") &&
	       !is_word(p, n, "time") && !is_word(p, n, "timestamp");
}

static void add_quoted(const char *p, size_t n, struct buf *out)
{
	buf_adds(out, "`");
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '`')
			buf_adds(out, "`");
		buf_add(out, p + i, 1);
	}
	buf_adds(out, "`");
}

/* 0.13 stores nodes without quotes, and takes digits alone for a name. */
static void add_node_0_13(const struct sql_node *node, struct buf *out)
{
	bool is_quoted = node->p[0] == '`';
	const char *p = node->p + is_quoted;
	size_t n = node->n - 2u * is_quoted;

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && !((uint8_t)p[i] & 0x80) &&
		    !strchr("_:@#${}", p[i])) {
			buf_adds(out, "`");
			buf_add(out, p, n);
			buf_adds(out, "`");
			return;
		}
	buf_add(out, p, n);
}

int sql_add_path(unsigned version, const char *path, size_t n, struct buf *out)
{
	struct sql_node nodes[SQL_NODES_MAX];
	int k = sql_nodes(path, n, nodes);

	for (int i = 0; i < k; i++) {
		const struct sql_node *node = &nodes[i];

		if (i)
			buf_adds(out, ".");
		if (i == 0 || sql_is_wildcard(node))
			buf_add(out, node->p, node->n);
		else if (version < IOTDB_1_0)
			add_node_0_13(node, out);
		else if (node->p[0] == '`' || is_plain(node->p, node->n))
			buf_add(out, node->p, node->n);
		else
			add_quoted(node->p, node->n, out);
	}
	return k < 0 ? k : buf_end(out);
}
