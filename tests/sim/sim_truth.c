/* Chance, and what every entry really is: a payload that follows from a seed, so that
 * nothing has to be stored to know what must arrive. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "sim.h"

#define INDEX_BITS 20

void sim_say(const struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->is_verbose)
		return;
	printf("# %6" PRIu64 " ", s->n_steps);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void sim_broken(struct sim *s, const char *name, const char *fmt, ...)
{
	va_list ap;

	if (s->broken)
		return;
	s->broken = name;
	va_start(ap, fmt);
	(void)vsnprintf(s->text, sizeof(s->text), fmt, ap);
	va_end(ap);
	sim_say(s, "BROKEN %s: %s", name, s->text);
}

void sim_grow(void *p, size_t n, size_t *cap, size_t size)
{
	void **at = p, *more;
	size_t had = *cap;

	if (n < had)
		return;
	while (*cap <= n)
		*cap = *cap ? 2 * *cap : 64;
	more = xcalloc(*cap, size);
	if (had)
		memcpy(more, *at, had * size);
	free(*at);
	*at = more;
}

bool sim_any_edge(struct sim *s, bool (*fn)(struct sim *s, struct sim_edge *e))
{
	struct sim_edge *e = s->edges;

	if (!e[1].is_used)
		return e->is_used && e->is_up && fn(s, e);
	e += sim_random(s, SIM_EDGES);
	if (e->is_used && e->is_up && fn(s, e))
		return true;
	e = &s->edges[e == s->edges];
	return e->is_used && e->is_up && fn(s, e);
}

bool sim_any_link(struct sim *s, bool (*fn)(struct sim *s, struct sim_link *l))
{
	uint64_t chance = sim_draw(s);
	unsigned left = s->used_links, behind;

	if (left & (left - 1)) { /* more than one */
		behind = ~0u << sim_mix(chance) % SIM_LINKS;
		for (unsigned x = left & behind; x; x &= x - 1)
			if (fn(s, &s->links[__builtin_ctz(x)]))
				return true;
		left &= ~behind;
	}
	for (; left; left &= left - 1)
		if (fn(s, &s->links[__builtin_ctz(left)]))
			return true;
	return false;
}

static uint32_t random_len(struct sim *s)
{
	if (s->is_burst)
		return 1 + (uint32_t)sim_random(s, 100);
	switch (sim_random(s, 16)) {
	case 0:
		return 1 + (uint32_t)sim_random(s, 12 * BLOCK_LEN);
	case 1:
		return 1 + (uint32_t)sim_random(s, 3 * BLOCK_LEN);
	case 2:
		return (uint32_t)(sim_random(s, 4) * BLOCK_LEN / 2 +
				  BLOCK_LEN / 2 + sim_random(s, 3) - 1);
	case 3:
		return ENTRY_ROW_MAX - 1 + (uint32_t)sim_random(s, 3);
	case 4:
	case 5:
		return 1 + (uint32_t)sim_random(s, BLOCK_LEN);
	default:
		return 1 + (uint32_t)sim_random(s, ENTRY_ROW_MAX / 4);
	}
}

static struct digest digest_of(const struct sim_content *c)
{
	uint8_t block[BLOCK_LEN];
	struct digest_list list;
	struct digest d;

	if (c->len <= BLOCK_LEN) {
		sim_fill(c, 0, block);
		d = digest_block(block, c->len);
		return digest_entry_single(&d, c->len);
	}
	digest_list_init(&list);
	for (uint64_t i = 0; i < block_count(c->len); i++) {
		sim_fill(c, i, block);
		d = digest_block(block, block_len(c->len, i));
		digest_list_add(&list, block_len(c->len, i), &d);
	}
	return digest_list_end(&list);
}

uint32_t sim_content_new(struct sim *s, bool is_file)
{
	struct sim_content *c;

	sim_grow(&s->contents, s->n_contents, &s->cap_contents, sizeof(*c));
	c = &s->contents[s->n_contents];
	*c = (struct sim_content){
		.seed = sim_random(s, UINT64_MAX),
		.kind = is_file ? ENTRY_FILE
				: (enum entry_kind)(ENTRY_DELETE +
						    sim_random(s, 3)),
		.db = (unsigned)sim_random(s, SIM_DATABASES),
	};
	c->len = c->kind == ENTRY_RESTATE ? 0 : random_len(s);
	if (s->has_tsfiles && is_file && c->len > ENTRY_ROW_MAX)
		tsfile_make(c);
	c->digest = digest_of(c);
	return (uint32_t)s->n_contents++;
}

