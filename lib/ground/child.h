/* A child program with pipes on its standard input and output, in the loop.
 *
 * Its stderr is ours. It is started without a shell, with no other descriptor of
 * ours, in its own process group, and dies with us (PR_SET_PDEATHSIG). */
#ifndef TSFERRY_CHILD_H
#define TSFERRY_CHILD_H

#include <sys/types.h>

#include "loop.h"

struct child {
	pid_t pid; /* 0 = none */
	int to_fd, from_fd, pid_fd; /* non-blocking, owned; -1 = none */
};

/* argv[0] is a path (no search), the array ends with NULL. A program that cannot be
 * run is an error of this call, which waits for the exec. Call it on the main
 * thread: the child dies with the thread that started it. On failure `c` is ended. */
int child_start(struct child *c, const char *const argv[], struct err *e) MUST_CHECK;

/* SIGKILL to its process group, reap, close. Safe on a zeroed or ended child. Returns the
 * wait status. */
int child_end(struct child *c);

#endif
