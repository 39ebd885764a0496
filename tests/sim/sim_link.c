/* The link: ordered bytes both ways, delivered in pieces of any size, cut anywhere, now
 * and then with a flipped bit. Real frames, real messages. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define LINK_MAX (256u << 20)

struct sim_link *link_open(struct sim *s)
{
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (l->is_used)
			continue;
		memset(l, 0, sizeof(*l));
		l->is_used = l->edge_open = l->cloud_open = true;
		l->id = ++s->n_links;
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
		if (s->links[i].is_used && s->links[i].id == id)
			return &s->links[i];
	return NULL;
}

void link_close_edge(struct sim *s, struct sim_link *l)
{
	(void)s;
	l->edge_open = false;
	buf_clear(&l->down);
	buf_clear(&l->at_edge);
}

void link_close_cloud(struct sim *s, struct sim_link *l)
{
	(void)s;
	l->cloud_open = l->is_asked = false;
	buf_clear(&l->up);
	buf_clear(&l->at_cloud);
	receive_free(l->r);
	l->r = NULL;
}

void link_reap(struct sim *s)
{
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (!l->is_used || l->edge_open || l->cloud_open)
			continue;
		buf_release(&l->up);
		buf_release(&l->down);
		buf_release(&l->at_cloud);
		buf_release(&l->at_edge);
		l->is_used = false;
	}
}

/* A piece of what is on its way: mostly large, sometimes a few bytes. */
static void deliver(struct sim *s, struct buf *from, struct buf *to)
{
	uint64_t n = sim_chance(s, 100) ? sim_random(s, 40)
					: sim_random(s, 1u << 20);

	n = n + 1 < from->len ? n + 1 : from->len;
	buf_add(to, buf_data(from), n);
	buf_consume(from, n);
}

/* Inline although the blocks are here: sent again for nothing. */
static void check_needed(struct sim *s, const struct msg_entry *m)
{
	struct receive_partial *p;
	size_t n;

	if (!m->is_inline || m->data_len == 0)
		return;
	n = store_partials(s, &p);
	for (size_t i = 0; i < n; i++)
		if (p[i].entry.serial == m->entry.serial &&
		    p[i].entry.nonce == m->entry.nonce && p[i].present[0])
			sim_broken(s, "no byte twice",
				   "entry %" PRIu64
				   " came again, the receiver had it",
				   m->entry.serial);
	store_free_partials(p, n);
}

static void take_entry(struct sim *s, struct sim_link *l, const struct frame *f)
{
	struct msg_entry m;

	if (msg_entry_decode(&m, f) < 0) {
		receive_bad(l->r, "an ENTRY that is none");
		return;
	}
	check_needed(s, &m);
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
	if (l->cloud_open && l->n_writes == before)
		sim_broken(s, "no byte twice",
			   "block %" PRIu64 " of entry %" PRIu64
			   " came again, the receiver had it",
			   m.index, m.serial);
}

static void take_up(struct sim *s, struct sim_link *l, const struct frame *f)
{
	struct msg_hello hello;
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
	case MSG_WELCOME:
	case MSG_PARTIAL:
	case MSG_DURABLE:
	case MSG_APPLIED:
	case MSG_QUARANTINE:
	case MSG_STATUS:
	case MSG_PONG:
	case MSG_DROP:
	case MSG_BYE:
		receive_bad(l->r, "a message for the edge");
		break;
	}
	if (l->cloud_open)
		cloud_pump(s, l);
}

bool link_step_up(struct sim *s)
{
	struct sim_link *l = &s->links[sim_random(s, SIM_LINKS)];
	struct frame f;
	int n;

	if (!l->is_used || !l->cloud_open || l->up.len == 0)
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
	if (s->edge.link == l && l->up.len < SIM_QUEUE_FULL / 2 &&
	    !s->edge.has_room) {
		s->edge.has_room = true;
		upload_room(s->edge.u, true);
		edge_pump(s);
	}
	return true;
}

