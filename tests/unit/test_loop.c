#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

#include "ground/loop.h"
#include "test.h"

static char trace[256]; /* what ran, in order */
static struct loop *loop;

static void note(const char *what)
{
	if (strlen(trace) + strlen(what) < sizeof trace)
		strcat(trace, what);
}

static bool set_up(void)
{
	trace[0] = '\0';
	return loop_new(&loop, NULL) == 0;
}

/* Descriptors */

struct ear {
	struct loop_io io;
	struct ear *other;
	int fd, calls;
	uint32_t seen;
};

static bool ear_open(struct ear *e, uint32_t events,
		     void (*fn)(struct loop_io *, uint32_t))
{
	*e = (struct ear){.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
	return e->fd >= 0 && loop_add(loop, &e->io, e->fd, events, fn) == 0;
}

static void ear_close(struct ear *e)
{
	loop_del(&e->io);
	cleanup_close(&e->fd);
}

static void stop_now(struct loop_timer *t)
{
	(void)t;
	note(".");
	loop_stop(loop);
}

static int run_for(uint64_t ms)
{
	struct loop_timer t = {.fn = stop_now};

	int r;

	loop_timer_set(loop, &t, ms);
	r = loop_run(loop);
	loop_timer_stop(loop, &t);
	return r;
}

static void remove_self(struct loop_io *io, uint32_t events)
{
	struct ear *e = CONTAINER_OF(io, struct ear, io);

	(void)events;
	e->calls++;
	loop_del(io);
	loop_del(io);
}

static void removed_self(void)
{
	struct ear e;

	CHECK(set_up());
	CHECK(ear_open(&e, EPOLLIN, remove_self));
	CHECK(run_for(5) == 0);
	CHECK(e.calls == 1 && e.io.fd == -1);
	/* The descriptor is still ready, and may be added again. */
	CHECK(loop_add(loop, &e.io, e.fd, EPOLLIN, remove_self) == 0);
	CHECK(run_for(5) == 0);
	CHECK(e.calls == 2);
	ear_close(&e);
	loop_free(loop);
}

static void remove_other(struct loop_io *io, uint32_t events)
{
	struct ear *e = CONTAINER_OF(io, struct ear, io);

	(void)events;
	e->calls++;
	loop_del(&e->other->io);
	loop_del(io);
}

/* Both are ready in one turn; whichever comes first removes the other. */
static void removed_other(void)
{
	struct ear a, b;

	CHECK(set_up());
	CHECK(ear_open(&a, EPOLLIN, remove_other));
	CHECK(ear_open(&b, EPOLLIN, remove_other));
	a.other = &b;
	b.other = &a;
	CHECK(run_for(5) == 0);
	CHECK(a.calls + b.calls == 1);
	ear_close(&a);
	ear_close(&b);
	loop_free(loop);
}

static void free_other(struct loop_io *io, uint32_t events)
{
	struct ear *e = CONTAINER_OF(io, struct ear, io);

	(void)events;
	ear_close(e->other);
	free(e->other);
	ear_close(e);
	free(e);
	loop_stop(loop);
}

/* Memory of a removed object is never touched again (a sanitizer watches). */
static void freed_other(void)
{
	struct ear *a = malloc(sizeof *a), *b = malloc(sizeof *b);

	CHECK(a && b && set_up());
	CHECK(ear_open(a, EPOLLIN, free_other));
	CHECK(ear_open(b, EPOLLIN, free_other));
	a->other = b;
	b->other = a;
	CHECK(loop_run(loop) == 0);
	loop_free(loop);
}

static void quiet_other(struct loop_io *io, uint32_t events)
{
	struct ear *e = CONTAINER_OF(io, struct ear, io);

	(void)events;
	e->calls++;
	loop_want(&e->other->io, 0);
	loop_want(io, 0);
}

static void wanted_nothing(void)
{
	struct ear a, b;

	CHECK(set_up());
	CHECK(ear_open(&a, EPOLLIN, quiet_other));
	CHECK(ear_open(&b, EPOLLIN, quiet_other));
	a.other = &b;
	b.other = &a;
	CHECK(run_for(5) == 0);
	CHECK(a.calls + b.calls == 1);
	loop_want(&a.io, EPOLLIN);
	CHECK(run_for(5) == 0);
	CHECK(a.calls + b.calls == 2);
	ear_close(&a);
	ear_close(&b);
	loop_free(loop);
}

static void see(struct loop_io *io, uint32_t events)
{
	struct ear *e = CONTAINER_OF(io, struct ear, io);

	e->calls++;
	e->seen = events;
	loop_stop(loop);
}

/* A pipe whose writer is gone reports a hang-up alone; it must come as what was
 * asked for, and not at all to who asked for nothing. */
static void hung_up(void)
{
	struct ear e = {.fd = -1};
	int fds[2];

	CHECK(set_up());
	CHECK(pipe(fds) == 0);
	CHECK(loop_add(loop, &e.io, fds[0], 0, see) == 0);
	(void)close(fds[1]);
	CHECK(run_for(5) == 0);
	CHECK(e.calls == 0);
	loop_want(&e.io, EPOLLIN);
	CHECK(run_for(1000) == 0);
	CHECK(e.calls == 1 && (e.seen & EPOLLIN));
	CHECK(!(e.seen & EPOLLOUT));
	e.calls = 0;
	loop_want(&e.io, EPOLLERR);
	CHECK(run_for(1000) == 0);
	CHECK(e.calls == 1 && (e.seen & EPOLLHUP) && !(e.seen & EPOLLIN));
	loop_del(&e.io);
	(void)close(fds[0]);
	loop_free(loop);
}

static void not_pollable(void)
{
	FILE *f = tmpfile();
	struct loop_io io = {0};

	CHECK(f && set_up());
	CHECK(loop_add(loop, &io, fileno(f), EPOLLIN, see) == -EPERM);
	CHECK(loop_add(loop, &io, 9999, EPOLLIN, see) == -EBADF);
	CHECK(io.fd == -1 && !io.loop);
	loop_del(&io);
	(void)fclose(f);
	loop_free(loop);
}

static void not_taken(void)
{
	FILE *f = tmpfile();
	struct loop_io io = {0};

	CHECK(f && set_up());
	CHECK(loop_add(loop, &io, fileno(f), 0, see) == 0);
	loop_want(&io, EPOLLIN);
	CHECK(loop_run(loop) == -EPERM);
	loop_del(&io);
	(void)fclose(f);
	loop_free(loop);
}

/* Timers */

struct named {
	struct loop_timer timer;
	struct loop_task task;
	const char *name;
	int left;
	struct named *other;
};

static void timer_notes(struct loop_timer *t)
{
	note(CONTAINER_OF(t, struct named, timer)->name);
}

#define NAMED(n)                                          \
	{                                                 \
		.timer = {.fn = timer_notes}, .name = (n) \
	}

static void timers_in_order(void)
{
	struct named t[] = {NAMED("e"), NAMED("a"), NAMED("d"), NAMED("c"),
			    NAMED("b"), NAMED("x"), NAMED("f")};
	static const uint64_t after[] = {15, 3, 12, 9, 6, 7, 90};

	CHECK(set_up());
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		loop_timer_set(loop, &t[i].timer, after[i]);
	loop_timer_stop(loop, &t[5].timer);
	loop_timer_stop(loop, &t[5].timer);
	/* Setting again moves, forth and back. */
	loop_timer_set(loop, &t[1].timer, 18);
	loop_timer_set(loop, &t[6].timer, 1);
	CHECK(run_for(30) == 0);
	CHECK_STR(trace, "fbcdea.");
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK(t[i].timer.slot == 0);
	loop_free(loop);
}

static uint64_t last_due;
static int n_due, n_early;

static void timer_counts(struct loop_timer *t)
{
	n_due++;
	n_early += t->due_ms < last_due || t->due_ms > loop_now_ms(loop);
	last_due = t->due_ms;
}

/* Many, with removals from all places of the heap. */
static void many_timers(void)
{
	static struct loop_timer t[1000];
	unsigned seed = 7;
	int removed = 0;

	CHECK(set_up());
	last_due = 0;
	n_due = n_early = 0;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		t[i] = (struct loop_timer){.fn = timer_counts};
		loop_timer_set(loop, &t[i], (uint64_t)rand_r(&seed) % 40);
	}
	for (size_t i = 0; i < ARRAY_LEN(t); i += 3, removed++)
		loop_timer_stop(loop, &t[i]);
	CHECK(run_for(60) == 0);
	CHECK(n_due == (int)ARRAY_LEN(t) - removed && n_early == 0);
	loop_free(loop);
}

