/* Entries that pass others of a lower serial: LATER, and who is handed over for a commit before
 * its turn. What may pass is decided here alone: everything in front that is not handed over
 * is known, if only by a LATER, and belongs to another database. So nothing of what is missing
 * has to survive a crash together with what passed it. */
#include <inttypes.h>
#include <string.h>

#include "receive_inside.h"

static bool is_greeted_with(const struct receive *r,
			    const struct early_one *fill)
{
	return fill->serial <= r->durable && r->greeting.n < EARLY_MAX;
}

void rx_early_take(struct receive *r, const struct receive_known *k)
{
	if (k->early) {
		early_copy(&r->known, k->early);
		early_copy(&r->passed, k->early);
		early_copy(&r->greeting, k->early);
	}
	for (size_t i = k->fills ? k->fills->n : 0; i > 0; i--)
		if (is_greeted_with(r, &k->fills->ones[i - 1]))
			early_add(&r->greeting, &k->fills->ones[i - 1]);
	r->say_early = proto_can(r->version, PROTO_EARLY);
}

bool rx_is_early(const struct receive *r, uint64_t serial)
{
	return r->known.n && early_find(&r->known, serial);
}

bool rx_entry_again(struct receive *r, const struct entry *en)
{
	const struct early_one *one = early_find(&r->known, en->serial);

	if (!one)
		return false;
	if (one->nonce != en->nonce)
		rx_bye(r, BYE_HISTORY, en->serial,
		       "entry %" PRIu64 " is here already, and is another one "
		       "(nonce %016" PRIx64 " here, %016" PRIx64
		       " at the edge): the edge was rolled back to an older "
		       "copy, or is a clone; RESYNC PIPE opens a new "
		       "incarnation",
		       en->serial, one->nonce, en->nonce);
	return true;
}

void receive_later(struct receive *r, const struct msg_later *m)
{
	struct entry en = {.serial = m->serial};
	struct rx_entry *x;

	rx_settle(r);
	if (r->state != RECEIVE_LIVE || m->serial != r->next_entry ||
	    m->serial - r->durable > RECEIVE_UNCOMMITTED_MAX) {
		rx_bye(r, BYE_PROTOCOL, m->serial,
		       "a LATER came for entry %" PRIu64
		       ", expected entry %" PRIu64,
		       m->serial, r->next_entry);
		return;
	}
	memcpy(en.file.database, m->database, sizeof(en.file.database));
	x = rx_wait_begins(r, NULL, &en);
	if (!x)
		return;
	x->is_later = true;
	r->has_later = true;
}

void receive_early(struct receive *r, const struct early_one *one)
{
	rx_settle(r);
	if (r->state != RECEIVE_LIVE)
		return;
	early_add(&r->passed, one);
	early_add(&r->tell, one);
	r->n_out--;
}

/* Whether an entry waits behind one of its database; one that is not ready makes others wait. */
static bool is_blocked(struct rx_pass *p, const char *database, bool is_ready)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->blocked[i], database) == 0)
			return true;
	if (!is_ready)
		p->blocked[p->n++] = database;
	return !is_ready;
}

struct rx_entry *rx_early_ready(struct receive *r)
{
	struct rx_pass *p = &r->pass;

	/* Nothing waits, mostly: blocks of a long one come. */
	if (!r->has_later || !r->n_ended)
		return NULL;
	if (p->from != r->next_stage)
		*p = (struct rx_pass){.from = r->next_stage,
				      .at = r->next_stage};
	for (; p->at < r->next_entry && p->at < r->durable + EARLY_MAX &&
	       p->n < RX_BLOCKED_MAX;
	     p->at++) {
		struct rx_entry *x = rx_at(r, p->at);

		if (x && !is_blocked(p, x->en.file.database, rx_is_ready(r, x)))
			return x;
	}
	return NULL;
}

int rx_early_next(struct receive *r, struct receive_act *act)
{
	early_pass(&r->tell, r->durable);
	if (!r->tell.n || r->is_told)
		return 0;
	r->is_told = true; /* until the next event they are borrowed */
	act->kind = RX_EARLY;
	act->early = r->tell.ones;
	act->n_early = r->tell.n;
	return 1;
}
