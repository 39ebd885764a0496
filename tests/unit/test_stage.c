#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "recvd/stage.h"
#include "test.h"

#define DIR_NAME "0000000000000000/00000000000000000000000000000000"
#define BODY_LEN (2 * BLOCK_LEN + 100)
#define MODS_LEN 50
#define N_BLOCKS 3

static struct stage stage = {.fd = -1};
static int n_stages;
static uint8_t payload[BODY_LEN + MODS_LEN];

static int fresh(void)
{
	cleanup_close(&stage.fd);
	(void)snprintf(stage.path, sizeof stage.path, "%s/%d", test_dir(),
		       n_stages++);
	if (mkdir(stage.path, 0700) < 0)
		return -errno;
	stage.fd = file_open_dir(stage.path);
	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 31 + i / 251);
	return stage_make_dir(&stage, DIR_NAME, NULL);
}

static struct stage_file *begin(uint64_t serial)
{
	struct entry en = {.serial = serial, .nonce = 77, .kind = ENTRY_FILE};

	(void)snprintf(en.file.database, sizeof en.file.database, "root.sg");
	en.body_len = BODY_LEN;
	en.mods_len = MODS_LEN;
	en.mods_kind = MODS_TEXT;
	return stage_file_new(DIR_NAME, &en);
}

static int write_block(struct stage_file *f, uint64_t index)
{
	uint32_t len = block_len(sizeof payload, index);
	struct digest d = digest_block(payload + index * BLOCK_LEN, len);

	return stage_file_write(f, index, payload + index * BLOCK_LEN, len, &d,
				NULL);
}

static char name_buf[700];

static const char *path_of(const char *name)
{
	(void)snprintf(name_buf, sizeof name_buf, "%s/%s/%s", stage.path,
		       DIR_NAME, name);
	return name_buf;
}

static int is_there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

/* Blocks 0 and 2 of serial 5, as a killed daemon leaves them. */
static int half_received(void)
{
	struct stage_file *f = begin(5);
	int r = stage_file_open(&stage, f, false, NULL);

	if (r >= 0)
		r = write_block(f, 0);
	if (r >= 0)
		r = write_block(f, 2);
	stage_file_free(f);
	return r;
}

struct found {
	struct stage_partial *p;
	size_t n;
};

static int scan(struct found *f, uint64_t durable)
{
	return stage_scan(&stage, DIR_NAME, durable, NULL, &f->p, &f->n, NULL);
}

static void found_release(struct found *f)
{
	stage_partials_free(f->p, f->n);
}

static void names(void)
{
	struct entry en = {.serial = 3, .kind = ENTRY_DELETE, .body_len = 1};
	uint8_t sender[SENDER_ID_LEN] = {0xab, 1}, incarnation[ID_LEN] = {0xcd};
	char name[STAGE_NAME_MAX], dir[STAGE_DIR_MAX];

	stage_body_name(&en, name);
	CHECK_STR(name, "3-3-0-0.records");
	stage_mods_name(&en, name);
	CHECK_STR(name, "");
	en = (struct entry){.serial = 3,
			    .kind = ENTRY_FILE,
			    .body_len = 1,
			    .mods_len = 1,
			    .mods_kind = MODS_BINARY};
	stage_body_name(&en, name);
	CHECK_STR(name, "3-3-0-0.tsfile");
	stage_mods_name(&en, name);
	CHECK_STR(name, "3-3-0-0.tsfile.mods2");
	CHECK_STR(stage_dir_name(sender, incarnation, dir),
		  "ab01000000000000/cd000000000000000000000000000000");
}

static void blocks_are_found_again(void)
{
	CLEANUP(found_release) struct found f = {0};

	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(scan(&f, 4) == 0 && f.n == 1);
	CHECK(f.p[0].entry.serial == 5 && f.p[0].entry.nonce == 77);
	CHECK(f.p[0].entry.body_len == BODY_LEN && f.p[0].n_blocks == N_BLOCKS);
	CHECK(f.p[0].present[0] && !f.p[0].present[1] && f.p[0].present[2]);
}

static void a_block_counts_only_with_its_bytes(void)
{
	CLEANUP(found_release) struct found f = {0};
	CLEANUP_CLOSE int fd = -1;

	CHECK(fresh() >= 0 && half_received() == 0);
	fd = open(path_of("5-5-0-0.tsfile"), O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && file_pwrite(fd, "x", 1, 1000) == 0);
	CHECK(scan(&f, 4) == 0 && f.n == 1);
	CHECK(!f.p[0].present[0] && f.p[0].present[2]);
}

static void bytes_that_were_lost_are_found_out(void)
{
	CLEANUP(found_release) struct found f = {0};

	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(truncate(path_of("5-5-0-0.tsfile.mods"), 3) == 0);
	CHECK(scan(&f, 4) == 0 && f.n == 1);
	CHECK(f.p[0].present[0] && !f.p[0].present[2]);
}

