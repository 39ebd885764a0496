/* The higher ones follow again (design, section 4, "Order").
 *
 * In the cloud the last loaded wins. When a file is captured whose precedence is below
 * that of files captured before, those of them that share a device and a time with it
 * must be loaded behind it once more, and then whatever is above those and overlaps
 * them. Only files that still stand at the edge matter: rows of a file that is gone are
 * in a compaction's product, which follows in its place, or are deleted at the edge.
 *
 * What captured files hold is read again from IoTDB's own directory when it is asked
 * for; only the first and last time of each file is kept, in the catalog. Most new files
 * are above everything, and then nothing is read. */
#ifndef TSFERRY_FOLLOW_H
#define TSFERRY_FOLLOW_H

#include "listing.h"
#include "living.h"

/* `fresh`, in ascending precedence, is what a pipe is about to capture; what follows
 * again is put among it, marked. `top`: the highest captured before. */
int follow_add(struct listing *l, struct listing_pipe *lp,
	       struct living_list *fresh, const struct living *top) MUST_CHECK;

/* A file where it stands, opened; its volume is set. -errno. */
int follow_open(const struct listing *l, struct living *f) MUST_CHECK;
/* From when to when it has rows, as it stands there; any = false: that cannot be read. */
struct tsfile_range follow_range(const struct listing *l, struct living *f);
/* follow_open() of another partition of its database. */
int follow_open_in(const struct listing *l, uint32_t region, int64_t partition,
		   struct living *f) MUST_CHECK;

#endif
