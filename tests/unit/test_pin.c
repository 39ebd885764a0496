/* Pinning: what is linked, what is refused, what is undone, the cut. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "syncd/pin.h"
#include "syncd/spool.h"
#include "test.h"

static char data_dir[300], spool_dir[320];
static struct pin_place place;

static void make_dirs(void)
{
	int fd = file_open_dir(test_dir());
	int d = file_make_dirs(fd, "data/sequence/root.sg/1/-2", 0755);
	int s = file_make_dirs(fd, "data/.tsferry-spool", 0755);
	struct stat st;

	(void)snprintf(data_dir, sizeof(data_dir), "%s/data", test_dir());
	(void)snprintf(spool_dir, sizeof(spool_dir), "%s/.tsferry-spool",
		       data_dir);
	if (fd < 0 || d < 0 || s < 0 || fstat(s, &st))
		abort();
	place = (struct pin_place){.volume = 1,
				   .data_dir = data_dir,
				   .spool_dir = spool_dir,
				   .dev = st.st_dev,
				   .ino = st.st_ino,
				   .spool_fd = -1};
	(void)close(fd);
	(void)close(d);
	(void)close(s);
}

static const char *source(uint64_t v, const char *suffix)
{
	static char path[600];

	(void)snprintf(path, sizeof(path),
		       "%s/sequence/root.sg/1/-2/%llu-%llu-0-0.tsfile%s",
		       data_dir, (unsigned long long)v, (unsigned long long)v,
		       suffix);
	return path;
}

static void put(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		abort();
}

static size_t copy_sample(const char *name, uint64_t v)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 16u << 20);
	if (file_read_all(AT_FDCWD, test_data(name), &b))
		abort();
	put(source(v, ""), buf_data(&b), b.len);
	return b.len;
}

static struct pin a_pin(uint64_t v)
{
	struct pin p = {.nonce = 0x1000 + v,
			.file = {.database = "root.sg",
				 .region = 1,
				 .partition = -2,
				 .t = v,
				 .v = v},
			.fd = -1,
			.mods_fd = -1};

	return p;
}

static const struct pin_cut no_cut;

static int count_name(void *arg, const char *name, unsigned char d_type)
{
	(void)name;
	(void)d_type;
	(*(int *)arg)++;
	return 0;
}

static int pinned_files(void)
{
	int n = 0, fd = file_open_dir(spool_dir);

	if (fd < 0 || file_list(fd, count_name, &n))
		abort();
	(void)close(fd);
	return n;
}

static void read_spooled(uint64_t nonce, enum mods_kind kind, struct buf *b)
{
	char path[SPOOL_PATH_LEN];

	buf_init(b, 1u << 20);
	if (file_read_all(AT_FDCWD, spool_path(spool_dir, nonce, kind, path),
			  b))
		buf_adds(b, "absent");
}

static void whole(void)
{
	struct pin p = a_pin(1);
	size_t len = copy_sample("tsfile/v3/tiny.tsfile", 1);
	struct stat a, b;
	char path[SPOOL_PATH_LEN];
	struct err e = {0};

	CHECK(pin_place_open(&place, "0", &e) == 0);
	pin_file(&p, &place, &no_cut, false, &e);
	CHECK(p.result == PIN_DONE && p.nonce && p.body_len == len);
	CHECK(p.mods_len == 0 && p.mods_kind == MODS_NONE);
	CHECK(pin_sync(&p, &e) == 0 && p.fd == -1);
	CHECK(stat(source(1, ""), &a) == 0);
	CHECK(stat(spool_path(spool_dir, p.nonce, MODS_NONE, path), &b) == 0);
	CHECK(a.st_ino == b.st_ino);
	CHECK(unlink(source(1, "")) == 0); /* compaction takes it */
	CHECK(stat(path, &b) == 0 && (size_t)b.st_size == len);
	spool_unpin(spool_dir, p.nonce);
	CHECK(pinned_files() == 0);
	pin_place_close(&place);
}

static void with_mods(void)
{
	static const char text[] = "DELETION,root.sg.d.s,500,1,2\n"
				   "DELETION,root.sg.d.s,500,3";
	struct pin p = a_pin(2);
	CLEANUP(buf_release) struct buf b;
	struct err e = {0};

	(void)copy_sample("tsfile/v3/tiny.tsfile", 2);
	put(source(2, ".mods"), text, strlen(text));
	CHECK(pin_place_open(&place, "0", &e) == 0);
	pin_file(&p, &place, &no_cut, false, &e);
	CHECK(p.result == PIN_DONE && p.mods_kind == MODS_TEXT);
	CHECK(p.mods_len == 29); /* the torn tail waits */
	read_spooled(p.nonce, MODS_TEXT, &b);
	CHECK_STR(buf_str(&b), text);
	pin_undo(&p, &place);
	CHECK(pinned_files() == 0);
	pin_place_close(&place);
}

