#include "conf_value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first: conf_show() takes the first that divides. */
static const struct unit byte_units[] = {
	{"T", INT64_C(1) << 40}, {"G", 1 << 30}, {"M", 1 << 20},
	{"K", 1 << 10},		 {"", 1},
};

static const struct unit time_units[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000},
	{"s", 1000},	 {"ms", 1},	 {"", 1000},
};

static const struct unit *find_unit(const struct unit *units, size_t n,
				    const char *suffix)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(units[i].name, suffix) == 0)
			return &units[i];
	return NULL;
}

static int parse_number(const char *text, const struct unit *units,
			size_t n_units, int64_t *out)
{
	const struct unit *u;
	char *end;
	long long v;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return -EINVAL;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno)
		return -ERANGE;
	u = find_unit(units, n_units, end);
	if (!u)
		return -EINVAL;
	return __builtin_mul_overflow(v, u->factor, out) ? -ERANGE : 0;
}

static const struct unit percent[] = {{"%", 1}};

static int parse_share(const char *text, int64_t *out, bool *is_share)
{
	int r = parse_number(text, percent, ARRAY_LEN(percent), out);

	*is_share = r == 0;
	if (r == -EINVAL)
		r = parse_number(text, byte_units, ARRAY_LEN(byte_units), out);
	if (r == 0 && (*out < 0 || (*is_share && *out > 100)))
		r = -ERANGE;
	return r;
}

uint64_t conf_share(const char *text, uint64_t total)
{
	bool is_share;
	int64_t n = 0;

	if (parse_share(text, &n, &is_share) < 0)
		return 0;
	return is_share ? total / 100 * (uint64_t)n : (uint64_t)n;
}

static int parse_bool(const char *text, int64_t *out)
{
	static const char *const words[] = {"no", "yes", "false", "true"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(text, words[i]) == 0) {
			*out = (int64_t)(i & 1);
			return 0;
		}
	return -EINVAL;
}

/* The i-th word of a blank-separated list, and its length; NULL at the end. */
static const char *word_at(const char *list, int64_t i, size_t *len)
{
	for (;; i--) {
		list += strspn(list, " ");
		*len = strcspn(list, " ");
		if (*len == 0)
			return NULL;
		if (i == 0)
			return list;
		list += *len;
	}
}

static int parse_choice(const char *choices, const char *text, int64_t *out)
{
	const char *word;
	size_t len;

	for (int64_t i = 0; (word = word_at(choices, i, &len)); i++)
		if (strlen(text) == len && strncasecmp(text, word, len) == 0) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

static int64_t upper_bound(const struct conf_key *k)
{
	return k->min == 0 && k->max == 0 ? INT64_MAX : k->max;
}

int conf_value_parse(const struct conf_key *k, const char *text, int64_t *out)
{
	static const struct unit plain[] = {{"", 1}};
	bool ignored;
	int r = -EINVAL;

	*out = 0;
	if (!text[0] && !k->fallback[0])
		return 0; /* empty is what it is without the line, too */
	switch (k->type) {
	case CONF_TEXT:
		return strlen(text) < k->size ? 0 : -E2BIG;
	case CONF_SHARE:
		return strlen(text) < k->size ? parse_share(text, out, &ignored)
					      : -E2BIG;
	case CONF_BOOL:
		return parse_bool(text, out);
	case CONF_CHOICE:
		return parse_choice(k->choices, text, out);
	case CONF_INT:
		r = parse_number(text, plain, ARRAY_LEN(plain), out);
		break;
	case CONF_BYTES:
		r = parse_number(text, byte_units, ARRAY_LEN(byte_units), out);
		break;
	case CONF_TIME:
		r = parse_number(text, time_units, ARRAY_LEN(time_units), out);
		break;
	}
	if (r == 0 && (*out < k->min || *out > upper_bound(k)))
		r = -ERANGE;
	return r;
}

/* --- what was expected ----------------------------------------------------- */

static void add_with_unit(struct buf *b, const struct unit *u, int64_t v)
{
	if (v)
		while (v % u->factor)
			u++;
	buf_addf(b, "%" PRId64 "%s", v / u->factor, v ? u->name : "");
}

static void add_number(struct buf *b, const struct conf_key *k, int64_t v)
{
	if (k->type == CONF_BYTES)
		add_with_unit(b, byte_units, v);
	else if (k->type == CONF_TIME)
		add_with_unit(b, time_units, v);
	else
		buf_addf(b, "%" PRId64, v);
}

static void add_range(struct buf *b, const struct conf_key *k)
{
	if (upper_bound(k) == INT64_MAX) {
		buf_adds(b, " of at least ");
		add_number(b, k, k->min);
		return;
	}
	buf_adds(b, " from ");
	add_number(b, k, k->min);
	buf_adds(b, " to ");
	add_number(b, k, k->max);
}

static void add_choices(struct buf *b, const char *choices)
{
	const char *word;
	size_t len;

	buf_adds(b, "one of ");
	for (int64_t i = 0; (word = word_at(choices, i, &len)); i++)
		buf_addf(b, "%s%.*s", i ? ", " : "", (int)len, word);
}

void conf_value_expected(struct buf *b, const struct conf_key *k)
{
	switch (k->type) {
	case CONF_TEXT:
		buf_addf(b, "at most %zu bytes", k->size - 1);
		return;
	case CONF_SHARE:
		buf_adds(b, "bytes (10G) or a share (10%)");
		return;
	case CONF_BOOL:
		buf_adds(b, "yes or no");
		return;
	case CONF_CHOICE:
		add_choices(b, k->choices);
		return;
	case CONF_INT:
		buf_adds(b, "a number");
		break;
	case CONF_BYTES:
		buf_adds(b, "a number of bytes (with K, M, G or T)");
		break;
	case CONF_TIME:
		buf_adds(b, "a time (with ms, s, m, h or d)");
		break;
	}
	add_range(b, k);
}

size_t conf_field_len(const struct conf_key *key)
{
	switch (key->type) {
	case CONF_TEXT:
	case CONF_SHARE:
		return key->size;
	case CONF_INT:
	case CONF_BYTES:
	case CONF_TIME:
		return sizeof(int64_t);
	case CONF_BOOL:
		return sizeof(bool);
	case CONF_CHOICE:
		return sizeof(int);
	}
	return 0;
}

bool conf_is_same(const struct conf_key *key, const void *a, const void *b)
{
	return memcmp((const char *)a + key->offset,
		      (const char *)b + key->offset, conf_field_len(key)) == 0;
}

void conf_show(const struct conf_key *key, const void *target, struct buf *out)
{
	const char *field = (const char *)target + key->offset, *word;
	int64_t number;
	size_t len;
	int choice;
	bool yes;

	switch (key->type) {
	case CONF_TEXT:
	case CONF_SHARE:
		buf_add(out, field, strnlen(field, key->size));
		break;
	case CONF_BOOL:
		memcpy(&yes, field, sizeof yes);
		buf_adds(out, yes ? "yes" : "no");
		break;
	case CONF_CHOICE:
		memcpy(&choice, field, sizeof choice);
		word = word_at(key->choices, choice, &len);
		assert(word);
		buf_add(out, word, len);
		break;
	case CONF_INT:
	case CONF_BYTES:
	case CONF_TIME:
		memcpy(&number, field, sizeof number);
		add_number(out, key, number);
		break;
	}
}
