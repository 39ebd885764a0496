/* A ring: the newest push the oldest out, nothing else is ever dropped or merged. */
#include "events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"

#define EVENTS_KEPT 200

struct event {
	int64_t ms;
	enum log_level level;
	char *pipe; /* owned; NULL = the daemon's */
	char *text; /* owned; NULL = no event */
};

struct events {
	struct event ring[EVENTS_KEPT];
	size_t next;
};

struct events *events_new(void)
{
	return xcalloc(1, sizeof(struct events));
}

void events_free(struct events *ev)
{
	size_t i;

	if (!ev)
		return;
	for (i = 0; i < EVENTS_KEPT; i++) {
		free(ev->ring[i].pipe);
		free(ev->ring[i].text);
	}
	free(ev);
}

/* Events are lines: a sentence from elsewhere must not become two. */
static void make_one_line(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
	}
}

void events_add(struct events *ev, enum log_level level, const char *pipe,
		const char *fmt, ...)
{
	struct event *at = &ev->ring[ev->next];
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_one_line(text);
	free(at->pipe);
	free(at->text);
	at->ms = clock_wall_ms();
	at->level = level;
	at->pipe = pipe ? xstrdup(pipe) : NULL;
	at->text = xstrdup(text);
	ev->next = (ev->next + 1) % EVENTS_KEPT;
	if (pipe)
		log_line(level, "syncd", "pipe %s: %s", pipe, text);
	else
		log_line(level, "syncd", "%s", text);
}

static bool is_shown(const struct event *at, const char *pipe)
{
	if (!at->text)
		return false;
	return !pipe || (at->pipe && strcmp(at->pipe, pipe) == 0);
}

void events_print(const struct events *ev, const char *pipe, struct buf *out)
{
	char when[CLOCK_TEXT_LEN];
	size_t i;

	for (i = 0; i < EVENTS_KEPT; i++) {
		const struct event *at =
			&ev->ring[(ev->next + i) % EVENTS_KEPT];

		if (!is_shown(at, pipe))
			continue;
		(void)clock_text(at->ms, when);
		buf_addf(out, "%s %s ", when, log_level_word(at->level));
		if (!pipe)
			buf_adds(out, "syncd: ");
		if (!pipe && at->pipe)
			buf_addf(out, "pipe %s: ", at->pipe);
		buf_addf(out, "%s\n", at->text);
	}
}

int64_t events_last_ms(const struct events *ev, const char *pipe)
{
	size_t i;

	for (i = 1; i <= EVENTS_KEPT; i++) {
		const struct event *at =
			&ev->ring[(ev->next + EVENTS_KEPT - i) % EVENTS_KEPT];

		if (is_shown(at, pipe))
			return at->ms;
	}
	return 0;
}
