/* What the look at one partition decided for one pipe, beyond new files: which captured
 * files follow again, which products are derived, which sources are done with.
 *
 * Made by a listing on the scan's thread; made durable as one transaction of the
 * catalog's thread before anything of that listing is captured, so that a debt outlives
 * the daemon: what is captured first cannot be forgotten to be followed. Whoever holds
 * a plan owns it. */
#ifndef TSFERRY_PLAN_H
#define TSFERRY_PLAN_H

#include "compaction.h"
#include "deletion.h"
#include "ground/buf.h"
#include "known.h"
#include "living.h"

#define PLAN_NEWS_MAX 16384u
#define PLAN_DEVICES_MAX (1u << 20)

struct plan_journal {
	char name[JOURNAL_NAME_LEN];
	char *body; /* owned; NULL = the compaction is over */
};

struct plan_restate {
	char *devices; /* owned: one a line */
	int64_t time_min, time_max;
	bool is_held;
};

struct plan {
	struct known_list stale; /* gone, and not all of their deletions read */
	struct plan_restate *restates; /* owned: entries, before all others */
	size_t n_restates, cap_restates;
	struct deletions deletions;
	struct known_list learned;     /* ranges that were read */
	struct known_list products;    /* derived: captured without an entry */
	struct living_list gone;       /* what they were made from */
	struct plan_journal *journals; /* owned */
	size_t n_journals, cap_journals;
	struct living_list owed; /* known ones that follow again */
	struct buf devices;	 /* lines: devices of the region */
	struct buf news;	 /* lines for the pipe's events */
};

void plan_init(struct plan *p);
void plan_release(struct plan *p);
int plan_journal(struct plan *p, const char *name, const char *body) MUST_CHECK;
int plan_restate(struct plan *p, const char *devices, int64_t time_min,
		 int64_t time_max) MUST_CHECK;
/* A product that is sent though captured files went into it. In the cloud their rows stand under
 * the files' own names, so what is deleted of it is not said by what travels beside it: it is
 * known from this plan on, as derived and owed, with the deletions that were read. */
int plan_owe_product(struct plan *p,
		     const struct known_file *product) MUST_CHECK;
bool plan_is_empty(const struct plan *p);

#endif
