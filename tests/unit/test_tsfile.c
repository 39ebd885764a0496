#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "domain/tsfile.h"
#include "ground/fileio.h"
#include "test.h"

static int ends_of(const char *path, struct tsfile_ends *ends, struct err *e)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : tsfile_read_ends(fd, ends, e);
}

/* What `n` bytes are as a file. */
static int ends_of_bytes(const void *p, size_t n, struct tsfile_ends *ends,
			 struct err *e)
{
	char path[512];
	CLEANUP_CLOSE int fd = -1;

	(void)snprintf(path, sizeof path, "%s/bytes", test_dir());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || file_pwrite(fd, p, n, 0) < 0)
		return -EIO;
	return tsfile_read_ends(fd, ends, e);
}

static const struct {
	const char *name;
	unsigned version;
	uint64_t len;
} sealed[] = {
	{"tsfile/v3/tiny.tsfile", 3, 212},
	{"tsfile/v3/tinyal.tsfile", 3, 390},
	{"tsfile/v3/al.tsfile", 3, 97679},
	{"tsfile/v3/empty.tsfile", 3, 40},
	{"tsfile/v4/tiny.tsfile", 4, 276},
	{"tsfile/v4/tinyal.tsfile", 4, 454},
	{"tsfile/v4/al.tsfile", 4, 149330},
	{"tsfile/v4/empty.tsfile", 4, 81},
	{"datadir-1.3.3/sequence/root.plant/2/-1/1795423679957-1-0-0.tsfile", 3,
	 242},
	{"datadir-2.0.2/sequence/root.plant/2/-2/1795424618122-1-0-0.tsfile", 4,
	 0},
};

static void real_files(void)
{
	for (size_t k = 0; k < ARRAY_LEN(sealed); k++) {
		struct tsfile_ends ends;
		struct err e = {0};

		CHECK(ends_of(test_data(sealed[k].name), &ends, &e) == 0);
		CHECK(ends.version == sealed[k].version);
		CHECK(sealed[k].len == 0 || ends.len == sealed[k].len);
		CHECK(ends.metadata_len > 0);
		CHECK(ends.metadata_offset + ends.metadata_len + 10 ==
		      ends.len);
	}
}

/* No prefix of a sealed file is one, at whatever length its copying stopped. */
static void cut_short(void)
{
	for (size_t k = 0; k < ARRAY_LEN(sealed); k++) {
		CLEANUP(buf_release) struct buf b;
		struct tsfile_ends ends;
		struct err e = {0};

		buf_init(&b, 1u << 20);
		CHECK(file_read_all(AT_FDCWD, test_data(sealed[k].name), &b) ==
		      0);
		for (size_t n = 0; n < b.len; n += n < 512 ? 1 : 1009)
			CHECK(ends_of_bytes(buf_data(&b), n, &ends, &e) ==
			      -EBADMSG);
		CHECK(ends_of_bytes(buf_data(&b), b.len - 1, &ends, &e) ==
		      -EBADMSG);
		CHECK(ends_of_bytes(buf_data(&b), b.len, &ends, &e) == 0);
	}
}

static void other_kinds(void)
{
	static const struct {
		const char *bytes, *why;
	} kinds[] = {
		{"", "expected 28 bytes at least, it has 0"},
		{"TsFile\3", "it has 7"},
		{"\x7f"
		 "ELF.............................",
		 "begin with \"TsFile\""},
		{"tsFile\3.........................", "begin with \"TsFile\""},
		{"TsFile000002....................TsFile", "before IoTDB 0.12"},
		{"TsFile\2.........................TsFile",
		 "version byte is 2"},
		{"TsFile\5.........................TsFile",
		 "version byte is 5"},
		{"TsFile\3.........................tsfile",
		 "end with \"TsFile\""},
	};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct tsfile_ends ends;
		struct err e = {0};

		CHECK(ends_of_bytes(kinds[k].bytes, strlen(kinds[k].bytes),
				    &ends, &e) == -EBADMSG);
		CHECK(strncmp(e.text, "not a ", 6) == 0);
		CHECK(strstr(e.text, kinds[k].why));
	}
}

/* Magic at both ends, but the metadata could not be where its size says. */
static void impossible_metadata(void)
{
	static const uint32_t sizes[] = {
		0, 1, 9, 43, 44, 64, 0x7fffffff, 0x80000000, UINT32_MAX};
	uint8_t bytes[60] = "TsFile\3";
	struct tsfile_ends ends;
	struct err e = {0};

	memcpy(bytes + 54, "TsFile", 6);
	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		for (int i = 0; i < 4; i++)
			bytes[50 + i] = (uint8_t)(sizes[k] >> (24 - 8 * i));
		CHECK(ends_of_bytes(bytes, sizeof bytes, &ends, &e) ==
		      -EBADMSG);
		CHECK(strstr(e.text, "its metadata would have"));
	}
	memcpy(bytes + 50, "\0\0\0\x2a",
	       4); /* the most: header and separator remain */
	CHECK(ends_of_bytes(bytes, sizeof bytes, &ends, &e) == 0);
	CHECK(ends.metadata_len == 42 && ends.metadata_offset == 8);
}

static void no_regular_file(void)
{
	struct tsfile_ends ends;
	struct err e = {0};

	CHECK(ends_of(test_dir(), &ends, &e) == -EBADMSG);
	CHECK(strstr(e.text, "no regular file"));
	CHECK(tsfile_read_ends(-1, &ends, &e) == -EBADF);
	CHECK(tsfile_read_ends(-1, &ends, NULL) == -EBADF);
}

static void unreadable(void)
{
	CLEANUP_CLOSE int fd =
		open(test_data("tsfile/v3/tiny.tsfile"), O_PATH | O_CLOEXEC);
	struct tsfile_ends ends;
	struct err e = {0};

	CHECK(fd >= 0);
	CHECK(tsfile_read_ends(fd, &ends, &e) == -EBADF);
	CHECK(strstr(e.text, "cannot read the TsFile at 0"));
}

int main(void)
{
	test_run("files of IoTDB and of the library are known, both versions",
		 real_files);
	test_run("cut short at any length, they are none", cut_short);
	test_run("other kinds of files are told apart by a sentence",
		 other_kinds);
	test_run("an impossible size of the metadata is refused",
		 impossible_metadata);
	test_run("a directory is no TsFile", no_regular_file);
	test_run("a failing read is told", unreadable);
	return test_end();
}
