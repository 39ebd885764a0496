/* Staging and group commits: sync the files, sync the directory, then the catalog's
 * transaction, which alone makes entries durable. Crashes and restarts. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

void cloud_catalog_release(struct sim_cloud_catalog *c)
{
	for (uint64_t i = 1; i <= c->durable; i++)
		free(c->rows[i].data);
	free(c->rows);
	memset(c, 0, sizeof(*c));
}

void cloud_catalog_copy(struct sim_cloud_catalog *to,
			const struct sim_cloud_catalog *from)
{
	cloud_catalog_release(to);
	*to = *from;
	to->rows = xcalloc(from->cap + 1, sizeof(*to->rows));
	for (uint64_t i = 1; i <= from->durable; i++) {
		to->rows[i] = from->rows[i];
		if (!from->rows[i].data)
			continue;
		to->rows[i].data = xcalloc(1, from->rows[i].len);
		memcpy(to->rows[i].data, from->rows[i].data, from->rows[i].len);
	}
}

void store_stage(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_row *row;

	if (c->n_staged == c->cap_staged) {
		size_t cap = c->cap_staged ? 2 * c->cap_staged : 64;
		struct sim_row *more = xcalloc(cap, sizeof(*more));

		if (c->n_staged)
			memcpy(more, c->staged, c->n_staged * sizeof(*more));
		free(c->staged);
		c->staged = more;
		c->cap_staged = cap;
	}
	row = &c->staged[c->n_staged++];
	*row = (struct sim_row){
		.serial = a->serial,
		.nonce = a->nonce,
		.len = (uint32_t)entry_payload_len(a->entry),
		.is_file = a->kind == RX_STAGE_FILE || a->len > ENTRY_ROW_MAX,
		.link_id = l->id,
	};
	if (a->kind == RX_STAGE_FILE)
		return;
	row->data = xcalloc(1, a->len + 1);
	memcpy(row->data, a->data, a->len);
}

/* Staged and not committed: what stands in a partial file stays, the rest goes. */
static void drop_row(struct sim *s, struct sim_row *row)
{
	char data[SIM_NAME], list[SIM_NAME];
	bool is_written = row->is_file && !row->data;

	store_names(row->serial, data, list);
	free(row->data);
	row->data = NULL;
	if (is_written && !disk_find(&s->cloud.disk, list))
		store_forget_payload(s, row);
}

void store_drop_staged(struct sim *s, unsigned link_id)
{
	struct sim_cloud *c = &s->cloud;
	size_t kept = 0;

	for (size_t i = 0; i < c->n_staged; i++)
		if (link_id != 0 && c->staged[i].link_id != link_id)
			c->staged[kept++] = c->staged[i];
		else
			drop_row(s, &c->staged[i]);
	c->n_staged = kept;
}

static void group_over(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	free(c->group);
	c->group = NULL;
	c->n_group = c->at_group = 0;
	c->phase = PHASE_IDLE;
}

static struct sim_link *live_link(struct sim *s, unsigned id)
{
	struct sim_link *l = link_by_id(s, id);

	return l && l->cloud_open ? l : NULL;
}

/* `bad`: the file whose sync failed, which is never tried again. */
static void group_failed(struct sim *s, struct sim_file *bad, const char *why)
{
	struct sim_cloud *c = &s->cloud;
	unsigned id = c->group[0].link_id;
	struct sim_link *l = live_link(s, id);

	sim_say(s, "group of %zu failed: %s", c->n_group, why);
	for (size_t i = 0; i < c->n_group; i++) {
		char data[SIM_NAME], list[SIM_NAME];

		store_names(c->group[i].serial, data, list);
		if (bad && strcmp(bad->name, data) == 0)
			partial_remove(s, c->group[i].serial);
		else
			drop_row(s, &c->group[i]);
	}
	group_over(s);
	if (!l)
		return;
	receive_failed(l->r, why);
	cloud_pump(s, l);
}

