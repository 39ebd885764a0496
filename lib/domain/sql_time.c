#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ground/clock.h"
#include "sql.h"

/* Times as IoTDB's users write them: an integer in the edge's precision, a date
 * with or without time of day, fraction and offset, or now(), each with durations
 * added or taken away. All arithmetic is in ticks of the precision and checked. */

#define NS_PER_MS 1000000

struct unit {
	char name[3];
	int64_t ns;
};

/* Two letters before one, so that "ms" is not minutes. Years and months have
 * the fixed lengths that IoTDB's durations have. */
static const struct unit units[] = {
	{"mo", INT64_C(30) * 86400 * INT64_C(1000000000)},
	{"ms", NS_PER_MS},
	{"us", 1000},
	{"ns", 1},
	{"y", INT64_C(365) * 86400 * INT64_C(1000000000)},
	{"w", INT64_C(7) * 86400 * INT64_C(1000000000)},
	{"d", 86400 * INT64_C(1000000000)},
	{"h", 3600 * INT64_C(1000000000)},
	{"m", 60 * INT64_C(1000000000)},
	{"s", INT64_C(1000000000)},
};

static int64_t tick_ns(enum sql_precision precision)
{
	switch (precision) {
	case SQL_MS:
		return NS_PER_MS;
	case SQL_US:
		return 1000;
	case SQL_NS:
		return 1;
	}
	return NS_PER_MS;
}

static void skip_spaces(const char **p)
{
	while (**p == ' ' || **p == '\t' || **p == '\n' || **p == '\r')
		(*p)++;
}

/* At least `min` and at most `max` digits. */
static bool take_number(const char **p, int min, int max, int *out)
{
	int n = 0;

	*out = 0;
	while (n < max && isdigit((unsigned char)**p)) {
		*out = *out * 10 + (**p - '0');
		(*p)++;
		n++;
	}
	return n >= min && !isdigit((unsigned char)**p);
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

struct fields {
	int year, month, day, hour, min, sec, ns;
	bool has_offset;
	int offset_min;
};

static bool take_date(const char **p, struct fields *f)
{
	const char *s = *p;
	char sep;

	if (!take_number(&s, 4, 4, &f->year))
		return false;
	sep = *s;
	if (sep != '-' && sep != '/' && sep != '.')
		return false;
	s++;
	if (!take_number(&s, 1, 2, &f->month) || !take_char(&s, sep) ||
	    !take_number(&s, 1, 2, &f->day))
		return false;
	*p = s;
	return true;
}

/* Digits beyond nanoseconds are read and dropped. */
static bool take_fraction(const char **p, int *ns)
{
	int scale = 100000000;

	*ns = 0;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++) {
		*ns += (**p - '0') * scale;
		scale /= 10;
	}
	return true;
}

/* Z or +08:00. What looks like neither may be a duration: not ours. */
static bool take_offset(const char **p, struct fields *f)
{
	const char *s = *p;
	int sign = *s == '-' ? -1 : 1, hours, minutes;

	if (*s == 'Z' || *s == 'z') {
		*p = s + 1;
		f->has_offset = true;
		return true;
	}
	if (*s != '+' && *s != '-')
		return true;
	s++;
	if (!take_number(&s, 1, 2, &hours) || !take_char(&s, ':') ||
	    !take_number(&s, 2, 2, &minutes))
		return true;
	if (hours > 18 || minutes > 59)
		return false;
	f->has_offset = true;
	f->offset_min = sign * (hours * 60 + minutes);
	*p = s;
	return true;
}

static bool take_time_of_day(const char **p, struct fields *f)
{
	if (!take_number(p, 1, 2, &f->hour) || !take_char(p, ':') ||
	    !take_number(p, 1, 2, &f->min))
		return false;
	if (take_char(p, ':') && !take_number(p, 1, 2, &f->sec))
		return false;
	if (take_char(p, '.') && !take_fraction(p, &f->ns))
		return false;
	if (f->hour > 23 || f->min > 59 || f->sec > 59)
		return false;
	return take_offset(p, f);
}

static bool begins_time_of_day(const char **p)
{
	const char *s = *p;

	if (*s == 'T' || *s == 't') {
		*p = s + 1;
		return true;
	}
	skip_spaces(&s);
	if (s == *p || !isdigit((unsigned char)*s))
		return false;
	*p = s;
	return true;
}

static int take_instant(const char **p, int64_t tick, int64_t *out)
{
	struct fields f = {0};
	int64_t ms;
	int r;

	if (!take_date(p, &f))
		return -EINVAL;
	if (begins_time_of_day(p) && !take_time_of_day(p, &f))
		return -EINVAL;
	if (f.has_offset)
		r = clock_from_utc(f.year, f.month, f.day, f.hour, f.min, f.sec,
				   0, &ms);
	else
		r = clock_from_local(f.year, f.month, f.day, f.hour, f.min,
				     f.sec, 0, &ms);
	if (r < 0)
		return -EINVAL;
	ms -= (int64_t)f.offset_min * 60000;
	if (__builtin_mul_overflow(ms, NS_PER_MS / tick, out) ||
	    __builtin_add_overflow(*out, f.ns / tick, out))
		return -ERANGE;
	return 0;
}

