#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include "domain/prefix.h"
#include "ground/err.h"
#include "ground/fileio.h"
#include "recvd/held.h"
#include "test.h"

#define LEN (BLOCK_LEN + 5000)
#define MODS "DELETION,root.sg.d1,5,1,2\n"

static const struct held_owner owner = {.id = {1}, .name = "edge-1"};
static const struct fileid file = {.database = "root.sg", .region = 1, .t = 7};
static uint8_t payload[LEN], block[BLOCK_LEN];

static int put(const char *dir, const char *name, const void *p, size_t n)
{
	CLEANUP_CLOSE int root = file_open_dir(test_dir());
	CLEANUP_CLOSE int fd =
		root < 0 ? root : file_make_dirs(root, dir, 0755);

	return fd < 0 ? fd : file_replace(fd, name, p, n, 0644);
}

static struct held *archived(void)
{
	static const char dir[] = "archive/edge-1/root.sg/sequence/1/0";
	char path[600];

	for (size_t i = 0; i < LEN; i++)
		payload[i] = (uint8_t)(i * 31 + i / 251 * 7);
	(void)snprintf(path, sizeof path, "%s/archive", test_dir());
	if (put(dir, "7-0-0-0.tsfile", payload, LEN) < 0 ||
	    put(dir, "7-0-0-0.tsfile.mods", MODS, strlen(MODS)) < 0)
		return NULL;
	return held_new(NULL, path, "/nowhere/catalog.db");
}

static struct held_block reference(uint64_t offset, uint32_t len)
{
	struct held_block b = {.how = BLOCK_REFERENCE,
			       .n_ranges = 1,
			       .files = &file,
			       .len = len};

	b.ranges[0] = (struct held_range){.offset = offset, .len = len};
	return b;
}

static void references(void)
{
	struct held *h = archived();
	struct held_block b = reference(BLOCK_LEN, 5000);

	CHECK(h);
	b.digest = digest_block(payload + BLOCK_LEN, 5000);
	CHECK(held_make(h, &owner, &b, block));
	CHECK(memcmp(block, payload + BLOCK_LEN, 5000) == 0);
	b.digest.b[3] ^= 1;
	CHECK(!held_make(h, &owner, &b, block));
	b = reference(LEN - 10, 11 + (uint32_t)strlen(MODS));
	CHECK(!held_make(h, &owner, &b, block));
	b = reference(UINT64_MAX - 3, 10);
	CHECK(!held_make(h, &owner, &b, block));
	held_free(h);
}

/* The deletion records stand behind the TsFile, as in a payload. */
static void records_behind(void)
{
	struct held *h = archived();
	struct held_block b = reference(LEN - 10, 10 + (uint32_t)strlen(MODS));
	uint8_t want[10 + sizeof MODS];

	CHECK(h);
	memcpy(want, payload + LEN - 10, 10);
	memcpy(want + 10, MODS, strlen(MODS));
	b.digest = digest_block(want, b.len);
	CHECK(held_make(h, &owner, &b, block));
	held_free(h);
}

static void prefixes(void)
{
	struct held *h = archived();
	struct held_block b = reference(100, 60000);
	CLEANUP_FREE uint8_t *packed = malloc(ZSTD_compressBound(50000));
	ZSTD_CCtx *c = ZSTD_createCCtx();
	uint8_t plain[50000];

	CHECK(h && packed && c);
	memcpy(plain, payload + 200, sizeof plain);
	plain[77] ^= 1;
	(void)ZSTD_CCtx_refPrefix(c, payload + 100, 60000);
	b.how = BLOCK_PREFIX;
	b.len = sizeof plain;
	b.packed = packed;
	b.packed_len =
		(uint32_t)ZSTD_compress2(c, packed,
					 ZSTD_compressBound(sizeof plain),
					 plain, sizeof plain);
	(void)ZSTD_freeCCtx(c);
	CHECK(b.packed_len < 1000);
	b.digest = digest_block(plain, sizeof plain);
	CHECK(held_make(h, &owner, &b, block));
	CHECK(memcmp(block, plain, sizeof plain) == 0);
	b.len++;
	CHECK(!held_make(h, &owner, &b, block));
	b.len--;
	b.ranges[0].offset += 4; /* other bytes: another result, or none */
	CHECK(!held_make(h, &owner, &b, block));
	b.ranges[0].offset -= 4;
	for (uint32_t n = 0; n < b.packed_len; n += 7) {
		struct held_block cut = b;

		cut.packed_len = n;
		CHECK(!held_make(h, &owner, &cut, block));
	}
	held_free(h);
}

static void another_sender(void)
{
	struct held *h = archived();
	struct held_owner other = {.id = {2}, .name = "edge-2"};
	struct held_block b = reference(0, 100);

	CHECK(h);
	b.digest = digest_block(payload, 100);
	CHECK(held_make(h, &owner, &b, block));
	CHECK(!held_make(h, &other, &b, block));
	held_free(h);
}

/* A file as its own source: every block lies in its ranges. */
static void ranges_of_itself(void)
{
	CLEANUP_CLOSE int fd =
		open(test_data("tsfile/v3/compacted.tsfile"), O_RDONLY);
	struct held_range x[HELD_RANGES_MAX];
	struct prefix *p = NULL;
	struct err e = {0};
	struct stat st;
	unsigned n;

	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	CHECK(prefix_new(&p, fd, (uint64_t)st.st_size, &e) == 0);
	CHECK(prefix_ranges(p, 0, x) == 0);
	CHECK(prefix_add_source(p, fd, (uint64_t)st.st_size, &e) == 0);
	n = prefix_ranges(p, 0, x);
	CHECK(n == 1 && x[0].file == 0 && x[0].offset <= 100);
	CHECK(x[0].offset + x[0].len <= (uint64_t)st.st_size);
	CHECK(x[0].len > (uint64_t)st.st_size / 2);
	prefix_free(p);
}

int main(void)
{
	test_run("a reference is what is held, or nothing", references);
	test_run("deletion records stand behind the TsFile", records_behind);
	test_run("a frame is unpacked behind held bytes, or not at all",
		 prefixes);
	test_run("what is held is the sender's own", another_sender);
	test_run("a product's blocks find their sources", ranges_of_itself);
	return test_end();
}
