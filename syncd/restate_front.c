/* How far before the first row that is left a RESTATE may begin. */
#include <inttypes.h>

#include "restate.h"
#include "vanish.h"

/* The answer is that of this moment, and serves this listing only: a TTL that was set after it
 * cannot have removed what was gone before. */
static int ask(struct listing *l, int64_t first)
{
	const struct vanish_question q = {.is_ttl = true,
					  .database = l->database,
					  .region = l->region,
					  .first = first};

	if (!l->may_ask || !l->ask || !database_is_tree(l->database))
		return VANISH_UNKNOWN;
	return l->ask(l, &q);
}

static const char *why_kept(const struct listing *l, int answer)
{
	if (answer == VANISH_EXPLAINED)
		return "a TTL may have removed them";
	if (!l->may_ask)
		return "a TTL may have removed them (with iotdb_rpc the server "
		       "would be asked)";
	return "the edge IoTDB does not tell whether a TTL removed them";
}

void restate_front(struct listing *l, struct listing_pipe *lp, int64_t *first,
		   int64_t left)
{
	int answer = VANISH_UNKNOWN;

	/* Rows that never went need no answer. */
	if (left <= lp->floor)
		answer = VANISH_DELETED;
	else
		answer = ask(l, *first < lp->floor ? lp->floor : *first);
	lp->is_waiting = answer == VANISH_LATER;
	if (lp->is_waiting || answer == VANISH_DELETED)
		return;
	buf_addf(&lp->plan.news,
		 "%s/%" PRIu32 "/%" PRId64 ": rows before %" PRId64
		 " are gone at the edge and stay in the cloud: %s\n",
		 l->database, l->region, l->partition, left,
		 why_kept(l, answer));
	*first = left;
}
