/* The dialogue of an upload: greeting, histories, progress, farewell. What is under
 * way stands in upload_window.c.
 *
 * The decision worth knowing: nothing here is exact about what the receiver has. Each
 * link begins with what the WELCOME says, checked against what this edge can prove
 * (assigned, released, nonces), and everything behind it is read and sent again. */
#include "upload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "upload_inside.h"

#define CURE "RESYNC PIPE opens a new incarnation and sends again what is here"

struct upload *upload_new(uint64_t assigned, uint64_t released,
			  uint64_t released_nonce, uint64_t durable,
			  unsigned max_attempts)
{
	struct upload *u = xcalloc(1, sizeof(*u));

	assert(released <= assigned);
	u->assigned = assigned;
	u->released = u->applied = u->told_applied = released;
	u->durable = durable > released ? durable : released;
	u->told_durable = u->durable;
	u->known_serial = released;
	u->known_nonce = released_nonce;
	u->max_attempts = max_attempts ? max_attempts : 1;
	u->has_room = true;
	u->ahead = UINT64_MAX;
	u->send_serial = 1;
	return u;
}

void upload_free(struct upload *u)
{
	if (!u)
		return;
	upload_window_stop(u);
	upload_early_stop(u);
	free(u);
}

static void end_with(struct upload *u, const char *fmt, va_list ap)
{
	upload_window_stop(u);
	u->state = UPLOAD_LEAVING;
	u->ask_nonce = false;
	(void)vsnprintf(u->end_text, sizeof(u->end_text), fmt, ap);
}

void upload_leave(struct upload *u, enum bye_why why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_with(u, fmt, ap);
	va_end(ap);
	u->end_why = why;
	u->say_close = true;
}

void upload_stop(struct upload *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_with(u, fmt, ap);
	va_end(ap);
	u->end_why = 0;
	u->say_error = true;
}

void upload_lost(struct upload *u, uint64_t serial, int err, const char *fmt,
		 ...)
{
	va_list ap;

	/* Of what was sent behind it, or passed it, the receiver may have the old entry;
	 * but where nothing passes nothing is durable behind it. */
	u->lost_beyond = u->has_early ? upload_sent_serial(u) : 0;
	if (u->n_there_early &&
	    u->there_early[u->n_there_early - 1].serial > u->lost_beyond)
		u->lost_beyond = u->there_early[u->n_there_early - 1].serial;
	if (u->lost_beyond <= serial)
		u->lost_beyond = 0;
	va_start(ap, fmt);
	end_with(u, fmt, ap);
	va_end(ap);
	u->end_why = 0;
	u->lost_serial = serial;
	u->lost_err = err;
	u->say_lost = true;
}

void upload_cut(struct upload *u)
{
	upload_window_stop(u);
	upload_early_stop(u);
	u->state = UPLOAD_OFF;
	u->version = 0;
	u->say_hello = u->ask_nonce = u->say_close = u->say_lost = false;
}

void upload_connected(struct upload *u)
{
	upload_cut(u);
	u->state = UPLOAD_GREETING;
	u->say_hello = true;
}

void upload_assigned(struct upload *u, uint64_t last)
{
	if (last > u->assigned)
		u->assigned = last;
}

/* Greeting done, history proved, every PARTIAL here. */
static void go_live(struct upload *u)
{
	u->state = UPLOAD_LIVE;
	upload_window_start(u);
	if (u->there_applied > u->applied)
		u->applied = u->there_applied;
}

static void history_fits(struct upload *u)
{
	u->durable = u->there_durable;
	u->state = UPLOAD_LISTING;
	if (u->partials_left == 0)
		go_live(u);
}

/* Below it nothing can be sent again: what was applied may be gone from here. */
static uint64_t history_floor(const struct upload *u)
{
	return u->applied > u->released ? u->applied : u->released;
}

/* So far it is the same history's; now those that passed, then those that only fill a serial, where
 * an older copy has what was lost. Each of them: the highest may have passed before the fill that
 * one below it travelled behind. */
static void ask_on(struct upload *u)
{
	if (u->ask_left == 0) {
		history_fits(u);
		return;
	}
	u->asked = u->there_early[--u->ask_left];
	u->ask_nonce = true;
}

