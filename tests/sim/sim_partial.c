/* What the receiver keeps: partial files with their lists of blocks, and payloads.
 *
 * A partial file is two files, named by the serial alone. The list begins with the entry's head and gets a record
 * per block behind the block's data; after a restart a record counts only when the data
 * it speaks of has its digest. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

void store_names(uint64_t serial, char data[SIM_NAME], char list[SIM_NAME])
{
	(void)snprintf(data, SIM_NAME, "%08" PRIu64 ".tsfile", serial);
	(void)snprintf(list, SIM_NAME, "%08" PRIu64 ".list", serial);
}

static bool is_same_head(const struct sim_file *f, const uint8_t *head,
			 size_t n)
{
	return f->len >= n && memcmp(f->now, head, n) == 0;
}

void partial_remove(struct sim *s, uint64_t serial)
{
	char data[SIM_NAME], list[SIM_NAME];
	struct sim_file *f;

	store_names(serial, data, list);
	if ((f = disk_find(&s->cloud.disk, data)) != NULL)
		disk_unlink(&s->cloud.disk, f);
	if ((f = disk_find(&s->cloud.disk, list)) != NULL)
		disk_unlink(&s->cloud.disk, f);
}

/* A head's length and sum, then the head. */
void partial_head(const struct entry *en, struct buf *b)
{
	uint8_t fix[4 + DIGEST_LEN] = {0};
	struct digest sum;
	uint32_t len;

	buf_add(b, fix, sizeof(fix));
	entry_encode(en, b);
	len = (uint32_t)(b->len - sizeof(fix));
	sum = digest_block(buf_data(b) + sizeof(fix), len);
	memcpy(buf_data(b), &len, 4);
	memcpy(buf_data(b) + 4, sum.b, DIGEST_LEN);
}

/* A fresh pair of files, or the one that is there when it is of this very head. */
void partial_open(struct sim *s, uint64_t serial, const uint8_t *head, size_t n)
{
	char data[SIM_NAME], list[SIM_NAME];
	struct sim_file *f;

	store_names(serial, data, list);
	f = disk_find(&s->cloud.disk, list);
	if (f && disk_find(&s->cloud.disk, data) && is_same_head(f, head, n))
		return;
	partial_remove(s, serial);
	(void)disk_make(&s->cloud.disk, data);
	disk_write(disk_make(&s->cloud.disk, list), 0, head, n);
}

void partial_record(uint8_t *to, uint64_t index, const struct digest *d)
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
	uint8_t good[SIM_RECORD_LEN];

	for (; at + SIM_RECORD_LEN <= list->len; at += SIM_RECORD_LEN) {
		struct digest d;
		uint64_t index;

		memcpy(&index, list->now + at, 8);
		memcpy(d.b, list->now + at + 8, DIGEST_LEN);
		partial_record(good, index, &d);
		if (memcmp(good, list->now + at, SIM_RECORD_LEN) != 0 ||
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
	store_names(p->entry.serial, name, unused);
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
