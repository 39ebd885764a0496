/* The loader: one entry per database of a sender at a time, in the order that recvd's
 * own rule gives; it may crash between the target's yes and the catalog's commit, and
 * then gives the same entry again. What does not apply is quarantined, and holds its
 * database (quarantine=hold) or is passed, until an operator's word. */
#include <inttypes.h>

#include "recvd/turn.h"
#include "sim.h"

static unsigned db_of(struct sim *s, const struct sim_row *row)
{
	return sim_content_of(s, row->nonce)->db;
}

static bool is_settled(const struct sim_row *row)
{
	return row->state == ROW_APPLIED || row->state == ROW_SKIPPED;
}

static struct sim_row *row_of(struct sim *s, const struct sim_slot *slot)
{
	return &s->cloud.cat.inc[slot->seq].rows[slot->serial];
}

static void tell(struct sim *s, unsigned seq)
{
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (!l->is_used || !l->cloud_open || l->seq != seq ||
		    l->state != SESSION_WELCOME)
			continue;
		receive_applied(l->r, s->cloud.cat.inc[seq].applied,
				cloud_incarnation(s, seq)->n_quarantined);
		cloud_pump(s, l);
	}
}

static void settle(struct sim *s, struct sim_row *row, enum sim_row_state state)
{
	struct sim_inc *inc = &s->cloud.cat.inc[row->seq];
	struct domain *dom = cloud_domain(s, row->seq, db_of(s, row));
	unsigned seq = row->seq;

	row->state = state;
	dom->n_entries--;
	while (inc->applied < inc->durable &&
	       is_settled(&inc->rows[inc->applied + 1]))
		inc->applied++;
	if (s->plant == PLANT_APPLIED_PASSES && row->serial > inc->applied &&
	    row->serial <= inc->durable)
		inc->applied = row->serial;
	store_forget_payload(s, row);
	tell(s, seq);
}

static void quarantine(struct sim *s, struct sim_row *row)
{
	struct domain *dom = cloud_domain(s, row->seq, db_of(s, row));

	s->stats[STAT_QUARANTINED]++;
	if (s->plant == PLANT_PASS_SILENTLY) {
		settle(s, row, ROW_SKIPPED);
		return;
	}
	row->state = ROW_QUARANTINED;
	dom->n_quarantined++;
	dom->incarnation->n_quarantined++;
	dom->is_held = !s->cloud.is_pass;
	tell(s, row->seq);
}

/* ---- whose turn ---- */

/* The next of a domain as recvd/apply_pick.c takes it: 0 = none, or held back. */
static uint64_t next_of(struct sim *s, struct domain *dom, unsigned seq,
			unsigned db)
{
	const struct sim_inc *inc = &s->cloud.cat.inc[seq];
	bool is_wrong = s->plant == PLANT_OUT_OF_ORDER && sim_chance(s, 300);

	for (uint64_t i = inc->applied + 1; i <= inc->end; i++) {
		const struct sim_row *row = &inc->rows[i];

		if (!row->nonce || is_settled(row) || db_of(s, row) != db)
			continue;
		if (row->state == ROW_QUARANTINED && s->cloud.is_pass)
			continue;
		if (row->state == ROW_QUARANTINED) {
			dom->is_held = true;
			return 0;
		}
		if (is_wrong && sim_chance(s, 500))
			continue;
		return i;
	}
	return 0;
}

/* Seen from the catalog alone: nothing older is waiting. */
static void check_turn(struct sim *s, unsigned sender, unsigned db,
		       unsigned seq, uint64_t serial)
{
	for (unsigned o = 1; o <= seq; o++) {
		const struct sim_inc *inc = &s->cloud.cat.inc[o];
		uint64_t end = o == seq ? serial - 1 : inc->end;

		if (inc->sender != sender)
			continue;
		for (uint64_t i = inc->applied + 1; i <= end; i++) {
			const struct sim_row *row = &inc->rows[i];

			if (!row->nonce || is_settled(row) ||
			    db_of(s, row) != db ||
			    (row->state == ROW_QUARANTINED && s->cloud.is_pass))
				continue;
			sim_broken(s,
				   o == seq ? "applied once, in order"
					    : "older incarnations go first",
				   "entry %" PRIu64 " of incarnation %u before "
				   "entry %" PRIu64 " of %u, database %u",
				   serial, seq, i, o, db);
			return;
		}
	}
}

static bool has_turn(const struct sim *s, const struct domain *dom)
{
	if (s->plant == PLANT_OVERTAKE)
		return dom->n_entries > dom->n_quarantined &&
		       (s->cloud.is_pass || !dom->is_held);
	return turn_has(dom, s->cloud.is_pass);
}

static bool choose(struct sim *s, struct sim_slot *slot, unsigned sender,
		   unsigned db)
{
	for (unsigned seq = s->cloud.cat.n; seq > 0; seq--) {
		struct domain *dom;

		const struct sim_inc *inc = &s->cloud.cat.inc[seq];

		if (inc->sender != sender || inc->applied == inc->end)
			continue;
		dom = cloud_domain(s, seq, db);
		if (!has_turn(s, dom))
			continue;
		slot->serial = next_of(s, dom, seq, db);
		if (slot->serial == 0)
			continue;
		slot->seq = seq;
		slot->is_loaded = false;
		check_turn(s, sender, db, seq, slot->serial);
		return true;
	}
	return false;
}