static void timer_again(struct loop_timer *t)
{
	struct named *n = CONTAINER_OF(t, struct named, timer);

	if (--n->left > 0)
		loop_timer_set(loop, t, 0);
	else
		loop_stop(loop);
}

static void timer_stops_other(struct loop_timer *t)
{
	struct named *n = CONTAINER_OF(t, struct named, timer);

	note(n->name);
	loop_timer_stop(loop, &n->other->timer);
}

static void timers_from_timers(void)
{
	struct named again = {.timer = {.fn = timer_again}, .left = 100};
	struct named a = {.timer = {.fn = timer_stops_other}, .name = "a"};
	struct named b = {.timer = {.fn = timer_stops_other}, .name = "b"};
	struct ear e;

	CHECK(set_up());
	a.other = &b;
	b.other = &a;
	loop_timer_set(loop, &a.timer, 2);
	loop_timer_set(loop, &b.timer, 2);
	CHECK(run_for(10) == 0);
	CHECK(strlen(trace) == 2);
	/* A timer that sets itself for now does not keep others out. */
	CHECK(ear_open(&e, EPOLLIN, remove_self));
	loop_timer_set(loop, &again.timer, 0);
	CHECK(loop_run(loop) == 0);
	CHECK(again.left == 0 && e.calls == 1);
	ear_close(&e);
	loop_free(loop);
}