static bool take_down(struct sim *s, const struct frame *f)
{
	struct upload *u = s->edge.u;
	struct msg_welcome welcome;
	struct msg_partial partial;
	struct msg_durable durable;
	struct msg_applied applied;
	struct msg_bye bye;

	if (f->type == MSG_WELCOME && msg_welcome_decode(&welcome, f) == 0) {
		if (s->plant == PLANT_NO_NONCE && welcome.durable > 0 &&
		    welcome.durable <= s->edge.cat.assigned)
			welcome.durable_nonce =
				s->edge.cat.nonces[welcome.durable];
		upload_welcome(u, &welcome);
	} else if (f->type == MSG_PARTIAL &&
		   msg_partial_decode(&partial, f) == 0) {
		upload_partial(u, &partial);
	} else if (f->type == MSG_DURABLE &&
		   msg_durable_decode(&durable, f) == 0) {
		upload_durable(u, &durable);
	} else if (f->type == MSG_APPLIED &&
		   msg_applied_decode(&applied, f) == 0) {
		upload_applied(u, &applied);
	} else if (f->type == MSG_BYE && msg_bye_decode(&bye, f) == 0) {
		upload_bye(u, &bye);
	} else {
		return false;
	}
	edge_pump(s);
	return true;
}

bool link_step_down(struct sim *s)
{
	struct sim_link *l = s->edge.link;
	struct frame f;
	int n;

	if (!l || l->down.len == 0)
		return false;
	deliver(s, &l->down, &l->at_edge);
	while (s->edge.link == l && !s->broken) {
		n = frame_take(&f, buf_data(&l->at_edge), l->at_edge.len,
			       msg_len_max);
		if (n == 0)
			break;
		if (n < 0 || !take_down(s, &f)) {
			if (!s->is_plain)
				sim_broken(s, "honest peers",
					   "the edge got what is no message");
			edge_cut(s);
			break;
		}
		if (s->edge.link == l)
			buf_consume(&l->at_edge, (size_t)n);
	}
	return true;
}

/* The other side is gone, and what it had sent has arrived. */
bool link_step_eof(struct sim *s)
{
	struct sim_link *l = &s->links[sim_random(s, SIM_LINKS)];

	if (!l->is_used)
		return false;
	if (l->cloud_open && !l->edge_open && l->up.len == 0) {
		cloud_session_end(s, l);
		return true;
	}
	if (l->edge_open && !l->cloud_open && l->down.len == 0) {
		edge_cut(s);
		return true;
	}
	return false;
}

/* A damaged length makes a side wait for bytes that never come; the heartbeat that is
 * not answered ends it. */
bool link_step_heartbeat(struct sim *s)
{
	struct sim_link *l = s->edge.link;

	if (!l || !l->cloud_open || l->up.len || l->down.len ||
	    (l->at_cloud.len == 0 && l->at_edge.len == 0))
		return false;
	if (!s->is_plain)
		sim_broken(s, "honest peers", "half a frame was sent");
	s->stats[STAT_HEARTBEATS]++;
	edge_cut(s);
	cloud_session_end(s, l);
	return true;
}

/* A bit of what is on its way: in the last frame's head, or anywhere. */
void link_flip(struct sim *s)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		struct sim_link *l = &s->links[sim_random(s, SIM_LINKS)];
		struct buf *b = sim_chance(s, 500) ? &l->up : &l->down;
		uint64_t at;

		if (!l->is_used || b->len == 0)
			continue;
		at = sim_random(s, b->len);
		if (sim_chance(s, 500) && b->len > 200)
			at = b->len - 1 - sim_random(s, 200);
		buf_data(b)[at] ^= (uint8_t)(1u << sim_random(s, 8));
		s->stats[STAT_FLIPS]++;
		sim_say(s, "flip %s link %u byte %" PRIu64,
			b == &l->up ? "up" : "down", l->id, at);
		return;
	}
}
