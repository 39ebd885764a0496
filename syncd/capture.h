/* Sealed files become entries: pinned, synced, and committed in batches on the
 * catalog's thread (design, section 4).
 *
 * Lists of files come from the scan, in the order in which they must be captured, and
 * are worked off in the order of their coming: at most CAPTURE_BATCH files of one pipe
 * share a sync and a commit, and a single file goes at once. When nothing can be
 * pinned (no room, no right to link, no catalog) capture pauses with a note: what waits
 * is handed back as blocked, and the scan is asked again after some seconds. */
#ifndef TSFERRY_CAPTURE_H
#define TSFERRY_CAPTURE_H

#include "edge.h"
#include "partition.h"

#define CAPTURE_BATCH 256

struct capture_list {
	struct capture_list *next;
	int64_t pipe;	      /* id */
	struct partition *of; /* borrowed until done */
	struct living *files; /* owned by the list */
	size_t n, n_taken, n_finished;
	size_t n_refused, n_gone;
	bool is_blocked;
	bool is_single; /* from an event rather than from a listing */
	/* Everything was tried; frees the list (capture_list_free). */
	void (*done)(void *arg, struct capture_list *l);
	void *arg;
};

void capture_list_free(struct capture_list *l);

struct capture *capture_new(struct edge *e, void (*resumed)(void *arg),
			    void *arg);
void capture_free(struct capture *c); /* when no batch is under way any more */

void capture_add(struct capture *c,
		 struct capture_list *l); /* takes the list */
bool capture_is_paused(const struct capture *c);
size_t capture_waiting(const struct capture *c); /* files not yet taken up */
/* When the newest captured file was sealed; 0 = none since the start. */
int64_t capture_newest_sealed_ms(const struct capture *c);

#endif
