/* What happened, for people: the last events of a daemon, for /pipes/log and the events of
 * each pipe. Every event is also told to the log (ground/log.h), except that debug ones
 * are only told there.
 *
 * Bounded: beyond EVENTS_KEPT, or EVENTS_BYTES of text, the older half goes at once; whoever
 * follows the text then sees a shorter file, as after log rotation. A sentence from
 * elsewhere may be in an event: it becomes one line without anything that moves a
 * terminal's cursor. Owns copies of all it is given. Loop only; never blocks. */
#ifndef TSFERRY_EVENTS_H
#define TSFERRY_EVENTS_H

#include "ground/buf.h"
#include "ground/log.h"

#define EVENTS_KEPT 1024
#define EVENTS_BYTES (256u << 10)

struct events;

/* `daemon` is the module of events that name none; borrowed. */
struct events *events_new(const char *daemon);
void events_free(struct events *ev);

/* `module` NULL: the daemon itself; `about` NULL: nobody in particular. */
void events_add(struct events *ev, enum log_level level, const char *module,
		const struct log_about *about, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* A pipe of this host begins under this name: what an earlier one did is in the whole only. */
void events_begin(struct events *ev, const char *pipe);

/* Lines "2022-03-30T20:58:30.689 warn session: text", oldest first: all, or with a pipe its own,
 * without the module. In the whole a pipe of this host is named before the text; one of a
 * sender is not, the text does that. */
void events_print(const struct events *ev, const char *pipe, struct buf *out);

/* When the newest of them was added; with none, or no pipe and none, 0. */
int64_t events_last_ms(const struct events *ev, const char *pipe);

#endif
