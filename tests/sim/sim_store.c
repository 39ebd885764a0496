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

static void free_job(struct sim_write *w)
{
	free(w->data);
	free(w);
}

/* Does it and frees it; a write that is not whole leaves no record. */
static void perform(struct sim *s, struct sim_write *w, bool is_whole)
{
	switch (w->job) {
	case JOB_OPEN:
		partial_open(s, w->seq, w->serial, w->data, w->len);
		break;
	case JOB_WRITE:
		write_one(s, w, is_whole);
		break;
	case JOB_DISCARD:
		partial_remove(s, w->seq, w->serial);
		break;
	case JOB_SWEEP:
		partial_sweep(s, w->seq);
		break;
	}
	free_job(w);
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
		if (is_lost)
			free_job(w);
		else
			perform(s, w, !is_last);
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

bool store_step_write(struct sim *s)
{
	struct sim_write *w;
	struct sim_link *l;
	uint64_t serial, index;
	enum sim_job job;

	if (!s->cloud.is_up || !s->cloud.writes)
		return false;
	w = take_job(s);
	l = link_by_id(s, w->link_id);
	serial = w->serial;
	index = w->index;
	job = w->job;
	perform(s, w, !s->no_space);
	if (job == JOB_DISCARD || job == JOB_SWEEP || !l)
		return true;
	if (job == JOB_OPEN)
		receive_opened(l->r, serial);
	else if (s->no_space)
		receive_failed(l->r, "no space left");
	else
		receive_written(l->r, serial, index);
	cloud_pump(s, l);
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
