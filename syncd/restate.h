/* RESTATE: a partition of the cloud is made equal to the edge again (design, sections 2
 * and 4).
 *
 * When files were compacted away whose deletions may not all have been read, the product's
 * rows are counted against theirs: equal sums mean that nothing was deleted. Else the
 * rows of every device that the region was seen to have are deleted in the cloud, from the first
 * to the last time, and every living file of it follows in ascending precedence. Before the
 * first row that is left at the edge only where the edge server says that no TTL can have removed
 * rows there (restate_front.c), for the cloud does not share its TTL. The scan's thread. */
#ifndef TSFERRY_RESTATE_H
#define TSFERRY_RESTATE_H

#include "listing.h"
#include "living.h"

/* Whether the sum of rows over `sources` is that of `products`; false when one of them was never
 * read and is pinned no more. */
bool restate_is_equal(struct listing *l, int64_t pipe,
		      const struct known_list *sources,
		      struct living *const *products, size_t n);

/* Whether a file that is gone may be in a new one, by their names. */
bool restate_may_be_in(const struct living *f, const struct living *gone);

/* Files that vanished beside new products, without a journal: a compaction that nobody
 * saw. They leave `vanished`; when rows are missing they are in the plan's `stale`. */
int restate_find_missed(struct listing *l, struct listing_pipe *lp,
			const struct living_list *fresh,
			struct living_list *vanished) MUST_CHECK;

/* For the plan's `stale` files: adds RESTATE entries to the plan, and every living file
 * to `fresh`. Nothing when there are none. */
int restate_add(struct listing *l, struct listing_pipe *lp,
		struct living_list *fresh) MUST_CHECK;

/* *first is that of the lost files, `left` the first row that is left: moved up to that one
 * unless the edge server says that no TTL was at work in between. While it is asked the pipe
 * waits: lp->is_waiting. */
void restate_front(struct listing *l, struct listing_pipe *lp, int64_t *first,
		   int64_t left);

/* A source that is gone while its compaction cannot be judged yet. */
bool restate_is_withheld(const struct listing *l, const struct living *f);
/* What a file that is gone held, as long as it is pinned: its descriptor, -ENOENT. */
int restate_open_pin(struct listing *l, int64_t pipe,
		     uint64_t serial) MUST_CHECK;
/* The last time that a lost row of the partition may have had, whatever is known of its file: no
 * row of a later one is before it. 0: that is not clear. */
int restate_end(struct listing *l, int64_t pipe, int64_t *last) MUST_CHECK;

/* A RESTATE in the making, of single files (vanish.h). */
struct restate {
	char **devices; /* owned, with what it points to; sorted, each once */
	size_t n_devices;
	int64_t first, last; /* first > last: of no row */
	bool is_held;
};

#define RESTATE_LINES_MAX (16u << 20)

void restate_release(struct restate *rs);
/* Devices and times of captured files that are gone: of their pins, else of all that the
 * region was seen to have. */
int restate_of_files(struct listing *l, struct listing_pipe *lp,
		     const struct known_list *lost,
		     struct restate *out) MUST_CHECK;
void restate_print(const struct restate *rs, struct buf *lines);
/* Adds it to the plan, and the living captured files that overlap it to `fresh`. */
int restate_send(struct listing *l, struct listing_pipe *lp,
		 struct living_list *fresh,
		 const struct restate *rs) MUST_CHECK;

#endif
