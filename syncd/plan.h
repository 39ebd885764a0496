/* What the look at one partition decided for one pipe, beyond new files: which captured
 * files follow again, which products are derived, which sources are done with.
 *
 * Made by a listing on the scan's thread; made durable as one transaction of the
 * catalog's thread before anything of that listing is captured, so that a debt outlives
 * the daemon: what is captured first cannot be forgotten to be followed. Whoever holds
 * a plan owns it. */
#ifndef TSFERRY_PLAN_H
#define TSFERRY_PLAN_H

#include "ground/buf.h"
#include "known.h"
#include "living.h"

#define PLAN_NEWS_MAX 16384u

struct plan {
	struct known_file *learned; /* owned: ranges that were read */
	size_t n_learned, cap_learned;
	struct living_list owed; /* known ones that follow again */
	struct buf news;	 /* lines for the pipe's events */
};

void plan_init(struct plan *p);
void plan_release(struct plan *p);
bool plan_is_empty(const struct plan *p);
int plan_learn(struct plan *p, const struct known_file *k) MUST_CHECK;

#endif
