#include <errno.h>
#include <string.h>

#include "control_inside.h"

/* Replies as they travel: how one is cut out of a stream of bytes, and what a
 * person reads of it. */

#define HEAD_LEN 5 /* "NNNN-" */

static const struct {
	int sys;
	const char *name;
} errnos[] = {
	{EINVAL, "EINVAL"},
	{EEXIST, "EEXIST"},
	{ENOENT, "ENOENT"},
	{EBUSY, "EBUSY"},
	{EACCES, "EACCES"},
	{EPERM, "EPERM"},
	{ECONNREFUSED, "ECONNREFUSED"},
	{EHOSTUNREACH, "EHOSTUNREACH"},
	{ENETUNREACH, "ENETUNREACH"},
	{ECONNRESET, "ECONNRESET"},
	{EADDRINUSE, "EADDRINUSE"},
	{EADDRNOTAVAIL, "EADDRNOTAVAIL"},
	{ETIMEDOUT, "ETIMEDOUT"},
	{EAGAIN, "EAGAIN"},
	{ENXIO, "ENXIO"},
	{ENODEV, "ENODEV"},
	{E2BIG, "E2BIG"},
	{EFBIG, "EFBIG"},
	{EMFILE, "EMFILE"},
	{ENOMEM, "ENOMEM"},
	{ENOSPC, "ENOSPC"},
	{EDQUOT, "EDQUOT"},
	{EROFS, "EROFS"},
	{EIO, "EIO"},
	{ENOTDIR, "ENOTDIR"},
	{EISDIR, "EISDIR"},
	{ENAMETOOLONG, "ENAMETOOLONG"},
	{ERANGE, "ERANGE"},
	{EPROTO, "EPROTO"},
	{EBADMSG, "EBADMSG"},
	{ESTALE, "ESTALE"},
	{EXDEV, "EXDEV"},
	{EPIPE, "EPIPE"},
	{ECANCELED, "ECANCELED"},
	{EOPNOTSUPP, "EOPNOTSUPP"},
};

const char *reply_errno_name(int sys)
{
	for (size_t i = 0; i < ARRAY_LEN(errnos); i++) {
		if (errnos[i].sys == sys)
			return errnos[i].name;
	}
	return "EIO";
}

static int errno_of(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(errnos); i++) {
		if (strlen(errnos[i].name) == n &&
		    memcmp(errnos[i].name, name, n) == 0)
			return errnos[i].sys;
	}
	return EIO;
}

void reply_sentence(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			buf_adds(out, "\\n");
		else if (c == '\t')
			buf_adds(out, "\\t");
		else if (c == '\\')
			buf_adds(out, "\\\\");
		else
			buf_add(out, c < 0x20 || c == 0x7f ? "?" : text, 1);
	}
}