static void commit_row(struct sim *s, const struct sim_row *row)
{
	struct sim_cloud_catalog *c = &s->cloud.cat;
	char data[SIM_NAME], list[SIM_NAME];
	struct sim_file *f;

	if (row->serial != c->durable + 1)
		sim_broken(s, "serials without holes",
			   "%" PRIu64 " after %" PRIu64, row->serial,
			   c->durable);
	if (c->durable + 2 > c->cap) {
		uint64_t cap = c->cap ? 2 * c->cap : 64;
		struct sim_row *more = xcalloc(cap, sizeof(*more));

		if (c->durable)
			memcpy(more, c->rows, (c->durable + 1) * sizeof(*more));
		free(c->rows);
		c->rows = more;
		c->cap = cap;
	}
	c->rows[++c->durable] = *row;
	store_names(row->serial, data, list);
	f = row->is_file ? disk_find(&s->cloud.disk, list) : NULL;
	if (f)
		disk_unlink(&s->cloud.disk, f);
}

static void group_commits(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_link *l = live_link(s, c->group[0].link_id);

	for (size_t i = 0; i < c->n_group; i++)
		commit_row(s, &c->group[i]);
	group_over(s);
	if (!l || s->broken)
		return;
	receive_committed(l->r, c->cat.durable);
	cloud_pump(s, l);
}

static void group_begins(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_link *l = live_link(s, c->staged[0].link_id);

	c->group = c->staged;
	c->n_group = c->n_staged;
	c->at_group = 0;
	c->staged = NULL;
	c->n_staged = c->cap_staged = 0;
	c->phase = PHASE_FILES;
	if (s->plant != PLANT_ACK_EARLY || !l)
		return;
	receive_committed(l->r, c->group[c->n_group - 1].serial);
	cloud_pump(s, l);
}

/* A large payload that came inline becomes a file only now. */
static void write_large(struct sim *s, struct sim_row *row, const char *name)
{
	struct sim_file *f = disk_find(&s->cloud.disk, name);

	if (f)
		disk_unlink(&s->cloud.disk, f);
	disk_write(disk_make(&s->cloud.disk, name), 0, row->data, row->len);
	free(row->data);
	row->data = NULL;
}

static void group_syncs(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	char name[SIM_NAME], unused[SIM_NAME];
	struct sim_row *row = &c->group[c->at_group];
	struct sim_file *f;

	store_names(row->serial, name, unused);
	if (row->data)
		write_large(s, row, name);
	f = disk_find(&c->disk, name);
	if (!f) {
		sim_broken(s, "nothing half visible",
			   "%s is staged and not there", name);
	} else if (s->fail_sync) {
		s->fail_sync = false;
		s->stats[STAT_FSYNC_FAILURES]++;
		disk_sync_failed(f);
		group_failed(s, f, "fsync failed");
	} else {
		if (s->plant != PLANT_NO_FSYNC)
			disk_sync(f);
		c->at_group++;
	}
}

bool store_step_group(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	if (!c->is_up || (c->phase == PHASE_IDLE && c->n_staged == 0))
		return false;
	switch (c->phase) {
	case PHASE_IDLE:
		group_begins(s);
		return true;
	case PHASE_FILES:
		while (c->phase == PHASE_FILES && c->at_group < c->n_group &&
		       !c->group[c->at_group].is_file)
			c->at_group++;
		if (c->at_group == c->n_group)
			c->phase = PHASE_DIR;
		else
			group_syncs(s);
		return true;
	case PHASE_DIR:
		if (s->plant != PLANT_NO_FSYNC)
			disk_sync_dir(&c->disk);
		c->phase = PHASE_COMMIT;
		return true;
	case PHASE_COMMIT:
		if (s->no_space)
			group_failed(s, NULL, "no space left");
		else
			group_commits(s);
		return true;
	}
	return false;
}

