/* The last events, for /pipes/log and each pipe's events: a ring of lines with their
 * times. Every event is also a line of the log. Loop only. */
#ifndef TSFERRY_EVENTS_H
#define TSFERRY_EVENTS_H

#include "ground/buf.h"
#include "ground/log.h"

struct events;

struct events *events_new(void);
void events_free(struct events *ev);

/* `pipe`: whose it is; NULL: the daemon's. */
void events_add(struct events *ev, enum log_level level, const char *pipe,
		const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Lines of one pipe, or of all with NULL, oldest first. */
void events_print(const struct events *ev, const char *pipe, struct buf *out);
int64_t events_last_ms(const struct events *ev,
		       const char *pipe); /* 0 = none */

#endif