/* Below the floor this edge does not know any more what it sent; an older copy, which did not
 * come so far, does. */
static bool is_forgotten(const struct upload *u)
{
	return u->asked.serial < u->there_durable &&
	       u->asked.serial <= history_floor(u);
}

static void compare_nonces(struct upload *u, uint64_t here)
{
	if (here == u->asked.nonce && u->asked.serial == u->there_durable) {
		u->known_serial = u->there_durable;
		u->known_nonce = here;
	}
	if (here == u->asked.nonce || (here == 0 && is_forgotten(u)))
		ask_on(u);
	else if (here == 0)
		upload_stop(u,
			    "the receiver holds entries up to %" PRIu64
			    " (nonce %016" PRIx64
			    "), which the outbox here does not "
			    "know: this edge was rolled back to an older copy, "
			    "or is "
			    "a clone; " CURE,
			    u->asked.serial, u->asked.nonce);
	else
		upload_stop(u,
			    "entry %" PRIu64
			    " at the receiver is not the one that "
			    "was assigned here (nonce %016" PRIx64
			    " there, %016" PRIx64
			    " here): this edge was rolled back "
			    "to an older copy, or is a clone; " CURE,
			    u->asked.serial, u->asked.nonce, here);
}

/* Design, section 3: what HELLO must never overlook. */
void upload_check_history(struct upload *u)
{
	uint64_t floor = history_floor(u), last = u->there_durable;

	u->ask_left = u->n_there_early;
	if (u->n_there_early > u->n_fills)
		last = u->there_early[u->n_there_early - 1].serial;
	if (last > u->assigned)
		upload_stop(
			u,
			"the receiver holds entries up to %" PRIu64
			", the outbox here assigned only %" PRIu64
			": this edge was rolled back to an older copy, or is a "
			"clone; " CURE,
			last, u->assigned);
	else if (u->there_durable < floor)
		upload_stop(
			u,
			"the receiver holds entries up to %" PRIu64
			", but entries up to %" PRIu64
			" were delivered and released here: the receiver was "
			"restored from an older copy; " CURE,
			u->there_durable, floor);
	else if (u->there_applied < floor)
		upload_stop(
			u,
			"the receiver says that entries up to %" PRIu64
			" are applied, it had said so up to %" PRIu64
			": it was restored from an older copy and would apply "
			"what lies between once more; " CURE,
			u->there_applied, floor);
	else if (u->there_durable == 0)
		ask_on(u);
	else if (u->there_durable == u->known_serial && u->known_nonce != 0)
		compare_nonces(u, u->known_nonce);
	else
		u->ask_nonce = true;
}

void upload_welcome(struct upload *u, const struct msg_welcome *m)
{
	if (u->state == UPLOAD_LEAVING || u->state == UPLOAD_OFF)
		return;
	if (u->state != UPLOAD_GREETING || u->say_hello) {
		upload_leave(u, 0, "a WELCOME came that nobody asked for");
		return;
	}
	u->version = proto_common(m->version, m->version);
	if (u->version == 0) {
		upload_leave(u, 0,
			     "the receiver chose version %u of the protocol, "
			     "offered were %u to %u: update the older side",
			     m->version, PROTO_VERSION_MIN, PROTO_VERSION_MAX);
		return;
	}
	if (m->applied > m->durable) {
		upload_leave(u, 0,
			     "the receiver says applied up to %" PRIu64
			     ", but durable only up to %" PRIu64,
			     m->applied, m->durable);
		return;
	}
	u->there_durable = m->durable;
	u->asked = (struct early_one){m->durable, m->durable_nonce};
	u->there_applied = m->applied;
	u->partials_left = m->n_partials;
	u->state = UPLOAD_CHECKING;
	u->awaits_early = proto_can(u->version, PROTO_EARLY);
	if (!u->awaits_early)
		upload_check_history(u);
}

void upload_nonce(struct upload *u, uint64_t serial, uint64_t nonce)
{
	if (u->state == UPLOAD_CHECKING && serial == u->asked.serial)
		compare_nonces(u, nonce);
}