/* The lists are believed first and read behind that. */
static void lists_are_told_before_their_blocks_are_read(void)
{
	CLEANUP(found_release) struct found f = {0};
	CLEANUP_CLOSE int fd = -1;

	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(stage_lists(&stage, DIR_NAME, 4, NULL, &f.p, &f.n, NULL) == 0 &&
	      f.n == 1);
	CHECK(stage_look(&stage, DIR_NAME, &f.p[0], 0, N_BLOCKS, true) == 0);
	fd = open(path_of("5-5-0-0.tsfile"), O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && file_pwrite(fd, "x", 1, 1000) == 0);
	CHECK(f.p[0].present[0] && f.p[0].present[2]);
	CHECK(stage_look(&stage, DIR_NAME, &f.p[0], 1, 99, true) == 0);
	CHECK(stage_look(&stage, DIR_NAME, &f.p[0], 0, 1, true) == 1);
	CHECK(!f.p[0].present[0] && f.p[0].present[2]);
	CHECK(unlink(path_of("5-5-0-0.tsfile")) == 0);
	CHECK(stage_look(&stage, DIR_NAME, &f.p[0], 0, 1, false) == -EBADMSG);
}

static void a_torn_list_goes_on(void)
{
	CLEANUP(found_release) struct found f = {0}, g = {0};
	struct stage_file *file;
	struct stat st;

	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(stat(path_of("5-5-0-0.blocks"), &st) == 0);
	CHECK(truncate(path_of("5-5-0-0.blocks"), st.st_size - 5) == 0);
	CHECK(scan(&f, 4) == 0 && f.n == 1);
	CHECK(f.p[0].present[0] && !f.p[0].present[2]);
	file = begin(5);
	CHECK(stage_file_open(&stage, file, true, NULL) == 0);
	CHECK(write_block(file, 1) == 0 && write_block(file, 2) == 0);
	stage_file_free(file);
	CHECK(scan(&g, 4) == 0 && g.n == 1);
	CHECK(g.p[0].present[0] && g.p[0].present[1] && g.p[0].present[2]);
}

static void a_damaged_list_is_removed(void)
{
	CLEANUP(found_release) struct found f = {0};
	CLEANUP_CLOSE int fd = -1;

	CHECK(fresh() >= 0 && half_received() == 0);
	fd = open(path_of("5-5-0-0.blocks"), O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && file_pwrite(fd, "x", 1, 20) == 0);
	CHECK(scan(&f, 4) == 0 && f.n == 0);
	CHECK(!is_there("5-5-0-0.blocks") && !is_there("5-5-0-0.tsfile") &&
	      !is_there("5-5-0-0.tsfile.mods"));
}

/* The catalog has it, and a crash came before its list was removed. */
static void what_is_durable_is_no_partial(void)
{
	CLEANUP(found_release) struct found f = {0};

	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(scan(&f, 5) == 0 && f.n == 0);
	CHECK(is_there("5-5-0-0.tsfile") && is_there("5-5-0-0.tsfile.mods"));
	CHECK(!is_there("5-5-0-0.blocks"));
}

static void a_sweep_takes_partials_only(void)
{
	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(stage_sweep(&stage, DIR_NAME, 5, NULL, NULL) == 0);
	CHECK(is_there("5-5-0-0.tsfile") && !is_there("5-5-0-0.blocks"));
	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(stage_sweep(&stage, DIR_NAME, 4, NULL, NULL) == 0);
	CHECK(!is_there("5-5-0-0.tsfile") && !is_there("5-5-0-0.blocks"));
}

static void a_whole_payload(void)
{
	struct stage_file *f;
	CLEANUP(buf_release) struct buf body, mods;

	buf_init(&body, sizeof payload);
	buf_init(&mods, sizeof payload);
	CHECK(fresh() >= 0);
	f = begin(9);
	CHECK(stage_file_whole(&stage, f, payload, sizeof payload, NULL) == 0);
	CHECK(stage_file_sync(f, NULL) == 0 &&
	      stage_sync_dir(&stage, DIR_NAME, NULL) == 0);
	stage_file_free(f);
	CHECK(file_read_all(AT_FDCWD, path_of("9-9-0-0.tsfile"), &body) == 0);
	CHECK(file_read_all(AT_FDCWD, path_of("9-9-0-0.tsfile.mods"), &mods) ==
	      0);
	CHECK(body.len == BODY_LEN &&
	      memcmp(buf_data(&body), payload, BODY_LEN) == 0);
	CHECK(mods.len == MODS_LEN &&
	      memcmp(buf_data(&mods), payload + BODY_LEN, MODS_LEN) == 0);
	CHECK(!is_there("9-9-0-0.blocks"));
}