uint32_t sim_content_empty(struct sim *s)
{
	uint32_t i = sim_content_new(s, false);
	struct sim_content *c = &s->contents[i];

	c->kind = ENTRY_RESTATE;
	c->only_fills = true;
	c->seed &= ~1ull; /* not held */
	c->len = 0;
	c->digest = digest_of(c);
	return i;
}

struct sim_truth *sim_truth_new(struct sim *s, unsigned pipe, uint64_t serial,
				uint32_t content)
{
	struct sim_truth *t;

	sim_grow(&s->truths, s->n_truths, &s->cap_truths, sizeof(*t));
	t = &s->truths[s->n_truths];
	*t = (struct sim_truth){
		.serial = serial,
		.nonce = (1 + sim_random(s, 1ull << 43)) << INDEX_BITS |
			 s->n_truths,
		.content = content,
		.pipe = pipe,
	};
	s->n_truths++;
	return t;
}

struct sim_truth *sim_truth_of(struct sim *s, uint64_t nonce)
{
	uint64_t i = nonce & ((1u << INDEX_BITS) - 1);

	return i < s->n_truths && s->truths[i].nonce == nonce ? &s->truths[i]
							      : NULL;
}

const struct sim_content *sim_content_of(struct sim *s, uint64_t nonce)
{
	const struct sim_truth *t = sim_truth_of(s, nonce);

	return t ? &s->contents[t->content] : NULL;
}

void sim_truth_entry(struct sim *s, const struct sim_truth *t, struct entry *en)
{
	const struct sim_content *c = &s->contents[t->content];

	memset(en, 0, sizeof(*en));
	en->serial = t->serial;
	en->nonce = t->nonce;
	(void)snprintf(en->file.database, sizeof(en->file.database),
		       "root.db%u", c->db);
	en->kind = c->kind;
	en->body_len = c->len;
	switch (c->kind) {
	case ENTRY_FILE:
		en->file.t = en->file.v = t->content + 1;
		en->file.partition = -3;
		if (c->len > 8 && c->seed & 1) {
			en->mods_len = c->len / 4;
			en->body_len -= en->mods_len;
			en->mods_kind = MODS_TEXT;
		}
		return;
	case ENTRY_DELETE:
		en->mods_kind = MODS_TEXT;
		en->devices = xstrdup("root.db.d1");
		return;
	case ENTRY_SCHEMA:
		return;
	case ENTRY_RESTATE:
		if (!c->only_fills)
			en->devices = xstrdup("root.db.d1\nroot.db.d2");
		en->held = c->seed & 1;
		return;
	}
}

void sim_fill(const struct sim_content *c, uint64_t index, uint8_t *to)
{
	uint32_t len = block_len(c->len, index), i = 0;
	uint64_t z = sim_mix(c->seed + index * 0x9e3779b97f4a7c15u), v;
	/* of every second one a compressor makes less */
	uint64_t kept = c->seed & 2 ? 0x0f0f0f0f : UINT64_MAX;

	if (c->bytes) {
		memcpy(to, c->bytes + index * BLOCK_LEN, len);
		i = len;
	}
	for (; i + 8 <= len; i += 8) {
		v = (z ^ z >> 29) & kept;
		z = z * 6364136223846793005u + 1442695040888963407u;
		memcpy(to + i, &v, 8);
	}
	v = (z ^ z >> 29) & kept;
	memcpy(to + i, &v, len - i);
	if (c->has_rot && c->rot_at / BLOCK_LEN == index)
		to[c->rot_at % BLOCK_LEN] ^= 4;
}

/* As it was made, or with the bit that rotted before it was read. */
static bool is_block(const struct sim_content *c, const uint8_t *p,
		     uint64_t index)
{
	struct sim_content clean = *c;
	uint8_t block[BLOCK_LEN];
	uint32_t len = block_len(c->len, index);

	sim_fill(c, index, block);
	if (memcmp(block, p, len) == 0)
		return true;
	clean.has_rot = false;
	sim_fill(&clean, index, block);
	return memcmp(block, p, len) == 0;
}

bool sim_may_mismatch(const struct sim *s)
{
	return s->refers && s->stats[STAT_FLIPS_SPOOL] > 0;
}

bool sim_matches(const struct sim_content *c, const uint8_t *p, size_t n)
{
	if (n != c->len)
		return false;
	for (uint64_t i = 0; i < block_count(n); i++)
		if (!is_block(c, p + i * BLOCK_LEN, i))
			return false;
	return true;
}
