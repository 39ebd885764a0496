/* A plan made durable: one transaction of the catalog's thread (plan.h). */
#ifndef TSFERRY_PLAN_JOB_H
#define TSFERRY_PLAN_JOB_H

#include "edge.h"
#include "plan.h"

/* Takes the plan's contents; fn tells the result, on the loop. News become events when
 * it is durable. `p` must live until then. */
void plan_submit(struct edge *e, struct partition *p, int64_t pipe,
		 struct plan *plan,
		 void (*fn)(void *arg, struct partition *p, int result),
		 void *arg);

#endif
