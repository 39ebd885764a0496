#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "domain/digest.h"
#include "ground/fileio.h"
#include "recvd/job_line.h"
#include "test.h"

/* recvd-load itself, as recvd talks to it: lines into its stdin, answers out of its
 * stdout, a directory for its archive and one for the staged files. */

static char archive[512], staging[512];
static int n_runs;

struct loader {
	pid_t pid;
	FILE *to, *from;
};

static const char *program(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	char *slash;

	path[n > 0 ? n : 0] = 0;
	for (int i = 0; i < 3 && (slash = strrchr(path, '/')); i++)
		*slash = 0;
	strncat(path, "/recvd/recvd-load", sizeof path - strlen(path) - 1);
	return path;
}

static int fresh(void)
{
	(void)snprintf(archive, sizeof archive, "%s/archive%d", test_dir(),
		       n_runs);
	(void)snprintf(staging, sizeof staging, "%s/staging%d", test_dir(),
		       n_runs++);
	return mkdir(staging, 0700) < 0 ? -errno : 0;
}

static int start(struct loader *l)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	l->pid = fork();
	if (l->pid == 0) {
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)execl(program(), "recvd-load", archive, (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	l->to = fdopen(in[1], "w");
	l->from = fdopen(out[0], "r");
	return l->pid > 0 && l->to && l->from ? 0 : -EIO;
}

static int stop(struct loader *l)
{
	int status = -1;

	if (l->to)
		(void)fclose(l->to);
	(void)waitpid(l->pid, &status, 0);
	if (l->from)
		(void)fclose(l->from);
	memset(l, 0, sizeof *l);
	return status;
}

/* Sends what is in b as a batch; the answers stand in `answers`. */
static char answers[8192];

static int batch(struct loader *l, struct buf *b)
{
	char line[2048];
	size_t n = 0;

	answers[0] = 0;
	if ((b->len && fwrite(buf_data(b), 1, b->len, l->to) != b->len) ||
	    fputs("end\n", l->to) == EOF || fflush(l->to) != 0)
		return -EPIPE;
	buf_clear(b);
	while (fgets(line, sizeof line, l->from)) {
		if (strcmp(line, "end\n") == 0)
			return 0;
		(void)snprintf(answers + n, sizeof answers - n, "%s", line);
		n = strlen(answers);
	}
	return -EPIPE;
}

/* One batch in a loader of its own. */
static int load(struct buf *b)
{
	struct loader l = {0};
	int r = start(&l);

	if (r >= 0)
		r = batch(&l, b);
	return stop(&l) == 0 ? r : -EIO;
}

/* ---- staged files and jobs ---- */

static int put(const char *dir, const char *name, const void *p, size_t n)
{
	char path[1200];
	CLEANUP_CLOSE int fd = -1;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : file_pwrite(fd, p, n, 0);
}

struct job {
	const char *database, *name, *mods, *kind, *space;
	int partition, version;
	bool take;
	int64_t time_min, time_max;
};

static struct buf tsfile, payload;

static struct digest digest_of(const struct buf *b)
{
	struct digest_list list;

	digest_list_init(&list);
	for (uint64_t i = 0; i < block_count(b->len); i++) {
		uint32_t len = block_len(b->len, i);
		struct digest d =
			digest_block(buf_data(b) + i * BLOCK_LEN, len);

		digest_list_add(&list, len, &d);
	}
	return digest_list_end(&list);
}

static int read_tsfile(int version)
{
	buf_clear(&tsfile);
	return file_read_all(
		AT_FDCWD,
		test_data(version == 4	 ? "tsfile/v4/tiny.tsfile"
			  : version == 6 ? "tsfile/v3/tinyal.tsfile"
			  : version == 5 ? "tsfile/v3/al.tsfile"
					 : "tsfile/v3/tiny.tsfile"),
		&tsfile);
}

static void add_common(struct buf *out, int id, const char *kind,
		       const char *database)
{
	job_addf(out, "job", "%d", id);
	job_add(out, "kind", kind);
	job_add(out, "sender", "edge-1");
	job_add(out, "database", database);
	job_addf(out, "serial", "%d", id + 1);
	job_add(out, "region", "1");
}

static int stage_part(struct buf *out, const char *key, int id,
		      const char *suffix, const void *p, size_t n)
{
	char name[64], path[600];

	(void)snprintf(name, sizeof name, "%d%s", id, suffix);
	(void)snprintf(path, sizeof path, "%s/%s", staging, name);
	(void)unlink(path);
	job_add(out, key, path);
	return put(staging, name, p, n);
}

/* A FILE job; `version` chooses among three files. */
static int add_file(struct buf *out, int id, const struct job *j)
{
	char text[DIGEST_TEXT_LEN];
	struct digest d;
	int r = read_tsfile(j->version);

	buf_clear(&payload);
	buf_add(&payload, buf_data(&tsfile), tsfile.len);
	if (j->mods)
		buf_adds(&payload, j->mods);
	d = digest_of(&payload);
	add_common(out, id, "FILE", j->database);
	job_add(out, "space", j->space ? j->space : "sequence");
	job_addf(out, "partition", "%d", j->partition);
	job_add(out, "name", j->name);
	if (r >= 0)
		r = stage_part(out, "path", id, ".tsfile", buf_data(&tsfile),
			       tsfile.len);
	job_addf(out, "length", "%zu", tsfile.len);
	if (r >= 0 && j->mods)
		r = stage_part(out, "mods", id, ".tsfile.mods", j->mods,
			       strlen(j->mods));
	if (j->mods) {
		job_addf(out, "mods_length", "%zu", strlen(j->mods));
		job_add(out, "mods_kind", "text");
	}
	job_add(out, "digest", digest_text(&d, text));
	job_add(out, "take", j->take ? "yes" : "no");
	buf_adds(out, "\n");
	return r;
}

static int add_delete(struct buf *out, int id, const char *database,
		      const char *records, int64_t min, int64_t max)
{
	int r;

	add_common(out, id, "DELETE", database);
	job_addf(out, "time_min", "%lld", (long long)min);
	job_addf(out, "time_max", "%lld", (long long)max);
	job_add(out, "devices", "root.sg.d1\n");
	r = stage_part(out, "path", id, ".records", records, strlen(records));
	job_addf(out, "length", "%zu", strlen(records));
	job_add(out, "mods_kind", "text");
	job_add(out, "digest", "00000000000000000000000000000000");
	buf_adds(out, "\n");
	return r;
}

static void add_restate(struct buf *out, int id, const char *database,
			const char *devices)
{
	add_common(out, id, "RESTATE", database);
	job_add(out, "time_min", "3");
	job_add(out, "time_max", "20");
	job_add(out, "devices", devices);
	buf_adds(out, "\n");
}

/* ---- the archive ---- */

static bool holds(const char *name, const void *p, size_t n)
{
	char path[1200];
	CLEANUP(buf_release) struct buf b;

	(void)snprintf(path, sizeof path, "%s/edge-1/%s", archive, name);
	buf_init(&b, 1u << 20);
	if (file_read_all(AT_FDCWD, path, &b) < 0)
		return false;
	if (b.len != n || memcmp(buf_data(&b), p, n) != 0)
		printf("# %s: %s\n", name,
		       b.len < 500 ? buf_str(&b) : "other bytes");
	return b.len == n && memcmp(buf_data(&b), p, n) == 0;
}

static bool says(const char *name, const char *text)
{
	return holds(name, text, strlen(text));
}

static bool is_there(const char *name)
{
	char path[1200];

	(void)snprintf(path, sizeof path, "%s/%s", archive, name);
	return access(path, F_OK) == 0;
}

#define ONE "root.sg/sequence/1/0/1-1-0-0.tsfile"
#define RECORD(path, from, to) \
	"DELETION," path ",9223372036854775807," from "," to "\n"

static void files_get_their_place(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg",
			  .name = "1-1-0-0",
			  .mods = RECORD("root.sg.d1.s1", "1", "2")};
	struct job two = {.database = "root.sg",
			  .name = "1-1-0-0",
			  .space = "unsequence",
			  .partition = -1,
			  .take = true};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0);
	CHECK(add_file(&b, 0, &one) == 0 && add_file(&b, 1, &two) == 0);
	CHECK(load(&b) == 0);
	CHECK_STR(answers, "job=0\tresult=applied\njob=1\tresult=applied\n");
	CHECK(holds(ONE, buf_data(&tsfile), tsfile.len));
	CHECK(says(ONE ".mods", one.mods));
	CHECK(holds("root.sg/unsequence/1/-1/1-1-0-0.tsfile", buf_data(&tsfile),
		    tsfile.len));
	CHECK(!is_there(".tsferry-new"));
	/* what may be taken is taken, the rest is linked */
	(void)snprintf(answers, sizeof answers, "%s/0.tsfile", staging);
	CHECK(access(answers, F_OK) == 0);
	(void)snprintf(answers, sizeof answers, "%s/1.tsfile", staging);
	CHECK(access(answers, F_OK) < 0);
}

