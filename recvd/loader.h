/* The loader as a child program, seen from recvd: started, spoken to, timed, restarted by
 * its owner. The protocol is tsferry-loader(7).
 *
 * Events come from the loop, never from inside a call of the owner. After `died` the
 * child is reaped and loader_start() may be called again. Nothing here blocks. */
#ifndef TSFERRY_LOADER_H
#define TSFERRY_LOADER_H

#include "ground/loop.h"
#include "job_line.h"

#define LOADER_SILENCE_MS 600000 /* no answer for so long, with jobs out: it is killed */
#define LOADER_GREETING_MS 10000

struct loader;

struct loader_events {
	void (*ready)(void *arg);
	/* paths: of a MISMATCH, one a line; "" when it named none. */
	void (*answer)(void *arg, unsigned job, enum job_result r, const char *text,
		       const char *paths);
	void (*end)(void *arg);
	/* was_ready: it had answered the empty batch it is greeted with, so the jobs may
	 * be to blame. was_killed: of a SIGKILL that was not ours. */
	void (*died)(void *arg, const char *why, bool was_ready,
		     bool was_killed);
};

struct loader *loader_new(struct loop *l, const struct loader_events *ev, void *arg);
void loader_free(struct loader *ld); /* kills it */

/* argv[0] is the program's path; the array ends with NULL. */
int loader_start(struct loader *ld, const char *const argv[], struct err *e) MUST_CHECK;
/* Ends it, between two batches. */
void loader_stop(struct loader *ld);
bool loader_is_ready(const struct loader *ld);
int loader_pid(const struct loader *ld); /* 0 = none */

/* A whole batch, with its `end`. One batch at a time. */
void loader_send(struct loader *ld, const void *p, size_t n);

#endif
