/* The statements that belong to recvd, and the control socket that brings them
 * (statement reference, sections 1 and 2). */
#ifndef TSFERRY_STMT_H
#define TSFERRY_STMT_H

#include "recvd.h"

/* Opens the control socket: the daemon is ready. */
int stmt_open(struct recvd *d, struct err *e) MUST_CHECK;

/* ---- between stmt.c and stmt_show.c ---- */

void stmt_show_senders(struct recvd *d, struct request *rq);
void stmt_show_quarantine(struct recvd *d, struct request *rq);

#endif
