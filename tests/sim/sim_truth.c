/* Chance, and what every entry really is: a payload that follows from its nonce, so
 * that nothing has to be stored to know what must arrive. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "sim.h"

#define INDEX_BITS 16

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t sim_random(struct sim *s, uint64_t n)
{
	s->random += 0x9e3779b97f4a7c15u;
	return n ? mix(s->random) % n : 0;
}

bool sim_chance(struct sim *s, unsigned per_mille)
{
	return sim_random(s, 1000) < per_mille;
}

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

static uint32_t random_len(struct sim *s)
{
	if (s->is_burst)
		return 1 + (uint32_t)sim_random(s, 100);
	switch (sim_random(s, 16)) {
	case 0:
		return 1 + (uint32_t)sim_random(s, 3u << 20);
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
	case 6:
		return 0;
	default:
		return 1 + (uint32_t)sim_random(s, 8192);
	}
}

struct sim_truth *sim_truth_new(struct sim *s, uint64_t serial)
{
	struct sim_truth *t;
	uint8_t block[BLOCK_LEN];
	struct digest_list list;

	if (s->n_truths == s->cap_truths) {
		size_t cap = s->cap_truths ? 2 * s->cap_truths : 64;
		struct sim_truth *more = xcalloc(cap, sizeof(*more));

		if (s->n_truths)
			memcpy(more, s->truths, s->n_truths * sizeof(*more));
		free(s->truths);
		s->truths = more;
		s->cap_truths = cap;
	}
	t = &s->truths[s->n_truths];
	*t = (struct sim_truth){
		.serial = serial,
		.nonce = (1 + sim_random(s, 1ull << 47)) << INDEX_BITS |
			 s->n_truths,
		.len = random_len(s),
		.db = (unsigned)sim_random(s, SIM_DATABASES),
	};
	s->n_truths++;
	digest_list_init(&list);
	for (uint64_t i = 0; i < block_count(t->len); i++) {
		struct digest d;

		sim_truth_fill(t, i, block);
		d = digest_block(block, block_len(t->len, i));
		digest_list_add(&list, block_len(t->len, i), &d);
	}
	t->digest = digest_list_end(&list);
	return t;
}

struct sim_truth *sim_truth_of(struct sim *s, uint64_t nonce)
{
	uint64_t i = nonce & ((1u << INDEX_BITS) - 1);

	return i < s->n_truths && s->truths[i].nonce == nonce ? &s->truths[i]
							      : NULL;
}

/* RESTATE when there is no payload; of the others FILE mostly. */
void sim_truth_entry(const struct sim_truth *t, struct entry *en)
{
	memset(en, 0, sizeof(*en));
	en->serial = t->serial;
	en->nonce = t->nonce;
	(void)snprintf(en->file.database, sizeof(en->file.database),
		       "root.db%u", t->db);
	en->body_len = t->len;
	if (t->len == 0) {
		en->kind = ENTRY_RESTATE;
		en->devices = xstrdup("root.db.d1\nroot.db.d2");
	} else if (t->nonce >> 32 & 1) {
		en->kind = ENTRY_DELETE;
		en->mods_kind = MODS_TEXT;
		en->devices = xstrdup("root.db.d1");
	} else {
		en->kind = ENTRY_FILE;
		en->file.t = en->file.v = t->serial;
		en->file.partition = -3;
	}
}

void sim_truth_fill(const struct sim_truth *t, uint64_t index, uint8_t *to)
{
	uint32_t len = block_len(t->len, index);
	uint64_t z = mix(t->nonce + index * 0x9e3779b97f4a7c15u);

	for (uint32_t i = 0; i < len; i += 8) {
		uint64_t v = z ^ z >> 29;

		z = z * 6364136223846793005u + 1442695040888963407u;
		memcpy(to + i, &v, len - i < 8 ? len - i : 8);
	}
}

bool sim_truth_matches(const struct sim_truth *t, const uint8_t *p, size_t n)
{
	struct digest_list list;
	struct digest d;

	if (n != t->len)
		return false;
	digest_list_init(&list);
	for (uint64_t i = 0; i < block_count(n); i++) {
		d = digest_block(p + i * BLOCK_LEN, block_len(n, i));
		digest_list_add(&list, block_len(n, i), &d);
	}
	d = digest_list_end(&list);
	return digest_equal(&d, &t->digest);
}
