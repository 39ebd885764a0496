#include "join.h"

#include <stdio.h>
#include <string.h>

/* A text as lines, in place. */
struct lines {
	const char *p, *end;
};

struct line {
	const char *at;
	size_t len; /* with its newline */
};

static struct lines lines_of(const struct buf *b)
{
	const char *p = b->len ? (const char *)buf_data(b) : "";

	return (struct lines){.p = p, .end = p + b->len};
}

static bool next_line(struct lines *ls, struct line *l)
{
	const char *nl;

	if (ls->p == ls->end)
		return false;
	nl = memchr(ls->p, '\n', (size_t)(ls->end - ls->p));
	l->at = ls->p;
	l->len = (size_t)((nl ? nl + 1 : ls->end) - ls->p);
	ls->p += l->len;
	return true;
}

static void add_line(struct buf *out, const struct line *l)
{
	buf_add(out, l->at, l->len);
	if (l->at[l->len - 1] != '\n')
		buf_adds(out, "\n");
}

/* ---- log ---- */

#define TIME_LEN 23 /* 2022-03-30T20:58:30.689 */

static bool has_time(const struct line *l)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.ddd";

	if (l->len < TIME_LEN)
		return false;
	for (size_t i = 0; i < TIME_LEN; i++) {
		bool is_digit = l->at[i] >= '0' && l->at[i] <= '9';

		if (form[i] == 'd' ? !is_digit : l->at[i] != form[i])
			return false;
	}
	return true;
}

/* One event: a line with a time and those without that follow it. */
static void add_event(struct buf *out, struct lines *ls, struct line *l,
		      bool *more)
{
	do {
		add_line(out, l);
		*more = next_line(ls, l);
	} while (*more && !has_time(l));
}

void join_log(struct buf *out, const struct buf *a, const struct buf *b)
{
	struct lines la = lines_of(a), lb = lines_of(b);
	struct line x = {0}, y = {0};
	bool has_x = next_line(&la, &x), has_y = next_line(&lb, &y);

	while (has_x || has_y) {
		bool is_x = has_x;

		if (has_x && has_y && has_time(&x) && has_time(&y))
			is_x = memcmp(x.at, y.at, TIME_LEN) <= 0;
		if (is_x)
			add_event(out, &la, &x, &has_x);
		else
			add_event(out, &lb, &y, &has_y);
	}
}

/* ---- growth ---- */

static bool is_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

/* The longest such piece, found by trying each line of a as b's first. */
static size_t overlap(const struct buf *a, const struct buf *b)
{
	const uint8_t *pa = buf_data(a), *pb = buf_data(b);

	for (size_t i = 0; i < a->len;) {
		size_t n = a->len - i;
		const uint8_t *nl = memchr(pa + i, '\n', n);

		if (n <= b->len && is_equal(pa + i, pb, n))
			return n;
		if (!nl)
			break;
		i = (size_t)(nl - pa) + 1;
	}
	return 0;
}

static bool last_time(const struct buf *b, struct line *last)
{
	struct lines ls = lines_of(b);
	struct line l;
	bool found = false;

	while (next_line(&ls, &l)) {
		if (!has_time(&l))
			continue;
		*last = l;
		found = true;
	}
	return found;
}

/* Where what is younger than `old` begins: for a text that lost some of its middle, as
 * the log does when one of two daemons began anew. */
static size_t begin_of_younger(const struct buf *old, const struct buf *now)
{
	struct lines ls = lines_of(now);
	const char *begin = ls.p;
	struct line last, l;
	int order;

	if (!last_time(old, &last))
		return 0;
	while (next_line(&ls, &l)) {
		if (!has_time(&l))
			continue;
		order = memcmp(l.at, last.at, TIME_LEN);
		if (order > 0 || (order == 0 && !memmem(buf_data(old), old->len,
							l.at, l.len)))
			return (size_t)(l.at - begin);
	}
	return now->len;
}

