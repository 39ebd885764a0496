#include "ground/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"
#include "ground/journal.h"

#define LINE_LEN 2048
#define TAIL_LEN 8 /* "..." and what closes a line */

enum form {
	FORM_UNKNOWN,
	FORM_PEOPLE,
	FORM_LOGFMT,
	FORM_JOURNAL
};

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
	/* This and form() keep the mutable statics of the ground: what the
	 * environment said. */
	static atomic_int known = -1;
	int level = atomic_load_explicit(&known, memory_order_relaxed);

	if (level < 0) {
		level = (int)threshold_from_env();
		atomic_store_explicit(&known, level, memory_order_relaxed);
	}
	return (enum log_level)level;
}

static enum form form(void)
{
	static atomic_int known = FORM_UNKNOWN;
	int f = atomic_load_explicit(&known, memory_order_relaxed);

	if (f == FORM_UNKNOWN) {
		f = journal_is_behind(STDERR_FILENO) ? FORM_JOURNAL
		    : isatty(STDERR_FILENO)	     ? FORM_PEOPLE
						     : FORM_LOGFMT;
		atomic_store_explicit(&known, f, memory_order_relaxed);
	}
	return (enum form)f;
}

/* A line in the making; what no longer fits is left out and told by "...". */
struct line {
	char text[LINE_LEN];
	size_t len;
	bool is_cut;
};

static void add(struct line *l, const char *piece, size_t len)
{
	if (l->is_cut || len > LINE_LEN - TAIL_LEN - l->len) {
		l->is_cut = true;
		return;
	}
	memcpy(l->text + l->len, piece, len);
	l->len += len;
}

static void adds(struct line *l, const char *piece)
{
	add(l, piece, strlen(piece));
}

/* One byte of a text, harmless; `quoted` if it stands between quotes. */
static void add_byte(struct line *l, uint8_t c, bool quoted)
{
	char piece[8];

	if (c < 0x20 || c == 0x7f)
		(void)snprintf(piece, sizeof piece,
			       quoted ? "\\u%04x" : "\\x%02x", c);
	else if (quoted && (c == '"' || c == '\\'))
		(void)snprintf(piece, sizeof piece, "\\%c", c);
	else
		(void)snprintf(piece, sizeof piece, "%c", c);
	adds(l, piece);
}

static void add_text(struct line *l, const char *text, bool quoted)
{
	for (; *text && !l->is_cut; text++)
		add_byte(l, (uint8_t)*text, quoted);
}

static void end_line(struct line *l, const char *end)
{
	int n = snprintf(l->text + l->len, LINE_LEN - l->len, "%s%s\n",
			 l->is_cut ? "..." : "", end);

	l->len += (size_t)n;
}

/* Texts about a sender's pipe name both themselves. */
static void add_sentence(struct line *l, const struct log_about *about,
			 const char *text)
{
	if (about && about->pipe && !about->sender) {
		adds(l, "pipe ");
		add_text(l, about->pipe, false);
		adds(l, ": ");
	}
	add_text(l, text, false);
}

static void for_people(struct line *l, enum log_level level, const char *module,
		       const struct log_about *about, const char *text)
{
	adds(l, level_names[level]);
	adds(l, " ");
	adds(l, module);
	adds(l, ": ");
	add_sentence(l, about, text);
	end_line(l, "");
}

static bool needs_quotes(const char *value)
{
	for (const char *p = value; *p; p++)
		if ((uint8_t)*p <= ' ' || *p == 0x7f || *p == '"' ||
		    *p == '=' || *p == '\\')
			return true;
	return !*value;
}

static void add_field(struct line *l, const char *key, const char *value)
{
	bool quoted;

	if (!value)
		return;
	quoted = needs_quotes(value);
	adds(l, key);
	adds(l, quoted ? "=\"" : "=");
	add_text(l, value, quoted);
	adds(l, quoted ? "\"" : "");
}

static void as_logfmt(struct line *l, enum log_level level, const char *module,
		      const struct log_about *about, const char *text)
{
	char word[CLOCK_TEXT_LEN];

	add_field(l, "ts", clock_text_offset(clock_wall_ms(), word));
	add_field(l, " level", level_names[level]);
	add_field(l, " module", module);
	if (about) {
		add_field(l, " sender", about->sender);
		add_field(l, " pipe", about->pipe);
		(void)snprintf(word, sizeof word, "%llu",
			       (unsigned long long)about->serial);
		add_field(l, " serial", about->serial ? word : NULL);
		add_field(l, " entry", about->entry);
	}
	adds(l, " msg=\"");
	add_text(l, text, true);
	end_line(l, "\"");
}

/* The journal keeps lines: what is not one is made one. */
static int to_journal(enum log_level level, const char *module,
		      const struct log_about *about, const char *text)
{
	struct line l = {.len = 0};

	add_sentence(&l, about, text);
	end_line(&l, "");
	l.text[l.len - 1] = '\0';
	return journal_send(JOURNAL_SOCKET, level, module, about, l.text);
}

void log_event(enum log_level level, const char *module,
	       const struct log_about *about, const char *text)
{
	struct line l = {.len = 0};
	int saved = errno;

	if (level > log_threshold())
		return;
	if (form() == FORM_JOURNAL &&
	    to_journal(level, module, about, text) == 0) {
		errno = saved;
		return;
	}
	if (form() == FORM_LOGFMT)
		as_logfmt(&l, level, module, about, text);
	else
		for_people(&l, level, module, about, text);
	while (write(STDERR_FILENO, l.text, l.len) < 0 && errno == EINTR)
		; /* any other failure: there is nobody left to tell */
	errno = saved;
}

void log_line(enum log_level level, const char *module, const char *fmt, ...)
{
	char text[LINE_LEN];
	va_list ap;

	if (level > log_threshold())
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_event(level, module, NULL, text);
}
