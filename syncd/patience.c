#include "patience.h"

#include <string.h>

/* `ms` less up to its part-th part, so that a fleet does not come back in step. */
static uint64_t jitter(uint64_t ms, unsigned part, uint16_t random)
{
	return ms - (ms / part * random) / UINT16_MAX;
}

void patience_init(struct patience *p, uint64_t now_ms)
{
	memset(p, 0, sizeof(*p));
	p->backoff_ms = PATIENCE_MIN_MS;
	p->offline_ms = now_ms;
}

void patience_online(struct patience *p)
{
	p->is_online = true;
	if (!p->is_busy)
		p->backoff_ms = PATIENCE_MIN_MS;
}

void patience_busy(struct patience *p)
{
	p->is_busy = p->is_busy_now = true;
}

void patience_moved(struct patience *p)
{
	patience_again(p);
}

void patience_offline(struct patience *p, uint64_t now_ms)
{
	if (p->is_online)
		p->offline_ms = now_ms;
	p->is_online = false;
}

void patience_again(struct patience *p)
{
	p->is_busy = false;
	p->backoff_ms = PATIENCE_MIN_MS;
	p->n_quick = 0;
}

void patience_quick(struct patience *p)
{
	p->is_quick = p->n_quick < PATIENCE_QUICK && !p->is_busy;
}

void patience_restart(struct patience *p, uint64_t now_ms)
{
	p->is_online = false;
	p->offline_ms = now_ms;
	patience_again(p);
}

bool patience_is_over(const struct patience *p, uint64_t now_ms,
		      uint64_t limit_ms)
{
	return limit_ms && !p->is_online && now_ms - p->offline_ms >= limit_ms;
}

uint64_t patience_pause(struct patience *p, uint16_t random)
{
	uint64_t max = p->is_busy_now ? PATIENCE_BUSY_MS : PATIENCE_MAX_MS;
	bool is_quick = p->is_quick;
	uint64_t ms =
		jitter(p->backoff_ms < max ? p->backoff_ms : max, 4, random);

	p->is_busy_now = p->is_quick = false;
	if (is_quick) {
		p->n_quick++;
		return jitter(PATIENCE_QUICK_MS, 2, random);
	}
	p->backoff_ms = p->backoff_ms * 2 > max ? max : p->backoff_ms * 2;
	return ms;
}

uint64_t patience_error_pause(uint16_t random)
{
	return jitter(PATIENCE_ERROR_MS, 2, random);
}