static ino_t inode(const char *name)
{
	char path[1200];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/edge-1/%s", archive, name);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static void the_same_again_changes_nothing(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg",
			  .name = "1-1-0-0",
			  .mods = RECORD("root.sg.**", "1", "2")};
	ino_t before;

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_file(&b, 0, &one) == 0 && load(&b) == 0);
	before = inode(ONE);
	CHECK(before && add_file(&b, 0, &one) == 0 && load(&b) == 0);
	CHECK_STR(answers, "job=0\tresult=applied\n");
	CHECK(inode(ONE) == before);
}

static void another_content_replaces_file_and_deletions(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg",
			  .name = "1-1-0-0",
			  .mods = RECORD("root.sg.**", "1", "2")};
	struct job other = {
		.database = "root.sg", .name = "1-1-0-0", .version = 5};
	struct job third = {.database = "root.sg",
			    .name = "1-1-0-0",
			    .mods = RECORD("root.sg.**", "3", "4")};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_file(&b, 0, &one) == 0 && load(&b) == 0);
	CHECK(add_file(&b, 0, &other) == 0 && load(&b) == 0);
	CHECK_STR(answers, "job=0\tresult=applied\n");
	CHECK(holds(ONE, buf_data(&tsfile), tsfile.len) &&
	      !is_there("edge-1/" ONE ".mods"));
	CHECK(add_file(&b, 0, &third) == 0 && load(&b) == 0);
	CHECK(holds(ONE, buf_data(&tsfile), tsfile.len) &&
	      says(ONE ".mods", third.mods));
	CHECK(!is_there(".tsferry-new"));
}

