/* Digests of blocks and of entries: XXH3-128 in canonical (big endian) form.
 *
 * A payload is cut into blocks of BLOCK_LEN bytes, the last one shorter. The digest
 * of an entry is XXH3-128 over the list of (u64 little-endian length, block digest),
 * so that it can be known without reading a block twice. An empty payload has no
 * blocks and the digest of the empty list.
 *
 * Sizes between #ifndef, here and elsewhere, are smaller in the simulator (tests/sim). */
#ifndef TSFERRY_DIGEST_H
#define TSFERRY_DIGEST_H

#include <stdbool.h>

#include "ground/base.h"

#define DIGEST_LEN 16
#define DIGEST_TEXT_LEN 33
#ifndef BLOCK_LEN
#define BLOCK_LEN 262144u
#endif

struct digest {
	uint8_t b[DIGEST_LEN];
};

struct digest digest_block(const void *p, size_t n);
bool digest_equal(const struct digest *a, const struct digest *b);
const char *digest_text(const struct digest *d, char to[DIGEST_TEXT_LEN]);

/* How many blocks a payload has, and how long block `index` is. */
uint64_t block_count(uint64_t payload_len);
uint32_t block_len(uint64_t payload_len, uint64_t index);

/* The list digest, block by block in order; the state is some 600 bytes of memory. */
struct digest_list {
	void *state; /* XXH3_state_t, owned */
};

void digest_list_init(struct digest_list *l);
void digest_list_add(struct digest_list *l, uint64_t len, const struct digest *d);
struct digest digest_list_end(struct digest_list *l); /* and releases */
void digest_list_release(struct digest_list *l);

/* Of a payload of at most one block; `block` is not looked at when len is 0. */
struct digest digest_entry_single(const struct digest *block, uint64_t len);

#endif
