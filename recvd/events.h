/* What happened, for people: each event is a line on stderr and stays in memory for
 * /pipes/log. The text only grows, until half of it goes at EVENTS_MAX; whoever follows
 * it then sees a shorter file, as after log rotation. */
#ifndef TSFERRY_RECVD_EVENTS_H
#define TSFERRY_RECVD_EVENTS_H

#include "ground/buf.h"
#include "ground/log.h"

#define EVENTS_MAX (256u << 10)

struct events {
	struct buf text; /* "2022-03-30T20:58:30.689 warn session: text", one a line */
	int64_t changed_ms;
};

void events_init(struct events *ev);
void events_release(struct events *ev);
void events_say(struct events *ev, enum log_level level, const char *module, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#endif
