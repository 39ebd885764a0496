#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "ground/fileio.h"
#include "test.h"

/* Stands before the C library's: counts, and fails when told to. */
static int n_syncs, fail_sync_at;

int fsync(int fd)
{
	if (++n_syncs == fail_sync_at) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static int dir_fd = -1;

/* A new empty directory for each test. */
static void enter(const char *name)
{
	char path[PATH_MAX];

	if (dir_fd >= 0)
		(void)close(dir_fd);
	(void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
	if (mkdir(path, 0755) < 0)
		exit(2);
	dir_fd = file_open_dir(path);
	if (dir_fd < 0)
		exit(2);
	n_syncs = 0;
	fail_sync_at = 0;
}

static int count_name(void *arg, const char *name, unsigned char d_type)
{
	(void)name;
	(void)d_type;
	++*(int *)arg;
	return 0;
}

static int n_names(void)
{
	int n = 0;

	return file_list(dir_fd, count_name, &n) < 0 ? -1 : n;
}

static int put(const char *name, const char *text)
{
	return file_replace(dir_fd, name, text, strlen(text), 0644);
}

/* The text of a file, or NULL; until the next call. */
static const char *text_of(const char *name)
{
	static struct buf b = {.max = 4096};

	buf_clear(&b);
	return file_read_all(dir_fd, name, &b) < 0 ? NULL : buf_str(&b);
}

static void exactly_n_bytes(void)
{
	CLEANUP_CLOSE int fd = -1;
	char to[8] = "";

	enter("exact");
	fd = file_open_beneath(dir_fd, "f", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK(file_pwrite(fd, "hello", 5, 3) == 0);
	CHECK(file_pread(fd, to, 5, 3) == 0 && !memcmp(to, "hello", 5));
	CHECK(file_pread(fd, to, 3, 0) == 0 && !memcmp(to, "\0\0", 3));
	CHECK(file_pread(fd, to, 6, 3) == -ENODATA);
	CHECK(file_pread(fd, to, 1, 100) == -ENODATA);
	CHECK(file_pread(fd, to, 0, 100) == 0);
	CHECK(file_pread(fd, to, 1, UINT64_MAX) == -EINVAL);
	CHECK(file_pread(-1, to, 1, 0) == -EBADF);
	CHECK(file_pwrite(-1, to, 1, 0) == -EBADF);
}

static void all_of_a_file(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP_FREE char *big = xcalloc(100001, 1);

	enter("all");
	memset(big, 'b', 100000);
	CHECK(put("big", big) == 0 && put("empty", "") == 0);
	buf_init(&b, 100003);
	buf_adds(&b, "abc");
	CHECK(file_read_all(dir_fd, "big", &b) == 0);
	CHECK(b.len == 100003 && !strncmp(buf_str(&b), "abcbbb", 6));
	CHECK(file_read_all(dir_fd, "empty", &b) == 0 && b.len == 100003);
	CHECK(file_read_all(dir_fd, "none", &b) == -ENOENT);
	CHECK(file_read_all(dir_fd, ".", &b) == -EISDIR);
	CHECK(buf_end(&b) == 0);
}

static void more_than_the_maximum(void)
{
	CLEANUP(buf_release) struct buf b;

	enter("maximum");
	CHECK(put("f", "12345") == 0);
	buf_init(&b, 5);
	CHECK(file_read_all(dir_fd, "f", &b) == 0);
	CHECK_STR(buf_str(&b), "12345");
	buf_release(&b);
	buf_init(&b, 4);
	CHECK(file_read_all(dir_fd, "f", &b) == -E2BIG && b.len == 0);
	buf_release(&b);
	buf_init(&b, 6);
	buf_adds(&b, "ab");
	CHECK(file_read_all(dir_fd, "f", &b) == -E2BIG);
	CHECK_STR(buf_str(&b), "ab");
	buf_adds(&b, "toolong");
	CHECK(file_read_all(dir_fd, "f", &b) == -E2BIG);
}

static void files_without_a_size(void)
{
	CLEANUP(buf_release) struct buf b;

	enter("sizeless");
	buf_init(&b, 1 << 20);
	CHECK(file_read_all(AT_FDCWD, "/proc/self/status", &b) == 0);
	CHECK(strstr(buf_str(&b), "VmRSS:"));
	CHECK(mkfifoat(dir_fd, "fifo", 0644) == 0);
	CHECK(file_read_all(dir_fd, "fifo", &b) == 0); /* and does not hang */
}

static void replaced_durably(void)
{
	struct stat st;

	enter("replace");
	CHECK(put("f", "old") == 0);
	CHECK(n_syncs == 2); /* the file and its directory */
	CHECK(file_replace(dir_fd, "f", "new", 3, 0600) == 0);
	CHECK_STR(text_of("f"), "new");
	CHECK(fstatat(dir_fd, "f", &st, 0) == 0 &&
	      (st.st_mode & 07777) == 0600);
	CHECK(n_names() == 1);
}

static void a_failed_fsync_leaves_the_old_file(void)
{
	enter("fsync");
	CHECK(put("f", "old") == 0);
	n_syncs = 0;
	fail_sync_at = 1;
	CHECK(put("f", "new") == -EIO);
	CHECK(n_syncs == 1); /* never asked twice */
	CHECK_STR(text_of("f"), "old");
	CHECK(n_names() == 1);
	n_syncs = 0;
	fail_sync_at = 2;
	CHECK(put("f", "new") == -EIO && n_syncs == 2);
	CHECK(n_names() == 1);
}

static void a_full_disk_leaves_the_old_file(void)
{
	struct rlimit old, small;
	static char big[8192];
	int r;

	enter("full");
	CHECK(put("f", "old") == 0);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	small = (struct rlimit){.rlim_cur = 4096, .rlim_max = old.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	r = file_replace(dir_fd, "f", big, sizeof big, 0644);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK(r == -EFBIG);
	CHECK_STR(text_of("f"), "old");
	CHECK(n_names() == 1);
}

static void what_a_crash_left_is_no_obstacle(void)
{
	CLEANUP_CLOSE int fd = -1;

	enter("crash");
	fd = file_open_beneath(dir_fd, ".f.new", O_CREAT | O_WRONLY, 0);
	CHECK(fd >= 0);
	CHECK(put("f", "text") == 0);
	CHECK_STR(text_of("f"), "text");
	CHECK(n_names() == 1);
}

static void names_to_replace_are_plain(void)
{
	char name[NAME_MAX + 1];

	enter("names");
	CHECK(put("a/b", "x") == -EINVAL);
	CHECK(put("../x", "x") == -EINVAL);
	CHECK(put("", "x") == -EINVAL);
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	CHECK(put(name, "x") == -ENAMETOOLONG);
	name[NAME_MAX - 5] = '\0';
	CHECK(put(name, "x") == 0);
	CHECK(mkdirat(dir_fd, "dir", 0755) == 0);
	CHECK(put("dir", "x") == -EISDIR);
	CHECK(n_names() == 2);
	CHECK(file_replace(-1, "f", "x", 1, 0644) == -EBADF);
}

static void nothing_leads_outside(void)
{
	CLEANUP_CLOSE int fd = -1;

	enter("beneath");
	CHECK(mkdirat(dir_fd, "sub", 0755) == 0 && put("f", "text") == 0);
	CHECK(symlinkat("f", dir_fd, "link") == 0);
	CHECK(symlinkat("sub", dir_fd, "dirlink") == 0);
	CHECK(file_open_beneath(dir_fd, "../beneath/f", O_RDONLY, 0) == -EXDEV);
	CHECK(file_open_beneath(dir_fd, "..", O_RDONLY, 0) == -EXDEV);
	CHECK(file_open_beneath(dir_fd, "/etc/passwd", O_RDONLY, 0) == -EXDEV);
	CHECK(file_open_beneath(dir_fd, "link", O_RDONLY, 0) == -ELOOP);
	CHECK(file_open_beneath(dir_fd, "dirlink/g", O_CREAT | O_WRONLY,
				0644) == -ELOOP);
	CHECK(file_open_beneath(dir_fd, "none", O_RDONLY, 0644) == -ENOENT);
	CHECK(file_open_beneath(dir_fd, "", O_RDONLY, 0) == -ENOENT);
	fd = file_open_beneath(dir_fd, "sub/../f", O_RDONLY, 0644);
	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
}

static void directories_are_made_durably(void)
{
	CLEANUP_CLOSE int fd = -1;
	struct stat a, b;

	enter("dirs");
	fd = file_make_dirs(dir_fd, "a/b//c/", 0750);
	CHECK(fd >= 0 && n_syncs == 3);
	CHECK(fstat(fd, &a) == 0 && fstatat(dir_fd, "a/b/c", &b, 0) == 0);
	CHECK(a.st_ino == b.st_ino && (a.st_mode & 0777) == 0750);
	(void)close(steal_fd(&fd));
	fd = file_make_dirs(dir_fd, "a/b/d", 0750);
	CHECK(fd >= 0 && n_syncs == 4); /* only what is new */
	(void)close(steal_fd(&fd));
	fd = file_make_dirs(dir_fd, "", 0750);
	CHECK(fd >= 0 && n_syncs == 4);
	CHECK(fstat(fd, &a) == 0 && fstat(dir_fd, &b) == 0);
	CHECK(a.st_ino == b.st_ino);
}

static void directories_that_cannot_be(void)
{
	char name[NAME_MAX + 2];

	enter("no-dirs");
	CHECK(put("file", "x") == 0);
	CHECK(symlinkat(".", dir_fd, "link") == 0);
	CHECK(file_make_dirs(dir_fd, "file/x", 0755) == -ENOTDIR);
	CHECK(file_make_dirs(dir_fd, "link/x", 0755) < 0);
	CHECK(faccessat(dir_fd, "x", F_OK, 0) < 0);
	CHECK(file_make_dirs(dir_fd, "../x", 0755) == -EXDEV);
	CHECK(file_make_dirs(dir_fd, "/x", 0755) == -EXDEV);
	memset(name, 'n', NAME_MAX + 1);
	name[NAME_MAX + 1] = '\0';
	CHECK(file_make_dirs(dir_fd, name, 0755) == -ENAMETOOLONG);
	n_syncs = 0;
	fail_sync_at = 1;
	CHECK(file_make_dirs(dir_fd, "y", 0755) == -EIO);
}

static int stop_at_second(void *arg, const char *name, unsigned char d_type)
{
	(void)name;
	if (d_type != DT_REG)
		return -EBADMSG;
	return ++*(int *)arg == 2 ? 77 : 0;
}

static void listing(void)
{
	int n = 0;

	enter("list");
	CHECK(n_names() == 0);
	CHECK(put("a", "") == 0 && put("b", "") == 0 && put(".c", "") == 0);
	CHECK(n_names() == 3);
	CHECK(n_names() == 3); /* the position of dir_fd did not move */
	CHECK(file_list(dir_fd, stop_at_second, &n) == 77 && n == 2);
	CHECK(file_list(-1, count_name, &n) == -EBADF);
	CHECK(file_open_dir("/nowhere/at/all") == -ENOENT);
	CHECK(file_open_dir("/proc/self/status") == -ENOTDIR);
}

static void space(void)
{
	uint64_t n_free = 0, total = 0;

	enter("space");
	CHECK(file_space(dir_fd, &n_free, &total) == 0);
	CHECK(total > 1 << 20 && n_free <= total);
	CHECK(file_space(-1, &n_free, &total) == -EBADF);
	CHECK(file_sync_dir(-1) == -EBADF);
}

/* openat2(2) answers ENOSYS from now on. */
static bool forbid_openat2(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(rules), .filter = rules};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
	       syscall(SYS_openat2, dir_fd, ".", NULL, 0) < 0 &&
	       errno == ENOSYS;
}

/* The last test: the filter stays. */
static void nothing_leads_outside_without_openat2(void)
{
	CLEANUP_CLOSE int fd = -1;
	CLEANUP_CLOSE int sub = -1;

	enter("steps");
	CHECK(forbid_openat2());
	CHECK(mkdirat(dir_fd, "sub", 0755) == 0 && put("f", "text") == 0);
	CHECK(symlinkat("f", dir_fd, "link") == 0);
	CHECK(symlinkat("sub", dir_fd, "dirlink") == 0);
	CHECK(file_open_beneath(dir_fd, "../steps/f", O_RDONLY, 0) == -EXDEV);
	CHECK(file_open_beneath(dir_fd, "..", O_RDONLY, 0) == -EXDEV);
	CHECK(file_open_beneath(dir_fd, "sub/../f", O_RDONLY, 0) == -EXDEV);
	CHECK(file_open_beneath(dir_fd, "/etc/passwd", O_RDONLY, 0) == -EXDEV);
	CHECK(file_open_beneath(dir_fd, "link", O_RDONLY, 0) == -ELOOP);
	CHECK(file_open_beneath(dir_fd, "dirlink/g", O_CREAT | O_WRONLY,
				0644) == -ENOTDIR);
	CHECK(file_open_beneath(dir_fd, "none", O_RDONLY, 0644) == -ENOENT);
	CHECK(file_open_beneath(dir_fd, "", O_RDONLY, 0) == -ENOENT);
	CHECK(file_open_beneath(dir_fd, "f/", O_RDONLY, 0) == -ENOTDIR);
	fd = file_open_beneath(dir_fd, "sub/g", O_CREAT | O_EXCL | O_WRONLY,
			       0640);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	sub = file_make_dirs(dir_fd, "sub/x/y", 0755);
	CHECK(sub >= 0);
}

static void copied_whole(void)
{
	static uint8_t in[700001], out[700001];
	FILE *a = tmpfile(), *b = tmpfile();
	int full = open("/dev/full", O_RDWR), pipes[2];

	CHECK(a && b && full >= 0);
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 7 >> 3);
	CHECK(file_pwrite(fileno(a), in, sizeof in, 0) == 0);
	CHECK(file_copy(fileno(a), fileno(b)) == 0);
	CHECK(file_pread(fileno(b), out, sizeof out, 0) == 0);
	CHECK(memcmp(in, out, sizeof in) == 0);
	CHECK(lseek(fileno(b), 0, SEEK_END) == sizeof in);
	CHECK(lseek(fileno(a), 0, SEEK_SET) == 0);
	CHECK(file_copy(fileno(a), full) == -ENOSPC);
	CHECK(file_copy(-1, fileno(b)) == -EBADF);
	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	CHECK(lseek(fileno(a), 0, SEEK_SET) == 0);
	CHECK(file_copy(fileno(a), pipes[1]) == -ESPIPE);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	(void)close(full);
	(void)fclose(a);
	(void)fclose(b);
}

static void arrays_grow(void)
{
	uint32_t *v = NULL;
	size_t n = 0, cap = 0;

	for (; n < 1000; n++) {
		CHECK(array_room(&v, n, &cap, sizeof *v) == 0);
		CHECK(n < cap);
		v[n] = (uint32_t)n;
	}
	for (size_t i = 0; i < n; i++)
		CHECK(v[i] == i);
	free(v);
}

/* Only what is certainly not there is -ENOENT. */
static void sizes_and_what_is_not_there(void)
{
	CLEANUP_CLOSE int dir = file_open_dir(test_dir());
	char name[NAME_MAX + 2];

	CHECK(file_replace(dir, "sized", "12345", 5, 0644) == 0);
	CHECK(file_size_at(dir, "sized") == 5);
	CHECK(file_size_at(dir, "absent") == -ENOENT);
	CHECK(file_size_at(dir, "sized/below") == -ENOENT);
	CHECK(symlinkat("sized", dir, "led") == 0);
	CHECK(file_size_at(dir, "led") == 5);
	CHECK(symlinkat("nowhere", dir, "misled") == 0);
	CHECK(file_size_at(dir, "misled") == 7);
	CHECK(symlinkat("round", dir, "round") == 0);
	CHECK(file_size_at(dir, "round/below") == -ELOOP);
	memset(name, 'n', NAME_MAX + 1);
	name[NAME_MAX + 1] = 0;
	CHECK(file_size_at(dir, name) == -ENAMETOOLONG);
}

int main(void)
{
	(void)umask(022);
	test_run("copied whole, or an errno", copied_whole);
	test_run("arrays grow", arrays_grow);
	test_run("exactly n bytes", exactly_n_bytes);
	test_run("all of a file", all_of_a_file);
	test_run("more than the maximum", more_than_the_maximum);
	test_run("files without a size", files_without_a_size);
	test_run("replaced durably", replaced_durably);
	test_run("a failed fsync", a_failed_fsync_leaves_the_old_file);
	test_run("a full disk", a_full_disk_leaves_the_old_file);
	test_run("left by a crash", what_a_crash_left_is_no_obstacle);
	test_run("names to replace are plain", names_to_replace_are_plain);
	test_run("nothing leads outside", nothing_leads_outside);
	test_run("directories are made durably", directories_are_made_durably);
	test_run("directories that cannot be", directories_that_cannot_be);
	test_run("listing", listing);
	test_run("space", space);
	test_run("nothing leads outside where openat2 is forbidden",
		 nothing_leads_outside_without_openat2);
	test_run("sizes, and what is certainly not there",
		 sizes_and_what_is_not_there);
	return test_end();
}