/* ---- the target ---- */

static bool is_newer(const struct sim_slot *slot)
{
	return slot->seq > slot->new_seq ||
	       (slot->seq == slot->new_seq && slot->serial > slot->new_serial);
}

/* The target takes an entry: the one place where order and uniqueness show. */
static void target_takes(struct sim *s, struct sim_slot *slot)
{
	struct sim_row *row = row_of(s, slot);
	struct sim_truth *t = sim_truth_of(s, row->nonce);
	bool is_again = slot->was_cut && slot->seq == slot->new_seq &&
			slot->serial == slot->new_serial;
	const uint8_t *p;
	size_t n;

	if ((!is_newer(slot) && !is_again && !row->is_late) ||
	    (t->is_applied && !is_again && !row->is_late))
		sim_broken(s, "applied once, in order",
			   "entry %" PRIu64 " of incarnation %u after %" PRIu64
			   " of %u",
			   slot->serial, slot->seq, slot->new_serial,
			   slot->new_seq);
	p = store_payload(s, row, &n);
	if (!s->broken && (!p || !sim_matches(&s->contents[t->content], p, n)))
		sim_broken(s, "applied is intact", "entry %" PRIu64,
			   row->serial);
	t->is_applied = true;
	if (is_newer(slot)) {
		slot->new_seq = slot->seq;
		slot->new_serial = slot->serial;
		slot->was_cut = false;
	}
	slot->is_loaded = true;
}

static bool is_refused(struct sim *s, const struct sim_row *row)
{
	const struct sim_content *c = sim_content_of(s, row->nonce);

	/* A RESTATE that only was inferred waits for an operator. */
	if (row->state != ROW_RELEASED && c->kind == ENTRY_RESTATE &&
	    c->seed & 1)
		return true;
	return !s->is_calm && sim_chance(s, 20);
}

static bool try_slot(struct sim *s, unsigned sender, unsigned db)
{
	struct sim_slot *slot = &s->cloud.slots[sender][db];
	struct sim_row *row;

	if (slot->seq == 0) {
		if (s->plant == PLANT_REAPPLY && slot->new_seq &&
		    sim_chance(s, 50)) {
			slot->seq = slot->new_seq;
			slot->serial = slot->new_serial;
			slot->is_loaded = false;
			return true;
		}
		return choose(s, slot, sender, db);
	}
	row = row_of(s, slot);
	if (!slot->is_loaded && is_refused(s, row)) {
		slot->seq = 0;
		quarantine(s, row);
	} else if (!slot->is_loaded) {
		target_takes(s, slot);
	} else {
		slot->seq = 0;
		settle(s, row, ROW_APPLIED);
	}
	return true;
}

bool load_step(struct sim *s)
{
	unsigned n = s->n_senders * SIM_DATABASES;
	unsigned at = (unsigned)sim_random(s, n);

	for (unsigned i = 0; s->cloud.is_up && i < n; i++) {
		unsigned k = (at + i) % n;

		if (try_slot(s, k / SIM_DATABASES, k % SIM_DATABASES))
			return true;
	}
	return false;
}

/* ---- the operator ---- */

static void word(struct sim *s, struct sim_row *row)
{
	struct domain *dom = cloud_domain(s, row->seq, db_of(s, row));

	dom->n_quarantined -= s->plant != PLANT_MISCOUNT;
	dom->is_held = false;
	dom->incarnation->n_quarantined--;
	if (sim_chance(s, 700)) {
		s->stats[STAT_RETRIED]++;
		row->state = ROW_RELEASED;
		row->is_late = s->cloud.was_pass;
		tell(s, row->seq);
		return;
	}
	s->stats[STAT_SKIPPED]++;
	sim_truth_of(s, row->nonce)->is_skipped = true;
	settle(s, row, ROW_SKIPPED);
}

/* RETRY or SKIP of the oldest quarantined entry. */
bool load_step_operator(struct sim *s)
{
	if (!s->cloud.is_up)
		return false;
	for (unsigned seq = 1; seq <= s->cloud.cat.n; seq++) {
		struct sim_inc *inc = &s->cloud.cat.inc[seq];

		for (uint64_t i = inc->applied + 1; i <= inc->end; i++) {
			if (inc->rows[i].state != ROW_QUARANTINED)
				continue;
			word(s, &inc->rows[i]);
			return true;
		}
	}
	return false;
}

/* The loader died; its answers are lost, not what the target took. */
void load_crash(struct sim *s)
{
	for (unsigned sender = 0; sender < SIM_SENDERS; sender++)
		for (unsigned db = 0; db < SIM_DATABASES; db++) {
			struct sim_slot *slot = &s->cloud.slots[sender][db];

			slot->was_cut |= slot->is_loaded;
			slot->seq = 0;
			slot->is_loaded = false;
		}
}
