#include "digest.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define ITEM_LEN (8 + DIGEST_LEN) /* one block in the list */

static struct digest digest_of(XXH128_hash_t h)
{
	XXH128_canonical_t c;
	struct digest d;

	XXH128_canonicalFromHash(&c, h);
	memcpy(d.b, c.digest, DIGEST_LEN);
	return d;
}

struct digest digest_block(const void *p, size_t n)
{
	return digest_of(XXH3_128bits(p, n));
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->b, b->b, DIGEST_LEN) == 0;
}

const char *digest_text(const struct digest *d, char to[DIGEST_TEXT_LEN])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_LEN; i++) {
		to[2 * i] = hex[d->b[i] >> 4];
		to[2 * i + 1] = hex[d->b[i] & 15];
	}
	to[DIGEST_TEXT_LEN - 1] = '\0';
	return to;
}

uint64_t block_count(uint64_t payload_len)
{
	return payload_len / BLOCK_LEN + (payload_len % BLOCK_LEN != 0);
}

uint32_t block_len(uint64_t payload_len, uint64_t index)
{
	uint64_t left;

	if (index >= block_count(payload_len))
		return 0;
	left = payload_len - index * BLOCK_LEN;
	return left < BLOCK_LEN ? (uint32_t)left : BLOCK_LEN;
}

static void list_item(uint8_t item[ITEM_LEN], uint64_t len,
		      const struct digest *d)
{
	for (unsigned i = 0; i < 8; i++)
		item[i] = (uint8_t)(len >> (8 * i));
	memcpy(item + 8, d->b, DIGEST_LEN);
}

void digest_list_init(struct digest_list *l)
{
	l->state = XXH3_createState();
	if (!l->state) {
		(void)fputs("out of memory for the state of a digest\n",
			    stderr);
		abort();
	}
	(void)XXH3_128bits_reset(l->state);
}

void digest_list_add(struct digest_list *l, uint64_t len,
		     const struct digest *d)
{
	uint8_t item[ITEM_LEN];

	list_item(item, len, d);
	(void)XXH3_128bits_update(l->state, item, sizeof item);
}

struct digest digest_list_end(struct digest_list *l)
{
	struct digest d = digest_of(XXH3_128bits_digest(l->state));

	digest_list_release(l);
	return d;
}

void digest_list_release(struct digest_list *l)
{
	(void)XXH3_freeState(l->state);
	l->state = NULL;
}

struct digest digest_entry_single(const struct digest *block, uint64_t len)
{
	uint8_t item[ITEM_LEN];

	if (len == 0)
		return digest_block("", 0);
	list_item(item, len, block);
	return digest_block(item, sizeof item);
}
