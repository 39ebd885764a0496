#include "ground/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

/* A turn is: wait, handlers of descriptors, timers that are due, deferred tasks.
 * What a task defers runs in the next turn, which then does not wait; so neither
 * tasks nor timers can keep descriptors from being served.
 *
 * Removing during dispatch is made legal in one place: loop_del() strikes the
 * object out of the events of this turn that were not handled yet. */

#define EVENTS_PER_TURN 128

struct loop {
	int epoll_fd;  /* owned */
	int signal_fd; /* owned; -1 until a signal is wanted */
	bool stopping;
	int broken; /* -errno of an interest that epoll did not take */
	bool in_timers;
	uint64_t now_ms;

	struct epoll_event events[EVENTS_PER_TURN];
	int n_events, at;

	struct loop_timer **heap; /* owned array of borrowed timers */
	size_t n_timers, cap_timers;

	struct loop_task *tasks, **tasks_end;
	struct loop_task *running; /* what is left of this turn's tasks */
	struct loop_task *at_free;

	struct loop_io signal_io;
	struct loop_signal *signals;
	sigset_t signal_set;
};

static uint64_t mono_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int loop_new(struct loop **out, struct err *e)
{
	struct loop *l = xcalloc(1, sizeof *l);

	*out = NULL;
	l->signal_fd = -1;
	l->tasks_end = &l->tasks;
	l->now_ms = mono_ms();
	(void)sigemptyset(&l->signal_set);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		int sys = errno;

		free(l);
		return err_set(e, sys, "epoll: %s", err_words(sys));
	}
	/* A peer that is gone is an EPIPE, never the end of the process. */
	(void)signal(SIGPIPE, SIG_IGN);
	*out = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->at_free) {
		struct loop_task *t = l->at_free;

		l->at_free = t->next;
		t->queued = false;
		t->fn(t);
	}
	(void)close(l->epoll_fd);
	if (l->signal_fd >= 0)
		(void)close(l->signal_fd);
	free(l->heap);
	free(l);
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

/* Descriptors */

static int io_ctl(struct loop_io *io, int op, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	return epoll_ctl(io->loop->epoll_fd, op, io->fd, &ev) < 0 ? -errno : 0;
}

static void strike_out(struct loop *l, const struct loop_io *io)
{
	for (int i = l->at; i < l->n_events; i++) {
		if (l->events[i].data.ptr == io)
			l->events[i].data.ptr = NULL;
	}
}

int loop_add(struct loop *l, struct loop_io *io, int fd, uint32_t events,
	     void (*fn)(struct loop_io *, uint32_t))
{
	int r = 0;

	assert(!io->loop);
	io->loop = l;
	io->fd = fd;
	io->fn = fn;
	io->events = events;
	if (events)
		r = io_ctl(io, EPOLL_CTL_ADD, events);
	if (r < 0) {
		io->loop = NULL;
		io->fd = -1;
	}
	return r;
}

/* No interest at all means out of the epoll set, because the kernel would
 * report hang-ups to whoever stays in, turn after turn. */
void loop_want(struct loop_io *io, uint32_t events)
{
	int op = EPOLL_CTL_MOD, r;

	if (!io->loop || events == io->events)
		return;
	if (!events) {
		op = EPOLL_CTL_DEL;
		strike_out(io->loop, io);
	} else if (!io->events) {
		op = EPOLL_CTL_ADD;
	}
	r = io_ctl(io, op, events);
	/* ENOSPC, ENOMEM: its owner would wait for ever. */
	if (r < 0 && op != EPOLL_CTL_DEL)
		io->loop->broken = r;
	io->events = events;
}

void loop_del(struct loop_io *io)
{
	if (!io->loop)
		return;
	if (io->events)
		(void)io_ctl(io, EPOLL_CTL_DEL, 0);
	strike_out(io->loop, io);
	io->loop = NULL;
	io->fd = -1;
	io->events = 0;
}

static void run_handlers(struct loop *l)
{
	for (l->at = 0; l->at < l->n_events;) {
		struct epoll_event ev = l->events[l->at++];
		struct loop_io *io = ev.data.ptr;

		if (!io)
			continue;
		/* Trouble is found by trying what the owner waits for. */
		if (ev.events & (EPOLLERR | EPOLLHUP))
			ev.events |= io->events & (EPOLLIN | EPOLLOUT);
		/* A handler before this one may have changed the interest. */
		ev.events &= io->events | EPOLLERR | EPOLLHUP;
		if (ev.events)
			io->fn(io, ev.events);
	}
	l->n_events = 0;
}

/* Timers: a binary heap; slot is the index plus one. */

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->slot = i + 1;
}

static void heap_up(struct loop *l, size_t i, struct loop_timer *t)
{
	while (i > 0) {
		size_t up = (i - 1) / 2;

		if (l->heap[up]->due_ms <= t->due_ms)
			break;
		heap_put(l, i, l->heap[up]);
		i = up;
	}
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i, struct loop_timer *t)
{
	for (;;) {
		size_t kid = 2 * i + 1;

		if (kid >= l->n_timers)
			break;
		if (kid + 1 < l->n_timers &&
		    l->heap[kid + 1]->due_ms < l->heap[kid]->due_ms)
			kid++;
		if (t->due_ms <= l->heap[kid]->due_ms)
			break;
		heap_put(l, i, l->heap[kid]);
		i = kid;
	}
	heap_put(l, i, t);
}