static void aborted_records(void)
{
	static const char text[] = "DELETION,root.sg.a,9,1,2\naborted\n"
				   "DELETION,root.sg.b,9,1,2\n";
	struct pin p = a_pin(3);
	CLEANUP(buf_release) struct buf b;
	struct err e = {0};

	(void)copy_sample("tsfile/v3/tiny.tsfile", 3);
	put(source(3, ".mods"), text, strlen(text));
	CHECK(pin_place_open(&place, "0", &e) == 0);
	pin_file(&p, &place, &no_cut, false, &e);
	CHECK(p.result == PIN_DONE);
	CHECK(pin_sync(&p, &e) == 0);
	read_spooled(p.nonce, MODS_TEXT, &b);
	CHECK_STR(buf_str(&b), "DELETION,root.sg.b,9,1,2\n");
	CHECK(p.mods_len == b.len);
	pin_undo(&p, &place);
	pin_place_close(&place);
}

static void cut(void)
{
	static const char text[] = "DELETION,root.sg.b,9,1,2\n";
	struct pin_cut at = {.is_set = true, .last_deleted = 2};
	struct pin p = a_pin(4), q = a_pin(5);
	CLEANUP(buf_release) struct buf b;
	CLEANUP(buf_release) struct buf whole_mods;
	struct err e = {0};
	size_t n;

	(void)copy_sample("tsfile/v3/tiny.tsfile", 4);
	put(source(4, ".mods"), text, strlen(text));
	(void)copy_sample("tsfile/v4/tiny.tsfile", 5);
	CHECK(pin_place_open(&place, "0", &e) == 0);
	pin_file(&p, &place, &at, false, &e);
	CHECK(p.result == PIN_DONE && p.mods_kind == MODS_TEXT);
	read_spooled(p.nonce, MODS_TEXT, &b);
	CHECK(strncmp(buf_str(&b), text, strlen(text)) == 0);
	CHECK(strstr(buf_str(&b), ",-9223372036854775808,2\n"));
	CHECK(b.len == p.mods_len);
	/* IoTDB's own file is as it was. */
	buf_init(&whole_mods, 4096);
	CHECK(file_read_all(AT_FDCWD, source(4, ".mods"), &whole_mods) == 0);
	CHECK_STR(buf_str(&whole_mods), text);
	pin_undo(&p, &place);
	pin_file(&q, &place, &at, false, &e);
	CHECK(q.result == PIN_DONE && q.mods_kind == MODS_BINARY);
	buf_clear(&b);
	buf_release(&b);
	read_spooled(q.nonce, MODS_BINARY, &b);
	CHECK(mods_whole(MODS_BINARY, buf_data(&b), b.len, &n, &e) == 0);
	CHECK(n == b.len && n == q.mods_len);
	pin_undo(&q, &place);
	CHECK(pinned_files() == 0);
	pin_place_close(&place);
}

static void beside_the_cut(void)
{
	struct pin_cut before = {.is_set = true, .last_deleted = 0};
	struct pin_cut behind = {.is_set = true, .last_deleted = 3};
	struct pin p = a_pin(11), q = a_pin(12), t = a_pin(13);
	struct pin_cut all = {.is_set = true, .last_deleted = 2};
	static const char *const dirs[] = {"sequence/db", "sequence/db/1",
					   "sequence/db/1/-2"};
	char to[600];
	CLEANUP(buf_release) struct buf b;
	struct err e = {0};

	(void)copy_sample("tsfile/v3/tiny.tsfile", 11);
	(void)copy_sample("tsfile/v3/tiny.tsfile", 12);
	CHECK(pin_place_open(&place, "0", &e) == 0);
	/* rows 1 to 3: all of them behind, all of them before */
	pin_file(&p, &place, &before, false, &e);
	CHECK(p.result == PIN_DONE && p.mods_len == 0);
	CHECK(p.range.any && p.range.first == 1 && p.range.last == 3);
	pin_undo(&p, &place);
	pin_file(&q, &place, &behind, false, &e);
	CHECK(q.result == PIN_OUTSIDE && pinned_files() == 0);
	/* in a database of tables the record names the table */
	(void)snprintf(t.file.database, sizeof(t.file.database), "db");
	(void)copy_sample("tsfile/v4/tiny.tsfile", 13);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		(void)snprintf(to, sizeof(to), "%s/%s", data_dir, dirs[i]);
		CHECK(mkdir(to, 0755) == 0);
	}
	(void)snprintf(to, sizeof(to), "%s/sequence/db/1/-2/13-13-0-0.tsfile",
		       data_dir);
	CHECK(rename(source(13, ""), to) == 0);
	pin_file(&t, &place, &all, false, &e);
	CHECK(t.result == PIN_DONE && t.mods_kind == MODS_BINARY);
	read_spooled(t.nonce, MODS_BINARY, &b);
	CHECK(b.len == 17 + 1 + 7 + 2);
	CHECK(memcmp(buf_data(&b) + 18, "root.sg", 7) == 0);
	pin_undo(&t, &place);
	pin_place_close(&place);
}

