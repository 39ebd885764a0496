#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "domain/prefix.h"
#include "fuzz.h"
#include "ground/bytes.h"
#include "ground/fileio.h"

/* The input is a product of compaction (u32 length and the bytes) and a file that it might have
 * been made of, which is added twice. Whatever their indexes say, a range lies in the file, and
 * together they are no longer than a prefix may be. */

static int file_of(const uint8_t *p, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_MUST(fd >= 0);
	FUZZ_MUST(file_pwrite(fd, p, n, 0) == 0);
	return fd;
}

static void check_block(const struct prefix *p, uint64_t block, size_t len)
{
	struct held_range x[HELD_RANGES_MAX];
	unsigned n = prefix_ranges(p, block, x);
	uint64_t sum = 0;

	FUZZ_MUST(n <= 2);
	for (unsigned i = 0; i < n; i++) {
		FUZZ_MUST(x[i].file < 2 && x[i].len > 0);
		FUZZ_MUST(x[i].offset + x[i].len <= len);
		sum += x[i].len;
	}
	FUZZ_MUST(sum <= HELD_PREFIX_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_over(data, size);
	size_t n = rd_u32(&r) % (size + 1), rest;
	CLEANUP_CLOSE int product = -1, source = -1;
	struct prefix *p = NULL;
	struct err e = {0};
	const uint8_t *bytes;

	n = n < rd_left(&r) ? n : rd_left(&r);
	bytes = rd_bytes(&r, n);
	rest = rd_left(&r);
	if (r.bad || !n || !rest)
		return 0;
	product = file_of(bytes, n);
	source = file_of(bytes + n, rest);
	if (prefix_new(&p, product, n, &e) < 0) {
		FUZZ_MUST(!p);
		return 0;
	}
	(void)!prefix_add_source(p, source, rest, &e);
	(void)!prefix_add_source(p, source, rest, &e);
	for (uint64_t b = 0; b <= block_count(n); b++)
		check_block(p, b, rest);
	prefix_free(p);
	return 0;
}
