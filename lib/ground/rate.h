/* Bytes a second as people want to read it: a mean that fades with time, so that it is
 * right soon after a beginning, and near zero soon after an end. Pure; the clock and the
 * counter are the caller's. */
#ifndef TSFERRY_RATE_H
#define TSFERRY_RATE_H

#include <stdint.h>

#define RATE_SAMPLE_MS 200u  /* two looks are at least so far apart */
#define RATE_MEMORY_MS 1000u /* how fast older looks fade */

struct rate {
	uint64_t at_ms, bytes; /* of the last look */
	uint64_t per_second;
};

/* The counter begins at 0 now; what was measured before fades. */
void rate_begin(struct rate *r, uint64_t now_ms);

/* A look at the counter; one that comes too early is none. A pause of ten times the
 * memory, or a mean of 0, begins anew with this look. */
void rate_look(struct rate *r, uint64_t now_ms, uint64_t bytes);

#endif
