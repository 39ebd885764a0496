#include <stdio.h>
#include <string.h>

#include "domain/squeeze.h"
#include "test.h"

static uint8_t plain[BLOCK_LEN], work[BLOCK_LEN];

static uint32_t noise(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 24;
}

/* Four kinds of bytes, of which one does not give way. */
static void fill(unsigned kind)
{
	uint32_t x = kind;

	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = kind == 0   ? 0
			   : kind == 1 ? (uint8_t)(i / 64)
			   : kind == 2 ? (uint8_t)(noise(&x) & 15)
				       : (uint8_t)noise(&x);
}

static void what_gives_way_comes_back_whole(void)
{
	static const uint32_t lens[] = {17,    100,	      4096,
					65537, BLOCK_LEN - 1, BLOCK_LEN};
	struct squeezer *down = NULL, *up = NULL;

	for (unsigned kind = 0; kind < 3; kind++) {
		fill(kind);
		for (size_t i = 2; i < ARRAY_LEN(lens); i++) {
			uint32_t n;

			memcpy(work, plain, lens[i]);
			n = squeeze(&down, work, lens[i]);
			CHECK(n > 0 && n <= lens[i] - lens[i] / 16);
			{
				const uint8_t *p =
					unsqueeze(&up, work, n, lens[i]);

				CHECK(p && memcmp(p, plain, lens[i]) == 0);
			}
		}
	}
	squeezer_free(down);
	squeezer_free(up);
}

static void what_does_not_stays_as_it_was(void)
{
	struct squeezer *s = NULL;

	fill(3);
	memcpy(work, plain, sizeof work);
	CHECK(squeeze(&s, work, sizeof work) == 0);
	CHECK(memcmp(work, plain, sizeof work) == 0);
	fill(0);
	memcpy(work, plain, 15);
	CHECK(squeeze(&s, work, 15) == 0);
	CHECK(squeeze(&s, work, 0) == 0);
	squeezer_free(s);
	squeezer_free(NULL);
}

static void a_frame_that_says_something_else_is_none(void)
{
	struct squeezer *s = NULL;
	uint32_t n;

	fill(2);
	memcpy(work, plain, 10000);
	n = squeeze(&s, work, 10000);
	CHECK(n > 0);
	CHECK(unsqueeze(&s, work, n, 10000));
	CHECK(!unsqueeze(&s, work, n, 9999));
	CHECK(!unsqueeze(&s, work, n, 10001));
	CHECK(!unsqueeze(&s, work, n, BLOCK_LEN + 1));
	CHECK(!unsqueeze(&s, work, n - 1, 10000));
	CHECK(!unsqueeze(&s, work, 0, 10000));
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *p;

		work[i] ^= 0x55;
		p = unsqueeze(&s, work, n,
			      10000); /* noise, or no frame: never more */
		(void)p;
		work[i] ^= 0x55;
	}
	CHECK(unsqueeze(&s, work, n, 10000));
	squeezer_free(s);
}

/* zstd's own: 128 MiB announced in a dozen bytes. */
static void a_bomb_is_none(void)
{
	static const uint8_t bomb[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa4, 0, 0,
				       0,    8,	   0x03, 0,    0x40, 0};
	struct squeezer *s = NULL;

	CHECK(!unsqueeze(&s, bomb, sizeof bomb, BLOCK_LEN));
	squeezer_free(s);
}

int main(void)
{
	test_run("what gives way comes back whole",
		 what_gives_way_comes_back_whole);
	test_run("what does not stays as it was",
		 what_does_not_stays_as_it_was);
	test_run("a frame that says something else is none",
		 a_frame_that_says_something_else_is_none);
	test_run("a frame that announces too much is none", a_bomb_is_none);
	return test_end();
}
