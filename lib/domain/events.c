/* A ring in order of time: at `first`, `n` of them. */
#include "domain/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"

#define TEXT_LEN 2048

struct event {
	int64_t ms;
	enum log_level level;
	bool is_sender; /* it is about a sender's pipe, not about one of ours */
	bool is_past;	/* about a pipe before the one that has its name now */
	char *module;	/* owned, as the next two */
	char *pipe;	/* NULL = no pipe's */
	char *text;
};

struct events {
	const char *daemon;
	struct event ring[EVENTS_KEPT];
	size_t first, n;
	size_t bytes; /* of all texts */
};

struct events *events_new(const char *daemon)
{
	struct events *ev = xcalloc(1, sizeof(*ev));

	ev->daemon = daemon;
	return ev;
}

static void drop_first(struct events *ev)
{
	struct event *at = &ev->ring[ev->first];

	ev->bytes -= strlen(at->text);
	free(at->module);
	free(at->pipe);
	free(at->text);
	*at = (struct event){0};
	ev->first = (ev->first + 1) % EVENTS_KEPT;
	ev->n--;
}

void events_free(struct events *ev)
{
	if (!ev)
		return;
	while (ev->n)
		drop_first(ev);
	free(ev);
}

static void make_room(struct events *ev, size_t len)
{
	if (ev->n < EVENTS_KEPT && ev->bytes + len <= EVENTS_BYTES)
		return;
	for (size_t half = (ev->n + 1) / 2; half; half--)
		drop_first(ev);
}

static void make_one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

static void keep(struct events *ev, enum log_level level, const char *module,
		 const struct log_about *about, char *text)
{
	struct event *at;

	make_one_line(text);
	make_room(ev, strlen(text));
	at = &ev->ring[(ev->first + ev->n++) % EVENTS_KEPT];
	ev->bytes += strlen(text);
	at->ms = clock_wall_ms();
	at->level = level;
	at->is_sender = about && about->sender;
	at->module = xstrdup(module);
	at->pipe = about && about->pipe ? xstrdup(about->pipe) : NULL;
	at->text = xstrdup(text);
}

void events_add(struct events *ev, enum log_level level, const char *module,
		const struct log_about *about, const char *fmt, ...)
{
	char text[TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!module)
		module = ev->daemon;
	log_event(level, module, about, text);
	if (level != LOG_DEBUG_)
		keep(ev, level, module, about, text);
}

static bool is_shown(const struct event *at, const char *pipe)
{
	return !pipe ||
	       (!at->is_past && at->pipe && strcmp(at->pipe, pipe) == 0);
}

static const struct event *nth(const struct events *ev, size_t i)
{
	return &ev->ring[(ev->first + i) % EVENTS_KEPT];
}

void events_begin(struct events *ev, const char *pipe)
{
	for (size_t i = 0; i < ev->n; i++) {
		struct event *at = &ev->ring[(ev->first + i) % EVENTS_KEPT];

		if (!at->is_sender && is_shown(at, pipe))
			at->is_past = true;
	}
}

void events_print(const struct events *ev, const char *pipe, struct buf *out)
{
	char when[CLOCK_TEXT_LEN];

	for (size_t i = 0; i < ev->n; i++) {
		const struct event *at = nth(ev, i);

		if (!is_shown(at, pipe))
			continue;
		buf_addf(out, "%s %s ", clock_text(at->ms, when),
			 log_level_word(at->level));
		if (!pipe)
			buf_addf(out, "%s: ", at->module);
		if (!pipe && at->pipe && !at->is_sender)
			buf_addf(out, "pipe %s: ", at->pipe);
		buf_addf(out, "%s\n", at->text);
	}
}

int64_t events_last_ms(const struct events *ev, const char *pipe)
{
	for (size_t i = ev->n; i > 0; i--)
		if (is_shown(nth(ev, i - 1), pipe))
			return nth(ev, i - 1)->ms;
	return 0;
}
