/* One statement that changes the outbox: checked, committed, then true in memory, then
 * answered (durable first, answer second).
 *
 * Changes take turns: between the check of one and its effect nothing else changes,
 * so that what was checked still holds. Statements that only ask need no turn. */
#ifndef TSFERRY_CHANGE_H
#define TSFERRY_CHANGE_H

#include "edge.h"

struct change {
	struct change *next;
	struct outbox_job job;
	struct edge *edge;
	struct request *rq;
	/* The three steps; the first on the loop, refuses with < 0 and a sentence; the
	 * second on the catalog's thread, in a transaction; the third on the loop. */
	int (*check)(struct change *c, struct err *e);
	int (*commit)(struct change *c, struct outbox_writer *w, struct err *e);
	void (*effect)(struct change *c);
	/* What the steps hand on. */
	struct sink_row sink;
	struct pipe_row pipe, old;
	bool is_nothing; /* checked, and there is nothing to change */
	char key[KEY_TEXT_LEN];
};

struct turns {
	struct change *first, **last;
	bool is_taken;
};

struct turns *turns_new(void);
void turns_free(struct turns *t);

struct change *change_new(struct edge *e, struct request *rq);
void change_begin(struct change *c); /* takes it; it ends with the answer */

#endif
