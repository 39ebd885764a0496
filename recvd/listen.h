/* The PIPESERVER: a bound socket, and whether it lets anybody in.
 *
 * Off, the socket is bound when that is possible, so that an edge hears "PIPESERVER is
 * off" instead of a refused connection; on, it must be bound, and is tried again every
 * few seconds when the address was taken at start. Peers outside of the white list hear
 * so before anything else. Nothing here blocks. */
#ifndef TSFERRY_LISTEN_H
#define TSFERRY_LISTEN_H

#include "recvd.h"

struct listener;

/* Bound if possible, off. */
int listener_new(struct listener **out, struct recvd *d, struct err *e) MUST_CHECK;
void listener_free(struct listener *l);

/* On, with bind and port as they are set now. -errno and code 328 when it can not be
 * bound; then it is as it was. */
int listener_start(struct listener *l, struct err *e) MUST_CHECK;
/* On although it is not bound: it goes on trying. */
void listener_insist(struct listener *l);
void listener_stop(struct listener *l);
/* For good: nobody is accepted any more. */
void listener_shut(struct listener *l);

bool listener_is_on(const struct listener *l);
unsigned listener_port(const struct listener *l); /* 0: not bound */

/* As it is set now; connections from elsewhere are ended. */
int listener_set_white_list(struct listener *l, struct err *e) MUST_CHECK;

#endif
