#include "rate.h"

void rate_begin(struct rate *r, uint64_t now_ms)
{
	r->at_ms = now_ms;
	r->bytes = 0;
}

void rate_look(struct rate *r, uint64_t now_ms, uint64_t bytes)
{
	uint64_t past = now_ms - r->at_ms, now;

	if (past < RATE_SAMPLE_MS)
		return;
	now = bytes < r->bytes ? 0 : (bytes - r->bytes) * 1000 / past;
	if (r->per_second == 0 || past > 10 * RATE_MEMORY_MS)
		r->per_second = now;
	else
		r->per_second = (r->per_second * RATE_MEMORY_MS + now * past) /
				(RATE_MEMORY_MS + past);
	r->at_ms = now_ms;
	r->bytes = bytes;
}
