/* Staging and group commits, of all senders together: sync the files, sync the
 * directories, then the catalog's transaction, which alone makes entries durable. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define GROUP_MAX 16u

void group_stage(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_row *row;

	sim_grow(&c->staged, c->n_staged, &c->cap_staged, sizeof(*row));
	row = &c->staged[c->n_staged++];
	*row = (struct sim_row){
		.seq = l->seq,
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

/* Nothing of the incarnation is on its way to a commit. */
bool group_is_through(const struct sim *s, unsigned seq)
{
	const struct sim_cloud *c = &s->cloud;

	for (size_t i = 0; i < c->n_group; i++)
		if (c->group[i].seq == seq)
			return false;
	for (size_t i = 0; i < c->n_staged; i++)
		if (c->staged[i].seq == seq)
			return false;
	return true;
}

static struct sim_link *session_of(struct sim *s, unsigned seq)
{
	for (size_t i = 0; i < SIM_LINKS; i++) {
		struct sim_link *l = &s->links[i];

		if (l->is_used && l->cloud_open && l->seq == seq &&
		    l->state == SESSION_WELCOME)
			return l;
	}
	return NULL;
}

static void group_over(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	free(c->group);
	c->group = NULL;
	c->n_group = c->at_group = 0;
	c->phase = PHASE_IDLE;
}

/* What waits behind a failed entry of its incarnation would leave a hole. */
static void drop_queued(struct sim *s, unsigned seq, bool is_sync)
{
	struct sim_cloud *c = &s->cloud;
	size_t kept = 0;

	for (size_t i = 0; i < c->n_staged; i++) {
		struct sim_row *row = &c->staged[i];

		if (row->seq != seq) {
			c->staged[kept++] = *row;
			continue;
		}
		if (is_sync && row->is_file && !row->data)
			store_discard(s, seq, row->serial);
		free(row->data);
	}
	c->n_staged = kept;
}

/* At once: a daemon that is killed in that very moment finds such files in the cache and
 * believes them (docs/proof.md). */
static void sweep_now(struct sim *s, unsigned seq)
{
	store_sweep(s, seq);
	store_settle_writes(s, seq);
}

/* The kernel reports lost pages once and then calls them clean: every half-received
 * file goes, and what waits for the next group. */
static void distrust(struct sim *s, const char *why)
{
	struct sim_cloud *c = &s->cloud;

	if (s->plant == PLANT_TRUST)
		return;
	while (c->n_staged)
		drop_queued(s, c->staged[0].seq, true);
	for (size_t i = 0; i < SIM_LINKS; i++)
		if (s->links[i].is_used && s->links[i].cloud_open)
			cloud_fail_session(s, &s->links[i], why);
	for (unsigned seq = 1; seq <= c->cat.n; seq++)
		if (!cloud_incarnation(s, seq)->row.dropped)
			sweep_now(s, seq);
}

static void group_failed(struct sim *s, bool is_sync, const char *why)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_row *group = c->group;
	size_t n = c->n_group;

	sim_say(s, "group of %zu failed: %s", n, why);
	c->group = NULL;
	group_over(s);
	for (size_t i = 0; i < n && !s->broken; i++) {
		struct sim_row *row = &group[i];
		struct sim_link *l;

		if (s->plant != PLANT_HOLE)
			drop_queued(s, row->seq, is_sync);
		l = session_of(s, row->seq);
		if (l && s->plant != PLANT_HOLE)
			cloud_fail_session(s, l, why);
		/* `data` became a file on the way, or never. */
		if (row->is_file && (row->data || is_sync))
			store_discard(s, row->seq, row->serial);
		free(row->data);
	}
	free(group);
	if (is_sync && !s->broken)
		distrust(s, why);
}

/* The database of an entry that is not here, as an edge knows it; SIM_DATABASES: nobody
 * does any more. */
static unsigned missing_db(struct sim *s, const struct sim_inc *inc,
			   const struct sim_row *row, uint64_t serial)
{
	for (size_t e = 0; e < SIM_EDGES; e++)
		for (unsigned i = 0; i < s->edges[e].cat.n; i++) {
			const struct sim_pipe *p = &s->edges[e].cat.pipes[i];

			if (p->id == inc->pipe && row->serial <= p->assigned &&
			    p->nonces[row->serial] == row->nonce)
				return sim_content_of(s, p->nonces[serial])->db;
		}
	return SIM_DATABASES;
}