static void refused(void)
{
	struct pin p = a_pin(6), q = a_pin(7), r = a_pin(8);
	struct err e = {0};

	put(source(6, ""), "a letter to a friend of mine", 28);
	(void)copy_sample("tsfile/v3/tiny.tsfile", 7);
	CHECK(truncate(source(7, ""), 100) == 0);
	(void)copy_sample("tsfile/v3/tiny.tsfile", 8);
	put(source(8, ".mods"), "DELETE what you like\n", 21);
	CHECK(pin_place_open(&place, "0", &e) == 0);
	pin_file(&p, &place, &no_cut, false, &e);
	CHECK(p.result == PIN_REFUSED && strstr(e.text, "6-6-0-0.tsfile"));
	err_clear(&e);
	pin_file(&q, &place, &no_cut, false, &e);
	CHECK(q.result == PIN_REFUSED && strstr(e.text, "7-7-0-0.tsfile"));
	err_clear(&e);
	pin_file(&r, &place, &no_cut, false, &e);
	CHECK(r.result == PIN_REFUSED && strstr(e.text, "held back"));
	CHECK(p.fd == -1 && q.fd == -1 && r.fd == -1 && r.mods_fd == -1);
	CHECK(pinned_files() == 0);
	pin_place_close(&place);
}

static void vanished(void)
{
	struct pin p = a_pin(9);
	struct err e = {0};

	CHECK(pin_place_open(&place, "0", &e) == 0);
	pin_file(&p, &place, &no_cut, false, &e);
	CHECK(p.result == PIN_GONE && p.fd == -1);
	CHECK(symlink(test_data("tsfile/v3/tiny.tsfile"), source(9, "")) == 0);
	pin_file(&p, &place, &no_cut, false, &e);
	CHECK(p.result == PIN_REFUSED); /* links are not followed */
	CHECK(pinned_files() == 0);
	pin_place_close(&place);
}

static void no_room(void)
{
	struct pin_place other = place;
	struct err e = {0};

	static const char text[] = "DELETION,root.sg.b,9,1,2\n";
	struct pin p = a_pin(21);

	/* Too little room: the file stays where it is, its deletions are kept. */
	(void)copy_sample("tsfile/v3/tiny.tsfile", 21);
	put(source(21, ".mods"), text, strlen(text));
	CHECK(pin_place_open(&place, "100%", &e) == 0 && place.is_loose);
	pin_file(&p, &place, &no_cut, false, &e);
	CHECK(p.result == PIN_DONE && p.is_loose && p.body_len > 0);
	CHECK(p.mods_len == strlen(text) && pinned_files() == 1);
	CHECK(pin_sync(&p, &e) == 0);
	pin_undo(&p, &place);
	pin_place_close(&place);
	place.is_loose = false;
	other.ino++;
	err_clear(&e);
	CHECK(pin_place_open(&other, "0", &e) == -ESTALE);
	pin_place_close(&other);
}

static void blocked(void)
{
	struct pin_place other = place;
	struct pin p = a_pin(10);
	struct err e = {0};

	(void)copy_sample("tsfile/v3/tiny.tsfile", 10);
	/* A descriptor of another mount stands for a spool there. */
	other.spool_fd = open("/dev/shm", O_RDONLY | O_DIRECTORY);
	CHECK(other.spool_fd >= 0);
	pin_file(&p, &other, &no_cut, false, &e);
	CHECK(p.result == PIN_BLOCKED && p.block == PIN_BLOCK_LINK);
	CHECK(strstr(e.text, "spool_copy=yes") && p.fd == -1);
	pin_place_close(&other);
	CHECK(pinned_files() == 0);
}

static void copied(void)
{
	char path[64] = "/dev/shm/tsferry-pin-XXXXXX", spooled[SPOOL_PATH_LEN];
	struct pin_place other = place;
	struct pin p = a_pin(11);
	struct stat st;
	size_t len = copy_sample("tsfile/v3/al.tsfile", 11);
	struct err e = {0};

	if (!mkdtemp(path) || stat(path, &st) || st.st_dev == place.dev)
		return; /* no second file system here */
	other.spool_dir = path;
	other.dev = st.st_dev;
	other.ino = st.st_ino;
	CHECK(pin_place_open(&other, "0", &e) == 0);
	pin_file(&p, &other, &no_cut, true, &e);
	CHECK(p.result == PIN_DONE && pin_sync(&p, &e) == 0);
	CHECK(stat(spool_path(path, p.nonce, MODS_NONE, spooled), &st) == 0);
	CHECK((size_t)st.st_size == len);
	pin_undo(&p, &other);
	pin_place_close(&other);
	CHECK(rmdir(path) == 0);
}

int main(void)
{
	make_dirs();
	test_run("a sealed file is linked and outlives its name", whole);
	test_run("mods travel up to the last whole record", with_mods);
	test_run("cancelled records do not travel", aborted_records);
	test_run("a start time is one more record, in a file of our own", cut);
	test_run("only a file with rows on both sides of it gets that record",
		 beside_the_cut);
	test_run("what is no TsFile, and malformed mods, leave nothing",
		 refused);
	test_run("a name that is gone or a link is not pinned", vanished);
	test_run("without room a file is loose, another spool is refused", no_room);
	test_run("another mount blocks with the cure", blocked);
	test_run("spool_copy copies there", copied);
	return test_end();
}