static void bad_files_are_quarantined_and_hold_their_database(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job bad = {.database = "root.sg",
			  .name = "1-1-0-0",
			  .mods = "DELETION,nonsense\n"};
	struct job later = {.database = "root.sg", .name = "2-2-0-0"};
	struct job other = {.database = "root.other", .name = "2-2-0-0"};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_file(&b, 0, &bad) == 0 &&
	      add_file(&b, 1, &later) == 0);
	CHECK(add_file(&b, 2, &other) == 0 && load(&b) == 0);
	CHECK(strstr(answers, "job=0\tresult=quarantine\ttext="));
	CHECK(strstr(answers, "malformed") &&
	      strstr(answers, "job=1\tresult=held\n"));
	CHECK(strstr(answers, "job=2\tresult=applied\n"));
	CHECK(!is_there("edge-1/" ONE) && !is_there("edge-1/" ONE ".mods"));
}

static void a_torn_file_is_quarantined(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg", .name = "1-1-0-0"};
	char path[600];

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_file(&b, 0, &one) == 0);
	(void)snprintf(path, sizeof path, "%s/0.tsfile", staging);
	CHECK(truncate(path, (off_t)tsfile.len - 1) == 0 && load(&b) == 0);
	CHECK(strstr(answers, "job=0\tresult=quarantine\ttext="));
	/* a TsFile, but not of the length that was verified */
	CHECK(add_file(&b, 0, &one) == 0 && unlink(path) == 0);
	CHECK(read_tsfile(5) == 0 &&
	      put(staging, "0.tsfile", buf_data(&tsfile), tsfile.len) == 0);
	CHECK(load(&b) == 0);
	CHECK(strstr(answers, "job=0\tresult=quarantine") &&
	      strstr(answers, "bytes, the staged file has"));
	CHECK(add_file(&b, 0, &one) == 0 && unlink(path) == 0 && load(&b) == 0);
	CHECK(strstr(answers, "job=0\tresult=quarantine") &&
	      strstr(answers, "No such file"));
}

