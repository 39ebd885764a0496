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

int child_start(struct child *c, const char *const argv[], struct err *e) MUST_CHECK;

/* SIGKILL if it lives, reap, close. Safe on a zeroed or ended child. Returns the
 * wait status. */
int child_end(struct child *c);

#endif
