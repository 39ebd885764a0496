/* How much a link takes upon itself: what rate_limit lets go, and no more ahead than the
 * way there carries in about a second, so that a heartbeat, a STOP or the end of the link
 * never stand behind minutes of payload. */
#include "ground/clock.h"
#include "link_inside.h"

#define REFILL_MS 50
#define LOOK_MS 20	      /* between two looks at the way */
#define AHEAD_MAX (64u << 20) /* beyond, a way is fast (upload.h) */
#define UNSENT_LEAST 65536u   /* of what the kernel holds and has not sent */
#define UNSENT_MAX (4u << 20) /* where Linux' own bound lies */

void link_pace_begin(struct link *l)
{
	l->charged = 0;
	l->looked_ms = 0;
	l->way_rate = 0;
	l->unsent = 0;
	l->acked = 0;
}

uint64_t link_way_rate(const struct link *l)
{
	uint64_t limit = (uint64_t)l->edge->set.rate_limit;

	return limit && (!l->way_rate || limit < l->way_rate) ? limit
							      : l->way_rate;
}

static uint64_t clamp(uint64_t n, uint64_t least, uint64_t most)
{
	return n < least ? least : n > most ? most : n;
}

/* Rates fall slowly here: BBR itself stops for a moment now and then, to measure. */
static void look_at_way(struct link *l)
{
	uint64_t now = clock_mono_ms();
	uint64_t limit = (uint64_t)l->edge->set.rate_limit, rate;
	struct net_path way;
	uint32_t unsent;

	if (l->looked_ms && now - l->looked_ms < LOOK_MS)
		return;
	l->looked_ms = now;
	if (call_path(l->call, &way) < 0 || !way.rate) {
		upload_ahead(l->upload, AHEAD_MAX);
		return;
	}
	l->way_rate = clamp(way.rate, l->way_rate / 32 * 31, UINT64_MAX);
	rate = limit && limit < l->way_rate ? limit : l->way_rate;
	unsent = (uint32_t)clamp(rate / 8, UNSENT_LEAST, UNSENT_MAX);
	if (unsent != l->unsent && call_unsent(l->call, unsent) == 0)
		l->unsent = unsent;
	upload_ahead(l->upload, clamp(rate / 4 * 3, 1, AHEAD_MAX));
}

/* Everything counts that went into the socket: frames, TLS, heartbeats. */
static void settle(struct link *l)
{
	int64_t limit = l->edge->set.rate_limit;
	uint64_t now = clock_mono_ms(), out = call_bytes_out(l->call);

	if (limit) {
		l->allowance +=
			(int64_t)((double)limit *
				  (double)(now - l->allowance_at_ms) / 1000.0);
		if (l->allowance > limit / 4 + 1)
			l->allowance = limit / 4 + 1;
		l->allowance -= (int64_t)(out - l->charged);
	}
	l->charged = out;
	l->allowance_at_ms = now;
}

void link_pace(struct link *l)
{
	size_t queued;
	bool is_over;

	if (!l->call) {
		upload_room(l->upload, false);
		return;
	}
	settle(l);
	look_at_way(l);
	queued = call_queued(l->call);
	is_over = l->edge->set.rate_limit && l->allowance < (int64_t)queued;
	if (is_over)
		loop_timer_set(l->edge->loop, &l->refill, REFILL_MS);
	upload_room(l->upload, !is_over && queued < LINK_QUEUE_HIGH);
}

void link_refilled(struct loop_timer *t)
{
	struct link *l = CONTAINER_OF(t, struct link, refill);

	link_pace(l);
	link_pump(l);
}

/* Where nothing is left to arrive, only an answer is a sign of life: the kernel of a
 * program that stands still takes a heartbeat too. */
bool link_has_moved(struct link *l)
{
	struct net_path way;
	bool has_moved;

	if (!l->call || call_path(l->call, &way) < 0)
		return false;
	has_moved = way.acked != l->acked && way.left;
	l->acked = way.acked;
	return has_moved;
}
