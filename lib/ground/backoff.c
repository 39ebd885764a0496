#include "backoff.h"

uint64_t backoff_ms(unsigned n, uint64_t first_ms, uint64_t max_ms)
{
	uint64_t ms = first_ms < max_ms ? first_ms : max_ms;

	for (; n > 0 && ms > 0 && ms < max_ms; n--)
		ms = ms > max_ms / 2 ? max_ms : ms * 2;
	return ms;
}