/* What passes a hole leaves nothing of its own database in it. */
static bool leaves_own_behind(struct sim *s, const struct sim_inc *inc,
			      const struct sim_row *row)
{
	unsigned db = sim_content_of(s, row->nonce)->db;

	for (uint64_t i = inc->durable + 1; i < row->serial; i++)
		if (!inc_has(inc, i) && missing_db(s, inc, row, i) == db)
			return true;
	return false;
}

static void commit_row(struct sim *s, struct sim_row *row)
{
	struct sim_inc *inc = &s->cloud.cat.inc[row->seq];
	size_t cap = inc->cap;
	struct sim_file *f;

	if (row->serial <= inc->durable || inc_has(inc, row->serial) ||
	    leaves_own_behind(s, inc, row)) {
		sim_broken(s, "serials without holes",
			   "%" PRIu64 " after %" PRIu64, row->serial,
			   inc->durable);
		free(row->data);
		return;
	}
	sim_grow(&inc->rows, row->serial, &cap, sizeof(*row));
	inc->cap = cap;
	inc->rows[row->serial] = *row;
	if (row->serial > inc->end)
		inc->end = row->serial;
	row->is_early = row->serial != inc->durable + 1;
	if (row->serial >= inc->durable + EARLY_MAX && row->is_early)
		sim_broken(s, "early is bounded", "%" PRIu64 " after %" PRIu64,
			   row->serial, inc->durable);
	while (inc_has(inc, inc->durable + 1))
		inc->durable++;
	if (!row->is_file)
		return;
	free(row->data);
	inc->rows[row->serial].data = NULL;
	f = disk_find(&s->cloud.disk, row->seq, row->serial, true);
	if (f)
		disk_unlink(&s->cloud.disk, f);
}

/* Of the incarnation, what is not told yet: from `at` on, and those before that did not pass. */
static uint64_t count_of(const struct sim_row *group, size_t n, unsigned seq,
			 size_t at)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += group[i].seq == seq && (i >= at || !group[i].is_early);
	return count;
}

static void group_commits(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_row *group = c->group;
	size_t n = c->n_group;

	for (size_t i = 0; i < n; i++)
		commit_row(s, &group[i]);
	c->group = NULL;
	group_over(s);
	for (size_t i = 0; i < n && !s->broken; i++) {
		const struct sim_row *row = &group[i];
		struct sim_link *l;

		cloud_domain(s, row->seq, sim_content_of(s, row->nonce)->db)
			->n_entries++;
		l = session_of(s, row->seq);
		if (l &&
		    receive_uncommitted(l->r) < count_of(group, n, row->seq, i))
			sim_broken(s, "serials without holes",
				   "entry %" PRIu64
				   " is durable, its session did not stage it",
				   row->serial);
		else if (l && row->is_early)
			receive_early(l->r, &(struct early_one){row->serial,
								row->nonce});
	}
	for (size_t i = 0; i < n && !s->broken; i++) {
		struct sim_link *l = session_of(s, group[i].seq);

		if (!l)
			continue;
		receive_committed(l->r, c->cat.inc[group[i].seq].durable);
		cloud_pump(s, l);
	}
	free(group);
}

static void ack_early(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	for (size_t i = 0; i < c->n_group && !s->broken; i++) {
		struct sim_link *l = session_of(s, c->group[i].seq);

		if (!l)
			continue;
		if (s->plant == PLANT_ACK_EARLY &&
		    c->group[i].serial == receive_durable(l->r) + 1)
			receive_committed(l->r, c->group[i].serial);
		else if (c->group[i].serial > receive_durable(l->r) + 1)
			receive_early(l->r,
				      &(struct early_one){c->group[i].serial,
							  c->group[i].nonce});
		cloud_pump(s, l);
	}
}

