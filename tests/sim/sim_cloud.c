/* The cloud around the receive machine: sessions, and what the machine asks for. The
 * daemon's memory of senders, incarnations and databases is recvd's own. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

struct incarnation *cloud_incarnation(struct sim *s, unsigned seq)
{
	struct incarnation **found = &s->cloud.incarnations[seq];

	if (!*found)
		*found = senders_incarnation(&s->cloud.senders, seq);
	return *found;
}

struct domain *cloud_domain(struct sim *s, unsigned seq, unsigned db)
{
	static const char *const names[SIM_DATABASES] = {"root.db0", "root.db1",
							 "root.db2"};
	struct domain **found = &s->cloud.domains[seq][db];

	if (!*found)
		*found = domain_get(&s->cloud.senders,
				    cloud_incarnation(s, seq), names[db]);
	return *found;
}

static void remember(struct sim *s, unsigned seq)
{
	const struct sim_inc *inc = &s->cloud.cat.inc[seq];
	struct senders *all = &s->cloud.senders;
	struct sender_row sender = {.state = SENDER_ADMITTED};
	struct incarnation_row row = {.seq = seq, .dropped = inc->is_dropped};
	struct sender *x;

	sender.id[0] = (uint8_t)(inc->sender + 1);
	x = senders_by_id(all, sender.id);
	if (!x)
		x = senders_add(all, &sender);
	pipe_id(inc->pipe, row.id);
	(void)incarnation_add(all, x, &row);
	for (uint64_t i = inc->applied + 1; i <= inc->end; i++) {
		const struct sim_row *r = &inc->rows[i];
		struct domain *dom;

		if (!r->nonce || r->state == ROW_APPLIED ||
		    r->state == ROW_SKIPPED)
			continue;
		dom = cloud_domain(s, seq, sim_content_of(s, r->nonce)->db);
		dom->n_entries++;
		dom->n_quarantined += r->state == ROW_QUARANTINED;
	}
}

/* What the catalog knows, into memory. */
void cloud_start(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	senders_release(&c->senders);
	senders_init(&c->senders);
	memset(c->incarnations, 0, sizeof(c->incarnations));
	memset(c->domains, 0, sizeof(c->domains));
	memset(c->adding, 0, sizeof(c->adding));
	c->n_adding = 0;
	memset(c->session, 0, sizeof(c->session));
	memset(c->drop_due, 0, sizeof(c->drop_due));
	memset(c->sweep_due, 0, sizeof(c->sweep_due));
	for (unsigned seq = 1; seq <= c->cat.n; seq++)
		remember(s, seq);
	c->is_up = true;
}

void cloud_session_end(struct sim *s, struct sim_link *l)
{
	if (l->cloud_open && s->cloud.session[l->sender] == l->id)
		s->cloud.session[l->sender] = 0;
	link_close_cloud(l);
}

static void act_bye(struct sim *s, struct sim_link *l,
		    const struct msg_bye *bye)
{
	sim_say(s, "cloud BYE %d on link %u: %s", (int)bye->why, l->id,
		bye->text);
	if (!s->is_plain &&
	    (bye->why == BYE_PROTOCOL ||
	     (bye->why == BYE_MISMATCH && !sim_may_mismatch(s))))
		sim_broken(s, "honest peers", "%s", bye->text);
	msg_bye_encode(bye, &l->down);
	cloud_session_end(s, l);
}

static void act_welcome(struct sim *s, struct sim_link *l,
			const struct msg_welcome *m)
{
	sim_say(s,
		"cloud WELCOME on link %u: incarnation %u durable %" PRIu64
		" applied %" PRIu64 ", %u partials",
		l->id, l->pipe, m->durable, m->applied, m->n_partials);
	l->acked = m->durable;
	msg_welcome_encode(m, &l->down);
}

static void act_durable(struct sim *s, struct sim_link *l, uint64_t serial)
{
	struct msg_durable m = {serial};

	while (l->acked < serial && !s->broken)
		store_check_acknowledged(s, l, ++l->acked);
	msg_durable_encode(&m, &l->down);
}

/* As good as DURABLE. */
static void act_early(struct sim *s, struct sim_link *l,
		      const struct receive_act *a)
{
	s->stats[receive_is_welcomed(l->r) && l->acked ? STAT_EARLY
						       : STAT_EARLY_KEPT] +=
		a->n_early;
	for (size_t i = 0; i < a->n_early && !s->broken; i++)
		store_check_acknowledged(s, l, a->early[i].serial);
	early_encode(a->early, a->n_early, &l->down);
}

static void act_lookup(struct sim *s, struct sim_link *l,
		       const struct msg_hello *m)
{
	l->state = SESSION_ASKED;
	l->sender = m->sender_id[0] - 1u;
	l->pipe = pipe_of_id(m->incarnation);
	if (l->sender >= SIM_SENDERS || l->pipe > s->n_pipes)
		sim_broken(s, "damage is noticed", "HELLO of sender %u",
			   l->sender);
}

static void act_on(struct sim *s, struct sim_link *l,
		   const struct receive_act *a)
{
	switch (a->kind) {
	case RX_LOOKUP:
		act_lookup(s, l, a->hello);
		return;
	case RX_WELCOME:
		act_welcome(s, l, &a->welcome);
		return;
	case RX_PARTIAL:
		s->stats[STAT_PARTIALS]++;
		msg_partial_encode(&a->partial, &l->down);
		return;
	case RX_EARLY:
		act_early(s, l, a);
		return;
	case RX_OPEN:
		store_open(s, l, a->entry);
		return;
	case RX_WRITE:
		l->n_writes++;
		store_write(s, l, a);
		return;
	case RX_FETCH:
		l->n_writes++;
		store_fetch(s, l, a);
		return;
	case RX_WANT:
		s->stats[STAT_WANTED]++;
		msg_want_encode(&(struct msg_want){a->serial, a->index},
				&l->down);
		return;
	case RX_STAGE:
	case RX_STAGE_FILE:
		group_stage(s, l, a);
		return;
	case RX_DURABLE:
		act_durable(s, l, a->serial);
		return;
	case RX_APPLIED:
		msg_applied_encode(&a->applied, &l->down);
		return;
	case RX_DISCARD:
		store_discard(s, l->seq, a->serial);
		return;
	case RX_BYE:
		act_bye(s, l, &a->bye);
		return;
	case RX_DROP:
		sim_say(s, "cloud: DROP of incarnation %u", l->pipe);
		cloud_drop(s, l->seq);
		cloud_session_end(s, l);
		return;
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

void cloud_fail_session(struct sim *s, struct sim_link *l, const char *why)
{
	receive_failed(l->r, why);
	cloud_pump(s, l);
}