void upload_partial(struct upload *u, const struct msg_partial *m)
{
	if (u->state == UPLOAD_LEAVING || u->state == UPLOAD_OFF)
		return;
	if ((u->state != UPLOAD_CHECKING && u->state != UPLOAD_LISTING) ||
	    u->partials_left == 0) {
		upload_leave(
			u, 0,
			"a PARTIAL came that the WELCOME did not announce");
		return;
	}
	/* Beyond what was assigned: of another history; its nonce would not match. */
	if (m->serial > u->there_durable && m->serial <= u->assigned)
		upload_window_partial(u, m);
	u->partials_left--;
	if (u->partials_left == 0 && u->state == UPLOAD_LISTING)
		go_live(u);
}

void upload_durable(struct upload *u, const struct msg_durable *m)
{
	if (u->state == UPLOAD_LEAVING || u->state == UPLOAD_OFF)
		return;
	if (u->state != UPLOAD_LIVE || !upload_may_be_durable(u, m->serial)) {
		upload_leave(u, 0,
			     "the receiver says durable up to %" PRIu64
			     ", but only %" PRIu64 " was sent",
			     m->serial,
			     u->state == UPLOAD_LIVE ? upload_sent_serial(u)
						     : 0);
		return;
	}
	if (m->serial <= u->durable)
		return;
	upload_early_reach(u, m->serial);
	upload_window_durable(u, m->serial);
	u->is_single = false;
}

void upload_applied(struct upload *u, const struct msg_applied *m)
{
	bool is_early =
		u->state == UPLOAD_CHECKING || u->state == UPLOAD_LISTING;
	uint64_t durable = is_early ? u->there_durable : u->durable;

	if (u->state == UPLOAD_LEAVING || u->state == UPLOAD_OFF)
		return;
	if ((!is_early && u->state != UPLOAD_LIVE) || m->serial > durable) {
		upload_leave(u, 0,
			     "the receiver says applied up to %" PRIu64
			     ", but durable only up to %" PRIu64,
			     m->serial, durable);
		return;
	}
	if (is_early && m->serial > u->there_applied)
		u->there_applied = m->serial;
	if (!is_early && m->serial > u->applied)
		u->applied = m->serial;
}

/* The slot that counts the attempts of `serial`: its own, or the best to give up. */
static struct upload_failing *failing_slot(struct upload *u, uint64_t serial)
{
	struct upload_failing *slot = &u->failing[0];

	for (size_t i = 0; i < UPLOAD_FAILING; i++) {
		struct upload_failing *f = &u->failing[i];

		if (f->serial == serial)
			return f;
		if (f->serial <= u->durable)
			f->n = 0;
		if (f->n < slot->n)
			slot = f;
	}
	*slot = (struct upload_failing){.serial = serial};
	return slot;
}

unsigned upload_failed(struct upload *u, uint64_t serial, const char *text)
{
	struct upload_failing *f = failing_slot(u, serial);

	f->n++;
	u->attempt = *f;
	u->say_attempt = true;
	(void)snprintf(u->attempt_text, sizeof(u->attempt_text), "%s", text);
	return f->n;
}

unsigned upload_attempts(const struct upload *u, uint64_t serial)
{
	for (size_t i = 0; i < UPLOAD_FAILING; i++)
		if (u->failing[i].serial == serial)
			return u->failing[i].n;
	return 0;
}

static void bye_mismatch(struct upload *u, const struct msg_bye *m)
{
	char text[SENTENCE_MAX + 1];
	unsigned n;

	if (u->state != UPLOAD_LIVE || m->serial <= u->durable ||
	    m->serial > upload_sent_serial(u) + u->next.send_open) {
		upload_leave(u, 0,
			     "the receiver says that entry %" PRIu64
			     " does not verify, which is not under way: %s",
			     m->serial, m->text);
		return;
	}
	n = upload_failed(u, m->serial, m->text);
	(void)snprintf(text, sizeof(text), "%.*s", SENTENCE_MAX - 120, m->text);
	if (n >= u->max_attempts)
		upload_stop(u,
			    "entry %" PRIu64
			    " failed to verify at the receiver %u times: %s",
			    m->serial, n, text);
	else
		upload_leave(u, BYE_MISMATCH, "entry %" PRIu64 ": %s",
			     m->serial, text);
}