size_t join_known(const struct buf *old, const struct buf *now)
{
	size_t n = overlap(old, now);

	return n || !old->len || !now->len ? n : begin_of_younger(old, now);
}

void join_growth(struct buf *old, const struct buf *now)
{
	size_t n = join_known(old, now);

	if (now->len > n)
		buf_add(old, buf_data(now) + n, now->len - n);
}

/* ---- metrics ---- */

/* The family of a line: of a sample its name without labels, of a comment the
 * name that it is about. */
static struct line family_of(const struct line *l)
{
	static const char *const heads[] = {"# HELP ", "# TYPE "};
	const char *p = l->at, *end = l->at + l->len;
	struct line f = {.at = p};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		size_t n = strlen(heads[i]);

		if (l->len > n && memcmp(p, heads[i], n) == 0)
			p += n;
	}
	f.at = p;
	while (p < end && *p != ' ' && *p != '{' && *p != '\n')
		p++;
	f.len = (size_t)(p - f.at);
	return f;
}

static bool is_same(const struct line *a, const struct line *b)
{
	return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

static bool has_family(const struct buf *b, const struct line *family)
{
	struct lines ls = lines_of(b);
	struct line l, f;

	while (next_line(&ls, &l)) {
		f = family_of(&l);
		if (is_same(&f, family))
			return true;
	}
	return false;
}

static void add_samples(struct buf *out, const struct buf *b,
			const struct line *family)
{
	struct lines ls = lines_of(b);
	struct line l, f;

	while (next_line(&ls, &l)) {
		f = family_of(&l);
		if (l.at[0] != '#' && is_same(&f, family))
			add_line(out, &l);
	}
}

void join_metrics(struct buf *out, const struct buf *a, const struct buf *b)
{
	struct lines ls = lines_of(a);
	struct line l, f, last = {.at = NULL};

	while (next_line(&ls, &l)) {
		f = family_of(&l);
		if (last.at && !is_same(&f, &last))
			add_samples(out, b, &last);
		add_line(out, &l);
		last = f;
	}
	if (last.at)
		add_samples(out, b, &last);
	ls = lines_of(b);
	while (next_line(&ls, &l)) {
		f = family_of(&l);
		if (!has_family(a, &f))
			add_line(out, &l);
	}
}

/* ---- replies ---- */

static bool has_row(const struct reply *r, const char *row)
{
	for (size_t i = 0; i < r->n_rows; i++) {
		if (strcmp(r->rows[i], row) == 0)
			return true;
	}
	return false;
}

static void add_rows(struct reply *to, const struct reply *from, bool once)
{
	size_t n = to->n_rows + from->n_rows;
	char **rows;

	if (!to->heading && from->heading)
		to->heading = xstrdup(from->heading);
	if (!from->n_rows)
		return;
	rows = xcalloc(n, sizeof *rows);
	for (size_t i = 0; i < to->n_rows; i++)
		rows[i] = to->rows[i];
	free(to->rows);
	to->rows = rows;
	for (size_t i = 0; i < from->n_rows; i++) {
		if (!once || !has_row(to, from->rows[i]))
			rows[to->n_rows++] = xstrdup(from->rows[i]);
	}
}

static void join(struct reply *to, const struct reply *from, bool once)
{
	add_rows(to, from, once);
	if (to->code || to->sys)
		return;
	to->code = from->code;
	to->sys = from->sys;
	(void)snprintf(to->text, sizeof to->text, "%s", from->text);
}

void join_reply(struct reply *to, const struct reply *from)
{
	join(to, from, false);
}

void join_table(struct reply *to, const struct reply *from)
{
	join(to, from, true);
}

void join_failure(struct reply *to, const struct err *e)
{
	int code = e->code ? e->code : ERR_REFUSED;

	to->code = code == ERR_SYNTAX ? 9000 + code : 8000 + code;
	to->sys = e->sys;
	(void)snprintf(to->text, sizeof to->text, "%s", e->text);
}
