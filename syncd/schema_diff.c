#include "schema_diff.h"

#include <ctype.h>
#include <string.h>

/* ---- names and strings ---- */

static void add_name(const char *p, size_t n, struct buf *out)
{
	buf_adds(out, "`");
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '`')
			buf_adds(out, "`");
		buf_add(out, p + i, 1);
	}
	buf_adds(out, "`");
}

/* Quotes are doubled, and a backslash stands for what is behind it (seen on 1.3.3 and
 * 2.0.6). */
static void add_string(const char *p, size_t n, struct buf *out)
{
	buf_adds(out, "'");
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\'' || p[i] == '\\')
			buf_add(out, p + i, 1);
		buf_add(out, p + i, 1);
	}
	buf_adds(out, "'");
}

static bool is_word(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && p[i] != '_')
			return false;
	return n && !isdigit((unsigned char)p[0]);
}

/* A plain word is a key for every version; IoTDB 0.13 takes nothing else. */
static void add_key(const char *p, size_t n, struct buf *out)
{
	if (is_word(p, n))
		buf_add(out, p, n);
	else
		add_string(p, n, out);
}

/* ---- pairs ---- */

struct pair {
	const char *key, *value;
	size_t key_n, value_n;
};

/* The next of a list, taken off its front; false at the end. */
static bool next_pair(const char **list, struct pair *p)
{
	const char *end = strchrnul(*list, SCHEMA_NEXT);
	const char *equals =
		memchr(*list, SCHEMA_EQUALS, (size_t)(end - *list));

	if (!**list || !equals)
		return false;
	*p = (struct pair){.key = *list,
			   .key_n = (size_t)(equals - *list),
			   .value = equals + 1,
			   .value_n = (size_t)(end - equals - 1)};
	*list = *end ? end + 1 : end;
	return true;
}

static bool has_key(const char *list, const struct pair *p)
{
	struct pair q;

	while (next_pair(&list, &q))
		if (q.key_n == p->key_n && memcmp(q.key, p->key, q.key_n) == 0)
			return true;
	return false;
}

static void add_pairs(const char *word, const char *list, struct buf *out)
{
	struct pair p;

	if (!*list)
		return;
	buf_addf(out, " %s(", word);
	for (bool is_first = true; next_pair(&list, &p); is_first = false) {
		if (!is_first)
			buf_adds(out, ", ");
		add_key(p.key, p.key_n, out);
		buf_adds(out, "=");
		add_string(p.value, p.value_n, out);
	}
	buf_adds(out, ")");
}

/* ---- statements ---- */

static void add_alias(const char *alias, struct buf *out)
{
	buf_adds(out, " ALIAS=");
	if (*alias == '`')
		buf_adds(out, alias); /* as the server quoted it */
	else
		add_name(alias, strlen(alias), out);
}

static void upsert(const struct series *s, struct buf *out)
{
	if (!*s->alias && !*s->tags && !*s->attributes)
		return;
	buf_addf(out, "ALTER TIMESERIES %s UPSERT", s->path);
	if (*s->alias)
		add_alias(s->alias, out);
	add_pairs("TAGS", s->tags, out);
	add_pairs("ATTRIBUTES", s->attributes, out);
	buf_adds(out, "\n");
}

/* The device of a path, quoted nodes and all: what is before its last node. */
static size_t device_len(const char *path)
{
	size_t at = 0;
	bool is_quoted = false;

	for (size_t i = 0; path[i]; i++) {
		if (path[i] == '`')
			is_quoted = !is_quoted;
		else if (path[i] == '.' && !is_quoted)
			at = i;
	}
	return at;
}

static void create_aligned(const struct series *s, struct buf *out)
{
	size_t n = device_len(s->path);

	buf_addf(out, "CREATE ALIGNED TIMESERIES %.*s(%s %s", (int)n, s->path,
		 s->path + n + 1, s->type);
	if (*s->encoding)
		buf_addf(out, " ENCODING=%s", s->encoding);
	if (*s->compressor)
		buf_addf(out, " COMPRESSOR=%s", s->compressor);
	buf_adds(out, ")\n");
}

void schema_create(const struct series *s, struct buf *out)
{
	if (!*s->path) {
		buf_addf(out, "CREATE DATABASE %s\n", s->database);
		return;
	}
	if (s->is_aligned) {
		create_aligned(s, out);
	} else {
		buf_addf(out, "CREATE TIMESERIES %s WITH DATATYPE=%s", s->path,
			 s->type);
		if (*s->encoding)
			buf_addf(out, ", ENCODING=%s", s->encoding);
		if (*s->compressor)
			buf_addf(out, ", COMPRESSOR=%s", s->compressor);
		buf_adds(out, "\n");
	}
	upsert(s, out);
}

/* Keys that are gone, of tags and attributes alike. */
static unsigned drop_keys(const char *before, const char *now, const char *path,
			  unsigned n, struct buf *out)
{
	struct pair p;

	while (next_pair(&before, &p)) {
		if (has_key(now, &p))
			continue;
		if (n++)
			buf_adds(out, ", ");
		else
			buf_addf(out, "ALTER TIMESERIES %s DROP ", path);
		add_key(p.key, p.key_n, out);
	}
	return n;
}

void schema_alter(const struct series *before, const struct series *now,
		  struct buf *out)
{
	unsigned n;

	if (!*now->path)
		return;
	n = drop_keys(before->tags, now->tags, now->path, 0, out);
	n = drop_keys(before->attributes, now->attributes, now->path, n, out);
	if (n)
		buf_adds(out, "\n");
	if (strcmp(before->alias, now->alias) ||
	    strcmp(before->tags, now->tags) ||
	    strcmp(before->attributes, now->attributes))
		upsert(now, out);
}

void schema_drop(const char *database, struct buf *out)
{
	buf_addf(out, "DELETE DATABASE %s\n", database);
}

void schema_remove(const char *path, struct buf *out)
{
	buf_addf(out, "DELETE TIMESERIES %s\n", path);
}

bool schema_is_another(const struct series *before, const struct series *now)
{
	return *now->path && (strcmp(before->type, now->type) != 0 ||
			      before->is_aligned != now->is_aligned);
}