static void a_delete_stands_beside_every_file(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg",
			  .name = "1-1-0-0",
			  .mods = RECORD("root.sg.d1.s1", "1", "2")};
	struct job two = {.database = "root.sg",
			  .name = "2-2-0-0",
			  .space = "unsequence",
			  .partition = 3};
	struct job other = {.database = "root.x", .name = "3-3-0-0"};
	struct job later = {
		.database = "root.sg", .name = "4-4-0-0", .version = 6};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_file(&b, 0, &one) == 0 &&
	      add_file(&b, 1, &two) == 0);
	CHECK(add_file(&b, 2, &other) == 0 && add_file(&b, 4, &later) == 0);
	CHECK(add_delete(&b, 3, "root.sg", "DELETION,root.sg.**,77,2,100\n", 1,
			 20) == 0);
	CHECK(load(&b) == 0);
	CHECK(strstr(answers, "job=3\tresult=applied\n"));
	CHECK(says(ONE ".mods", RECORD("root.sg.d1.s1", "1", "2")
					RECORD("root.sg.**", "2", "20")));
	CHECK(says("root.sg/unsequence/1/3/2-2-0-0.tsfile.mods",
		   RECORD("root.sg.**", "2", "20")));
	CHECK(!is_there("edge-1/root.x/sequence/1/0/3-3-0-0.tsfile.mods"));
	/* its rows are at 100 to 102 */
	CHECK(!is_there("edge-1/root.sg/sequence/1/0/4-4-0-0.tsfile.mods"));
	/* again, as after a cut: once */
	CHECK(add_delete(&b, 3, "root.sg", "DELETION,root.sg.**,77,2,100\n", 1,
			 20) == 0);
	CHECK(load(&b) == 0 && strstr(answers, "applied"));
	CHECK(says("root.sg/unsequence/1/3/2-2-0-0.tsfile.mods",
		   RECORD("root.sg.**", "2", "20")));
	CHECK(!is_there(".tsferry-new"));
}

/* Beside a file of version 4 text would be ignored by its servers' own mods2 rules. */
static void a_delete_beside_version_4_is_binary(void)
{
	static const uint8_t want[] =
		"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x14\x14root.sg.**";
	CLEANUP(buf_release) struct buf b;
	struct job one = {
		.database = "root.sg", .name = "1-1-0-0", .version = 4};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_file(&b, 0, &one) == 0);
	CHECK(add_delete(&b, 1, "root.sg", "DELETION,root.sg.**,77,2,100\n", 1,
			 20) == 0);
	CHECK(load(&b) == 0 && strstr(answers, "job=1\tresult=applied\n"));
	CHECK(holds(ONE ".mods2", want, sizeof want - 1));
}

static void a_restate_removes_devices(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg", .name = "1-1-0-0"};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_file(&b, 0, &one) == 0);
	add_restate(&b, 1, "root.sg", "root.sg.d1\nroot.sg.`a,b`\n");
	CHECK(load(&b) == 0 && strstr(answers, "job=1\tresult=applied\n"));
	CHECK(says(ONE ".mods", RECORD("root.sg.d1.*", "3", "20")
					RECORD("root.sg.`a,b`.*", "3", "20")));
}

