/* What the receiver keeps: partial files with their lists of blocks, and payloads.
 *
 * A partial file is two files. The list begins with the entry's head and gets a record
 * per block behind the block's data; after a restart a record counts only when the data
 * it speaks of has its digest. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define RECORD_LEN (8 + DIGEST_LEN + 8)

void store_names(uint64_t serial, uint64_t nonce, char data[SIM_NAME],
		 char list[SIM_NAME])
{
	(void)snprintf(data, SIM_NAME, "%08" PRIu64 "-%016" PRIx64 ".tsfile",
		       serial, nonce);
	(void)snprintf(list, SIM_NAME, "%08" PRIu64 "-%016" PRIx64 ".list",
		       serial, nonce);
}

void store_open(struct sim *s, const struct entry *en)
{
	char data[SIM_NAME], list[SIM_NAME];
	struct buf b CLEANUP(buf_release) = {0};
	uint8_t head[4 + DIGEST_LEN];
	struct sim_file *f;
	struct digest sum;
	uint32_t len;

	store_names(en->serial, en->nonce, data, list);
	if (disk_find(&s->cloud.disk, list))
		return;
	(void)disk_make(&s->cloud.disk, data);
	f = disk_make(&s->cloud.disk, list);
	buf_init(&b, ENTRY_HEAD_MAX);
	entry_encode(en, &b);
	sum = digest_block(buf_data(&b), b.len);
	len = (uint32_t)b.len;
	memcpy(head, &len, 4);
	memcpy(head + 4, sum.b, DIGEST_LEN);
	disk_write(f, 0, head, sizeof(head));
	disk_write(f, sizeof(head), buf_data(&b), b.len);
}

static void make_record(uint8_t *to, uint64_t index, const struct digest *d)
{
	struct digest sum;

	memcpy(to, &index, 8);
	memcpy(to + 8, d->b, DIGEST_LEN);
	sum = digest_block(to, 8 + DIGEST_LEN);
	memcpy(to + 8 + DIGEST_LEN, sum.b, 8);
}

/* The entry at the front of a list and where the records begin, or 0. */
static size_t read_head(const struct sim_file *f, struct entry *en)
{
	const size_t fix = 4 + DIGEST_LEN;
	struct digest sum;
	struct rd r;
	uint32_t len;

	if (f->len < fix)
		return 0;
	memcpy(&len, f->now, 4);
	if (len > f->len - fix)
		return 0;
	sum = digest_block(f->now + fix, len);
	if (memcmp(sum.b, f->now + 4, DIGEST_LEN) != 0)
		return 0;
	r = rd_over(f->now + fix, len);
	return entry_decode(en, &r) < 0 ? 0 : fix + len;
}

static bool is_block_there(const struct sim *s, const struct sim_file *data,
			   const struct receive_partial *p, uint64_t index,
			   const struct digest *want)
{
	uint32_t len = block_len(entry_payload_len(&p->entry), index);
	struct digest have;

	if (s->plant == PLANT_UNVERIFIED)
		return true;
	if (index * BLOCK_LEN + len > data->len)
		return false;
	have = digest_block(data->now + index * BLOCK_LEN, len);
	return digest_equal(&have, want);
}

static void read_records(struct sim *s, const struct sim_file *list,
			 const struct sim_file *data, size_t at,
			 struct receive_partial *p)
{
	uint8_t good[RECORD_LEN];

	for (; at + RECORD_LEN <= list->len; at += RECORD_LEN) {
		struct digest d;
		uint64_t index;

		memcpy(&index, list->now + at, 8);
		memcpy(d.b, list->now + at + 8, DIGEST_LEN);
		make_record(good, index, &d);
		if (memcmp(good, list->now + at, RECORD_LEN) != 0 ||
		    index >= p->n_blocks)
			continue;
		if (!is_block_there(s, data, p, index, &d)) {
			s->stats[STAT_BLOCKS_LOST]++;
			continue;
		}
		p->present[index] = 1;
		p->digests[index] = d;
	}
}

bool store_read_partial(struct sim *s, const struct sim_file *list,
			struct receive_partial *p)
{
	char name[SIM_NAME], unused[SIM_NAME];
	struct sim_file *data;
	size_t at = read_head(list, &p->entry);

	if (at == 0)
		return false;
	store_names(p->entry.serial, p->entry.nonce, name, unused);
	data = disk_find(&s->cloud.disk, name);
	if (!data) {
		entry_release(&p->entry);
		return false;
	}
	p->n_blocks = block_count(entry_payload_len(&p->entry));
	p->present = xcalloc(p->n_blocks, 1);
	p->digests = xcalloc(p->n_blocks, sizeof(*p->digests));
	read_records(s, list, data, at, p);
	return true;
}

