/* Pauses between tries that double up to a maximum. Pure. */
#ifndef TSFERRY_BACKOFF_H
#define TSFERRY_BACKOFF_H

#include <stdint.h>

/* The pause behind a try when `n` failed before it: first_ms, twice that, four times ...,
 * at most max_ms, whatever n is. */
uint64_t backoff_ms(unsigned n, uint64_t first_ms, uint64_t max_ms);

#endif
