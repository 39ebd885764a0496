#include "ask_tags.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "schema_line.h"

#define TAGS_MAX 65536u
#define PAIRS_MAX 1024u

struct tags {
	const char *at;
	struct buf text; /* key NUL value NUL ... */
	size_t keys[PAIRS_MAX];
	size_t n;
};

static void skip_blanks(struct tags *t)
{
	while (isspace((unsigned char)*t->at))
		t->at++;
}

static bool take(struct tags *t, char c)
{
	skip_blanks(t);
	if (*t->at != c)
		return false;
	t->at++;
	return true;
}

/* Four hexadecimal digits; -1: none. */
static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		if (!isxdigit((unsigned char)p[i]))
			return -1;
		v = v * 16 + (isdigit((unsigned char)p[i])
				      ? p[i] - '0'
				      : (p[i] | 0x20) - 'a' + 10);
	}
	return v;
}

static void add_utf8(uint32_t c, struct buf *out)
{
	uint8_t b[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		b[i] = (uint8_t)(0x80 | (c & 0x3f));
	b[0] = (uint8_t)(n == 1 ? c : (0xf00u >> n & 0xffu) | c);
	buf_add(out, b, n);
}

/* Behind \u: one character, which may be two halves. */
static int take_unicode(struct tags *t)
{
	int c = hex4(t->at), low;

	if (c < 0)
		return -EBADMSG;
	t->at += 4;
	if (c < 0xd800 || c > 0xdfff) {
		add_utf8(c ? (uint32_t)c : 1, &t->text); /* never a NUL */
		return 0;
	}
	low = t->at[0] == '\\' && t->at[1] == 'u' ? hex4(t->at + 2) : -1;
	if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return -EBADMSG;
	t->at += 6;
	add_utf8(0x10000u + ((uint32_t)(c - 0xd800) << 10) +
			 (uint32_t)(low - 0xdc00),
		 &t->text);
	return 0;
}

static int take_escape(struct tags *t)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which = *t->at ? strchr(from, *t->at) : NULL;

	if (*t->at == 'u') {
		t->at++;
		return take_unicode(t);
	}
	if (!which)
		return -EBADMSG;
	buf_add(&t->text, to + (which - from), 1);
	t->at++;
	return 0;
}

static int take_string(struct tags *t)
{
	int r = take(t, '"') ? 0 : -EBADMSG;

	while (r == 0 && *t->at && *t->at != '"') {
		if (*t->at == '\\') {
			t->at++;
			r = take_escape(t);
		} else {
			buf_add(&t->text, t->at++, 1);
		}
	}
	if (r || !take(t, '"'))
		return -EBADMSG;
	buf_add(&t->text, "", 1);
	return 0;
}

static int take_pair(struct tags *t)
{
	size_t at = t->text.len;
	const char *key;
	int r = t->n < PAIRS_MAX ? take_string(t) : -EBADMSG;

	if (r == 0 && !take(t, ':'))
		r = -EBADMSG;
	if (r == 0)
		r = take_string(t);
	if (r || buf_end(&t->text))
		return -EBADMSG;
	key = (const char *)buf_data(&t->text) + at;
	if (*key && series_is_plain(key) &&
	    series_is_plain(key + strlen(key) + 1))
		t->keys[t->n++] = at;
	return 0;
}

static int take_pairs(struct tags *t)
{
	int r;

	do {
		r = take_pair(t);
	} while (r == 0 && take(t, ','));
	if (r)
		return r;
	return take(t, '}') ? 0 : -EBADMSG;
}

static int by_key(const void *a, const void *b, void *text)
{
	const char *p = text;

	return strcmp(p + *(const size_t *)a, p + *(const size_t *)b);
}

static void put(struct tags *t, struct buf *out)
{
	char *text = (char *)buf_data(&t->text);
	const char next = SCHEMA_NEXT, equals = SCHEMA_EQUALS;

	qsort_r(t->keys, t->n, sizeof t->keys[0], by_key, text);
	for (size_t i = 0; i < t->n; i++) {
		const char *key = text + t->keys[i];

		if (i)
			buf_add(out, &next, 1);
		buf_adds(out, key);
		buf_add(out, &equals, 1);
		buf_adds(out, key + strlen(key) + 1);
	}
}

int ask_tags(const char *json, struct buf *out)
{
	struct tags t = {.at = json};
	int r = 0;

	if (!json || !*json || strcmp(json, "null") == 0)
		return 0;
	buf_init(&t.text, TAGS_MAX);
	if (!take(&t, '{'))
		r = -EBADMSG;
	else if (!take(&t, '}'))
		r = take_pairs(&t);
	if (r == 0)
		put(&t, out);
	buf_release(&t.text);
	return r ? r : buf_end(out);
}