size_t store_partials(struct sim *s, struct receive_partial **out)
{
	size_t n = 0, cap = 0;

	for (struct sim_file *f = s->cloud.disk.files; f; f = f->next)
		cap += f->is_linked;
	*out = xcalloc(cap + 1, sizeof(**out));
	for (struct sim_file *f = s->cloud.disk.files; f; f = f->next)
		if (f->is_linked && strstr(f->name, ".list") &&
		    store_read_partial(s, f, &(*out)[n]))
			n++;
	return n;
}

void store_free_partials(struct receive_partial *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		entry_release(&p[i].entry);
		free(p[i].present);
		free(p[i].digests);
	}
	free(p);
}

void store_write(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a)
{
	struct sim_write *w = xcalloc(1, sizeof(*w));

	w->link_id = l->id;
	w->serial = a->serial;
	w->nonce = a->nonce;
	w->index = a->index;
	w->len = a->len;
	w->digest = a->digest;
	w->data = xcalloc(1, a->len);
	memcpy(w->data, a->data, a->len);
	w->next = s->cloud.writes;
	s->cloud.writes = w;
}

enum write_fate {
	WRITE_DONE,
	WRITE_NO_RECORD,
	WRITE_NOTHING
};

static void perform(struct sim *s, struct sim_write *w, enum write_fate fate)
{
	char name[SIM_NAME], list_name[SIM_NAME];
	struct sim_file *data, *list;
	uint8_t record[RECORD_LEN];

	store_names(w->serial, w->nonce, name, list_name);
	data = disk_find(&s->cloud.disk, name);
	list = disk_find(&s->cloud.disk, list_name);
	if (fate != WRITE_NOTHING && data && list) {
		disk_write(data, w->index * BLOCK_LEN, w->data,
			   fate == WRITE_DONE ? w->len : sim_random(s, w->len));
		make_record(record, w->index, &w->digest);
		if (fate == WRITE_DONE)
			disk_write(list, list->len, record, sizeof(record));
	}
	free(w->data);
	free(w);
}

void store_settle_writes(struct sim *s)
{
	while (s->cloud.writes) {
		struct sim_write *w = s->cloud.writes;

		s->cloud.writes = w->next;
		perform(s, w, (enum write_fate)sim_random(s, 3));
	}
}

/* Behind the writes of that entry: here they may as well not happen. */
static void drop_writes(struct sim *s, uint64_t serial, uint64_t nonce)
{
	struct sim_write **at = &s->cloud.writes;

	while (*at) {
		struct sim_write *w = *at;

		if (w->serial != serial || w->nonce != nonce) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		perform(s, w, WRITE_NOTHING);
	}
}

void store_discard(struct sim *s, uint64_t serial, uint64_t nonce)
{
	char data[SIM_NAME], list[SIM_NAME];
	struct sim_file *f;

	drop_writes(s, serial, nonce);
	store_names(serial, nonce, data, list);
	if ((f = disk_find(&s->cloud.disk, data)) != NULL)
		disk_unlink(&s->cloud.disk, f);
	if ((f = disk_find(&s->cloud.disk, list)) != NULL)
		disk_unlink(&s->cloud.disk, f);
}

bool store_step_write(struct sim *s)
{
	struct sim_write **at = &s->cloud.writes, *w;
	uint64_t skip = sim_random(s, 6);
	struct sim_link *l;

	if (!s->cloud.is_up || !*at)
		return false;
	for (; skip > 0 && (*at)->next; skip--)
		at = &(*at)->next;
	w = *at;
	*at = w->next;
	l = link_by_id(s, w->link_id);
	if (l && !l->cloud_open)
		l = NULL;
	if (s->no_space) {
		perform(s, w, WRITE_NO_RECORD);
		if (l)
			receive_failed(l->r, "no space left");
	} else {
		uint64_t serial = w->serial, index = w->index;

		perform(s, w, WRITE_DONE);
		if (l)
			receive_written(l->r, serial, index);
	}
	if (l)
		cloud_pump(s, l);
	return true;
}

/* What a row delivers: its bytes as the cache shows them, or NULL. */
const uint8_t *store_payload(struct sim *s, const struct sim_row *row,
			     size_t *n)
{
	char name[SIM_NAME], unused[SIM_NAME];
	struct sim_file *f;

	if (!row->is_file) {
		*n = row->len;
		return row->data ? row->data : (const uint8_t *)"";
	}
	store_names(row->serial, row->nonce, name, unused);
	f = disk_find(&s->cloud.disk, name);
	*n = f ? f->len : 0;
	return f ? f->now : NULL;
}

void store_forget_payload(struct sim *s, struct sim_row *row)
{
	char name[SIM_NAME], unused[SIM_NAME];
	struct sim_file *f;

	free(row->data);
	row->data = NULL;
	store_names(row->serial, row->nonce, name, unused);
	f = row->is_file ? disk_find(&s->cloud.disk, name) : NULL;
	if (f)
		disk_unlink(&s->cloud.disk, f);
}