static void time_passes(void)
{
	uint64_t before;

	CHECK(set_up());
	before = loop_now_ms(loop);
	CHECK(run_for(20) == 0);
	CHECK(loop_now_ms(loop) >= before + 20);
	CHECK(loop_now_ms(loop) < before + 2000);
	loop_free(loop);
}

/* Tasks */

static void task_notes(struct loop_task *t)
{
	note(CONTAINER_OF(t, struct named, task)->name);
}

static void task_undefers_other(struct loop_task *t)
{
	struct named *n = CONTAINER_OF(t, struct named, task);

	note(n->name);
	loop_undefer(loop, &n->other->task);
	loop_defer(loop, &n->other->other->task);
}

static void ear_defers(struct loop_io *io, uint32_t events)
{
	struct ear *e = CONTAINER_OF(io, struct ear, io);
	static struct named n = {.task = {.fn = task_notes}, .name = "t"};

	(void)events;
	(void)e;
	note("h");
	loop_defer(loop, &n.task);
	loop_defer(loop, &n.task);
	loop_del(io);
}

static void tasks_after_handlers(void)
{
	struct ear a, b;

	CHECK(set_up());
	CHECK(ear_open(&a, EPOLLIN, ear_defers));
	CHECK(ear_open(&b, EPOLLIN, ear_defers));
	CHECK(run_for(5) == 0);
	CHECK_STR(trace, "hht.");
	ear_close(&a);
	ear_close(&b);
	loop_free(loop);
}

static void task_again(struct loop_task *t)
{
	struct named *n = CONTAINER_OF(t, struct named, task);

	n->left++;
	loop_defer(loop, t);
}

