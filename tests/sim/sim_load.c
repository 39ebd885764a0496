/* The loader: one entry per database at a time, in serial order; it may crash between
 * the target's yes and the catalog's commit, and then gives the same entry again. What
 * does not apply is quarantined and holds its database until an operator's word. */
#include <inttypes.h>

#include "sim.h"

static unsigned db_of(struct sim *s, const struct sim_row *row)
{
	return sim_truth_of(s, row->nonce)->db;
}

static bool is_settled(const struct sim_row *row)
{
	return row->state == ROW_APPLIED || row->state == ROW_SKIPPED;
}

uint32_t load_quarantined(const struct sim *s)
{
	uint32_t n = 0;

	for (uint64_t i = s->cloud.cat.applied + 1; i <= s->cloud.cat.durable;
	     i++)
		n += s->cloud.cat.rows[i].state == ROW_QUARANTINED;
	return n;
}

static void tell(struct sim *s)
{
	uint32_t n = load_quarantined(s);

	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (!l->is_used || !l->cloud_open)
			continue;
		receive_applied(l->r, s->cloud.cat.applied, n);
		cloud_pump(s, l);
	}
}

static void settle(struct sim *s, struct sim_row *row, enum sim_row_state state)
{
	struct sim_cloud_catalog *c = &s->cloud.cat;

	row->state = state;
	while (c->applied < c->durable && is_settled(&c->rows[c->applied + 1]))
		c->applied++;
	store_forget_payload(s, row);
	tell(s);
}

/* The target takes an entry: the one place where order and uniqueness show. */
static void target_takes(struct sim *s, struct sim_row *row, unsigned db)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_truth *t = sim_truth_of(s, row->nonce);
	const uint8_t *p;
	size_t n;

	if (row->serial < c->newest[db] ||
	    (row->serial == c->newest[db] && !c->was_cut[db]))
		sim_broken(s, "applied once, in order",
			   "entry %" PRIu64 " after entry %" PRIu64
			   " of database %u",
			   row->serial, c->newest[db], db);
	for (uint64_t i = c->cat.applied + 1; i < row->serial; i++)
		if (db_of(s, &c->cat.rows[i]) == db &&
		    !is_settled(&c->cat.rows[i]))
			sim_broken(s, "applied once, in order",
				   "entry %" PRIu64 " before entry %" PRIu64
				   " of database %u",
				   row->serial, i, db);
	p = store_payload(s, row, &n);
	if (!s->broken && (!p || !sim_truth_matches(t, p, n)))
		sim_broken(s, "applied is intact", "entry %" PRIu64,
			   row->serial);
	t->is_applied = true;
	c->newest[db] = row->serial;
	c->is_loaded[db] = true;
}

/* The oldest entry of a database that is to be applied; 0: none, or held back. */
static uint64_t next_of(struct sim *s, unsigned db)
{
	const struct sim_cloud_catalog *c = &s->cloud.cat;
	bool is_wrong = s->plant == PLANT_OUT_OF_ORDER && sim_chance(s, 300);

	for (uint64_t i = c->applied + 1; i <= c->durable; i++) {
		if (db_of(s, &c->rows[i]) != db || is_settled(&c->rows[i]))
			continue;
		if (is_wrong && c->rows[i].state == ROW_DURABLE &&
		    sim_chance(s, 500))
			continue;
		return c->rows[i].state == ROW_DURABLE ? i : 0;
	}
	return 0;
}

bool load_step(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	unsigned db = (unsigned)sim_random(s, SIM_DATABASES);
	struct sim_row *row;

	if (!c->is_up)
		return false;
	if (c->loading[db] == 0) {
		c->loading[db] = next_of(s, db);
		if (s->plant == PLANT_REAPPLY && c->newest[db] &&
		    sim_chance(s, 50))
			c->loading[db] = c->newest[db];
		c->is_loaded[db] = false;
		return c->loading[db] != 0;
	}
	row = &c->cat.rows[c->loading[db]];
	if (!c->is_loaded[db] && !s->is_calm && sim_chance(s, 20)) {
		s->stats[STAT_QUARANTINED]++;
		c->loading[db] = 0;
		row->state = ROW_QUARANTINED;
		tell(s);
	} else if (!c->is_loaded[db]) {
		target_takes(s, row, db);
	} else {
		c->loading[db] = 0;
		c->was_cut[db] = false;
		settle(s, row, ROW_APPLIED);
	}
	return true;
}

/* RETRY or SKIP. What the target took before a crash is not skipped. */
bool load_step_operator(struct sim *s)
{
	struct sim_cloud_catalog *c = &s->cloud.cat;

	if (!s->cloud.is_up)
		return false;
	for (uint64_t i = c->applied + 1; i <= c->durable; i++) {
		struct sim_row *row = &c->rows[i];

		if (row->state != ROW_QUARANTINED)
			continue;
		if (sim_chance(s, 700)) {
			row->state = ROW_DURABLE;
			tell(s);
			return true;
		}
		sim_truth_of(s, row->nonce)->is_skipped = true;
		settle(s, row, ROW_SKIPPED);
		return true;
	}
	return false;
}

/* The loader died; its answers are lost, not what the target took. */
void load_crash(struct sim *s)
{
	for (unsigned db = 0; db < SIM_DATABASES; db++) {
		s->cloud.was_cut[db] =
			s->cloud.was_cut[db] || s->cloud.is_loaded[db];
		s->cloud.loading[db] = 0;
		s->cloud.is_loaded[db] = false;
	}
}
