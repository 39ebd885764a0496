#include "schema_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A run of bytes of somebody else's. */
struct span {
	const char *p;
	size_t n;
};

static bool ends_word(char c)
{
	return c == '\n' || c == '\t' || c == ' ' || strchr(",()=;'\"", c);
}

/* Behind a string that begins here, whose quotes inside are doubled. */
static const char *skip_string(const char *p, const char *end)
{
	const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));

	return close ? close + 1 : end;
}

static const char *skip_word(const char *p, const char *end)
{
	while (p < end && !ends_word(*p))
		p = *p == '`' ? skip_string(p, end) : p + 1;
	return p;
}

/* The next path of a text, taken off its front; false at the end. */
static bool next_path(struct span *text, struct span *path)
{
	const char *p = text->p, *end = p + text->n;

	while (p < end) {
		const char *from = p;

		if (*p == '\'' || *p == '"') {
			p = skip_string(p, end);
			continue;
		}
		p = skip_word(p, end);
		if (p == from) {
			p++;
			continue;
		}
		*path = (struct span){from, (size_t)(p - from)};
		if (path->n >= 4 && memcmp(from, "root", 4) == 0 &&
		    (path->n == 4 || from[4] == '.')) {
			*text = (struct span){p, (size_t)(end - p)};
			return true;
		}
	}
	return false;
}

/* The next node of a path; false when there is none. */
static bool next_node(struct span *path, struct span *node)
{
	const char *p = path->p, *end = p + path->n;

	if (p == end)
		return false;
	while (p < end && *p != '.')
		p = *p == '`' ? skip_string(p, end) : p + 1;
	*node = (struct span){path->p, (size_t)(p - path->p)};
	if (p < end)
		p++;
	*path = (struct span){p, (size_t)(end - p)};
	return true;
}

static bool is_same(const struct span *a, const struct span *b)
{
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static bool is_text(const struct span *a, const char *b)
{
	return a->n == strlen(b) && memcmp(a->p, b, a->n) == 0;
}

/* One of two is the other, above it, or a pattern of it. */
static bool meets(struct span a, struct span b)
{
	struct span x, y;

	while (next_node(&a, &x) && next_node(&b, &y)) {
		if (is_text(&x, "**") || is_text(&y, "**"))
			return true;
		if (!is_text(&x, "*") && !is_text(&y, "*") && !is_same(&x, &y))
			return false;
	}
	return true;
}

static bool meets_one_of(struct span path, const char *paths)
{
	while (*paths) {
		size_t n = strcspn(paths, "\n");
		struct span one = {paths, n};

		if (n && meets(path, one))
			return true;
		paths += n + (paths[n] == '\n');
	}
	return false;
}

bool schema_touches(const char *text, size_t n, const char *paths)
{
	struct span rest = {text, n}, path;

	if (!*paths)
		return true;
	while (next_path(&rest, &path))
		if (meets_one_of(path, paths))
			return true;
	return false;
}

/* Whether every node of `database` begins `path`. */
static bool is_within(struct span path, const char *database)
{
	struct span above = {database, strlen(database)}, x, y;

	while (next_node(&above, &x))
		if (!next_node(&path, &y) || !is_same(&x, &y))
			return false;
	return true;
}

bool schema_strays(const char *text, size_t n, const char *database, char *word,
		   size_t size)
{
	struct span rest = {text, n}, path;

	if (strncmp(database, "root", 4) != 0)
		return false; /* of tables */
	while (next_path(&rest, &path)) {
		if (is_within(path, database))
			continue;
		(void)snprintf(word, size, "%.*s",
			       path.n < size ? (int)path.n : (int)size - 1,
			       path.p);
		return true;
	}
	return false;
}

static bool begins_with(const struct span *line, const char *word)
{
	size_t n = strlen(word);

	return line->n > n && strncasecmp(line->p, word, n) == 0 &&
	       ends_word(line->p[n]);
}

/* The next line of a text, without blanks in front of it; false at the end. */
static bool next_line(struct span *text, struct span *line)
{
	const char *newline;

	if (!text->n)
		return false;
	newline = memchr(text->p, '\n', text->n);
	*line = (struct span){text->p,
			      newline ? (size_t)(newline - text->p) : text->n};
	text->n -= line->n + (newline != NULL);
	text->p += line->n + (newline != NULL);
	while (line->n && (*line->p == ' ' || *line->p == '\t')) {
		line->p++;
		line->n--;
	}
	return true;
}

bool schema_removes(const char *text, size_t n)
{
	struct span rest = {text, n}, line;

	while (next_line(&rest, &line))
		if (begins_with(&line, "DELETE") || begins_with(&line, "DROP"))
			return true;
	return false;
}

/* Behind a word and what separates it from the next one. */
static bool eat(struct span *line, const char *word)
{
	if (!begins_with(line, word))
		return false;
	line->p += strlen(word);
	line->n -= strlen(word);
	while (line->n && (*line->p == ' ' || *line->p == '\t')) {
		line->p++;
		line->n--;
	}
	return true;
}

bool schema_drops(const char *text, size_t n)
{
	struct span rest = {text, n}, line;

	while (next_line(&rest, &line)) {
		if (!eat(&line, "DELETE") && !eat(&line, "DROP"))
			continue;
		if (eat(&line, "DATABASE") ||
		    (eat(&line, "STORAGE") && eat(&line, "GROUP")))
			return true;
	}
	return false;
}
