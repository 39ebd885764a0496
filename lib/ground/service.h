/* What a daemon tells the service manager that started it: that it is ready, that it
 * ends, that its loop still turns.
 *
 * Without a service manager (no NOTIFY_SOCKET in the environment) everything here does
 * nothing. Never blocks: a datagram that does not go at once is dropped, and only the
 * next sign of life replaces it. When the manager asks for signs of life (WATCHDOG_USEC,
 * for this process), one goes from the loop's own timer at a third of that interval, so
 * that a loop that hangs is seen. No state but the struct; the environment is read in
 * service_ready() only. Main thread.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3): the protocol is documented there and
 * declared stable. */
#ifndef TSFERRY_SERVICE_H
#define TSFERRY_SERVICE_H

#include "loop.h"

struct service {
	struct loop *loop; /* NULL: nobody is told */
	struct loop_timer alive;
	uint64_t interval_ms; /* 0 = no signs of life are asked for */
	int fd;
};

/* Says READY=1 and begins with signs of life. `s` must be zeroed; it is borrowed by the
 * loop until service_end(). Returns 0; -EINVAL when NOTIFY_SOCKET is not an address,
 * -errno when there is no socket: worth a line in the log, never an end. */
int service_ready(struct service *s, struct loop *l,
		  const char *status) MUST_CHECK;

/* Says STOPPING=1; signs of life go on while the daemon winds down in its loop. */
void service_stopping(struct service *s);

/* No word after this. Legal on a zeroed struct. */
void service_end(struct service *s);

#endif