void upload_bye(struct upload *u, const struct msg_bye *m)
{
	if (u->state == UPLOAD_LEAVING || u->state == UPLOAD_OFF)
		return;
	switch (m->why) {
	case BYE_MISMATCH:
		bye_mismatch(u, m);
		return;
	case BYE_REFUSED:
	case BYE_HISTORY:
	case BYE_VERSION:
		upload_stop(u, "%s", m->text);
		u->end_why = m->why;
		return;
	case BYE_BUSY:
		u->is_single = true; /* what was put off may need the room */
		upload_leave(u, m->why, "%s", m->text);
		return;
	case BYE_STOPPING:
	case BYE_TAKEN_OVER:
	case BYE_PROTOCOL:
		upload_leave(u, m->why, "%s", m->text);
		return;
	}
	upload_leave(
		u, 0,
		"the receiver ended the link for an unknown reason (%d): %s",
		(int)m->why, m->text);
}

void upload_room(struct upload *u, bool has_room)
{
	u->has_room = has_room;
}

void upload_ahead(struct upload *u, uint64_t bytes)
{
	u->ahead = bytes;
}

static int say_end(struct upload *u, struct upload_act *act)
{
	act->kind = u->say_error ? UP_ERROR : u->say_lost ? UP_LOST : UP_CLOSE;
	act->why = u->end_why;
	memcpy(act->text, u->end_text, sizeof(act->text));
	if (act->kind == UP_LOST) {
		act->serial = u->lost_serial;
		act->n = (uint64_t)u->lost_err;
		act->beyond = u->lost_beyond;
	}
	u->say_error = u->say_close = u->say_lost = false;
	return 1;
}

static int say_attempt(struct upload *u, struct upload_act *act)
{
	act->kind = UP_ATTEMPT;
	act->serial = u->attempt.serial;
	act->n = u->attempt.n;
	act->why = BYE_MISMATCH;
	memcpy(act->text, u->attempt_text, sizeof(act->text));
	u->say_attempt = false;
	return 1;
}

/* An act with a serial and nothing else. */
static int say_serial(struct upload_act *act, enum upload_act_kind kind,
		      uint64_t serial)
{
	act->kind = kind;
	act->serial = serial;
	return 1;
}

static int say_progress(struct upload *u, struct upload_act *act)
{
	if (u->durable > u->told_durable) {
		u->told_durable = u->durable;
		return say_serial(act, UP_DURABLE, u->durable);
	}
	if (u->applied > u->told_applied) {
		u->told_applied = u->applied;
		return say_serial(act, UP_APPLIED, u->applied);
	}
	return 0;
}

int upload_next(struct upload *u, struct upload_act *act)
{
	/* All but the text, which is long and rarely there. */
	memset(act, 0, offsetof(struct upload_act, text));
	act->text[0] = '\0';
	if (say_progress(u, act))
		return 1;
	if (u->say_attempt)
		return say_attempt(u, act);
	if (u->say_error || u->say_close || u->say_lost)
		return say_end(u, act);
	if (u->say_hello) {
		u->say_hello = false;
		act->n = u->assigned;
		return say_serial(act, UP_SEND_HELLO, history_floor(u));
	}
	if (u->ask_nonce) {
		u->ask_nonce = false;
		return say_serial(act, UP_NONCE, u->asked.serial);
	}
	if (u->state == UPLOAD_LIVE && upload_window_next(u, act))
		return 1;
	/* A head that came may be another one than the receiver has. */
	return u->say_error ? say_end(u, act) : 0;
}

uint16_t upload_version(const struct upload *u)
{
	return u->version;
}

uint64_t upload_durable_serial(const struct upload *u)
{
	return u->durable;
}

uint64_t upload_applied_serial(const struct upload *u)
{
	return u->applied;
}

uint64_t upload_resent_bytes(const struct upload *u)
{
	return u->resent_bytes;
}
