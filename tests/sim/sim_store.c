/* The writer: one queue of jobs, in which those of one entry keep their order and others
 * overtake; and what a row of the catalog delivers. */
#include <string.h>

#include "sim.h"

static struct sim_write *add_job(struct sim *s, enum sim_job job, unsigned seq,
				 uint64_t serial)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_write *w = xcalloc(1, sizeof(*w));

	w->job = job;
	w->seq = seq;
	w->serial = serial;
	if (!c->writes)
		c->writes_end = &c->writes;
	*c->writes_end = w;
	c->writes_end = &w->next;
	return w;
}

static void copy_data(struct sim_write *w, const void *p, size_t n)
{
	w->data = xcalloc(1, n + 1);
	memcpy(w->data, p, n);
	w->len = (uint32_t)n;
}

void store_open(struct sim *s, const struct sim_link *l, const struct entry *en)
{
	struct buf b CLEANUP(buf_release) = {0};
	struct sim_write *w = add_job(s, JOB_OPEN, l->seq, en->serial);

	buf_init(&b, 2 * ENTRY_HEAD_MAX);
	partial_head(en, &b);
	copy_data(w, buf_data(&b), b.len);
	w->link_id = l->id;
}

void store_write(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a)
{
	struct sim_write *w = add_job(s, JOB_WRITE, l->seq, a->serial);

	w->link_id = s->plant == PLANT_HALF_VISIBLE ? 0 : l->id;
	w->index = a->index;
	w->digest = a->digest;
	copy_data(w, a->data, a->len);
	if (s->plant == PLANT_HALF_VISIBLE)
		receive_written(l->r, a->serial, a->index);
}

void store_fetch(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a)
{
	struct sim_write *w = add_job(s, JOB_FETCH, l->seq, a->serial);

	w->link_id = l->id;
	w->index = a->index;
	w->digest = a->digest;
	w->data = xcalloc(1, a->len + 1);
	w->len = a->len;
	w->how = a->block->how;
	w->frame_len = a->block->data_len;
	w->frame = xcalloc(1, w->frame_len + 1);
	if (w->frame_len)
		memcpy(w->frame, a->block->data, w->frame_len);
	w->n_ranges = a->block->n_ranges;
	for (unsigned i = 0; i < w->n_ranges && i < ARRAY_LEN(w->ranges); i++) {
		w->ranges[i] = a->block->ranges[i];
		w->contents[i] = a->held[w->ranges[i].file].t - 1;
	}
}

void store_discard(struct sim *s, unsigned seq, uint64_t serial)
{
	(void)add_job(s, JOB_DISCARD, seq, serial);
}

void store_sweep(struct sim *s, unsigned seq)
{
	(void)add_job(s, JOB_SWEEP, seq, 0);
}

static void write_one(struct sim *s, const struct sim_write *w, bool is_whole)
{
	struct sim_disk *d = &s->cloud.disk;
	struct sim_file *data = disk_find(d, w->seq, w->serial, false),
			*list = disk_find(d, w->seq, w->serial, true);
	uint8_t record[SIM_RECORD_LEN];

	if (!data || !list)
		return;
	disk_write(data, w->index * BLOCK_LEN, w->data,
		   is_whole ? w->len : sim_random(s, w->len));
	partial_record(record, w->index, &w->digest);
	if (is_whole)
		disk_write(list, list->len, record, sizeof(record));
}

/* What is held are files that were applied: the archive, say, of which anything may
 * become. */
static bool is_held(struct sim *s, uint64_t content)
{
	bool is_there = false;

	for (size_t i = 0; i < s->n_truths && !is_there; i++)
		is_there = s->truths[i].content == content &&
			   s->truths[i].is_applied;
	return is_there && !sim_chance(s, s->held_lost);
}

/* The bytes of its ranges one behind the other: how many, 0 = they are not held. */
static size_t read_ranges(struct sim *s, const struct sim_write *w, uint8_t *to,
			  size_t room)
{
	size_t n = 0;

	for (unsigned i = 0; i < w->n_ranges; i++) {
		const struct held_range *x = &w->ranges[i];
		const struct sim_content *c = &s->contents[w->contents[i]];

		if (!is_held(s, w->contents[i]) ||
		    x->offset + x->len > c->len || x->len > room - n)
			return 0;
		prefix_read(s, w->contents[i], x, to + n);
		n += x->len;
	}
	if (n && sim_chance(s, s->held_rot))
		to[sim_random(s, n)] ^= 1;
	return n;
}

static bool make_block(struct sim *s, struct sim_write *w)
{
	size_t room = prefix_len(w->ranges, w->n_ranges), n;
	CLEANUP_FREE uint8_t *prefix = NULL;

	if (w->how == BLOCK_REFERENCE)
		return read_ranges(s, w, w->data, w->len) > 0;
	prefix = xcalloc(1, room + 1);
	n = read_ranges(s, w, prefix, room);
	return n > 0 && prefix_make(prefix, n, w);
}

