/* The cloud around the receive machine: sessions, and what the machine asks for. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

void cloud_session_end(struct sim *s, struct sim_link *l)
{
	if (!l->cloud_open)
		return;
	store_drop_staged(s, l->id);
	link_close_cloud(s, l);
}

static void act_bye(struct sim *s, struct sim_link *l,
		    const struct msg_bye *bye)
{
	sim_say(s, "cloud BYE %d on link %u: %s", (int)bye->why, l->id,
		bye->text);
	if (!s->is_plain &&
	    (bye->why == BYE_PROTOCOL || bye->why == BYE_MISMATCH))
		sim_broken(s, "honest peers", "%s", bye->text);
	msg_bye_encode(bye, &l->down);
	cloud_session_end(s, l);
}

static void act_welcome(struct sim *s, struct sim_link *l,
			const struct msg_welcome *m)
{
	sim_say(s,
		"cloud WELCOME on link %u: durable %" PRIu64 " applied %" PRIu64
		", %u partials",
		l->id, m->durable, m->applied, m->n_partials);
	l->acked = m->durable;
	msg_welcome_encode(m, &l->down);
}

static void act_durable(struct sim *s, struct sim_link *l, uint64_t serial)
{
	struct msg_durable m = {serial};

	while (l->acked < serial && !s->broken)
		store_check_acknowledged(s, ++l->acked);
	msg_durable_encode(&m, &l->down);
}

static void act_on(struct sim *s, struct sim_link *l,
		   const struct receive_act *a)
{
	switch (a->kind) {
	case RX_LOOKUP:
		l->is_asked = true;
		return;
	case RX_WELCOME:
		act_welcome(s, l, &a->welcome);
		return;
	case RX_PARTIAL:
		s->stats[STAT_PARTIALS]++;
		msg_partial_encode(&a->partial, &l->down);
		return;
	case RX_OPEN:
		store_open(s, l, a->entry);
		return;
	case RX_WRITE:
		l->n_writes++;
		store_write(s, l, a);
		return;
	case RX_STAGE:
	case RX_STAGE_FILE:
		store_stage(s, l, a);
		return;
	case RX_DURABLE:
		act_durable(s, l, a->serial);
		return;
	case RX_APPLIED:
		msg_applied_encode(&a->applied, &l->down);
		return;
	case RX_DISCARD:
		store_discard(s, a->serial);
		return;
	case RX_BYE:
		act_bye(s, l, &a->bye);
		return;
	case RX_DROP:
	case RX_NONE:
		return;
	}
}

void cloud_pump(struct sim *s, struct sim_link *l)
{
	struct receive_act a;

	while (l->cloud_open && !s->broken && receive_next(l->r, &a))
		act_on(s, l, &a);
}

/* A second connection takes over. */
static void end_others(struct sim *s, const struct sim_link *l)
{
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *other = &s->links[i];

		if (other == l || !other->is_used || !other->cloud_open)
			continue;
		s->stats[STAT_TAKEOVERS]++;
		receive_refuse(other->r, BYE_TAKEN_OVER,
			       "another connection took over");
		cloud_pump(s, other);
	}
}

static void answer_lookup(struct sim *s, struct sim_link *l)
{
	const struct sim_cloud_catalog *c = &s->cloud.cat;
	struct receive_known k = {
		.durable = c->durable,
		.durable_nonce = c->durable ? c->rows[c->durable].nonce : 0,
		.applied = c->applied,
		.n_quarantined = load_quarantined(s),
	};

	k.n_partials = store_partials(s, &k.partials);
	receive_known(l->r, &k);
	free(k.partials);
}

/* Nothing of an earlier connection may still be on its way to the disk. */
bool cloud_step_lookup(struct sim *s)
{
	struct sim_link *l = &s->links[sim_random(s, SIM_LINKS)];

	if (!l->is_used || !l->cloud_open || !l->is_asked)
		return false;
	if (s->cloud.is_stopped) {
		receive_refuse(l->r, BYE_STOPPING, "PIPESERVER is off");
	} else if (!s->is_calm && sim_chance(s, 30)) {
		receive_refuse(l->r, BYE_BUSY, "no room");
	} else {
		end_others(s, l);
		if (s->cloud.phase != PHASE_IDLE)
			return false;
		store_settle_writes(s);
		answer_lookup(s, l);
	}
	l->is_asked = false;
	cloud_pump(s, l);
	return true;
}
