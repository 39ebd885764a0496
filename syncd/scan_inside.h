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
	bool is_all_again; /* list everything after the next walk */
	uint64_t n_walks;  /* begun */
	size_t n_away,
		n_unready; /* data directories; spools that cannot be used */
	bool is_full;	   /* the spools hold as much as they may: no capture */
	size_t n_swept;	   /* ready spools at the last sweep */
	size_t n_singles;
	struct loop_timer next;
	struct scan_waiter *waiters;
};

void scan_mark_dirty(struct scan *s, struct partition *p);
void scan_pump(struct scan *s);
void scan_begin_walk(struct scan *s);
void scan_hand_over(struct scan *s, struct partition *p, int64_t pipe,
		    struct living *files, size_t n, bool is_single);

/* Makes the watch, whose events come to scan_events.c. */
int scan_listen(struct scan *s, struct err *err) MUST_CHECK;

#endif
