/* What the receiver keeps of half-received entries: two files, named by the serial
 * alone. The list begins with the entry's head and gets a record per block behind the
 * block's data; after a restart a record counts only when the data it speaks of has its
 * digest. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

static bool is_same_head(const struct sim_file *f, const uint8_t *head,
			 size_t n)
{
	return f->len >= n && memcmp(f->now, head, n) == 0;
}

void partial_remove(struct sim *s, unsigned seq, uint64_t serial)
{
	struct sim_disk *d = &s->cloud.disk;
	struct sim_file *f;

	if ((f = disk_find(d, seq, serial, false)) != NULL)
		disk_unlink(d, f);
	if ((f = disk_find(d, seq, serial, true)) != NULL)
		disk_unlink(d, f);
}

void partial_sweep(struct sim *s, unsigned seq)
{
	const struct sim_inc *inc = &s->cloud.cat.inc[seq];

	for (struct sim_file *f = s->cloud.disk.files; f; f = f->next)
		if (f->is_linked && f->dir == seq && f->is_list &&
		    !inc_has(inc, f->serial))
			partial_remove(s, seq, f->serial);
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
void partial_open(struct sim *s, unsigned seq, uint64_t serial,
		  const uint8_t *head, size_t n)
{
	struct sim_disk *d = &s->cloud.disk;
	struct sim_file *f = disk_find(d, seq, serial, true);

	if (f && disk_find(d, seq, serial, false) && is_same_head(f, head, n))
		return;
	partial_remove(s, seq, serial);
	(void)disk_make(d, seq, serial, false);
	disk_write(disk_make(d, seq, serial, true), 0, head, n);
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

/* No `data`: as the list says. */
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
		if (data && !is_block_there(s, data, p, index, &d)) {
			s->stats[STAT_BLOCKS_LOST]++;
			continue;
		}
		p->present[index] = 1;
		p->digests[index] = d;
	}
}

bool partial_read(struct sim *s, const struct sim_file *list, bool is_read,
		  struct receive_partial *p)
{
	struct sim_file *data;
	size_t at = read_head(list, &p->entry);

	if (at == 0)
		return false;
	data = disk_find(&s->cloud.disk, list->dir, p->entry.serial, false);
	if (!data) {
		entry_release(&p->entry);
		return false;
	}
	p->n_blocks = block_count(entry_payload_len(&p->entry));
	p->present = xcalloc(p->n_blocks, 1);
	p->digests = xcalloc(p->n_blocks, sizeof(*p->digests));
	read_records(s, list, is_read ? data : NULL, at, p);
	return true;
}

/* Whether the first block of this very entry is here. */
bool partial_has(struct sim *s, unsigned seq, const struct entry *en)
{
	struct sim_file *list =
		disk_find(&s->cloud.disk, seq, en->serial, true);
	struct receive_partial p = {0};
	bool has;

	if (!list || !partial_read(s, list, true, &p))
		return false;
	has = p.entry.nonce == en->nonce && p.present[0];
	partial_release(&p);
	return has;
}

size_t partial_all(struct sim *s, unsigned seq, bool is_read,
		   struct receive_partial **out)
{
	size_t n = 0, cap = 0;

	for (struct sim_file *f = s->cloud.disk.files; f; f = f->next)
		cap += f->is_linked && f->is_list && f->dir == seq;
	*out = xcalloc(cap + 1, sizeof(**out));
	for (struct sim_file *f = s->cloud.disk.files; f; f = f->next)
		if (f->is_linked && f->is_list && f->dir == seq &&
		    partial_read(s, f, is_read, &(*out)[n]))
			n++;
	return n;
}

static bool is_as_listed(struct sim *s, const struct sim_file *list)
{
	struct receive_partial told = {0}, read = {0};
	bool is_same = true;

	if (!partial_read(s, list, false, &told))
		return true;
	if (!partial_read(s, list, true, &read)) {
		partial_release(&told);
		return false;
	}
	for (uint64_t i = 0; i < told.n_blocks; i++)
		is_same &= !told.present[i] ||
			   (read.present[i] &&
			    digest_equal(&read.digests[i], &told.digests[i]));
	partial_release(&told);
	partial_release(&read);
	return is_same;
}

bool partial_is_whole(struct sim *s, unsigned seq)
{
	for (struct sim_file *f = s->cloud.disk.files; f; f = f->next)
		if (f->is_linked && f->is_list && f->dir == seq &&
		    !is_as_listed(s, f))
			return false;
	return true;
}

void partial_release(struct receive_partial *p)
{
	entry_release(&p->entry);
	free(p->present);
	free(p->digests);
}
