/* Texts and replies of two daemons made one.
 *
 * Pure: nothing here blocks or keeps anything. The second may always be empty. */
#ifndef TSFERRY_JOIN_H
#define TSFERRY_JOIN_H

#include "domain/control.h"

/* Lines by the time they begin with (2022-03-30T20:58:30.689); a line that begins with
 * none stays behind the one before it. Equal times: a's first. */
void join_log(struct buf *out, const struct buf *a, const struct buf *b);

/* Prometheus text: the samples of a family stand together under one HELP and TYPE. */
void join_metrics(struct buf *out, const struct buf *a, const struct buf *b);

/* A text that grows at its end and may lose its beginning, or, when one of two daemons
 * began anew, some of its lines: how many bytes at the beginning of `now` are known from
 * `old`, whole lines; and what `now` has more put behind. */
size_t join_known(const struct buf *old, const struct buf *now);
void join_growth(struct buf *old, const struct buf *now);

/* from's rows behind to's; a failure wins over a success, the first failure over a
 * later one. `to` may be zeroed: then it becomes a copy. */
void join_reply(struct reply *to, const struct reply *from);

/* The same for SHOW STATEMENTS, where each daemon lists its own and the common ones: a
 * row that is there already is left out. */
void join_table(struct reply *to, const struct reply *from);

/* A refusal that was made here, as a daemon would have said it. */
void join_failure(struct reply *to, const struct err *e);

#endif
