/* The link: ordered bytes both ways, delivered in pieces of any size, cut anywhere, now
 * and then with a flipped bit. Real frames, real messages. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define LINK_MAX (256u << 20)

struct sim_link *link_open(struct sim *s, const struct sim_edge *e)
{
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (l->is_used)
			continue;
		memset(l, 0, sizeof(*l));
		l->is_used = l->edge_open = l->cloud_open = true;
		l->id = ++s->n_links;
		s->used_links |= 1u << i;
		l->edge = e->index;
		l->epoch = s->cloud.epoch;
		buf_init(&l->up, LINK_MAX);
		buf_init(&l->down, LINK_MAX);
		buf_init(&l->at_cloud, LINK_MAX);
		buf_init(&l->at_edge, LINK_MAX);
		l->r = receive_new();
		return l;
	}
	return NULL;
}

struct sim_link *link_by_id(struct sim *s, unsigned id)
{
	for (size_t i = 0; i < SIM_LINKS; i++)
		if (s->links[i].is_used && s->links[i].cloud_open &&
		    s->links[i].id == id)
			return &s->links[i];
	return NULL;
}

void link_close_edge(struct sim_link *l)
{
	l->edge_open = false;
	buf_clear(&l->down);
	buf_clear(&l->at_edge);
}

void link_close_cloud(struct sim_link *l)
{
	if (!l->cloud_open)
		return;
	l->cloud_open = false;
	buf_clear(&l->up);
	buf_clear(&l->at_cloud);
	receive_free(l->r);
	l->r = NULL;
}

void link_reap(struct sim *s)
{
	for (size_t i = 0; s->used_links >> i; i++) {
		struct sim_link *l = &s->links[i];

		if (!l->is_used || l->edge_open || l->cloud_open)
			continue;
		buf_release(&l->up);
		buf_release(&l->down);
		buf_release(&l->at_cloud);
		buf_release(&l->at_edge);
		l->is_used = false;
		s->used_links &= ~(1u << i);
	}
}

/* A piece of what is on its way: mostly large, sometimes a few bytes. */
static void deliver(struct sim *s, struct buf *from, struct buf *to)
{
	uint64_t n = sim_chance(s, 100) ? sim_random(s, 40)
					: sim_random(s, 4 * SIM_QUEUE_FULL);

	n = n + 1 < from->len ? n + 1 : from->len;
	buf_add(to, buf_data(from), n);
	buf_consume(from, n);
}

/* Inline although the blocks are here: sent again for nothing. */
static void check_needed(struct sim *s, const struct sim_link *l,
			 const struct msg_entry *m)
{
	if (!s->is_plain && m->is_inline && m->data_len > 0 &&
	    l->state == SESSION_WELCOME && partial_has(s, l->seq, &m->entry))
		sim_broken(s, "no byte twice",
			   "entry %" PRIu64 " came again, the receiver had it",
			   m->entry.serial);
}

/* What passed was told before the WELCOME: sent again for nothing. */
static void check_early(struct sim *s, const struct sim_link *l,
			const struct msg_entry *m)
{
	const struct sim_inc *inc = &s->cloud.cat.inc[l->seq];

	if (!s->is_plain && l->state == SESSION_WELCOME &&
	    inc_has(inc, m->entry.serial) &&
	    inc->rows[m->entry.serial].nonce == m->entry.nonce)
		sim_broken(s, "no byte twice",
			   "entry %" PRIu64 " came again, it is durable",
			   m->entry.serial);
}

static void take_entry(struct sim *s, struct sim_link *l, const struct frame *f)
{
	struct msg_entry m;

	if (msg_entry_decode(&m, f) < 0) {
		receive_bad(l->r, "an ENTRY that is none");
		return;
	}
	check_needed(s, l, &m);
	check_early(s, l, &m);
	receive_entry(l->r, &m);
}

static void take_block(struct sim *s, struct sim_link *l, const struct frame *f)
{
	unsigned before = l->n_writes;
	struct msg_block m;

	if (msg_block_decode(&m, f) < 0) {
		receive_bad(l->r, "a BLOCK that is none");
		return;
	}
	receive_block(l->r, &m);
	cloud_pump(s, l);
	if (l->cloud_open && l->n_writes == before && !s->is_plain)
		sim_broken(s, "no byte twice",
			   "block %" PRIu64 " of entry %" PRIu64
			   " came again, the receiver had it",
			   m.index, m.serial);
}

/* Twenty kilobytes of stack, which every other message would clear as well. */
__attribute__((noinline)) static void take_held(struct sim_link *l,
						const struct frame *f)
{
	struct msg_held m;

	if (msg_held_decode(&m, f) < 0)
		receive_bad(l->r, "a HELD that is none");
	else
		receive_held(l->r, &m);
}

