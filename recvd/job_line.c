#include "job_line.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const results[] = {
	[JOB_NONE] = "",       [JOB_APPLIED] = "applied",
	[JOB_RETRY] = "retry", [JOB_QUARANTINE] = "quarantine",
	[JOB_STOP] = "stop",   [JOB_HELD] = "held",
	[JOB_MISMATCH] = "mismatch",
};

const char *job_result_text(enum job_result r)
{
	return results[r];
}

enum job_result job_result_parse(const char *text)
{
	for (size_t i = JOB_APPLIED; text && i < ARRAY_LEN(results); i++)
		if (strcmp(text, results[i]) == 0)
			return (enum job_result)i;
	return JOB_NONE;
}

static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			s++;
			*to++ = *s == 't' ? '\t' : *s == 'n' ? '\n' : *s;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

int job_line_parse(char *line, struct job_fields *fields)
{
	char *rest = line;

	fields->n = 0;
	while (rest) {
		char *field = strsep(&rest, "\t"), *equals = strchr(field, '=');

		if (!equals || equals == field || fields->n == JOB_FIELDS_MAX)
			return -EBADMSG;
		*equals = 0;
		unescape(equals + 1);
		fields->f[fields->n].key = field;
		fields->f[fields->n++].value = equals + 1;
	}
	return 0;
}

const char *job_field(const struct job_fields *fields, const char *key)
{
	for (unsigned i = 0; i < fields->n; i++)
		if (strcmp(fields->f[i].key, key) == 0)
			return fields->f[i].value;
	return NULL;
}

int job_field_int(const struct job_fields *fields, const char *key, int64_t *to)
{
	const char *text = job_field(fields, key);
	char *end;

	if (!text || !*text)
		return -EINVAL;
	errno = 0;
	*to = strtoll(text, &end, 10);
	return *end || errno ? -EINVAL : 0;
}

void job_add(struct buf *b, const char *key, const char *value)
{
	if (strcmp(key, "job") != 0)
		buf_adds(b, "\t");
	buf_addf(b, "%s=", key);
	for (; *value; value++) {
		size_t plain = strcspn(value, "\t\n\\");

		buf_add(b, value, plain);
		value += plain;
		if (!*value)
			break;
		buf_adds(b, *value == '\t'   ? "\\t"
			    : *value == '\n' ? "\\n"
					     : "\\\\");
	}
}

void job_addf(struct buf *b, const char *key, const char *fmt, ...)
{
	char value[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	job_add(b, key, value);
}
