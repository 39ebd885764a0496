#include "ground/conf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "conf_value.h"
#include "ground/fileio.h"

#define FILE_MAX_LEN (1u << 20)
#define SHOWN "%.60s" /* of what somebody wrote, in a sentence */

struct value {
	const char *text; /* borrowed from the file or the table */
	int64_t number;	  /* of everything but CONF_TEXT */
	unsigned line;	  /* 0 = not in the file */
};

struct parser {
	const char *name; /* of the file */
	const struct conf_key *keys;
	size_t n_keys;
	struct value *values;
	unsigned line;
	struct buf *wrong; /* sentences, one a line */
	unsigned n_wrong, n_untold;
};

static void PRINTF_LIKE(2, 3) complain(struct parser *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	size_t before = p->wrong->len;

	p->n_wrong++;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_addf(p->wrong, "%s%.300s:%u: %s", before ? "\n" : "", p->name,
		 p->line, text);
	if (p->wrong->failed)
		p->n_untold++;
}

static void complain_value(struct parser *p, const struct conf_key *k,
			   const char *name, const char *text)
{
	CLEANUP(buf_release) struct buf expected;

	buf_init(&expected, 256);
	conf_value_expected(&expected, k);
	complain(p, "%s: expected %s, got '" SHOWN "%s'", name,
		 buf_str(&expected), text, strlen(text) > 60 ? "..." : "");
}

/* --- one line -------------------------------------------------------------- */

static bool is_name(const struct conf_key *k, const char *name)
{
	return strcmp(k->name, name) == 0 ||
	       (k->alias && strcmp(k->alias, name) == 0);
}

/* Levenshtein's distance; both at most 63 long. */
static size_t distance(const char *a, const char *b)
{
	uint8_t row[64];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = (uint8_t)j;
	for (size_t i = 0; a[i]; i++) {
		uint8_t corner = row[0];

		row[0]++;
		for (size_t j = 0; j < n; j++) {
			uint8_t best = (uint8_t)(corner + (a[i] != b[j]));

			corner = row[j + 1];
			if (row[j] + 1 < best)
				best = (uint8_t)(row[j] + 1);
			if (corner + 1 < best)
				best = (uint8_t)(corner + 1);
			row[j + 1] = best;
		}
	}
	return row[n];
}

/* A key that `name` is probably meant to be, or NULL. */
static const char *nearest(const struct parser *p, const char *name)
{
	size_t best = 3, d;
	const char *found = NULL;

	if (strlen(name) > 63)
		return NULL;
	for (size_t i = 0; i < p->n_keys; i++) {
		const char *key = p->keys[i].name;

		d = strlen(key) > 63 ? best : distance(name, key);
		if (d < best && d < strlen(key)) {
			best = d;
			found = key;
		}
	}
	return found;
}

static void complain_key(struct parser *p, const char *name)
{
	const char *meant = nearest(p, name);

	if (meant)
		complain(p, "unknown key '" SHOWN "' (did you mean '%s'?)",
			 name, meant);
	else
		complain(p, "unknown key '" SHOWN "'", name);
}

static void take_pair(struct parser *p, const char *name, const char *text)
{
	size_t i = 0;
	struct value *v;

	while (i < p->n_keys && !is_name(&p->keys[i], name))
		i++;
	if (i == p->n_keys) {
		complain_key(p, name);
		return;
	}
	v = &p->values[i];
	if (v->line) {
		complain(p, "duplicate key '%s', first on line %u", name,
			 v->line);
		return;
	}
	v->line = p->line;
	v->text = text;
	if (conf_value_parse(&p->keys[i], text, &v->number) < 0)
		complain_value(p, &p->keys[i], name, text);
}

