/* The one event loop of a daemon: epoll (level triggered), timers on a heap,
 * signals through signalfd, and "run this after the current turn".
 *
 * Handlers run on the loop's thread and must not block. The objects are embedded
 * in their owners and belong to them; removing any of them, also another one
 * than the one being handled, is legal at any time, and it is not called after.
 * Times are milliseconds of CLOCK_MONOTONIC. */
#ifndef TSFERRY_LOOP_H
#define TSFERRY_LOOP_H

#include <stdbool.h>
#include <sys/epoll.h>

#include "err.h"

struct loop;

struct loop_io {
	int fd; /* borrowed; -1 = not in the loop */
	void (*fn)(struct loop_io *io, uint32_t events);
	struct loop *loop;
	uint32_t events;
};

struct loop_timer {
	void (*fn)(struct loop_timer *t);
	uint64_t due_ms;
	size_t slot; /* place in the heap plus one; 0 = not set */
};

struct loop_task {
	void (*fn)(struct loop_task *t);
	struct loop_task *next;
	bool queued;
};

struct loop_signal {
	int signo;
	void (*fn)(struct loop_signal *s);
	struct loop_signal *next;
};

int loop_new(struct loop **out, struct err *e) MUST_CHECK;
/* Objects still in it are simply forgotten, except for loop_at_free() tasks, which run. */
void loop_free(struct loop *l);

/* Runs until loop_stop(). Returns 0, or -errno when epoll itself fails, also at taking an
 * interest of loop_want(). */
int loop_run(struct loop *l) MUST_CHECK;
void loop_stop(struct loop *l);

uint64_t loop_now_ms(const struct loop *l); /* as of the beginning of the turn */

/* `io` must be zeroed or removed before; EPOLLIN and EPOLLOUT in `events`. An error
 * or a hang-up comes as what was asked for as well, so that trying finds it. With no
 * events at all nothing comes, hang-ups included; EPOLLERR alone brings only those. */
int loop_add(struct loop *l, struct loop_io *io, int fd, uint32_t events,
	     void (*fn)(struct loop_io *, uint32_t)) MUST_CHECK;
void loop_want(struct loop_io *io, uint32_t events);
void loop_del(struct loop_io *io); /* does not close the descriptor */

/* Setting a set timer moves it. `t->fn` must be set by the owner. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t after_ms);
void loop_timer_stop(struct loop *l, struct loop_timer *t);

/* Once, after the handlers of this turn; queueing a queued task does nothing. What
 * a task defers runs in the next turn. */
void loop_defer(struct loop *l, struct loop_task *t);
void loop_undefer(struct loop *l, struct loop_task *t);

/* For objects that have no owner any more: runs in loop_free(). loop_undefer() takes
 * it out. */
void loop_at_free(struct loop *l, struct loop_task *t);

/* Blocks the signal for the process and delivers it here. */
int loop_on_signal(struct loop *l, struct loop_signal *s, int signo,
		   void (*fn)(struct loop_signal *)) MUST_CHECK;

#endif