static void take_up(struct sim *s, struct sim_link *l, const struct frame *f)
{
	struct msg_hello hello;
	struct msg_later later;
	struct msg_drop drop;
	struct msg_end end;

	switch ((enum msg_type)f->type) {
	case MSG_HELLO:
		if (msg_hello_decode(&hello, f) < 0)
			receive_bad(l->r, "a HELLO that is none");
		else
			receive_hello(l->r, &hello);
		break;
	case MSG_ENTRY:
		take_entry(s, l, f);
		break;
	case MSG_BLOCK:
		take_block(s, l, f);
		break;
	case MSG_END:
		if (msg_end_decode(&end, f) < 0)
			receive_bad(l->r, "an END that is none");
		else
			receive_end(l->r, &end);
		break;
	case MSG_HELD:
		take_held(l, f);
		break;
	case MSG_LATER:
		if (msg_later_decode(&later, f) < 0)
			receive_bad(l->r, "a LATER that is none");
		else
			receive_later(l->r, &later);
		break;
	case MSG_DROP:
		if (msg_drop_decode(&drop, f) < 0)
			receive_bad(l->r, "a DROP that is none");
		else
			receive_drop(l->r, &drop);
		break;
	case MSG_WELCOME:
	case MSG_PARTIAL:
	case MSG_DURABLE:
	case MSG_APPLIED:
	case MSG_QUARANTINE:
	case MSG_WAITS:
	case MSG_EARLY:
	case MSG_STATUS:
	case MSG_PONG:
	case MSG_BYE:
	case MSG_ASK_KEPT:
	case MSG_KEPT:
	case MSG_WANT:
		receive_bad(l->r, "a message for the edge");
		break;
	}
	if (l->cloud_open)
		cloud_pump(s, l);
}

size_t link_room(const struct sim *s)
{
	return s->slow_room ? SIM_QUEUE_FULL / 64 : SIM_QUEUE_FULL;
}

static bool room_again(struct sim *s, struct sim_link *l)
{
	struct sim_edge *e = &s->edges[l->edge];

	if (e->link != l || l->up.len >= link_room(s) / 2 || e->has_room)
		return false;
	e->has_room = true;
	upload_room(e->u, true);
	edge_pump(s, e);
	return true;
}

bool link_step_room(struct sim *s)
{
	return sim_any_link(s, room_again);
}

static bool try_up(struct sim *s, struct sim_link *l)
{
	struct frame f;
	int n;

	/* A stream is not read while its HELLO is being answered. */
	if (!l->cloud_open || l->up.len == 0 ||
	    (l->state != SESSION_NEW && l->state != SESSION_WELCOME))
		return false;
	deliver(s, &l->up, &l->at_cloud);
	while (l->cloud_open && !s->broken) {
		n = frame_take(&f, buf_data(&l->at_cloud), l->at_cloud.len,
			       msg_len_max);
		if (n == 0)
			break;
		if (n < 0) {
			receive_bad(l->r, "what came is no frame");
			cloud_pump(s, l);
			break;
		}
		take_up(s, l, &f);
		if (l->cloud_open)
			buf_consume(&l->at_cloud, (size_t)n);
	}
	if (!s->slow_room && sim_chance(s, 500))
		(void)room_again(s, l);
	return true;
}

bool link_step_up(struct sim *s)
{
	return sim_any_link(s, try_up);
}

/* The upload's end of a link. */
static bool take_down(struct sim *s, struct sim_edge *e, const struct frame *f)
{
	struct msg_welcome welcome;
	struct msg_partial partial;
	struct msg_early early;
	struct msg_durable durable;
	struct msg_applied applied;
	struct msg_want want;
	struct msg_bye bye;

	if (f->type == MSG_WELCOME && msg_welcome_decode(&welcome, f) == 0) {
		edge_welcome(s, e, &welcome);
		return true;
	}
	if (f->type == MSG_EARLY && msg_early_decode(&early, f) == 0) {
		edge_early(s, e, &early);
		return true;
	}
	if (f->type == MSG_PARTIAL && msg_partial_decode(&partial, f) == 0)
		upload_partial(e->u, &partial);
	else if (f->type == MSG_DURABLE && msg_durable_decode(&durable, f) == 0)
		upload_durable(e->u, &durable);
	else if (f->type == MSG_APPLIED && msg_applied_decode(&applied, f) == 0)
		edge_applied(s, e, &applied);
	else if (f->type == MSG_WANT && msg_want_decode(&want, f) == 0)
		s->plant == PLANT_DEAF ? (void)0 : upload_want(e->u, &want);
	else if (f->type == MSG_BYE && msg_bye_decode(&bye, f) == 0)
		upload_bye(e->u, &bye);
	else
		return false;
	edge_pump(s, e);
	return true;
}

/* A farewell's end: WELCOME is answered with DROP. */
static bool take_farewell(struct sim *s, struct sim_link *l,
			  const struct frame *f)
{
	struct msg_drop drop;
	struct msg_bye bye;

	if (f->type == MSG_WELCOME && !l->is_said) {
		pipe_id(l->farewell, drop.incarnation);
		msg_drop_encode(&drop, &l->up);
		l->is_said = true;
	} else if (f->type == MSG_BYE && msg_bye_decode(&bye, f) == 0 &&
		   bye.why == BYE_HISTORY) {
		edge_told(&s->edges[l->edge], l->farewell);
		link_close_edge(l);
	}
	return true;
}

