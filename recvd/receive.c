/* The dialogue of a receiving connection: HELLO, WELCOME, progress, BYE. The entries on
 * their way stand in receive_entries.c.
 *
 * The decision worth knowing: the machine keeps no promise of its own. It says DURABLE
 * only for what the owner called committed, and whatever goes wrong ends the
 * connection; the next HELLO finds out what is there. */
#include "receive.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "receive_inside.h"

struct receive *receive_new(void)
{
	return xcalloc(1, sizeof(struct receive));
}

void receive_free(struct receive *r)
{
	if (!r)
		return;
	rx_settle(r);
	rx_entries_release(r);
	squeezer_free(r->squeezer);
	free(r->discards);
	free(r);
}

void rx_bye(struct receive *r, enum bye_why why, uint64_t serial,
	    const char *fmt, ...)
{
	va_list ap;

	if (r->state == RECEIVE_OVER)
		return;
	r->state = RECEIVE_OVER;
	r->say_bye = true;
	r->say_lookup = false;
	r->bye.why = why;
	r->bye.serial = serial;
	va_start(ap, fmt);
	(void)vsnprintf(r->bye.text, sizeof(r->bye.text), fmt, ap);
	va_end(ap);
}

void rx_discard(struct receive *r, uint64_t serial, uint64_t nonce)
{
	if (r->n_discards == r->cap_discards) {
		size_t cap = r->cap_discards ? 2 * r->cap_discards : 16;
		struct rx_discard *more = xcalloc(cap, sizeof(*more));

		if (r->n_discards)
			memcpy(more, r->discards,
			       r->n_discards * sizeof(*more));
		free(r->discards);
		r->discards = more;
		r->cap_discards = cap;
	}
	r->discards[r->n_discards++] = (struct rx_discard){serial, nonce};
}

bool rx_was_discarded(const struct receive *r, uint64_t serial)
{
	for (size_t i = 0; i < r->n_discards; i++)
		if (r->discards[i].serial == serial)
			return true;
	return false;
}

void receive_hello(struct receive *r, const struct msg_hello *m)
{
	rx_settle(r);
	if (r->state == RECEIVE_OVER)
		return;
	if (r->state != RECEIVE_NEW) {
		rx_bye(r, BYE_PROTOCOL, 0, "a second HELLO came");
		return;
	}
	if (m->version_min > m->version_max || m->released > m->assigned) {
		rx_bye(r, BYE_PROTOCOL, 0,
		       "a HELLO came that contradicts itself (versions %u to "
		       "%u, "
		       "assigned %" PRIu64 ", released %" PRIu64 ")",
		       m->version_min, m->version_max, m->assigned,
		       m->released);
		return;
	}
	r->version = proto_common(m->version_min, m->version_max);
	if (r->version == 0) {
		rx_bye(r, BYE_VERSION, 0,
		       "no common version of the protocol: %u to %u here, %u "
		       "to %u "
		       "at the edge; update the older side",
		       PROTO_VERSION_MIN, PROTO_VERSION_MAX, m->version_min,
		       m->version_max);
		return;
	}
	r->hello = *m;
	r->state = RECEIVE_LOOKUP;
	r->say_lookup = true;
}

static void free_known(const struct receive_known *k)
{
	for (size_t i = 0; i < k->n_partials; i++) {
		entry_release(&k->partials[i].entry);
		free(k->partials[i].present);
		free(k->partials[i].digests);
	}
}

void receive_known(struct receive *r, const struct receive_known *k)
{
	bool is_probe = r->hello.flags & HELLO_PROBE;

	rx_settle(r);
	if (r->state != RECEIVE_LOOKUP) {
		free_known(k);
		return;
	}
	assert(k->applied <= k->durable);
	r->durable = r->told_durable = k->durable;
	r->applied = r->told_applied = k->applied;
	r->n_quarantined = k->n_quarantined;
	r->told_quarantined = 0; /* the WELCOME does not tell it */
	r->next_entry = r->next_stage = k->durable + 1;
	if (is_probe) {
		free_known(k);
	} else {
		rx_early_take(r, k);
		rx_found_take(r, k);
	}
	r->welcome = (struct msg_welcome){
		.version = r->version,
		.durable = k->durable,
		.durable_nonce = k->durable_nonce,
		.applied = k->applied,
		.n_partials = rx_found_messages(r),
	};
	r->partials_left = r->welcome.n_partials;
	memcpy(r->welcome.instance, k->instance, ID_LEN);
	r->say_welcome = true;
	r->state = is_probe ? RECEIVE_PROBED : RECEIVE_LIVE;
}

