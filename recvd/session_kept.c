/* The answer to ASK_KEPT: which entries of an incarnation of this sender are still here,
 * waiting or retained. One walk along two indexes of the catalog, on the loop; rare, and
 * so often a connection only: an edge asks once for each of its RESYNCs. */
#include <string.h>

#include "session.h"

#define ASKS_MAX 32u /* of one connection */

struct answering {
	struct session *session;
	struct msg_kept m;
	struct buf runs; /* owned */
	uint64_t first, last;
	bool knows_early; /* the edge does: runs may lie above the durable serial */
};

static void answering_release(struct answering *a)
{
	buf_release(&a->runs);
}

static void send_part(struct answering *a, bool is_last)
{
	struct buf b;

	buf_init(&b, FRAME_BUF_MAX);
	a->m.is_last = is_last;
	a->m.runs = buf_data(&a->runs);
	msg_kept_encode(&a->m, &b);
	session_send(a->session, &b);
	buf_clear(&a->runs);
	a->m.n = 0;
}

static void end_run(struct answering *a)
{
	if (!a->last)
		return;
	wr_u64(&a->runs, a->first);
	wr_u64(&a->runs, a->last);
	if (++a->m.n == KEPT_RUNS_MAX)
		send_part(a, false);
	a->last = 0;
}

static int take_serial(void *arg, uint64_t serial)
{
	struct answering *a = arg;

	/* It passed others, or was committed just now. */
	if (serial > a->m.durable && !a->knows_early)
		return 0;
	if (a->last && serial != a->last + 1)
		end_run(a);
	if (!a->last)
		a->first = serial;
	a->last = serial;
	return 0;
}

/* On its own connection only, behind the WELCOME. */
static bool may_ask(struct session *s)
{
	if (!s->is_live || !s->incarnation) {
		receive_bad(s->rx, "an ASK_KEPT before the WELCOME");
		return false;
	}
	if (s->n_asks++ < ASKS_MAX)
		return true;
	receive_bad(s->rx, "more ASK_KEPT than an edge needs");
	return false;
}

void session_ask_kept(struct session *s, const struct frame *f)
{
	CLEANUP(answering_release) struct answering a = {.session = s};
	const struct incarnation *i;
	struct msg_ask_kept ask;
	struct err e = {0};

	if (msg_ask_kept_decode(&ask, f) < 0) {
		receive_bad(s->rx, "an ASK_KEPT that does not decode");
		return;
	}
	if (!may_ask(s))
		return;
	a.knows_early = proto_can(receive_version(s->rx), PROTO_EARLY);
	buf_init(&a.runs, 16 * (size_t)KEPT_RUNS_MAX);
	memcpy(a.m.incarnation, ask.incarnation, ID_LEN);
	i = incarnation_find(s->sender, ask.incarnation);
	a.m.durable = i ? i->row.durable : 0;
	if (i && catalog_each_kept(&s->d->reader, i->row.seq, take_serial, &a,
				   &e) < 0) {
		events_add(s->d->events, LOG_ERR_, "session", NULL,
			   "what is kept of %s: %s", s->sender->row.name,
			   e.text);
		return;
	}
	end_run(&a);
	send_part(&a, true);
}