static void torn_records_do_not_apply(void)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0);
	CHECK(add_delete(&b, 0, "root.sg",
			 "DELETION,root.sg.**,77,5,100\nDELETION,root", 0,
			 9) == 0);
	CHECK(load(&b) == 0);
	CHECK(strstr(answers, "job=0\tresult=quarantine") &&
	      strstr(answers, "torn"));
}

static int add_schema(struct buf *out, int id, const char *text)
{
	int r;

	add_common(out, id, "SCHEMA", "root.sg");
	r = stage_part(out, "path", id, ".records", text, strlen(text));
	job_addf(out, "length", "%zu", strlen(text));
	buf_adds(out, "\n");
	return r;
}

static void schema_is_appended_once(void)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_schema(&b, 0, "A") == 0 && load(&b) == 0);
	CHECK_STR(answers, "job=0\tresult=applied\n");
	CHECK(add_schema(&b, 0, "B\n") == 0 && load(&b) == 0);
	CHECK(add_schema(&b, 0, "B\n") == 0 && load(&b) == 0);
	CHECK(says("root.sg/schema.sql", "A\nB\n"));
}

static void the_end_of_a_database_is_its_rows(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg", .name = "1-1-0-0"};
	struct job two = {.database = "root.sg",
			  .name = "2-2-0-0",
			  .space = "unsequence",
			  .partition = 3};
	struct job again = {.database = "root.sg", .name = "9-9-0-0"};
	struct job other = {.database = "root.sg.x", .name = "3-3-0-0"};
	const char *all = "DELETION,root.sg.**,9223372036854775807,"
			  "-9223372036854775808,9223372036854775807\n";

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && add_file(&b, 0, &one) == 0 &&
	      add_file(&b, 1, &two) == 0 && add_file(&b, 2, &other) == 0);
	CHECK(add_schema(&b, 3, "DELETE DATABASE root.sg\n") == 0 &&
	      add_file(&b, 4, &again) == 0 && load(&b) == 0);
	CHECK(strstr(answers, "job=3\tresult=applied\n"));
	CHECK(says(ONE ".mods", all));
	CHECK(says("root.sg/unsequence/1/3/2-2-0-0.tsfile.mods", all));
	CHECK(!is_there("edge-1/root.sg.x/sequence/1/0/3-3-0-0.tsfile.mods"));
	CHECK(!is_there("edge-1/root.sg/sequence/1/0/9-9-0-0.tsfile.mods"));
	CHECK(says("root.sg/schema.sql", "DELETE DATABASE root.sg\n"));
}

static void paths_stay_below(void)
{
	static const char *const bad[] = {"..", "a/b", ".hidden", ""};
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct job one = {.database = bad[i], .name = "1-1-0-0"};

		CHECK(fresh() == 0 && add_file(&b, 0, &one) == 0 &&
		      load(&b) == 0);
		CHECK(strstr(answers, "job=0\tresult=quarantine") &&
		      strstr(answers, "database"));
	}
	CHECK(fresh() == 0 && add_file(&b, 0,
				       &(struct job){.database = "root.sg",
						     .name = "../x"}) == 0);
	CHECK(load(&b) == 0 && strstr(answers, "job=0\tresult=quarantine"));
	/* a symbolic link inside the archive leads nowhere */
	CHECK(fresh() == 0 && mkdir(archive, 0700) == 0 && chdir(archive) == 0);
	CHECK(symlink("/tmp", "edge-1") == 0);
	CHECK(add_file(&b, 0,
		       &(struct job){.database = "root.sg",
				     .name = "1-1-0-0"}) == 0);
	CHECK(load(&b) == 0 && !strstr(answers, "applied"));
}