/* Made again, the files are new ones: the old inode may have a second name. */
static void files_made_again_are_new(void)
{
	struct stage_file *f;
	struct stat before, after;

	CHECK(fresh() >= 0);
	for (int i = 0; i < 2; i++) {
		f = begin(9);
		CHECK(stage_file_whole(&stage, f, payload, sizeof payload,
				       NULL) == 0);
		stage_file_free(f);
		CHECK(stat(path_of("9-9-0-0.tsfile"), i ? &after : &before) ==
		      0);
		if (!i)
			CHECK(linkat(stage.fd, DIR_NAME "/9-9-0-0.tsfile",
				     stage.fd, "linked", 0) == 0);
	}
	CHECK(before.st_ino != after.st_ino);
}

static void a_failed_write_stays_failed(void)
{
	struct stage_file *f;
	struct err e = {0};
	struct digest d = {{0}};

	CHECK(fresh() >= 0);
	f = begin(2);
	CHECK(stage_file_open(&stage, f, false, NULL) == 0);
	cleanup_close(&f->body_fd);
	f->body_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	CHECK(stage_file_write(f, 0, payload, BLOCK_LEN, &d, &e) == -ENOSPC);
	CHECK(strstr(e.text, "entry 2"));
	CHECK(stage_file_write(f, 2, payload, 1, &d, NULL) == -ENOSPC);
	CHECK(stage_file_sync(f, NULL) == -ENOSPC);
	stage_file_free(f);
}

static int touch(const char *name)
{
	CLEANUP_CLOSE int fd =
		open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : 0;
}

static void orphans_go(void)
{
	const uint64_t files[] = {3, 4};

	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(touch("3-3-0-0.tsfile") == 0 &&
	      touch("3-3-0-0.tsfile.mods") == 0);
	CHECK(touch("4-4-0-0.records") == 0 && touch("4-4-0-0.blocks") == 0);
	CHECK(touch("8-8-0-0.tsfile") == 0 && touch("rubbish") == 0 &&
	      touch("3-4-0-0.tsfile") == 0);
	CHECK(stage_clean(&stage, DIR_NAME, true, 4, NULL, files, 2, NULL) ==
	      3);
	CHECK(is_there("3-3-0-0.tsfile") && is_there("3-3-0-0.tsfile.mods"));
	CHECK(is_there("4-4-0-0.records") && !is_there("4-4-0-0.blocks"));
	CHECK(is_there("5-5-0-0.tsfile") && is_there("5-5-0-0.blocks"));
	CHECK(!is_there("8-8-0-0.tsfile") && !is_there("rubbish") &&
	      !is_there("3-4-0-0.tsfile"));
	CHECK(stage_clean(&stage, DIR_NAME, false, 4, NULL, files, 2, NULL) ==
	      3);
	CHECK(!is_there("5-5-0-0.tsfile") && is_there("3-3-0-0.tsfile"));
}

static void unknown_directories_go(void)
{
	const char *const known[] = {DIR_NAME};
	struct stat st;

	CHECK(fresh() >= 0 && half_received() == 0);
	CHECK(stage_make_dir(
		      &stage,
		      "1111111111111111/22222222222222222222222222222222",
		      NULL) >= 0);
	CHECK(mkdirat(stage.fd, "0000000000000000/3333", 0700) == 0);
	CHECK(stage_clean_unknown(&stage, known, 1, NULL) == 2);
	CHECK(is_there("5-5-0-0.tsfile"));
	CHECK(fstatat(stage.fd, "1111111111111111", &st, 0) < 0 &&
	      errno == ENOENT);
	CHECK(fstatat(stage.fd, "0000000000000000/3333", &st, 0) < 0);
}

int main(void)
{
	test_run("staged names", names);
	test_run("blocks of a half-received entry are found again",
		 blocks_are_found_again);
	test_run("a block counts only with its bytes",
		 a_block_counts_only_with_its_bytes);
	test_run("bytes that were lost are found out",
		 bytes_that_were_lost_are_found_out);
	test_run("lists are told before their blocks are read",
		 lists_are_told_before_their_blocks_are_read);
	test_run("a torn list of blocks goes on", a_torn_list_goes_on);
	test_run("a damaged list is removed with its files",
		 a_damaged_list_is_removed);
	test_run("what is durable is no partial",
		 what_is_durable_is_no_partial);
	test_run("a sweep takes what is half received only",
		 a_sweep_takes_partials_only);
	test_run("a whole payload is split into file and deletions",
		 a_whole_payload);
	test_run("files made again are new ones", files_made_again_are_new);
	test_run("a failed write stays failed", a_failed_write_stays_failed);
	test_run("what nobody explains is removed", orphans_go);
	test_run("directories of unknown incarnations are removed",
		 unknown_directories_go);
	cleanup_close(&stage.fd);
	return test_end();
}
