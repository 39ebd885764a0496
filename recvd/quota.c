#include "quota.h"

#define PIECE 1000u

static void refill(struct quota_bucket *b, uint64_t now_ms, uint64_t per_1000s)
{
	uint64_t came = (now_ms - b->at_ms) * per_1000s / 1000;

	if (now_ms <= b->at_ms || !came)
		return; /* what is too little stays to be counted */
	b->taken_milli = came < b->taken_milli ? b->taken_milli - came : 0;
	b->at_ms = now_ms;
}

bool quota_take(struct quota_bucket *b, uint64_t now_ms, uint64_t burst,
		uint64_t per_1000s)
{
	if (quota_wait_ms(b, now_ms, burst, per_1000s))
		return false;
	b->taken_milli += PIECE;
	return true;
}

uint64_t quota_wait_ms(struct quota_bucket *b, uint64_t now_ms, uint64_t burst,
		       uint64_t per_1000s)
{
	uint64_t missing;

	refill(b, now_ms, per_1000s);
	if (b->taken_milli + PIECE <= burst * PIECE)
		return 0;
	missing = b->taken_milli + PIECE - burst * PIECE;
	return missing * 1000 / (per_1000s ? per_1000s : 1) + 1;
}

static const char *const names[N_REFUSALS] = {
	[REFUSED_WHITE_LIST] = "white_list",
	[REFUSED_OFF] = "off",
	[REFUSED_CROWD] = "crowd",
	[REFUSED_GREETING] = "greeting",
	[REFUSED_HELLO] = "hello",
	[REFUSED_SLOW] = "slow",
	[REFUSED_SILENT] = "silent",
	[REFUSED_UNREAD] = "unread",
	[REFUSED_QUOTA] = "quota",
	[REFUSED_BUSY] = "busy",
	[REFUSED_KEY] = "key",
	[REFUSED_TAKEN_OVER] = "taken_over",
	[REFUSED_MISMATCH] = "mismatch",
	[REFUSED_PROTOCOL] = "protocol",
	[REFUSED_VERSION] = "version",
	[REFUSED_HISTORY] = "history",
};

const char *refusal_name(enum refused_for r)
{
	return names[r];
}
