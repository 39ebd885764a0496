/* Writes the seeds of the corpora frame, proto, entry, mods, mods2, tsfile and
 * tsfile_index anew,
 * from what our encoders write and IoTDB wrote: `fuzz_seeds tests/data tests/fuzz/corpus`.
 * To be run when the wire changes; what a fuzzer found stands beside them under other names. */
#include <stdio.h>

#include "ground/bytes.h"
#include "ground/err.h"
#include "ground/fileio.h"
#include "tests/proto_samples.h"
#include "tests/tsfile_made.h"

#define SEED_MAX (1u << 20)

static int data_fd, corpus_fd;

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, err_words(-r));
	exit(1);
}

static void seed(const char *target, const char *name, const void *p, size_t n)
{
	int fd = file_make_dirs(corpus_fd, target, 0755);

	must(fd, target);
	must(file_replace(fd, name, p, n, 0644), name);
	(void)close(fd);
}

/* A file below tests/data without its last bytes. */
static void seed_file(const char *target, const char *name, const char *path,
		      size_t cut)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, SEED_MAX);
	must(file_read_all(data_fd, path, &b), path);
	seed(target, name, buf_data(&b), b.len - cut);
}

static void seed_messages(void)
{
	CLEANUP(buf_release) struct buf all;

	buf_init(&all, SEED_MAX);
	for (unsigned form = 0; form < N_FORMS; form++) {
		CLEANUP(buf_release) struct buf b, m;
		struct frame f;
		char name[40];

		buf_init(&b, SEED_MAX);
		buf_init(&m, SEED_MAX);
		make(form, &b);
		must(frame_take(&f, buf_data(&b), b.len, msg_len_max), "frame");
		(void)snprintf(name, sizeof name, "%02u-%s", form,
			       msg_name(f.type));
		seed("frame", name, buf_data(&b), b.len);
		wr_u16(&m, f.type);
		wr_u64(&m, f.serial);
		buf_add(&m, f.p, f.len);
		seed("proto", name, buf_data(&m), m.len);
		buf_add(&all, buf_data(&b), b.len);
	}
	seed("frame", "stream", buf_data(&all), all.len);
	seed("frame", "stream-cut", buf_data(&all), all.len - 3);
}

static void seed_entries(void)
{
	static char devices[] = "root.sg.d1\nroot.sg.`a b`";
	const struct entry entries[] = {
		inline_entry().entry,
		block_entry().entry,
		restate_entry().entry,
		{.serial = 8,
		 .nonce = 1,
		 .kind = ENTRY_DELETE,
		 .file = {.database = "root.`a-b`", .region = 3},
		 .body_len = 40,
		 .mods_kind = MODS_BINARY,
		 .time_min = INT64_MIN,
		 .time_max = 5,
		 .devices = devices},
		{.serial = ENTRY_SERIAL_MAX,
		 .nonce = UINT64_MAX,
		 .kind = ENTRY_SCHEMA,
		 .file = {.database = "root.\xe6\xb0\xb4"},
		 .body_len = 30},
	};

	for (size_t k = 0; k < ARRAY_LEN(entries); k++) {
		CLEANUP(buf_release) struct buf b;
		char name[40];

		buf_init(&b, SEED_MAX);
		entry_encode(&entries[k], &b);
		(void)snprintf(name, sizeof name, "%zu-%s", k,
			       entry_kind_text(entries[k].kind));
		seed("entry", name, buf_data(&b), b.len);
	}
}

static void seed_mods(void)
{
	static const char text[] =
		"DELETION,root.a,`b`.**,5,1,2\naborted\nDELETION,ro";
	CLEANUP(buf_release) struct buf b;

	seed("mods", "text-torn", text, sizeof text - 1);
	seed_file("mods", "text",
		  "datadir-1.3.3/sequence/root.plant/2/19725/"
		  "1795423681317-2-0-0.tsfile.mods",
		  0);
	seed_file("mods2", "tree",
		  "datadir-2.0.2/sequence/root.plant/2/19725/"
		  "1795424618852-2-0-0.tsfile.mods2",
		  0);
	seed_file("mods2", "table", "mods2/table-2.0.6.mods2", 0);
	seed_file("mods2", "table-torn", "mods2/table-2.0.6.mods2", 5);
	buf_init(&b, SEED_MAX);
	mods_add_cut(MODS_BINARY, 1704261589454, &b);
	seed("mods2", "cut", buf_data(&b), b.len);
}

static void seed_tsfiles(void)
{
	seed_file("tsfile", "v3-tiny", "tsfile/v3/tiny.tsfile", 0);
	seed_file("tsfile", "v3-empty", "tsfile/v3/empty.tsfile", 0);
	seed_file("tsfile", "v3-cut", "tsfile/v3/tiny.tsfile", 7);
	seed_file("tsfile", "v4-tiny", "tsfile/v4/tiny.tsfile", 0);
	seed_file("tsfile", "v4-empty", "tsfile/v4/empty.tsfile", 0);
}

static void seed_tsfile_indexes(void)
{
	static const char *const names[] = {"tiny", "tinyal", "empty", "idxal"};
	CLEANUP(made_release) struct made m = made_begin(3);

	for (size_t k = 0; k < ARRAY_LEN(names); k++)
		for (int version = 3; version <= 4; version++) {
			char name[40], path[80];

			(void)snprintf(name, sizeof name, "v%d-%s", version,
				       names[k]);
			(void)snprintf(path, sizeof path,
				       "tsfile/v%d/%s.tsfile", version,
				       names[k]);
			seed_file("tsfile_index", name, path, 0);
		}
	put_blob(&m, "a", 5, 5);
	put_series(&m, 0, "b", TEXT, 1, 7, 7, 8);
	put_series(&m, 0, "c", UNKNOWN, 1, 9, 9, 0);
	put_rest(&m, "a");
	seed("tsfile_index", "v3-unknown", buf_data(&m.b), m.b.len);
	seed_file("tsfile_index", "v3-old", "tsfile/v3/old.tsfile", 0);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		(void)fprintf(stderr, "usage: %s TESTS_DATA CORPUS\n", argv[0]);
		return 2;
	}
	data_fd = file_open_dir(argv[1]);
	must(data_fd, argv[1]);
	corpus_fd = file_open_dir(argv[2]);
	must(corpus_fd, argv[2]);
	seed_messages();
	seed_entries();
	seed_mods();
	seed_tsfiles();
	seed_tsfile_indexes();
	return 0;
}
