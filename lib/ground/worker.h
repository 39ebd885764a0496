/* Threads for what blocks: disks, digests, name look-ups.
 *
 * A job belongs to one side at a time: from worker_submit() until its `done` is
 * called on the loop's thread it is the worker's, and nobody else looks at it.
 * `run` touches nothing but its job. Jobs of a pool with one thread run, and are
 * done, in the order of submission. All locking of the program is in worker.c. */
#ifndef TSFERRY_WORKER_H
#define TSFERRY_WORKER_H

#include "loop.h"

struct worker;

struct job {
	void (*run)(struct job *j);  /* on a worker thread */
	void (*done)(struct job *j); /* on the loop's thread; may free the job */
	struct job *next;
};

int worker_new(struct worker **out, struct loop *l, unsigned n_threads, const char *name,
	       struct err *e) MUST_CHECK;

void worker_submit(struct worker *w, struct job *j);

size_t worker_pending(const struct worker *w); /* submitted and not yet done */

/* Waits for what was submitted, calls every `done`, ends the threads. Before
 * loop_free(), and not from inside a `done`. Safe on NULL. */
void worker_free(struct worker *w);

#endif
