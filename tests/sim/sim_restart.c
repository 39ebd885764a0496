/* The receiver dies and comes back, its state is copied, put back, lost; and what must be
 * on the medium at an acknowledgement. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

void cloud_catalog_release(struct sim_catalog *c)
{
	for (unsigned seq = 1; seq <= c->n; seq++) {
		for (uint64_t i = 1; i <= c->inc[seq].end; i++)
			free(c->inc[seq].rows[i].data);
		free(c->inc[seq].rows);
	}
	memset(c, 0, sizeof(*c));
}

static void copy_inc(struct sim_inc *to, const struct sim_inc *from)
{
	*to = *from;
	to->rows = xcalloc(from->cap + 1, sizeof(*to->rows));
	for (uint64_t i = 1; i <= from->end; i++) {
		to->rows[i] = from->rows[i];
		if (!from->rows[i].data)
			continue;
		to->rows[i].data = xcalloc(1, from->rows[i].len + 1);
		memcpy(to->rows[i].data, from->rows[i].data, from->rows[i].len);
	}
}

void cloud_catalog_copy(struct sim_catalog *to, const struct sim_catalog *from)
{
	cloud_catalog_release(to);
	to->n = from->n;
	for (unsigned seq = 1; seq <= from->n; seq++)
		copy_inc(&to->inc[seq], &from->inc[seq]);
}

void cloud_copy_release(struct sim_copy *c)
{
	disk_release(&c->disk);
	cloud_catalog_release(&c->cat);
	free(c->applied);
	memset(c, 0, sizeof(*c));
}

static bool is_settled(const struct sim_row *row)
{
	return row->state == ROW_APPLIED || row->state == ROW_SKIPPED;
}

/* The medium has it, whole, under its name: a power cut now would not take it. */
void store_check_acknowledged(struct sim *s, const struct sim_link *l,
			      uint64_t serial)
{
	const struct sim_inc *inc = &s->cloud.cat.inc[l->seq];
	const struct sim_row *row = inc->rows + serial;
	const struct sim_content *c;
	const struct sim_file *f;

	if (!inc_has(inc, serial)) {
		sim_broken(s, "acknowledged is durable",
			   "entry %" PRIu64 " has no committed row", serial);
		return;
	}
	if (is_settled(row))
		return;
	c = sim_content_of(s, row->nonce);
	if (!row->is_file) {
		if (!sim_matches(c, row->data, row->len))
			sim_broken(s, "acknowledged is intact",
				   "entry %" PRIu64, serial);
		return;
	}
	f = disk_find(&s->cloud.disk, l->seq, serial, false);
	if (!f || !f->is_kept || f->kept_len != row->len ||
	    !sim_matches(c, f->kept, f->kept_len))
		sim_broken(s, "acknowledged is durable",
			   "a power cut would take the file of entry %" PRIu64
			   " of incarnation %u",
			   serial, l->seq);
}

static void check_kept(struct sim *s, const struct sim_inc *inc)
{
	for (uint64_t i = inc->applied + 1; i <= inc->end; i++) {
		const struct sim_row *row = &inc->rows[i];
		const uint8_t *p;
		size_t n;

		if (!row->nonce || is_settled(row))
			continue;
		p = store_payload(s, row, &n);
		if (!p || !sim_matches(sim_content_of(s, row->nonce), p, n))
			sim_broken(s, "durable survives",
				   "entry %" PRIu64 " of incarnation %u is "
				   "damaged after a restart",
				   i, inc->pipe);
	}
}

/* The daemon's counters, which its order lives on, against its catalog. */
static void check_counters(struct sim *s, unsigned seq)
{
	const struct sim_inc *inc = &s->cloud.cat.inc[seq];
	uint64_t n[SIM_DATABASES] = {0}, bad[SIM_DATABASES] = {0};

	for (uint64_t i = inc->applied + 1; i <= inc->end; i++) {
		const struct sim_row *row = &inc->rows[i];
		unsigned db;

		if (!row->nonce)
			continue;
		db = sim_content_of(s, row->nonce)->db;

		n[db] += !is_settled(row);
		bad[db] += row->state == ROW_QUARANTINED;
	}
	for (unsigned db = 0; db < SIM_DATABASES; db++) {
		const struct domain *dom = cloud_domain(s, seq, db);

		if (dom->n_entries != n[db] || dom->n_quarantined != bad[db])
			sim_broken(s, "memory follows the catalog",
				   "database %u of incarnation %u: %" PRIu64
				   " (%" PRIu64 ") and %" PRIu64 " (%" PRIu64
				   ")",
				   db, seq, dom->n_entries, dom->n_quarantined,
				   n[db], bad[db]);
	}
}

