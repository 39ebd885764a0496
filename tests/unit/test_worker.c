#include <pthread.h>
#include <signal.h>

#include "ground/worker.h"
#include "test.h"

#define MANY 20000

struct work {
	struct job job;
	unsigned n;
	unsigned seen; /* by the thread */
	struct work *chain;
	pthread_t thread;
	bool signals_blocked;
};

static struct loop *loop;
static struct worker *worker;
static unsigned n_done, n_wanted, disorder;
static unsigned order_run; /* touched by a single thread only */
static pthread_t main_thread;

static bool set_up(unsigned n_threads)
{
	n_done = disorder = order_run = 0;
	main_thread = pthread_self();
	return loop_new(&loop, NULL) == 0 &&
	       worker_new(&worker, loop, n_threads, "a name that is too long",
			  NULL) == 0;
}

static void tear_down(void)
{
	worker_free(worker);
	loop_free(loop);
}

static void run_in_order(struct job *j)
{
	struct work *w = CONTAINER_OF(j, struct work, job);

	w->seen = order_run++;
}

static void run_doubles(struct job *j)
{
	struct work *w = CONTAINER_OF(j, struct work, job);

	w->seen = 2 * w->n;
}

static void run_looks_around(struct job *j)
{
	struct work *w = CONTAINER_OF(j, struct work, job);
	sigset_t set;

	w->thread = pthread_self();
	(void)pthread_sigmask(SIG_SETMASK, NULL, &set);
	w->signals_blocked =
		sigismember(&set, SIGTERM) && sigismember(&set, SIGINT);
}

static void count_done(struct work *w)
{
	disorder += w->n != n_done;
	if (!pthread_equal(pthread_self(), main_thread))
		disorder++;
	if (++n_done == n_wanted)
		loop_stop(loop);
}

static void done_in_order(struct job *j)
{
	struct work *w = CONTAINER_OF(j, struct work, job);

	disorder += w->seen != w->n;
	count_done(w);
}

static void done_frees(struct job *j)
{
	struct work *w = CONTAINER_OF(j, struct work, job);

	disorder += w->seen != 2 * w->n;
	w->n = n_done;
	count_done(w);
	free(w);
}

static void done_submits(struct job *j)
{
	struct work *w = CONTAINER_OF(j, struct work, job);

	count_done(w);
	if (w->chain)
		worker_submit(worker, &w->chain->job);
}

static void in_order(void)
{
	static struct work w[MANY];

	CHECK(set_up(1));
	n_wanted = MANY;
	for (unsigned i = 0; i < MANY; i++) {
		w[i] = (struct work){
			.n = i, .job = {run_in_order, done_in_order, NULL}};
		worker_submit(worker, &w[i].job);
	}
	CHECK(worker_pending(worker) == MANY);
	CHECK(loop_run(loop) == 0);
	CHECK(n_done == MANY && disorder == 0);
	CHECK(worker_pending(worker) == 0);
	tear_down();
}

static void many_threads(void)
{
	CHECK(set_up(4));
	n_wanted = MANY;
	for (unsigned i = 0; i < MANY; i++) {
		struct work *w = calloc(1, sizeof *w);

		CHECK(w);
		w->n = i;
		w->job = (struct job){run_doubles, done_frees, NULL};
		worker_submit(worker, &w->job);
	}
	CHECK(loop_run(loop) == 0);
	CHECK(n_done == MANY && disorder == 0);
	tear_down();
}

/* One at a time: each completion has to wake a loop that sleeps. */
static void one_by_one(void)
{
	struct work w[300] = {0};

	CHECK(set_up(2));
	n_wanted = ARRAY_LEN(w);
	for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
		w[i].n = i;
		w[i].job = (struct job){run_doubles, done_submits, NULL};
		w[i].chain = i + 1 < ARRAY_LEN(w) ? &w[i + 1] : NULL;
	}
	worker_submit(worker, &w[0].job);
	CHECK(worker_pending(worker) == 1);
	CHECK(loop_run(loop) == 0);
	CHECK(n_done == ARRAY_LEN(w) && disorder == 0);
	tear_down();
}

/* Freed without a turn of the loop: everything is done, chains too. */
static void freed_with_work(void)
{
	struct work w[300] = {0};

	CHECK(set_up(3));
	n_wanted = 0;
	for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
		w[i].n = i;
		w[i].job = (struct job){run_doubles, done_submits, NULL};
		w[i].chain = i + 1 < ARRAY_LEN(w) ? &w[i + 1] : NULL;
	}
	worker_submit(worker, &w[0].job);
	worker_free(worker);
	CHECK(n_done == ARRAY_LEN(w) && disorder == 0);
	loop_free(loop);
	worker_free(NULL);
}

static void threads_are_others(void)
{
	struct work w = {.job = {run_looks_around, done_submits, NULL}};
	sigset_t set;

	CHECK(set_up(1));
	n_wanted = 1;
	worker_submit(worker, &w.job);
	CHECK(loop_run(loop) == 0);
	CHECK(!pthread_equal(w.thread, main_thread));
	CHECK(w.signals_blocked);
	CHECK(pthread_sigmask(SIG_SETMASK, NULL, &set) == 0);
	CHECK(!sigismember(&set, SIGTERM));
	tear_down();
}

int main(void)
{
	test_run("one thread keeps the order", in_order);
	test_run("many jobs on four threads", many_threads);
	test_run("jobs one by one", one_by_one);
	test_run("free waits and calls every done", freed_with_work);
	test_run("threads leave signals to the loop", threads_are_others);
	return test_end();
}
