#include "version.h"

#include "proto.h"

static const uint16_t features_since[PROTO_FEATURES] = {
	[PROTO_LITERAL] = 1,
	[PROTO_SQUEEZED] = 2,
	[PROTO_REFERENCE] = 2,
	[PROTO_PREFIX] = 2,
	[PROTO_EARLY] = 3,
};

/* 0: in every one, and before one is agreed. */
static const uint16_t types_since[] = {
	[MSG_HELLO] = 0,   [MSG_WELCOME] = 0,  [MSG_PARTIAL] = 1,
	[MSG_ENTRY] = 1,   [MSG_BLOCK] = 1,    [MSG_END] = 1,
	[MSG_DURABLE] = 1, [MSG_APPLIED] = 1,  [MSG_QUARANTINE] = 1,
	[MSG_STATUS] = 1,  [MSG_PONG] = 1,     [MSG_DROP] = 1,
	[MSG_BYE] = 0,	   [MSG_ASK_KEPT] = 1, [MSG_KEPT] = 1,
	[MSG_WAITS] = 1,   [MSG_LATER] = 3,    [MSG_EARLY] = 3,
	[MSG_HELD] = 2,	   [MSG_WANT] = 2,
};

uint16_t proto_common(uint16_t min, uint16_t max)
{
	uint16_t low = min > PROTO_VERSION_MIN ? min : PROTO_VERSION_MIN;
	uint16_t high = max < PROTO_VERSION_MAX ? max : PROTO_VERSION_MAX;

	return low <= high ? high : 0;
}

bool proto_can(uint16_t version, enum proto_feature feature)
{
	return version >= features_since[feature];
}

bool proto_speaks(uint16_t version, uint16_t type)
{
	return msg_len_max(type) > 0 && type < ARRAY_LEN(types_since) &&
	       version >= types_since[type];
}
