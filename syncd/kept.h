/* What is gone at the edge when a RESYNC begins (resync.h), and whether the receiver still
 * has it: ASK_KEPT and KEPT (docs/protocol.md, section 4). What it retained, or had not yet
 * applied, it applies by itself; what is neither there nor here is a line in gaps, one for
 * each partition, and a WARN.
 *
 * A question is asked on every link until it is answered: the answer counts with the
 * transaction that settles it. A receiver that knows no ASK_KEPT answers the STATUS behind it
 * with a PONG; then nothing is taken for retained, and the lines say so. At most KEPT_RUNS
 * runs are remembered; what lies behind them counts as not retained. Loop only. */
#ifndef TSFERRY_KEPT_H
#define TSFERRY_KEPT_H

#include "pipes.h"

#define KEPT_RUNS 65536u

struct kept;

/* NULL when nothing is to be asked; else the question is added to `out`. */
struct kept *kept_ask(struct edge *e, struct pipe *p, struct buf *out);
void kept_free(struct kept *k);

/* Both take what is asked out of *k when it is settled; harmless when nothing is. */
void kept_answer(struct kept **k, const struct msg_kept *m);
void kept_unanswered(struct kept **k);

#endif