static void heap_grow(struct loop *l)
{
	size_t cap = l->cap_timers ? l->cap_timers * 2 : 16;
	struct loop_timer **heap = xcalloc(cap, sizeof(struct loop_timer *));

	if (l->n_timers)
		memcpy(heap, l->heap,
		       l->n_timers * sizeof(struct loop_timer *));
	free(l->heap);
	l->heap = heap;
	l->cap_timers = cap;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t after_ms)
{
	uint64_t now = mono_ms();

	assert(t->fn);
	loop_timer_stop(l, t);
	if (after_ms > (uint64_t)INT64_MAX)
		after_ms = (uint64_t)INT64_MAX;
	t->due_ms = now + after_ms;
	/* A timer that sets itself again for "now" comes in the next turn. */
	if (l->in_timers && t->due_ms <= l->now_ms)
		t->due_ms = l->now_ms + 1;
	if (l->n_timers == l->cap_timers)
		heap_grow(l);
	l->n_timers++;
	heap_up(l, l->n_timers - 1, t);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	struct loop_timer *last;
	size_t i;

	if (!t->slot)
		return;
	i = t->slot - 1;
	assert(i < l->n_timers && l->heap[i] == t);
	t->slot = 0;
	last = l->heap[--l->n_timers];
	if (last == t)
		return;
	heap_down(l, i, last);
	heap_up(l, last->slot - 1, last);
}

static void run_timers(struct loop *l)
{
	l->in_timers = true;
	while (l->n_timers && l->heap[0]->due_ms <= l->now_ms) {
		struct loop_timer *t = l->heap[0];

		loop_timer_stop(l, t);
		t->fn(t);
	}
	l->in_timers = false;
}

/* Deferred tasks */

void loop_defer(struct loop *l, struct loop_task *t)
{
	assert(t->fn);
	if (t->queued)
		return;
	t->queued = true;
	t->next = NULL;
	*l->tasks_end = t;
	l->tasks_end = &t->next;
}

static bool unlink_task(struct loop_task **at, struct loop_task *t)
{
	while (*at && *at != t)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = t->next;
	return true;
}

void loop_undefer(struct loop *l, struct loop_task *t)
{
	if (!t->queued)
		return;
	t->queued = false;
	if (unlink_task(&l->running, t) || unlink_task(&l->at_free, t))
		return;
	(void)unlink_task(&l->tasks, t);
	l->tasks_end = &l->tasks;
	while (*l->tasks_end)
		l->tasks_end = &(*l->tasks_end)->next;
}

void loop_at_free(struct loop *l, struct loop_task *t)
{
	assert(t->fn && !t->queued);
	t->queued = true;
	t->next = l->at_free;
	l->at_free = t;
}

static void run_tasks(struct loop *l)
{
	l->running = l->tasks;
	l->tasks = NULL;
	l->tasks_end = &l->tasks;
	while (l->running) {
		struct loop_task *t = l->running;

		l->running = t->next;
		t->queued = false;
		t->fn(t);
	}
}

/* Signals */

static void signal_came(struct loop_io *io, uint32_t events)
{
	struct loop *l = CONTAINER_OF(io, struct loop, signal_io);
	struct signalfd_siginfo info;

	(void)events;
	while (read(l->signal_fd, &info, sizeof info) == sizeof info) {
		for (struct loop_signal *s = l->signals; s; s = s->next) {
			if ((uint32_t)s->signo == info.ssi_signo)
				s->fn(s);
		}
	}
}

int loop_on_signal(struct loop *l, struct loop_signal *s, int signo,
		   void (*fn)(struct loop_signal *))
{
	int fd, r;

	if (sigaddset(&l->signal_set, signo) < 0)
		return -errno;
	r = pthread_sigmask(SIG_BLOCK, &l->signal_set, NULL);
	if (r)
		return -r;
	fd = signalfd(l->signal_fd, &l->signal_set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	l->signal_fd = fd;
	if (!l->signal_io.loop) {
		r = loop_add(l, &l->signal_io, fd, EPOLLIN, signal_came);
		if (r < 0)
			return r;
	}
	s->signo = signo;
	s->fn = fn;
	s->next = l->signals;
	l->signals = s;
	return 0;
}

/* The loop itself */

static int wait_ms(const struct loop *l)
{
	uint64_t now, due;

	if (l->tasks)
		return 0;
	if (!l->n_timers)
		return -1;
	now = mono_ms();
	due = l->heap[0]->due_ms;
	if (due <= now)
		return 0;
	return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

static int turn(struct loop *l)
{
	int n = epoll_wait(l->epoll_fd, l->events, EVENTS_PER_TURN, wait_ms(l));

	if (n < 0 && errno != EINTR)
		return -errno;
	l->now_ms = mono_ms();
	l->n_events = n < 0 ? 0 : n;
	run_handlers(l);
	run_timers(l);
	run_tasks(l);
	return 0;
}

int loop_run(struct loop *l)
{
	int r = 0;

	while (!l->stopping && r == 0 && l->broken == 0)
		r = turn(l);
	l->stopping = false;
	return r ? r : l->broken;
}