static void fetch_one(struct sim *s, struct sim_write *w, bool is_whole)
{
	bool is_prefix = w->how == BLOCK_PREFIX;
	struct digest d;

	if (!make_block(s, w))
		return;
	d = digest_block(w->data, w->len);
	w->is_found = digest_equal(&d, &w->digest) ||
		      s->plant == (is_prefix ? PLANT_BELIEVE_PREFIX
					     : PLANT_BELIEVE_HELD);
	if (!w->is_found)
		return;
	s->stats[is_prefix ? STAT_UNPACKED : STAT_FETCHED]++;
	write_one(s, w, is_whole);
}

static void free_job(struct sim_write *w)
{
	free(w->data);
	free(w->frame);
	free(w);
}

/* A write that is not whole leaves no record. */
static void perform(struct sim *s, struct sim_write *w, bool is_whole)
{
	switch (w->job) {
	case JOB_OPEN:
		partial_open(s, w->seq, w->serial, w->data, w->len);
		break;
	case JOB_WRITE:
		write_one(s, w, is_whole);
		break;
	case JOB_FETCH:
		fetch_one(s, w, is_whole);
		break;
	case JOB_DISCARD:
		partial_remove(s, w->seq, w->serial);
		break;
	case JOB_SWEEP:
		partial_sweep(s, w->seq);
		break;
	}
}

/* Those of an incarnation whose sessions are over: nobody hears of it. */
void store_settle_writes(struct sim *s, unsigned seq)
{
	struct sim_write **at = &s->cloud.writes, *w;

	while ((w = *at) != NULL) {
		if (w->seq != seq) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		perform(s, w, true);
		free_job(w);
	}
	s->cloud.writes_end = at;
}

/* A crash: some are done, one is half done, the others never happened. */
void store_lose_writes(struct sim *s)
{
	bool is_lost = false;

	while (s->cloud.writes) {
		struct sim_write *w = s->cloud.writes;
		bool is_last = sim_chance(s, 300);

		s->cloud.writes = w->next;
		if (!is_lost)
			perform(s, w, !is_last);
		free_job(w);
		is_lost |= is_last;
	}
}

static bool is_before(const struct sim_write *a, const struct sim_write *b)
{
	return a->seq == b->seq && (a->serial == b->serial ||
				    a->job == JOB_SWEEP || b->job == JOB_SWEEP);
}

/* One of the first few, or what stands before it for the same entry. */
static struct sim_write *take_job(struct sim *s)
{
	struct sim_cloud *c = &s->cloud;
	struct sim_write **at = &c->writes, *w = *at;

	for (uint64_t skip = sim_random(s, 6); skip > 0 && w->next; skip--)
		w = w->next;
	while (!is_before(*at, w))
		at = &(*at)->next;
	w = *at;
	*at = w->next;
	if (c->writes_end == &w->next)
		c->writes_end = at;
	return w;
}

static void tell(struct sim *s, struct sim_link *l, const struct sim_write *w)
{
	if (w->job == JOB_OPEN)
		receive_opened(l->r, w->serial);
	else if (s->no_space)
		receive_failed(l->r, "no space left");
	else if (w->job == JOB_FETCH)
		receive_fetched(l->r, w->serial, w->index, w->is_found);
	else
		receive_written(l->r, w->serial, w->index);
	cloud_pump(s, l);
}

bool store_step_write(struct sim *s)
{
	struct sim_write *w;
	struct sim_link *l;

	if (!s->cloud.is_up || !s->cloud.writes)
		return false;
	w = take_job(s);
	l = link_by_id(s, w->link_id);
	perform(s, w, !s->no_space);
	if (l && w->job != JOB_DISCARD && w->job != JOB_SWEEP)
		tell(s, l, w);
	free_job(w);
	return true;
}

/* What a row delivers: its bytes as the cache shows them, or NULL. */
const uint8_t *store_payload(struct sim *s, const struct sim_row *row,
			     size_t *n)
{
	struct sim_file *f;

	if (!row->is_file) {
		*n = row->len;
		return row->data ? row->data : (const uint8_t *)"";
	}
	f = disk_find(&s->cloud.disk, row->seq, row->serial, false);
	*n = f ? f->len : 0;
	return f ? f->now : NULL;
}

void store_forget_payload(struct sim *s, struct sim_row *row)
{
	struct sim_disk *d = &s->cloud.disk;
	struct sim_file *f =
		row->is_file ? disk_find(d, row->seq, row->serial, false)
			     : NULL;

	free(row->data);
	row->data = NULL;
	if (f && s->plant != PLANT_ORPHAN)
		disk_unlink(d, f);
}