void receive_refuse(struct receive *r, enum bye_why why, const char *sentence)
{
	rx_settle(r);
	rx_bye(r, why, 0, "%s", sentence);
}

void receive_drop(struct receive *r, const struct msg_drop *m)
{
	rx_settle(r);
	if (r->state == RECEIVE_OVER)
		return;
	if (r->state != RECEIVE_LIVE ||
	    memcmp(m->incarnation, r->hello.incarnation, ID_LEN) != 0) {
		rx_bye(r, BYE_PROTOCOL, 0,
		       "a DROP came for another incarnation than this "
		       "connection's");
		return;
	}
	r->say_drop = true;
	r->state = RECEIVE_OVER;
}

void receive_bad(struct receive *r, const char *sentence)
{
	rx_settle(r);
	rx_bye(r, BYE_PROTOCOL, 0, "%s", sentence);
}

void receive_failed(struct receive *r, const char *sentence)
{
	rx_settle(r);
	rx_bye(r, BYE_BUSY, 0, "%s", sentence);
}

uint64_t receive_uncommitted(const struct receive *r)
{
	return r->state == RECEIVE_LIVE ? r->n_out : 0;
}

void receive_committed(struct receive *r, uint64_t serial)
{
	size_t n_early;

	rx_settle(r);
	if (r->state != RECEIVE_LIVE)
		return;
	assert(serial < r->next_stage);
	if (serial <= r->durable)
		return;
	n_early = r->passed.n;
	early_pass(&r->passed, serial);
	r->n_out -= serial - r->durable - (n_early - r->passed.n);
	r->durable = serial;
}

void receive_applied(struct receive *r, uint64_t serial, uint32_t n_quarantined)
{
	rx_settle(r);
	if (serial > r->applied)
		r->applied = serial;
	r->n_quarantined = n_quarantined;
}

static int say(struct receive_act *act, enum receive_act_kind kind,
	       uint64_t serial)
{
	act->kind = kind;
	act->serial = serial;
	return 1;
}

/* What was told before the WELCOME is in it; APPLIED never overtakes DURABLE. */
static int next_progress(struct receive *r, struct receive_act *act)
{
	if (r->state != RECEIVE_LIVE)
		return 0;
	if (rx_early_next(r, act))
		return 1;
	if (r->durable > r->told_durable) {
		r->told_durable = r->durable;
		return say(act, RX_DURABLE, r->durable);
	}
	if (r->applied <= r->durable &&
	    (r->applied > r->told_applied ||
	     r->n_quarantined != r->told_quarantined)) {
		r->told_applied = r->applied;
		r->told_quarantined = r->n_quarantined;
		act->applied.serial = r->applied;
		act->applied.n_quarantined = r->n_quarantined;
		return say(act, RX_APPLIED, r->applied);
	}
	return 0;
}

static int next_greeting(struct receive *r, struct receive_act *act)
{
	if (r->say_lookup) {
		r->say_lookup = false;
		act->hello = &r->hello;
		return say(act, RX_LOOKUP, 0);
	}
	if (r->say_welcome) {
		r->say_welcome = false;
		act->welcome = r->welcome;
		return say(act, RX_WELCOME, 0);
	}
	if (r->say_early) {
		r->say_early = false;
		act->early = r->greeting.ones;
		act->n_early = r->greeting.n;
		return say(act, RX_EARLY, 0);
	}
	return rx_found_next(r, act);
}

static int next_discard(struct receive *r, struct receive_act *act)
{
	if (r->discard_at < r->n_discards) {
		act->nonce = r->discards[r->discard_at].nonce;
		return say(act, RX_DISCARD,
			   r->discards[r->discard_at++].serial);
	}
	return 0;
}

static int next_end(struct receive *r, struct receive_act *act)
{
	if (r->say_drop) {
		r->say_drop = false;
		return say(act, RX_DROP, 0);
	}
	if (r->say_bye) {
		r->say_bye = false;
		act->bye = r->bye;
		return say(act, RX_BYE, r->bye.serial);
	}
	return 0;
}

int receive_next(struct receive *r, struct receive_act *act)
{
	/* All but the farewell, which is long and rarely there. */
	memset(act, 0, offsetof(struct receive_act, bye));
	return next_greeting(r, act) || next_discard(r, act) ||
	       rx_entries_next(r, act) || next_progress(r, act) ||
	       next_end(r, act);
}

bool receive_is_welcomed(const struct receive *r)
{
	return r->state == RECEIVE_LIVE;
}

uint16_t receive_version(const struct receive *r)
{
	return r->version;
}

uint64_t receive_durable(const struct receive *r)
{
	return r->durable;
}