static void temporaries_of_a_killed_loader_go(void)
{
	CLEANUP(buf_release) struct buf b;
	struct loader l = {0};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && mkdir(archive, 0700) == 0 && chdir(archive) == 0);
	CHECK(mkdir(".tsferry-new", 0700) == 0 &&
	      put(".tsferry-new", "7", "x", 1) == 0);
	CHECK(start(&l) == 0 && batch(&l, &b) == 0);
	CHECK(!is_there(".tsferry-new"));
	CHECK(stop(&l) == 0);
}

static void what_is_no_job_stops(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg", .name = "1-1-0-0"};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0);
	buf_adds(&b, "rubbish\n");
	CHECK(add_file(&b, 1, &one) == 0 && load(&b) == 0);
	CHECK(strstr(answers, "result=stop") &&
	      strstr(answers, "job=1\tresult=held\n"));
}

static void an_archive_that_can_not_be_opened_stops(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg", .name = "1-1-0-0"};
	struct loader l = {0};

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 &&
	      put(test_dir(), strrchr(archive, '/') + 1, "x", 1) == 0);
	CHECK(start(&l) == 0 && add_file(&b, 0, &one) == 0 &&
	      batch(&l, &b) == 0);
	CHECK(strstr(answers, "job=0\tresult=stop\ttext=archive_dir"));
	/* mended while it runs */
	CHECK(unlink(archive) == 0 && batch(&l, &b) == 0);
	CHECK(add_file(&b, 0, &one) == 0 && batch(&l, &b) == 0);
	CHECK_STR(answers, "job=0\tresult=applied\n");
	CHECK(stop(&l) == 0);
}

/* Nobody would ever hear of the next batch either: recvd sees its end, not a silence. */
static void answers_that_can_not_be_given_end_it(void)
{
	CLEANUP(buf_release) struct buf b;
	struct job one = {.database = "root.sg", .name = "1-1-0-0"};
	struct loader l = {0};
	int status;

	buf_init(&b, 1u << 20);
	CHECK(fresh() == 0 && start(&l) == 0);
	CHECK(fclose(l.from) == 0);
	l.from = NULL;
	CHECK(add_file(&b, 0, &one) == 0);
	buf_adds(&b, "end\n");
	CHECK(fwrite(buf_data(&b), 1, b.len, l.to) == b.len &&
	      fflush(l.to) == 0);
	CHECK(waitpid(l.pid, &status, 0) == l.pid && WIFEXITED(status) &&
	      WEXITSTATUS(status) == 1);
	(void)fclose(l.to);
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	buf_init(&tsfile, 4u << 20);
	buf_init(&payload, 4u << 20);
	test_run("files get their place, with their deletions",
		 files_get_their_place);
	test_run("the same again changes nothing",
		 the_same_again_changes_nothing);
	test_run("another content replaces file and deletions",
		 another_content_replaces_file_and_deletions);
	test_run("a bad file is quarantined and holds its database",
		 bad_files_are_quarantined_and_hold_their_database);
	test_run("a torn or missing staged file is quarantined",
		 a_torn_file_is_quarantined);
	test_run("a DELETE stands beside every file of its database and times",
		 a_delete_stands_beside_every_file);
	test_run("a DELETE beside a file of version 4 is binary",
		 a_delete_beside_version_4_is_binary);
	test_run("a RESTATE removes devices in its range",
		 a_restate_removes_devices);
	test_run("torn records do not apply", torn_records_do_not_apply);
	test_run("schema is appended, once", schema_is_appended_once);
	test_run("the end of a database is a deletion of all of its rows",
		 the_end_of_a_database_is_its_rows);
	test_run("no name leads out of the archive", paths_stay_below);
	test_run("temporaries of a killed loader are removed",
		 temporaries_of_a_killed_loader_go);
	test_run("a line that is no job stops, and holds what follows",
		 what_is_no_job_stops);
	test_run("an archive that can not be opened stops, until it is mended",
		 an_archive_that_can_not_be_opened_stops);
	test_run("answers that can not be given end it",
		 answers_that_can_not_be_given_end_it);
	buf_release(&tsfile);
	buf_release(&payload);
	return test_end();
}
