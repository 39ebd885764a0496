/* The scan's own: its state, between scan.c and scan_events.c. Included by these only. */
#ifndef TSFERRY_SCAN_INSIDE_H
#define TSFERRY_SCAN_INSIDE_H

#include "listing.h"
#include "scan.h"
#include "walk.h"

struct scan {
	struct edge *edge;
	struct worker *worker; /* one thread: walks and listings */
	struct listing_db db;  /* that thread's */
	struct watch *watch;
	struct partitions partitions;
	struct partition *first_dirty, **last_dirty;
	struct walk *walk; /* under way; NULL = none */
	bool is_walk_again, is_listing, is_network;
	bool is_held;	   /* scan_hold() */
	bool is_all_again; /* list everything after the next walk */
	uint64_t n_walks;  /* begun */
	size_t n_away,
		n_unready; /* data directories; spools that cannot be used */
	size_t n_swept;	   /* ready spools at the last sweep */
	size_t n_singles;
	struct loop_timer next, survey;
	bool is_survey_set; /* so that a steady stream does not put it off */
	struct scan_waiter *waiters;
	struct vanish_asking *askings; /* vanish_ask.c */
	struct drop_wait *drop_waits;  /* vanish_drop.c */
};

void scan_mark_dirty(struct scan *s, struct partition *p);
/* In front of all others: what is to be seen there may soon be gone. */
void scan_mark_urgent(struct scan *s, struct partition *p);
void scan_pump(struct scan *s);
void scan_begin_walk(struct scan *s);
void scan_hand_over(struct scan *s, struct partition *p, int64_t pipe,
		    struct living *files, size_t n, bool is_single);

/* Surveys the partition once there has been nothing to do for a while. */
void scan_want_survey(struct scan *s, struct partition *p);

/* The job of one partition, with everything that it is given. */
struct listing *scan_new_listing(struct scan *s, struct partition *p);
/* A plan, or a list, of the partition is under way; or is done with. */
void scan_submit_plan(struct scan *s, struct partition *p,
		      struct listing_pipe *lp);
void scan_survey_begin(struct scan *s); /* scan_survey.c */
void scan_survey_end(struct scan *s);

/* Makes the watch, whose events come to scan_events.c. */
int scan_listen(struct scan *s, struct err *err) MUST_CHECK;

#endif
