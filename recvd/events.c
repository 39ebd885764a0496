#include "events.h"

#include <stdio.h>
#include <string.h>

#include "ground/clock.h"

#define LINE_MAX_LEN 2048

void events_init(struct events *ev)
{
	buf_init(&ev->text, EVENTS_MAX);
	ev->changed_ms = clock_wall_ms();
}

void events_release(struct events *ev)
{
	buf_release(&ev->text);
}

static void drop_half(struct buf *text)
{
	const uint8_t *p = buf_data(text);
	const uint8_t *nl =
		memchr(p + text->len / 2, '\n', text->len - text->len / 2);

	buf_consume(text, nl ? (size_t)(nl + 1 - p) : text->len);
}

/* A peer's words may be in it: nothing that moves a terminal's cursor. */
static void make_printable(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = '?';
}

void events_say(struct events *ev, enum log_level level, const char *module,
		const char *fmt, ...)
{
	char line[LINE_MAX_LEN], when[CLOCK_TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	log_line(level, module, "%s", line);
	if (level == LOG_DEBUG_)
		return;
	make_printable(line);
	ev->changed_ms = clock_wall_ms();
	if (ev->text.len + sizeof line + 64 > EVENTS_MAX)
		drop_half(&ev->text);
	buf_addf(&ev->text, "%s %s %s: %s\n", clock_text(ev->changed_ms, when),
		 log_level_word(level), module, line);
}
