/* A compaction's product is derived, and not sent, when the cloud has its rows already
 * (design, section 4, "Compaction").
 *
 * That is so when a journal that syncd itself read names its sources, all of them are
 * captured, their deletions were read as far as they stood beside the journal, none of
 * them still has to follow something, and what was loaded between or behind them in the
 * cloud wins or loses against the product as it did against them. Any other product is
 * sent like a new file. The scan's thread. */
#ifndef TSFERRY_DERIVE_H
#define TSFERRY_DERIVE_H

#include "listing.h"
#include "living.h"

/* Once per listing, when the journals that stand there are read: the catalog's are
 * added, and sources are looked at. */
int derive_prepare(struct listing *l) MUST_CHECK;

/* For one pipe, with both lists sorted by identity: sources leave `vanished`, derived
 * products leave `fresh`; captured files that must follow a derived product are added
 * to `fresh`, marked. What is to be remembered is in the pipe's plan. */
int derive_judge(struct listing *l, struct listing_pipe *lp,
		 struct living_list *fresh,
		 struct living_list *vanished) MUST_CHECK;

/* Nothing of it is decided yet: the plan gets the journals that the catalog has not. */
int derive_remember(struct listing *l, struct listing_pipe *lp) MUST_CHECK;

#endif
