/* Blocks that travel as zstd frames behind ranges of held files (protocol, section 4, BLOCK):
 * which ranges, how the frame is made, and what the receiver makes of it. Where files are no
 * TsFiles, the guesses are worse than lib/domain/prefix makes them: ranges of a file that has little
 * to do with the block, or outside of it. */
#include <string.h>
#include <zstd.h>

#include "domain/squeeze.h"
#include "sim.h"

void prefix_names(const struct entry *en, struct msg_held *m)
{
	m->serial = en->serial;
	m->n = 2;
	m->files[0] = m->files[1] = en->file;
	/* T is the content's number, and one more. */
	m->files[1].t = m->files[1].v = (en->file.t - 1) / 2 + 1;
}

size_t prefix_len(const struct held_range *ranges, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += ranges[i].len;
	return len;
}

void prefix_read(struct sim *s, uint64_t content, const struct held_range *x,
		 uint8_t *to)
{
	const struct sim_content *c = &s->contents[content];
	uint64_t at = x->offset, end = at + x->len;
	uint8_t block[BLOCK_LEN];

	while (at < end && at < c->len) {
		size_t from = at % BLOCK_LEN, n = BLOCK_LEN - from;

		sim_fill(c, at / BLOCK_LEN, block);
		n = n < c->len - at ? n : c->len - at;
		n = n < end - at ? n : end - at;
		memcpy(to + (at - x->offset), block + from, n);
		at += n;
	}
	memset(to + (at - x->offset), 0, end - at);
}

/* About where the block stands in the file, and something of the other one. */
static void choose(struct sim *s, const struct upload_act *a, uint32_t file_len,
		   struct msg_block *m)
{
	uint64_t at = a->index * BLOCK_LEN, low = sim_random(s, at + 1);

	low = at - low > BLOCK_LEN ? at - BLOCK_LEN : low;
	m->n_ranges = 1 + (uint8_t)sim_random(s, 2);
	m->ranges[0] = (struct held_range){
		.file = 0,
		.offset = low,
		.len = 1 + (uint32_t)sim_random(s, file_len - low)};
	if (m->ranges[0].len > 3 * BLOCK_LEN)
		m->ranges[0].len = 3 * BLOCK_LEN;
	m->ranges[1] = (struct held_range){
		.file = 1,
		.offset = sim_random(s, 2 * BLOCK_LEN),
		.len = 1 + (uint32_t)sim_random(s, BLOCK_LEN / 2)};
}

/* The frame in place of `data`: its length, or 0 and `data` as it was. */
static uint32_t pack(struct sim *s, const uint8_t *prefix, size_t prefix_len,
		     void *data, uint32_t len)
{
	uint8_t frame[BLOCK_LEN];
	ZSTD_CCtx *z;
	size_t n;

	if (!s->packers.behind)
		s->packers.behind = ZSTD_createCCtx();
	z = s->packers.behind;
	(void)ZSTD_CCtx_refPrefix(z, prefix, prefix_len);
	n = ZSTD_compress2(z, frame, len - len / 10, data, len);
	(void)ZSTD_CCtx_reset(z, ZSTD_reset_session_only);
	if (ZSTD_isError(n))
		return 0;
	memcpy(data, frame, n);
	return (uint32_t)n;
}

bool prefix_send(struct sim *s, const struct upload_act *a, uint64_t content,
		 struct msg_block *m)
{
	CLEANUP_FREE uint8_t *prefix = NULL;
	uint64_t contents[2] = {content, content / 2};
	size_t len = 0;
	uint32_t n;

	if (!s->contents[content].bytes)
		choose(s, a, s->contents[content].len, m);
	else
		m->n_ranges = (uint8_t)tsfile_ranges(s, contents, a->index,
						     m->ranges);
	if (m->n_ranges == 0)
		return false;
	prefix = xcalloc(1, prefix_len(m->ranges, m->n_ranges));
	for (unsigned i = 0; i < m->n_ranges; i++) {
		prefix_read(s, contents[m->ranges[i].file], &m->ranges[i],
			    prefix + len);
		len += m->ranges[i].len;
	}
	n = pack(s, prefix, len, a->data, a->len);
	if (n == 0)
		return false;
	s->stats[STAT_PREFIXED]++;
	s->stats[STAT_RANGED] += s->contents[content].bytes != NULL;
	m->how = BLOCK_PREFIX;
	m->data_len = n;
	return true;
}

bool prefix_make(const uint8_t *prefix, size_t prefix_len, struct sim_write *w)
{
	return unsqueeze_behind(prefix, prefix_len, w->frame, w->frame_len,
				w->data, w->len);
}
