/* diff PRODUCT SOURCE...: what a compaction's product costs on the wire, block by block: zstd
 * alone, and zstd behind ranges of what it was made from (domain/prefix.h), as a BLOCK of
 * protocol version 2 has them. Every block is made again from what was sent, and compared.
 * Prints key=value. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <zstd.h>

#include "domain/frame.h"
#include "domain/prefix.h"
#include "ground/err.h"
#include "ground/fileio.h"

#define LEVEL 3
#define HEAD (FRAME_HEAD_LEN + 8 + 8 + 1 + DIGEST_LEN)
#define RANGE (1 + 8 + 4)

struct file {
	int fd;
	uint64_t len;
};

static uint8_t block[BLOCK_LEN], again[BLOCK_LEN], *prefix, *packed;
static size_t packed_max;

static void fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "diff: %s: %s\n", what, why);
	exit(1);
}

static struct file open_file(const char *path)
{
	struct file f = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
	struct stat st;

	if (f.fd < 0 || fstat(f.fd, &st) < 0)
		fail(path, "cannot be opened");
	f.len = (uint64_t)st.st_size;
	return f;
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t read_prefix(const struct file *sources,
			  const struct held_range *x, unsigned n)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		if (file_pread(sources[x[i].file].fd, prefix + at, x[i].len,
			       x[i].offset) < 0)
			fail("a source", "cannot be read");
		at += x[i].len;
	}
	return at;
}

/* The bytes of a frame of block[0..len) behind the prefix, checked; never more than literal. */
static size_t squeeze(ZSTD_CCtx *c, ZSTD_DCtx *d, size_t len, size_t prefix_len)
{
	size_t n;

	(void)ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, prefix_len ? 21 : 18);
	(void)ZSTD_CCtx_refPrefix(c, prefix, prefix_len);
	n = ZSTD_compress2(c, packed, packed_max, block, len);
	(void)ZSTD_DCtx_refPrefix(d, prefix, prefix_len);
	if (ZSTD_isError(n) ||
	    ZSTD_decompressDCtx(d, again, sizeof again, packed, n) != len ||
	    memcmp(again, block, len) != 0)
		fail("a block", "did not come back as it was");
	return n < len ? n : len;
}

int main(int argc, char **argv)
{
	struct file product, sources[PREFIX_SOURCES_MAX];
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_DCtx *d = ZSTD_createDCtx();
	uint64_t alone = 0, behind = 0, n_ranges = 0, prefix_bytes = 0;
	double planned, started = now(), t_alone = 0;
	struct prefix *p = NULL;
	struct err e = {0};

	if (argc < 3 || argc - 2 > (int)PREFIX_SOURCES_MAX)
		fail("usage", "diff PRODUCT SOURCE...");
	packed_max = ZSTD_compressBound(BLOCK_LEN);
	packed = malloc(packed_max);
	prefix = malloc(HELD_PREFIX_MAX);
	if (!c || !d || !packed || !prefix)
		fail("memory", "there is none");
	product = open_file(argv[1]);
	if (prefix_new(&p, product.fd, product.len, &e) < 0)
		fail(argv[1], e.text);
	for (int i = 2; i < argc; i++) {
		sources[i - 2] = open_file(argv[i]);
		if (prefix_add_source(p, sources[i - 2].fd, sources[i - 2].len,
				      &e) < 0)
			fail(argv[i], e.text);
	}
	planned = now() - started;
	for (uint64_t b = 0; b < block_count(product.len); b++) {
		struct held_range x[HELD_RANGES_MAX];
		uint32_t len = block_len(product.len, b);
		unsigned n = prefix_ranges(p, b, x);
		size_t prefix_len = read_prefix(sources, x, n), small;
		double t = now();

		if (file_pread(product.fd, block, len, b * BLOCK_LEN) < 0)
			fail(argv[1], "cannot be read");
		small = squeeze(c, d, len, 0);
		t_alone += now() - t;
		alone += HEAD + small;
		t = n ? (double)squeeze(c, d, len, prefix_len) : 1e9;
		if (1 + n * RANGE + t < (double)small)
			small = 1 + n * RANGE + (size_t)t;
		behind += HEAD + small;
		n_ranges += n;
		prefix_bytes += prefix_len;
	}
	printf("bytes=%llu zstd_bytes=%llu prefix_bytes=%llu zstd_percent=%.2f "
	       "prefix_percent=%.2f "
	       "ranges_per_block=%.1f prefix_kib_per_block=%.0f "
	       "plan_cpu_s=%.2f zstd_cpu_s=%.2f "
	       "cpu_s=%.2f\n",
	       (unsigned long long)product.len, (unsigned long long)alone,
	       (unsigned long long)behind,
	       100.0 * (double)alone / (double)product.len,
	       100.0 * (double)behind / (double)product.len,
	       (double)n_ranges / (double)block_count(product.len),
	       (double)prefix_bytes / 1024 / (double)block_count(product.len),
	       planned, t_alone, now() - started);
	prefix_free(p);
	(void)ZSTD_freeCCtx(c);
	(void)ZSTD_freeDCtx(d);
	free(prefix);
	free(packed);
	return 0;
}
