/* Payloads of entries: TsFile then mods, blocks, what is lost. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "syncd/reader.h"
#include "test.h"

static struct volume volume = {.id = 1};

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

static void prepare(void)
{
	char path[SPOOL_PATH_LEN];
	int fd = file_open_dir(test_dir());
	int d = file_make_dirs(fd, "data/sequence/root.sg/0/0", 0755);

	if (fd < 0 || d < 0)
		abort();
	(void)close(fd);
	(void)close(d);
	(void)snprintf(volume.data_dir, sizeof(volume.data_dir), "%s/data",
		       test_dir());
	(void)snprintf(volume.spool_dir, sizeof(volume.spool_dir), "%s/data",
		       test_dir());
	put(spool_path(volume.spool_dir, 5, MODS_NONE, path), "0123456789");
	put(spool_path(volume.spool_dir, 5, MODS_TEXT, path), "abcdef-tail");
}

static struct read_one a_read(uint64_t nonce, uint64_t offset, uint32_t len)
{
	return (struct read_one){
		.serial = 1,
		.offset = offset,
		.len = len,
		.nonce = nonce,
		.file = {.database = "root.sg", .t = nonce, .v = nonce},
		.body_len = 10,
		.mods_len = 6,
		.mods_kind = MODS_TEXT,
		.volume = &volume};
}

static void blocks(void)
{
	struct reader r;
	struct read_job j = {.reader = &r, .n = 3};
	struct digest d = digest_block("89abcd", 6);

	reader_init(&r);
	j.ones[0] = a_read(5, 0, 4);
	j.ones[1] = a_read(5, 8, 6); /* over the seam */
	j.ones[2] = a_read(5, 14, 2);
	reader_run(&j.job);
	CHECK(j.ones[0].err == 0 && j.ones[1].err == 0 && j.ones[2].err == 0);
	CHECK(memcmp(j.ones[0].data->bytes, "0123", 4) == 0);
	CHECK(memcmp(j.ones[1].data->bytes, "89abcd", 6) == 0);
	CHECK(digest_equal(&j.ones[1].digest, &d));
	CHECK(memcmp(j.ones[2].data->bytes, "ef", 2) == 0); /* not the tail */
	CHECK(r.fd == -1);			     /* the end was read */
	free(j.ones[0].data);
	free(j.ones[1].data);
	free(j.ones[2].data);
	reader_close(&r);
}

static void lost(void)
{
	char path[700];
	struct reader r;
	struct read_job j = {.reader = &r, .n = 1};

	reader_init(&r);
	j.ones[0] = a_read(6, 0, 10);
	j.ones[0].mods_len = 0;
	reader_run(&j.job);
	CHECK(j.ones[0].err == -ENOENT);
	/* IoTDB still has it. */
	(void)snprintf(path, sizeof(path),
		       "%s/data/sequence/root.sg/0/0/6-6-0-0.tsfile",
		       test_dir());
	put(path, "9876543210");
	reader_run(&j.job);
	CHECK(j.ones[0].err == 0);
	CHECK(memcmp(j.ones[0].data->bytes, "9876543210", 10) == 0);
	put(path, "of another length");
	reader_run(&j.job);
	CHECK(j.ones[0].err == -ENOENT);
	j.ones[0].volume = NULL;
	reader_run(&j.job);
	CHECK(j.ones[0].err == -ENOENT);
	free(j.ones[0].data);
	reader_close(&r);
}

static void short_file(void)
{
	struct reader r;
	struct read_job j = {.reader = &r, .n = 2};

	reader_init(&r);
	j.ones[0] = a_read(5, 6, 8);
	j.ones[0].mods_len = 14; /* longer than what is pinned */
	j.ones[1] = a_read(5, 0, 2);
	reader_run(&j.job);
	CHECK(j.ones[0].err == -ESTALE);
	CHECK(j.ones[1].err == 0); /* the next one is not harmed */
	free(j.ones[0].data);
	free(j.ones[1].data);
	reader_close(&r);
}

int main(void)
{
	prepare();
	test_run("blocks over the seam of TsFile and mods", blocks);
	test_run("a lost payload is told, or read where IoTDB has it", lost);
	test_run("a short payload is an error of its own", short_file);
	return test_end();
}
