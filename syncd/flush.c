#include "flush.h"

#include <stdio.h>

#include "ask.h"
#include "ground/clock.h"
#include "pipes.h"
#include "scan.h"
#include "schema.h"

#define FLUSH_LIMIT_MS 180000u
#define TICK_MIN_MS 500
#define TICK_MAX_MS 60000

struct flush {
	struct edge *edge;
	struct loop_timer tick;
	struct scan_waiter scanned;
	struct schema_waiter listed;
	struct ask_request rq;
	bool is_busy;	   /* from the tick to its end */
	uint64_t asked_ms; /* the last FLUSH that was answered; 0 = none */
};

static void tick(struct loop_timer *t);

struct flush *flush_new(struct edge *e)
{
	struct flush *f = xcalloc(1, sizeof(*f));

	f->edge = e;
	f->tick.fn = tick;
	return f;
}

void flush_free(struct flush *f)
{
	if (!f)
		return;
	loop_timer_stop(f->edge->loop, &f->tick);
	ask_cancel(f->edge->ask, &f->rq);
	free(f);
}

static bool is_wanted(const struct flush *f)
{
	return f->edge->set.flush_interval_ms > 0 && ask_is_wanted(f->edge);
}

static void again_in(struct flush *f, int64_t ms)
{
	f->is_busy = false;
	if (ms < TICK_MIN_MS)
		ms = TICK_MIN_MS;
	if (ms > TICK_MAX_MS)
		ms = TICK_MAX_MS;
	if (is_wanted(f) && !f->edge->is_ending)
		loop_timer_set(f->edge->loop, &f->tick, (uint64_t)ms);
}

static void flushed(struct ask_request *rq, const struct ask_answer *a)
{
	struct flush *f = CONTAINER_OF(rq, struct flush, rq);
	char text[900];

	if (a->result == ASK_NO) {
		(void)snprintf(text, sizeof(text),
			       "flush_interval: the edge IoTDB refuses FLUSH "
			       "(grant it to iotdb_user, or set "
			       "flush_interval=0): %s",
			       a->text);
		edge_note(f->edge, NOTE_FLUSH, text);
	} else if (a->result == ASK_OK) {
		edge_note_over(f->edge, NOTE_FLUSH);
	}
	if (a->result != ASK_AWAY)
		f->asked_ms = loop_now_ms(f->edge->loop);
	again_in(f, f->edge->set.flush_interval_ms / 2);
}

static void ask_it(struct flush *f)
{
	f->rq.done = flushed;
	ask_submit(f->edge->ask, &f->rq, FLUSH_LIMIT_MS, "flush\n");
}

static void after_schema(struct schema_waiter *w)
{
	ask_it(CONTAINER_OF(w, struct flush, listed));
}

/* How long until it is due; <= 0: it is. */
static int64_t due_in(const struct flush *f)
{
	int64_t interval = f->edge->set.flush_interval_ms;
	int64_t oldest = scan_oldest_unsealed_ms(f->edge->scan);
	int64_t since =
		f->asked_ms
			? (int64_t)(loop_now_ms(f->edge->loop) - f->asked_ms)
			: interval;
	int64_t ms =
		oldest ? interval - (clock_wall_ms() - oldest) : interval / 2;

	return interval - since > ms ? interval - since : ms;
}

static void look(struct scan_waiter *w)
{
	struct flush *f = CONTAINER_OF(w, struct flush, scanned);
	int64_t ms = due_in(f);

	if (!is_wanted(f) || ms > 0 ||
	    !scan_oldest_unsealed_ms(f->edge->scan)) {
		again_in(f, ms);
		return;
	}
	f->listed.fn = after_schema;
	if (!schema_wait(f->edge->schema, &f->listed))
		ask_it(f);
}

static void tick(struct loop_timer *t)
{
	struct flush *f = CONTAINER_OF(t, struct flush, tick);
	int64_t id;

	if (!is_wanted(f) || f->edge->is_ending)
		return;
	if (!pipes_capturing(f->edge->pipes, &id, 1)) {
		again_in(f, f->edge->set.flush_interval_ms / 2);
		return;
	}
	f->is_busy = true;
	f->scanned.fn = look;
	scan_wait(f->edge->scan, &f->scanned);
}

void flush_changed(struct flush *f)
{
	edge_note_over(f->edge, NOTE_FLUSH);
	if (!f->is_busy)
		again_in(f, 0);
}