static void group_begins(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	size_t n = c->n_staged < GROUP_MAX ? c->n_staged : GROUP_MAX;

	if (s->plant == PLANT_PASS_OWN && n > 1 && sim_chance(s, 300)) {
		struct sim_row first = c->staged[0];

		n = 1; /* the second before the first */
		c->staged[0] = c->staged[1];
		c->staged[1] = first;
	}
	c->group = xcalloc(n, sizeof(*c->group));
	memcpy(c->group, c->staged, n * sizeof(*c->group));
	c->n_group = n;
	c->at_group = 0;
	c->n_staged -= n;
	memmove(c->staged, c->staged + n, c->n_staged * sizeof(*c->staged));
	c->phase = PHASE_FILES;
	if (s->plant == PLANT_ACK_EARLY || s->plant == PLANT_TELL_EARLY)
		ack_early(s);
}

/* A large payload that came inline becomes a file only now. */
static struct sim_file *file_of(struct sim *s, struct sim_row *row)
{
	struct sim_disk *d = &s->cloud.disk;
	struct sim_file *f = disk_find(d, row->seq, row->serial, false);

	if (!row->data)
		return f;
	if (f)
		disk_unlink(d, f);
	f = disk_make(d, row->seq, row->serial, false);
	disk_write(f, 0, row->data, row->len);
	return f;
}

/* One sync failed; with more than one file in the group it was syncfs, which loses
 * pages of anybody's. */
static void sync_fails(struct sim *s, struct sim_file *f, bool is_all)
{
	s->fail_sync = false;
	s->stats[STAT_FSYNC_FAILURES]++;
	disk_sync_failed(f);
	for (struct sim_file *o = s->cloud.disk.files; is_all && o; o = o->next)
		if (o->is_linked && sim_chance(s, 500))
			disk_sync_failed(o);
	if (s->plant == PLANT_SYNC_AGAIN)
		return; /* the next try says that all is well */
	group_failed(s, true, "fsync failed");
}

static size_t count_files(const struct sim_cloud *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_group; i++)
		n += c->group[i].is_file;
	return n;
}

static void group_syncs(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_row *row = &c->group[c->at_group];
	struct sim_file *f = file_of(s, row);

	if (!f) {
		sim_broken(s, "nothing half visible",
			   "entry %" PRIu64
			   " of incarnation %u is staged and not there",
			   row->serial, row->seq);
	} else if (s->fail_sync) {
		sync_fails(s, f, count_files(c) > 1);
	} else {
		if (s->plant != PLANT_NO_FSYNC)
			disk_sync(f);
		c->at_group++;
	}
}

static void sync_dirs(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	if (s->plant == PLANT_NO_FSYNC || s->plant == PLANT_NO_DIR_SYNC)
		return;
	if (count_files(c) > 1)
		disk_sync_dir(&c->disk, 0);
	for (size_t i = 0; i < c->n_group; i++)
		if (c->group[i].is_file)
			disk_sync_dir(&c->disk, c->group[i].seq);
}

bool group_step(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;

	if (!c->is_up || (c->phase == PHASE_IDLE && c->n_staged == 0))
		return false;
	switch (c->phase) {
	case PHASE_IDLE:
		group_begins(s);
		return true;
	case PHASE_FILES:
		while (c->at_group < c->n_group &&
		       !c->group[c->at_group].is_file)
			c->at_group++;
		if (c->at_group == c->n_group)
			c->phase = PHASE_DIR;
		else
			group_syncs(s);
		return true;
	case PHASE_DIR:
		sync_dirs(s);
		c->phase = PHASE_COMMIT;
		return true;
	case PHASE_COMMIT:
		if (s->no_space)
			group_failed(s, false, "no space left");
		else
			group_commits(s);
		return true;
	}
	return false;
}

/* The transaction under way survived, or not. */
void group_crash(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	size_t i = 0;

	if (c->phase == PHASE_COMMIT && sim_chance(s, 500)) {
		for (; i < c->n_group; i++)
			commit_row(s, &c->group[i]);
	}
	for (; i < c->n_group; i++)
		free(c->group[i].data);
	for (i = 0; i < c->n_staged; i++)
		free(c->staged[i].data);
	c->n_staged = 0;
	group_over(s);
}