void reply_unescape(char *text)
{
	char *to = text;

	for (const char *s = text; *s; s++) {
		if (s[0] == '\\' && s[1] && strchr("tn\\", s[1])) {
			s++;
			*to++ = (char)(*s == 't'   ? '\t'
				       : *s == 'n' ? '\n'
						   : *s);
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

void reply_release(struct reply *r)
{
	free(r->heading);
	for (size_t i = 0; i < r->n_rows; i++)
		free(r->rows[i]);
	free(r->rows);
	*r = (struct reply){0};
}

struct line {
	int code;
	bool is_last;
	const char *text;
	size_t len;
};

/* The line at p: its length with the newline, 0 = incomplete, -EBADMSG. */
static ptrdiff_t line_at(const char *p, size_t n, struct line *l)
{
	const char *nl = memchr(p, '\n', n);
	size_t head = nl ? (size_t)(nl - p) : n;

	l->code = 0;
	for (size_t i = 0; i < 4 && i < head; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -EBADMSG;
		l->code = l->code * 10 + (p[i] - '0');
	}
	if (head >= HEAD_LEN && p[4] != '-' && p[4] != ' ')
		return -EBADMSG;
	if (!nl)
		return 0;
	if (head < HEAD_LEN)
		return -EBADMSG;
	l->is_last = p[4] == ' ';
	l->text = p + HEAD_LEN;
	l->len = head - HEAD_LEN;
	return nl + 1 - p;
}

/* The length of the whole reply at p and how many rows it has. */
static ptrdiff_t measure(const char *p, size_t n, size_t *n_rows)
{
	size_t at = 0;

	*n_rows = 0;
	while (at < n) {
		struct line l;
		ptrdiff_t len = line_at(p + at, n - at, &l);

		if (len <= 0)
			return len;
		at += (size_t)len;
		if (l.is_last)
			return (ptrdiff_t)at;
		if (l.code / 1000 == 1)
			(*n_rows)++;
	}
	return 0;
}

static char *copy(const struct line *l)
{
	char *s = malloc(l->len + 1);

	if (!s)
		return NULL;
	memcpy(s, l->text, l->len);
	s[l->len] = '\0';
	return s;
}

static void take_last(struct reply *r, const struct line *l)
{
	size_t n = l->len < sizeof r->text ? l->len : sizeof r->text - 1;

	while (n < l->len && n > 0 && ((uint8_t)l->text[n] & 0xc0) == 0x80)
		n--;
	memcpy(r->text, l->text, n);
	r->text[n] = '\0';
	reply_unescape(r->text);
	r->code = l->code;
	if (l->code < 8000)
		r->sys = 0;
	else if (!r->sys)
		r->sys = l->code >= 9000 ? EINVAL : EIO;
}

static int take_line(struct reply *r, const struct line *l)
{
	if (l->is_last) {
		if (l->code >= 1000 && l->code < 8000)
			return -EBADMSG;
		take_last(r, l);
		return 0;
	}
	switch (l->code / 1000) {
	case 0:
		return 0;
	case 1:
		r->rows[r->n_rows] = copy(l);
		if (!r->rows[r->n_rows])
			return -ENOMEM;
		r->n_rows++;
		return 0;
	case 2:
		free(r->heading);
		r->heading = copy(l);
		return r->heading ? 0 : -ENOMEM;
	case 8:
	case 9:
		r->sys = errno_of(l->text, l->len);
		return 0;
	default:
		return -EBADMSG;
	}
}

static int take_lines(struct reply *r, const char *p, size_t n, size_t n_rows)
{
	size_t at = 0;
	int e = 0;

	if (n_rows) {
		r->rows = calloc(n_rows, sizeof *r->rows);
		if (!r->rows)
			return -ENOMEM;
	}
	while (at < n && e == 0) {
		struct line l;

		at += (size_t)line_at(p + at, n - at, &l);
		e = take_line(r, &l);
	}
	return e;
}

int reply_take(struct reply *r, struct buf *b)
{
	const char *p = (const char *)buf_data(b);
	size_t n_rows;
	ptrdiff_t n;
	int e;

	*r = (struct reply){0};
	if (b->len == 0)
		return 0;
	n = measure(p, b->len, &n_rows);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return b->len >= CONTROL_REPLY_MAX ? -EBADMSG : 0;
	e = take_lines(r, p, (size_t)n, n_rows);
	if (e < 0) {
		reply_release(r);
		return e;
	}
	buf_consume(b, (size_t)n);
	return 1;
}

static void print_json(const struct reply *r, struct buf *out)
{
	struct buf text;

	buf_adds(out, "{");
	if (r->code)
		buf_addf(out, "\"code\":%d,\"errno\":\"%s\",", r->code % 1000,
			 reply_errno_name(r->sys));
	buf_adds(out, "\"message\":");
	buf_init(&text, 2 * sizeof r->text);
	table_cell(&text, true, r->text);
	table_json_string(out, buf_str(&text), text.len);
	buf_release(&text);
	buf_adds(out, "}\n");
}

void reply_print(const struct reply *r, enum table_form form, struct buf *out)
{
	if (r->heading || r->n_rows)
		table_print(out, r->heading ? form : TABLE_TABS,
			    r->heading ? r->heading : "",
			    (const char *const *)r->rows, r->n_rows);
	if (!r->code && (r->heading || r->n_rows || form == TABLE_TABS))
		return;
	if (form == TABLE_JSON)
		print_json(r, out);
	else if (r->code)
		buf_addf(out, "Msg: %d: %s\n", r->code % 1000, r->text);
	else
		buf_addf(out, "Msg: %s\n", r->text);
}
