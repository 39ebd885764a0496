#include "travel.h"

/* Twice, because a core squeezes and encrypts, and the other end unpacks. */
#define MARGIN 2u

bool travel_squeezes(struct travel *t, uint64_t way_rate, uint32_t len)
{
	if (!way_rate || way_rate > TRAVEL_WAY_MAX || len < TRAVEL_LEAST)
		return false;
	/* Now and then all the same: what was measured may have been a busy moment. */
	if (t->squeeze_rate && way_rate > t->squeeze_rate / MARGIN &&
	    ++t->n_fast % TRAVEL_PAUSE_MAX != 0)
		return false;
	if (t->left) {
		t->left--;
		return false;
	}
	return true;
}

void travel_squeezed(struct travel *t, uint32_t len, uint32_t packed,
		     uint64_t us)
{
	uint64_t rate = (uint64_t)len * 1000000 / (us ? us : 1);

	/* A block that a busy machine held up says little. */
	t->squeeze_rate =
		t->squeeze_rate ? (7 * t->squeeze_rate + rate) / 8 : rate;
	if (packed) {
		t->pause = t->left = 0;
		return;
	}
	t->pause = t->pause ? 2 * t->pause : 1;
	if (t->pause > TRAVEL_PAUSE_MAX)
		t->pause = TRAVEL_PAUSE_MAX;
	t->left = t->pause;
}