void cloud_crash(struct sim *s, bool is_power_cut)
{
	struct sim_cloud *c = &s->cloud;

	for (unsigned seq = 1; c->is_up && seq <= c->cat.n; seq++)
		check_counters(s, seq);
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (!l->is_used || !l->cloud_open)
			continue;
		l->down.len -= sim_random(s, l->down.len + 1);
		link_close_cloud(l);
	}
	store_lose_writes(s);
	group_crash(s);
	for (unsigned seq = 1; seq <= c->cat.n; seq++)
		if (c->drop_due[seq] && sim_chance(s, 500)) {
			c->cat.inc[seq].is_dropped = true;
		}
	if (is_power_cut)
		disk_power_cut(s, &c->disk);
	load_crash(s);
	c->is_up = false;
	s->no_space = false;
}

/* A file is a payload that a row names, or one half of a partial file. */
static bool belongs(struct sim *s, const struct sim_file *f)
{
	struct sim_cloud *c = &s->cloud;
	const struct sim_inc *inc = &c->cat.inc[f->dir];
	struct receive_partial p = {0};
	struct sim_file *list;

	if (f->dir > c->cat.n)
		return false;
	if (inc_has(inc, f->serial) && !(s->plant == PLANT_SWEEP_EARLY &&
					 f->serial > inc->durable))
		return !f->is_list && inc->rows[f->serial].is_file &&
		       !is_settled(&inc->rows[f->serial]);
	list = disk_find(&c->disk, f->dir, f->serial, true);
	if (inc->is_dropped || !list || !partial_read(s, list, true, &p))
		return false;
	partial_release(&p);
	return true;
}

static void remove_orphans(struct sim *s)
{
	struct sim_disk *d = &s->cloud.disk;
	bool is_removed = true;

	while (is_removed) { /* a list may go before its data */
		is_removed = false;
		for (struct sim_file *f = d->files; f; f = f->next)
			if (f->is_linked && !belongs(s, f)) {
				disk_unlink(d, f);
				is_removed = true;
			}
	}
	disk_sync_dir(d, 0);
}

/* A catalog that is lost, while its directories hold what was durable, is no new one. */
bool cloud_restart(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	if (c->is_lost && s->plant != PLANT_LOST_STARTS) {
		s->stats[STAT_REFUSED_STARTS]++;
		return false;
	}
	if (c->is_lost) {
		for (unsigned seq = 1; seq <= c->cat.n && !s->broken; seq++)
			if (c->cat.inc[seq].applied < c->cat.inc[seq].durable)
				sim_broken(s, "a lost catalog stops the start",
					   "%" PRIu64 " durable entries are "
					   "rubbish now",
					   c->cat.inc[seq].durable -
						   c->cat.inc[seq].applied);
		cloud_catalog_release(&c->cat);
		c->is_lost = false;
		c->epoch++;
	}
	if (s->plant != PLANT_ORPHAN)
		remove_orphans(s);
	cloud_start(s);
	for (unsigned seq = 1; seq <= c->cat.n && !s->broken; seq++)
		check_kept(s, &c->cat.inc[seq]);
	return true;
}

/* ---- copies ---- */

void cloud_take_copy(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_copy *old = &c->old;

	if (c->is_lost)
		return;
	cloud_copy_release(old);
	old->is_there = true;
	disk_copy(&old->disk, &c->disk);
	cloud_catalog_copy(&old->cat, &c->cat);
	memcpy(old->slots, c->slots, sizeof(old->slots));
	old->n_truths = s->n_truths;
	old->applied = xcalloc(s->n_truths + 1, sizeof(bool));
	for (size_t i = 0; i < s->n_truths; i++)
		old->applied[i] = s->truths[i].is_applied;
}

/* What the target has is as old as the catalog then. */
static void target_as_copied(struct sim *s, const struct sim_copy *old)
{
	for (size_t i = 0; i < s->n_truths; i++)
		s->truths[i].is_applied = i < old->n_truths && old->applied[i];
	memcpy(s->cloud.slots, old->slots, sizeof(old->slots));
	load_crash(s);
}

void cloud_put_back(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	s->stats[STAT_PUT_BACK]++;
	cloud_crash(s, false);
	disk_release(&c->disk);
	disk_copy(&c->disk, &c->old.disk);
	cloud_catalog_copy(&c->cat, &c->old.cat);
	target_as_copied(s, &c->old);
	c->epoch++;
	c->is_lost = false;
	sim_say(s, "cloud: put back to %u incarnations", c->cat.n);
}

/* The operator's two ways: an older copy, or everything anew. */
void cloud_cure_loss(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	static const struct sim_copy nothing;

	if (c->old.is_there) {
		cloud_put_back(s);
		return;
	}
	sim_say(s, "cloud: a new state directory");
	disk_release(&c->disk);
	cloud_catalog_release(&c->cat);
	target_as_copied(s, &nothing);
	c->epoch++;
	c->is_lost = false;
}
