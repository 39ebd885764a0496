#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "ground/bytes.h"
#include "syncd/fork.h"

/* The input is a blob of the edge's catalog: u8 how many forks are added to it, for each u16
 * first, u8 length, u64 salt, u16 released, and then what stands in `meta`. What decodes is
 * ascending without overlaps, is written as it was read and stays so whatever is added; no
 * nonce becomes none. */

static void check_forks(const struct forks *f)
{
	uint64_t before = 0;

	FUZZ_MUST(f->n <= FORKS_MAX);
	for (size_t i = 0; i < f->n; i++) {
		FUZZ_MUST(f->at[i].first > before);
		FUZZ_MUST(f->at[i].last >= f->at[i].first);
		before = f->at[i].last;
	}
}

static void check_again(const struct forks *f, const uint8_t *same, size_t n)
{
	CLEANUP(buf_release) struct buf b;
	struct forks again;

	buf_init(&b, FORKS_LEN);
	forks_encode(f, &b);
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(!same ||
		  (b.len == n && (!n || memcmp(buf_data(&b), same, n) == 0)));
	FUZZ_MUST(forks_decode(&again, buf_data(&b), b.len) == 0);
	FUZZ_MUST(again.n == f->n);
	FUZZ_MUST(memcmp(again.at, f->at, f->n * sizeof f->at[0]) == 0);
}

static void check_nonces(const struct forks *f, uint64_t nonce)
{
	for (size_t i = 0; i < f->n; i++) {
		FUZZ_MUST(!f->at[i].salt ||
			  forks_nonce(f, f->at[i].first, f->at[i].salt));
		FUZZ_MUST(!nonce || forks_nonce(f, f->at[i].last, nonce));
		if (i == 0 || f->at[i - 1].last < f->at[i].first - 1)
			FUZZ_MUST(forks_nonce(f, f->at[i].first - 1, nonce) ==
				  nonce);
	}
}

static struct fork take_fork(struct rd *r)
{
	struct fork k = {.first = 1u + rd_u16(r)};

	k.last = k.first + rd_u8(r);
	k.salt = rd_u64(r);
	return k;
}

static void add(struct forks *f, struct rd r, unsigned n)
{
	for (; n; n--) {
		struct fork k = take_fork(&r);
		uint64_t released = rd_u16(&r);

		if (r.bad)
			return;
		forks_add(f, released, &k);
		check_forks(f);
		check_again(f, NULL, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_over(data, size), adds;
	unsigned n = rd_u8(&r) % 8;
	struct forks f;
	const uint8_t *blob;
	size_t len;

	adds = rd_over(r.p, 13 * n < rd_left(&r) ? 13 * n : rd_left(&r));
	(void)rd_bytes(&r, rd_left(&adds));
	len = rd_left(&r);
	blob = r.p;
	if (size == 0)
		return 0;
	if (forks_decode(&f, blob, len) == 0) {
		check_forks(&f);
		check_again(&f, blob, len);
		check_nonces(&f, 0x5151);
	} else {
		FUZZ_MUST(f.n == 0);
	}
	add(&f, adds, n);
	return 0;
}