static void edge_hangs_up(struct sim *s, struct sim_link *l)
{
	struct sim_edge *e = &s->edges[l->edge];

	if (l->farewell) {
		if (l->is_said)
			edge_told(e, l->farewell);
		link_close_edge(l);
		return;
	}
	edge_cut(s, e);
	edge_away(s, e);
}

static bool try_down(struct sim *s, struct sim_link *l)
{
	struct frame f;
	int n;

	if (!l->edge_open || l->down.len == 0)
		return false;
	deliver(s, &l->down, &l->at_edge);
	while (l->edge_open && !s->broken) {
		n = frame_take(&f, buf_data(&l->at_edge), l->at_edge.len,
			       msg_len_max);
		if (n == 0)
			break;
		if (n < 0 ||
		    !(l->farewell ? take_farewell(s, l, &f)
				  : take_down(s, &s->edges[l->edge], &f))) {
			if (!s->is_plain)
				sim_broken(s, "honest peers",
					   "the edge got what is no message");
			edge_hangs_up(s, l);
			break;
		}
		if (l->edge_open)
			buf_consume(&l->at_edge, (size_t)n);
	}
	return true;
}

bool link_step_down(struct sim *s)
{
	return sim_any_link(s, try_down);
}

/* The other side is gone, and what it had sent has arrived. */
static bool try_eof(struct sim *s, struct sim_link *l)
{
	if (l->cloud_open && !l->edge_open && l->up.len == 0 &&
	    (l->state == SESSION_NEW || l->state == SESSION_WELCOME)) {
		cloud_session_end(s, l);
		return true;
	}
	if (l->edge_open && !l->cloud_open && l->down.len == 0) {
		edge_hangs_up(s, l);
		return true;
	}
	return false;
}

bool link_step_eof(struct sim *s)
{
	return sim_any_link(s, try_eof);
}

/* A damaged length makes a side wait for bytes that never come; the heartbeat that is
 * not answered ends it. */
static bool try_heartbeat(struct sim *s, struct sim_link *l)
{
	if (!l->edge_open || !l->cloud_open || l->up.len || l->down.len ||
	    (l->at_cloud.len == 0 && l->at_edge.len == 0))
		return false;
	if (!s->is_plain)
		sim_broken(s, "honest peers", "half a frame was sent");
	s->stats[STAT_HEARTBEATS]++;
	edge_hangs_up(s, l);
	cloud_session_end(s, l);
	return true;
}

bool link_step_heartbeat(struct sim *s)
{
	return sim_any_link(s, try_heartbeat);
}

static struct buf *some_bytes(struct sim *s, struct sim_link **out)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		struct sim_link *l = &s->links[sim_random(s, SIM_LINKS)];
		struct buf *b = sim_chance(s, 500) ? &l->up : &l->down;

		*out = l;
		if (l->is_used && b->len > 0)
			return b;
	}
	return NULL;
}

/* A bit of what is on its way: near the end, or anywhere. */
void link_flip(struct sim *s)
{
	struct sim_link *l;
	struct buf *b = some_bytes(s, &l);
	uint64_t at;

	if (!b)
		return;
	at = sim_random(s, b->len);
	if (sim_chance(s, 500) && b->len > 200)
		at = b->len - 1 - sim_random(s, 200);
	buf_data(b)[at] ^= (uint8_t)(1u << sim_random(s, 8));
	s->stats[STAT_FLIPS]++;
	sim_say(s, "flip %s link %u byte %" PRIu64, b == &l->up ? "up" : "down",
		l->id, at);
}

/* The length of the first frame that is whole, 0 when there is none. */
static size_t whole_frame(const uint8_t *p, size_t n)
{
	struct frame f;
	int len = n ? frame_take(&f, p, n, msg_len_max) : 0;

	return len > 0 ? (size_t)len : 0;
}

/* A segment comes twice: any bytes, or exactly one message where one begins. */
void link_duplicate(struct sim *s)
{
	struct sim_link *l;
	struct buf *b = some_bytes(s, &l);
	CLEANUP_FREE uint8_t *copy = NULL;
	size_t len, at = 0, n = b ? b->len : 0;

	if (!b)
		return;
	len = whole_frame(buf_data(b), n);
	if (len == 0) {
		at = sim_random(s, n);
		len = 1 + sim_random(s, n - at);
	}
	copy = xcalloc(1, n);
	memcpy(copy, buf_data(b), n);
	buf_clear(b);
	buf_add(b, copy, at + len);
	buf_add(b, copy + at, n - at);
	s->stats[STAT_DUPLICATES]++;
	sim_say(s, "%zu bytes come twice, link %u", len, l->id);
}
