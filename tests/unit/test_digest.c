#include "domain/digest.h"
#include "test.h"

static struct digest of(const char *s)
{
	return digest_block(s, strlen(s));
}

/* xxhsum -H2 writes the same. */
static void known_values(void)
{
	char text[DIGEST_TEXT_LEN];
	struct digest d = of("");

	CHECK_STR(digest_text(&d, text), "99aa06d3014798d86001c324468d497f");
	d = of("abc");
	CHECK_STR(digest_text(&d, text), "06b05ab6733a618578af5f94892f3950");
}

static void blocks(void)
{
	static const struct {
		uint64_t len, count;
		uint32_t first, last;
	} cases[] = {
		{0, 0, 0, 0},
		{1, 1, 1, 1},
		{BLOCK_LEN - 1, 1, BLOCK_LEN - 1, BLOCK_LEN - 1},
		{BLOCK_LEN, 1, BLOCK_LEN, BLOCK_LEN},
		{BLOCK_LEN + 1, 2, BLOCK_LEN, 1},
		{3ull * BLOCK_LEN, 3, BLOCK_LEN, BLOCK_LEN},
		{UINT64_MAX, 70368744177664, BLOCK_LEN, BLOCK_LEN - 1},
	};

	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		uint64_t n = block_count(cases[k].len);

		CHECK(n == cases[k].count);
		CHECK(block_len(cases[k].len, 0) == cases[k].first);
		CHECK(n == 0 ||
		      block_len(cases[k].len, n - 1) == cases[k].last);
		CHECK(block_len(cases[k].len, n) == 0);
		CHECK(block_len(cases[k].len, UINT64_MAX) == 0);
	}
}

/* The list is what it says: length (u64, little endian) and digest, one by one. */
static void list_is_a_hash_of_pairs(void)
{
	struct digest d[2] = {of("first"), of("second")};
	uint8_t bytes[2 * 24] = {0};
	struct digest_list l;
	struct digest want, have;

	bytes[0] = 0x78;
	bytes[1] = 0x56;
	bytes[2] = 0x34;
	bytes[3] = 0x12;
	memcpy(bytes + 8, d[0].b, DIGEST_LEN);
	bytes[24] = 7;
	memcpy(bytes + 32, d[1].b, DIGEST_LEN);
	want = digest_block(bytes, sizeof bytes);

	digest_list_init(&l);
	digest_list_add(&l, 0x12345678, &d[0]);
	digest_list_add(&l, 7, &d[1]);
	have = digest_list_end(&l);
	CHECK(digest_equal(&have, &want));
	CHECK(l.state == NULL);
	digest_list_release(&l);
}

static void single_is_a_list_of_one(void)
{
	struct digest d = of("block"), have;
	struct digest_list l;

	digest_list_init(&l);
	digest_list_add(&l, 5, &d);
	have = digest_list_end(&l);
	CHECK(digest_equal(&have,
			   &(struct digest[]){digest_entry_single(&d, 5)}[0]));
	digest_list_init(&l);
	have = digest_list_end(&l);
	CHECK(digest_equal(
		&have, &(struct digest[]){digest_entry_single(NULL, 0)}[0]));
	have = digest_entry_single(&d, 6);
	CHECK(!digest_equal(&have,
			    &(struct digest[]){digest_entry_single(&d, 5)}[0]));
}

static void order_counts(void)
{
	struct digest d[2] = {of("a"), of("b")}, ab, ba;
	struct digest_list l;

	digest_list_init(&l);
	digest_list_add(&l, 1, &d[0]);
	digest_list_add(&l, 1, &d[1]);
	ab = digest_list_end(&l);
	digest_list_init(&l);
	digest_list_add(&l, 1, &d[1]);
	digest_list_add(&l, 1, &d[0]);
	ba = digest_list_end(&l);
	CHECK(!digest_equal(&ab, &ba));
}

int main(void)
{
	test_run("XXH3-128 in canonical form", known_values);
	test_run("blocks cover a payload exactly", blocks);
	test_run("the list digest hashes lengths and digests",
		 list_is_a_hash_of_pairs);
	test_run("a single block is a list of one, no block an empty list",
		 single_is_a_list_of_one);
	test_run("the order of blocks counts", order_counts);
	return test_end();
}