static void tasks_from_tasks(void)
{
	struct named a = {.task = {.fn = task_undefers_other}, .name = "a"};
	struct named b = {.task = {.fn = task_notes}, .name = "b"};
	struct named c = {.task = {.fn = task_notes}, .name = "c"};
	struct named d = {.task = {.fn = task_notes}, .name = "d"};
	struct named again = {.task = {.fn = task_again}};

	CHECK(set_up());
	a.other = &c;
	c.other = &d;
	loop_defer(loop, &a.task);
	loop_defer(loop, &b.task);
	loop_defer(loop, &c.task);
	CHECK(run_for(5) == 0);
	CHECK_STR(trace, "abd.");
	/* The last of the list taken out, and the list goes on behind it. */
	trace[0] = '\0';
	loop_defer(loop, &b.task);
	loop_defer(loop, &c.task);
	loop_undefer(loop, &c.task);
	loop_undefer(loop, &c.task);
	loop_defer(loop, &d.task);
	CHECK(run_for(5) == 0);
	CHECK_STR(trace, "bd.");
	/* One that defers itself comes once a turn, and timers still come. */
	loop_defer(loop, &again.task);
	CHECK(run_for(5) == 0);
	CHECK(again.left > 1);
	loop_undefer(loop, &again.task);
	loop_free(loop);
}

static void ends_of_the_loop(void)
{
	struct named a = {.task = {.fn = task_notes}, .name = "a"};
	struct named b = {.task = {.fn = task_notes}, .name = "b"};
	struct named c = {.task = {.fn = task_notes}, .name = "c"};

	CHECK(set_up());
	loop_at_free(loop, &a.task);
	loop_at_free(loop, &b.task);
	loop_at_free(loop, &c.task);
	loop_undefer(loop, &b.task);
	CHECK(run_for(2) == 0);
	CHECK_STR(trace, ".");
	loop_free(loop);
	CHECK_STR(trace, ".ca");
	loop_free(NULL);
}

static void stopped_before(void)
{
	CHECK(set_up());
	loop_stop(loop);
	CHECK(loop_run(loop) == 0);
	CHECK(run_for(2) == 0);
	CHECK_STR(trace, ".");
	loop_free(loop);
}

/* Signals */

static int last_signal;

static void signalled(struct loop_signal *s)
{
	last_signal = s->signo;
	note("s");
	loop_stop(loop);
}

static void signals(void)
{
	struct loop_signal a, b, c;

	CHECK(set_up());
	CHECK(loop_on_signal(loop, &a, SIGUSR1, signalled) == 0);
	CHECK(loop_on_signal(loop, &b, SIGUSR2, signalled) == 0);
	CHECK(loop_on_signal(loop, &c, 9999, signalled) == -EINVAL);
	CHECK(kill(getpid(), SIGUSR2) == 0);
	CHECK(loop_run(loop) == 0);
	CHECK(last_signal == SIGUSR2);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(loop_run(loop) == 0);
	CHECK(last_signal == SIGUSR1);
	CHECK_STR(trace, "ss");
	loop_free(loop);
}

static void broken_pipe(void)
{
	int fds[2];

	CHECK(set_up());
	CHECK(pipe(fds) == 0);
	(void)close(fds[0]);
	CHECK(write(fds[1], "x", 1) < 0 && errno == EPIPE);
	(void)close(fds[1]);
	loop_free(loop);
}

int main(void)
{
	test_run("a handler removes itself", removed_self);
	test_run("a handler removes another of the same turn", removed_other);
	test_run("a handler frees another of the same turn", freed_other);
	test_run("wanting nothing is silence", wanted_nothing);
	test_run("a hang-up comes as what was asked for", hung_up);
	test_run("what cannot be polled is refused", not_pollable);
	test_run("an interest that epoll does not take ends the run",
		 not_taken);
	test_run("timers come in order", timers_in_order);
	test_run("many timers, many stopped", many_timers);
	test_run("timers set and stop timers", timers_from_timers);
	test_run("time passes", time_passes);
	test_run("tasks run once, after the handlers", tasks_after_handlers);
	test_run("tasks defer and undefer tasks", tasks_from_tasks);
	test_run("the end of the loop", ends_of_the_loop);
	test_run("a stop before the run", stopped_before);
	test_run("signals", signals);
	test_run("a broken pipe is an errno", broken_pipe);
	return test_end();
}
