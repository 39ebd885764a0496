#include "ground/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_LEN 2048

static const char *const level_names[] = {
	[LOG_ERR_] = "err",
	[LOG_WARN_] = "warn",
	[LOG_INFO_] = "info",
	[LOG_DEBUG_] = "debug",
};

const char *log_level_word(enum log_level level)
{
	return level_names[level];
}

static enum log_level threshold_from_env(void)
{
	const char *word = getenv("TSFERRY_LOG");

	for (size_t i = 0; word && i < ARRAY_LEN(level_names); i++)
		if (strcmp(word, level_names[i]) == 0)
			return (enum log_level)i;
	return LOG_INFO_;
}

enum log_level log_threshold(void)
{
	/* The one mutable static of the ground: what the environment said. */
	static atomic_int known = -1;
	int level = atomic_load_explicit(&known, memory_order_relaxed);

	if (level < 0) {
		level = (int)threshold_from_env();
		atomic_store_explicit(&known, level, memory_order_relaxed);
	}
	return (enum log_level)level;
}

/* Copies text into line, escaped, and returns the length of the whole line with
 * its newline; what does not fit ends in "...". */
static size_t add_escaped(char *line, size_t at, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;
		bool plain = c >= 0x20 && c != 0x7f;

		if (at + (plain ? 1 : 4) > LINE_LEN - 4) {
			for (int i = 0; i < 3; i++)
				line[at++] = '.';
			break;
		}
		if (plain) {
			line[at++] = (char)c;
			continue;
		}
		line[at++] = '\\';
		line[at++] = 'x';
		line[at++] = hex[c >> 4];
		line[at++] = hex[c & 15];
	}
	line[at++] = '\n';
	return at;
}

void log_line(enum log_level level, const char *module, const char *fmt, ...)
{
	char text[LINE_LEN], line[LINE_LEN];
	int saved = errno, head;
	size_t n;
	va_list ap;

	if (level > log_threshold())
		return;
	errno = saved; /* for %m */
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	head = snprintf(line, sizeof line, "%s %.64s: ", level_names[level],
			module);
	n = add_escaped(line, (size_t)head, text);
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		; /* any other failure: there is nobody left to tell */
	errno = saved;
}
