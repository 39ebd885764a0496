/* How a block travels: literally, or as a zstd frame. One function decides; nothing else
 * knows how.
 *
 * Squeezing pays on a way that is slower than the squeezing itself, for data that gives
 * way. Both are measured, and the answer may differ from block to block. On a way of a
 * hundred megabytes a second nothing is ever squeezed: the cores have better work there.
 * What did not give way is tried less and less often, and soon again when it does.
 *
 * Pure: times and rates are the caller's. */
#ifndef TSFERRY_TRAVEL_H
#define TSFERRY_TRAVEL_H

#include <stdbool.h>
#include <stdint.h>

/* No way faster than that is worth a core, whatever was measured. */
#define TRAVEL_WAY_MAX (100u << 20)
#define TRAVEL_LEAST 512u /* shorter payloads are not tried */
#define TRAVEL_PAUSE_MAX \
	64u /* blocks between two tries of what does not give way */

struct travel {
	uint64_t
		squeeze_rate; /* plain bytes a second, lately; 0 = never tried */
	unsigned pause,
		left; /* blocks to let pass after a try in vain; of them to come */
	unsigned n_fast; /* blocks that found the way faster than that */
};

/* way_rate: bytes a second that the way carries; 0 = unknown, which is fast. */
bool travel_squeezes(struct travel *t, uint64_t way_rate, uint32_t len);

/* What became of it: `packed` bytes, 0 = it did not give way. */
void travel_squeezed(struct travel *t, uint32_t len, uint32_t packed,
		     uint64_t us);

#endif