static char *trimmed(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

static bool has_control_bytes(const char *s)
{
	for (; *s; s++)
		if (((uint8_t)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return true;
	return false;
}

static void take_line(struct parser *p, char *line, size_t len)
{
	bool has_nul = strlen(line) != len;
	char *equals;

	line = trimmed(line);
	if (!has_nul && (!line[0] || line[0] == '#' || line[0] == '!'))
		return;
	if (has_nul || has_control_bytes(line)) {
		complain(p, "expected text, got a control byte");
		return;
	}
	equals = strchr(line, '=');
	if (!equals || equals == line) {
		complain(p, "expected key=value, got '" SHOWN "'", line);
		return;
	}
	*equals = '\0';
	take_pair(p, trimmed(line), trimmed(equals + 1));
}

static void take_lines(struct parser *p, char *text, size_t n)
{
	char *end = text + n;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3; /* what an editor on Windows puts in front */
	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *stop = newline ? newline : end;

		p->line++;
		*stop = '\0';
		take_line(p, text, (size_t)(stop - text));
		text = stop + 1;
	}
}

/* --- all of it ------------------------------------------------------------- */

static void store(const struct conf_key *k, const struct value *v, void *target)
{
	char *field = (char *)target + k->offset;
	bool yes = v->number != 0;
	int choice = (int)v->number;

	switch (k->type) {
	case CONF_TEXT:
	case CONF_SHARE:
		memset(field, 0, k->size);
		memcpy(field, v->text, strlen(v->text));
		break;
	case CONF_BOOL:
		memcpy(field, &yes, sizeof yes);
		break;
	case CONF_CHOICE:
		memcpy(field, &choice, sizeof choice);
		break;
	case CONF_INT:
	case CONF_BYTES:
	case CONF_TIME:
		memcpy(field, &v->number, sizeof v->number);
		break;
	}
}

static void take_defaults(struct parser *p)
{
	for (size_t i = 0; i < p->n_keys; i++) {
		struct value *v = &p->values[i];
		int r;

		v->text = p->keys[i].fallback;
		r = conf_value_parse(&p->keys[i], v->text, &v->number);
		assert(r == 0);
		(void)r;
	}
}

static int tell_wrong(struct parser *p, struct err *e)
{
	if (p->n_untold)
		return err_set(e, EINVAL, "%s\nand %u more", buf_str(p->wrong),
			       p->n_untold);
	return err_set(e, EINVAL, "%s", buf_str(p->wrong));
}

int conf_parse(const char *name, const void *text, size_t n,
	       const struct conf_key *keys, size_t n_keys, void *target,
	       bool *given, struct err *e)
{
	CLEANUP_FREE struct value *values = xcalloc(n_keys, sizeof *values);
	CLEANUP_FREE char *copy = NULL;
	CLEANUP(buf_release) struct buf wrong = {.max = sizeof e->text - 64};
	struct parser p = {.name = name,
			   .keys = keys,
			   .n_keys = n_keys,
			   .values = values,
			   .wrong = &wrong};

	if (n > FILE_MAX_LEN)
		return err_set(e, E2BIG, "%s: expected at most %u bytes", name,
			       FILE_MAX_LEN);
	copy = xcalloc(n + 1, 1);
	if (n)
		memcpy(copy, text, n);
	take_defaults(&p);
	take_lines(&p, copy, n);
	if (p.n_wrong)
		return tell_wrong(&p, e);
	for (size_t i = 0; i < n_keys; i++) {
		store(&keys[i], &values[i], target);
		if (given)
			given[i] = values[i].line != 0;
	}
	return 0;
}

int conf_load(const char *path, const struct conf_key *keys, size_t n_keys,
	      void *target, bool *given, struct err *e)
{
	CLEANUP(buf_release) struct buf text;
	int r;

	buf_init(&text, FILE_MAX_LEN);
	r = file_read_all(AT_FDCWD, path, &text);
	if (r == -E2BIG)
		return err_set(e, E2BIG, "%s: expected at most %u bytes", path,
			       FILE_MAX_LEN);
	if (r < 0)
		return err_set(e, -r, "cannot read %s: %s", path, err_words(r));
	return conf_parse(path, buf_data(&text), text.len, keys, n_keys, target,
			  given, e);
}
