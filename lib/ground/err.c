#include "ground/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TEXT_LEN sizeof(((struct err *)0)->text)

/* A sentence that was cut must not end in half a UTF-8 character: clients draw
 * it in tables and put it into files. */
static void drop_half_character(char *text)
{
	size_t len = strlen(text), i = len;
	size_t want;

	while (i > 0 && len - i < 3 && ((uint8_t)text[i - 1] & 0xc0) == 0x80)
		i--;
	if (i == 0 || (uint8_t)text[i - 1] < 0xc0)
		return;
	want = (uint8_t)text[i - 1] >= 0xf0   ? 4
	       : (uint8_t)text[i - 1] >= 0xe0 ? 3
					      : 2;
	if (len - (i - 1) < want)
		text[i - 1] = '\0';
}

/* The arguments may be pieces of e->text itself, so the new sentence is made
 * beside it. */
static void replace_text(struct err *e, bool cut, const char *text)
{
	memcpy(e->text, text, TEXT_LEN);
	if (cut)
		drop_half_character(e->text);
}

static int set(struct err *e, int code, int sys, const char *fmt, va_list ap)
{
	char text[TEXT_LEN];
	int n;

	if (!e)
		return -sys;
	n = vsnprintf(text, sizeof text, fmt, ap);
	replace_text(e, n >= (int)sizeof text, text);
	e->code = code;
	e->sys = sys;
	return -sys;
}

int err_set(struct err *e, int sys, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = set(e, 0, sys, fmt, ap);
	va_end(ap);
	return r;
}

int err_say(struct err *e, int code, int sys, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = set(e, code, sys, fmt, ap);
	va_end(ap);
	return r;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char prefix[TEXT_LEN], text[TEXT_LEN];
	va_list ap;
	int n;

	if (!e)
		return -EIO;
	va_start(ap, fmt);
	(void)vsnprintf(prefix, sizeof prefix, fmt, ap);
	va_end(ap);
	n = snprintf(text, sizeof text, "%s: %s", prefix, e->text);
	replace_text(e, n >= (int)sizeof text, text);
	return -e->sys;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	char suffix[TEXT_LEN], text[TEXT_LEN];
	va_list ap;
	int n;

	if (!e)
		return -EIO;
	va_start(ap, fmt);
	(void)vsnprintf(suffix, sizeof suffix, fmt, ap);
	va_end(ap);
	n = snprintf(text, sizeof text, "%s (%s)", e->text, suffix);
	replace_text(e, n >= (int)sizeof text, text);
	return -e->sys;
}

void err_clear(struct err *e)
{
	if (!e)
		return;
	e->code = 0;
	e->sys = 0;
	e->text[0] = '\0';
}

const char *err_words(int sys)
{
	const char *words = strerrordesc_np(sys < 0 ? -sys : sys);

	return words ? words : "Unknown error";
}