static int take_integer(const char **p, int64_t *out)
{
	const char *s = *p;
	bool negative = *s == '-';
	int64_t v = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++) {
		int digit = *s - '0';

		/* Counted downwards: the smallest number has no opposite. */
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, digit, &v))
			return -ERANGE;
	}
	if (!negative && __builtin_sub_overflow(0, v, &v))
		return -ERANGE;
	*p = s;
	*out = v;
	return 0;
}

static int take_now(const char **p, const struct sql_setting *set, int64_t *out)
{
	const char *s = *p + 3;
	int64_t ticks_per_ms = NS_PER_MS / tick_ns(set->precision);

	skip_spaces(&s);
	if (!take_char(&s, '('))
		return -EINVAL;
	skip_spaces(&s);
	if (!take_char(&s, ')'))
		return -EINVAL;
	*p = s;
	if (__builtin_mul_overflow(set->now_ms, ticks_per_ms, out))
		return -ERANGE;
	return 0;
}

static int take_part(const char **p, int64_t tick, int64_t *out)
{
	const struct unit *u = NULL;
	int64_t n;
	int r;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	r = take_integer(p, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(units) && !u; i++) {
		if (strncasecmp(*p, units[i].name, strlen(units[i].name)) == 0)
			u = &units[i];
	}
	if (!u)
		return -EINVAL;
	*p += strlen(u->name);
	if (u->ns < tick) {
		*out = n / (tick / u->ns);
		return 0;
	}
	return __builtin_mul_overflow(n, u->ns / tick, out) ? -ERANGE : 0;
}

/* 1d, 1d12h30m */
static int take_duration(const char **p, int64_t tick, int64_t *out)
{
	*out = 0;
	do {
		int64_t part;
		int r = take_part(p, tick, &part);

		if (r < 0)
			return r;
		if (__builtin_add_overflow(*out, part, out))
			return -ERANGE;
	} while (isdigit((unsigned char)**p));
	return 0;
}

static int take_durations(const char **p, int64_t tick, int64_t *out)
{
	for (;;) {
		bool negative;
		int64_t d;
		int r;

		skip_spaces(p);
		if (**p != '+' && **p != '-')
			return 0;
		negative = **p == '-';
		(*p)++;
		skip_spaces(p);
		r = take_duration(p, tick, &d);
		if (r < 0)
			return r;
		if (negative ? __builtin_sub_overflow(*out, d, out)
			     : __builtin_add_overflow(*out, d, out))
			return -ERANGE;
	}
}

static int take_base(const char **p, const struct sql_setting *set,
		     int64_t *out)
{
	int64_t tick = tick_ns(set->precision);
	const char *s = *p;
	int r;

	skip_spaces(p);
	if (strncasecmp(*p, "now", 3) == 0)
		return take_now(p, set, out);
	s = *p;
	r = take_instant(&s, tick, out);
	if (r == 0) {
		*p = s;
		return 0;
	}
	return r == -ERANGE ? r : take_integer(p, out);
}

static int take_expression(const char **p, const struct sql_setting *set,
			   int64_t *out)
{
	int r = take_base(p, set, out);

	return r < 0 ? r : take_durations(p, tick_ns(set->precision), out);
}

static int parse(const char *text, const struct sql_setting *set, int64_t *out)
{
	const char *p = text;
	char quote;
	int r;

	skip_spaces(&p);
	quote = (char)(*p == '\'' || *p == '"' ? *p++ : '\0');
	r = take_expression(&p, set, out);
	if (r < 0)
		return r;
	if (quote) {
		if (!take_char(&p, quote))
			return -EINVAL;
		r = take_durations(&p, tick_ns(set->precision), out);
		if (r < 0)
			return r;
	}
	return *p ? -EINVAL : 0;
}

/* The text as the sentence shows it: without the quotes around all of it. */
static const char *bare(const char *text, int *len)
{
	size_t n;

	skip_spaces(&text);
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	if (n >= 2 && (*text == '\'' || *text == '"') && text[n - 1] == *text) {
		text++;
		n -= 2;
	}
	*len = n < 256 ? (int)n : 256;
	return text;
}

int sql_time(const char *text, const struct sql_setting *set, int64_t *out,
	     struct err *e)
{
	int64_t v = 0;
	int r = parse(text, set, &v), len;
	const char *shown;

	if (r == 0) {
		*out = v;
		return 0;
	}
	shown = bare(text, &len);
	(void)err_say(e, ERR_METADATA, EINVAL,
		      "Check metadata error: Input time format %.*s error. "
		      "Input like yyyy-MM-dd HH:mm:ss, yyyy-MM-ddTHH:mm:ss or "
		      "refer to user document for more info.",
		      len, shown);
	if (r == -ERANGE)
		(void)err_hint(e, "it is out of the range of this precision");
	return -EINVAL;
}