/* The medium has it, whole, under its name: a power cut now would not take it. */
void store_check_acknowledged(struct sim *s, uint64_t serial)
{
	char name[SIM_NAME], unused[SIM_NAME];
	const struct sim_row *row = &s->cloud.cat.rows[serial];
	const struct sim_truth *t;
	const struct sim_file *f;

	if (serial > s->cloud.cat.durable) {
		sim_broken(s, "acknowledged is durable",
			   "entry %" PRIu64 " has no committed row", serial);
		return;
	}
	if (row->state == ROW_APPLIED || row->state == ROW_SKIPPED)
		return;
	t = sim_truth_of(s, row->nonce);
	store_names(row->serial, name, unused);
	f = row->is_file ? disk_find(&s->cloud.disk, name) : NULL;
	if (row->is_file && (!f || !f->is_kept || f->kept_len != row->len ||
			     !sim_truth_matches(t, f->kept, f->kept_len)))
		sim_broken(s, "acknowledged is durable",
			   "a power cut would take the file of entry %" PRIu64,
			   serial);
	if (!row->is_file && !sim_truth_matches(t, row->data, row->len))
		sim_broken(s, "acknowledged is intact", "entry %" PRIu64,
			   serial);
}

void store_check_kept(struct sim *s)
{
	const struct sim_cloud_catalog *c = &s->cloud.cat;

	for (uint64_t i = c->applied + 1; i <= c->durable && !s->broken; i++) {
		const struct sim_row *row = &c->rows[i];
		const uint8_t *p;
		size_t n;

		if (row->state == ROW_APPLIED || row->state == ROW_SKIPPED)
			continue;
		p = store_payload(s, row, &n);
		if (!p || n != row->len ||
		    !sim_truth_matches(sim_truth_of(s, row->nonce), p, n))
			sim_broken(s, "durable survives",
				   "entry %" PRIu64
				   " is damaged after a restart",
				   i);
	}
}

void store_crash(struct sim *s, bool is_power_cut)
{
	struct sim_cloud *c = &s->cloud;

	store_lose_writes(s);
	if (c->phase == PHASE_COMMIT && sim_chance(s, 500)) {
		for (size_t i = 0; i < c->n_group; i++)
			commit_row(s, &c->group[i]);
		c->n_group = 0;
	}
	for (size_t i = 0; i < c->n_group; i++)
		free(c->group[i].data);
	for (size_t i = 0; i < c->n_staged; i++)
		free(c->staged[i].data);
	c->n_staged = 0;
	group_over(s);
	if (is_power_cut)
		disk_power_cut(s, &c->disk);
}

/* A file is a payload that a row names, or one half of a partial file. */
static bool belongs(struct sim *s, const struct sim_file *f)
{
	const struct sim_cloud_catalog *c = &s->cloud.cat;
	char data[SIM_NAME], list[SIM_NAME];
	struct receive_partial p = {0};
	uint64_t serial;
	struct sim_file *other;
	bool is_good;

	if (sscanf(f->name, "%" SCNu64, &serial) != 1)
		return false;
	store_names(serial, data, list);
	if (serial <= c->durable)
		return strcmp(f->name, data) == 0 && c->rows[serial].is_file &&
		       (c->rows[serial].state == ROW_DURABLE ||
			c->rows[serial].state == ROW_QUARANTINED);
	other = disk_find(&s->cloud.disk, list);
	is_good = other && store_read_partial(s, other, &p);
	entry_release(&p.entry);
	free(p.present);
	free(p.digests);
	return is_good;
}

void store_restart(struct sim *s)
{
	struct sim_disk *d = &s->cloud.disk;

	for (struct sim_file *f = d->files; f; f = f->next)
		if (f->is_linked && !belongs(s, f))
			disk_unlink(d, f);
	for (struct sim_file *f = d->files; f; f = f->next)
		if (f->is_linked && !belongs(s, f))
			disk_unlink(d, f);
	disk_sync_dir(d);
	store_check_kept(s);
}
