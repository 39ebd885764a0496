#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "domain/statedir.h"
#include "ground/fileio.h"
#include "test.h"

#define HOST "11112222333344445555666677778888"
#define OTHER "99990000aaaabbbbccccddddeeeeffff"

static char path_buf[4][600];

static const char *path_of(int k, const char *name)
{
	(void)snprintf(path_buf[k], sizeof path_buf[k], "%s/%s", test_dir(),
		       name);
	return path_buf[k];
}

static int put(const char *path, const char *text)
{
	CLEANUP_CLOSE int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : file_pwrite(fd, text, strlen(text), 0);
}

static int holds(const char *path, const char *text)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 4096);
	return file_read_all(AT_FDCWD, path, &b) == 0 &&
	       strcmp(buf_str(&b), text) == 0;
}

/* Opened, founded and with a catalog: what a daemon leaves behind. */
static int found(struct statedir *d, const char *path, const char *machine)
{
	char catalog[700];

	(void)snprintf(catalog, sizeof catalog, "%s/catalog.db", path);
	if (statedir_open(d, path, machine, NULL) < 0 || !d->is_new)
		return -1;
	if (statedir_found(d, NULL) < 0 || put(catalog, "catalog") < 0)
		return -1;
	return statedir_match_catalog(d, d->instance, NULL);
}

static void ids(void)
{
	uint8_t a[ID_LEN], b[ID_LEN];
	char text[ID_LEN * 2 + 2];

	id_random(a, sizeof a);
	id_random(b, sizeof b);
	CHECK(memcmp(a, b, sizeof a) != 0);
	id_text(a, text);
	CHECK(strlen(text) == 32);
	CHECK(id_parse(text, b) == 0);
	CHECK(memcmp(a, b, sizeof a) == 0);
	CHECK(id_parse("00112233445566778899aabbccddeeff", b) == 0);
	CHECK(b[0] == 0 && b[1] == 0x11 && b[15] == 0xff);
	CHECK(id_parse("", b) == -EINVAL);
	CHECK(id_parse("00112233445566778899aabbccddeef", b) == -EINVAL);
	CHECK(id_parse("00112233445566778899aabbccddeeff0", b) == -EINVAL);
	CHECK(id_parse("00112233445566778899AABBCCDDEEFF", b) == -EINVAL);
	CHECK(id_parse("0011223344556677 899aabbccddeeff", b) == -EINVAL);
	CHECK(b[15] == 0xff);
}

static void first_and_second_start(void)
{
	struct statedir d, again;
	const char *path = path_of(0, "first");
	char text[ID_LEN * 2 + 2];
	struct stat st;

	CHECK(put(path_of(1, "host"), HOST "\n") == 0);
	CHECK(found(&d, path, path_buf[1]) == 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700);
	id_text(d.instance, text);
	(void)strcat(text, "\n");
	CHECK(holds(path_of(2, "first/instance"), text));
	CHECK(holds(path_of(2, "first/machine-id"), HOST "\n"));
	CHECK(d.is_new);
	statedir_close(&d);
	CHECK(d.fd == -1 && d.lock_fd == -1);
	statedir_close(&d);

	CHECK(statedir_open(&again, path, path_buf[1], NULL) == 0);
	CHECK(!again.is_new);
	CHECK(memcmp(again.instance, d.instance, ID_LEN) == 0);
	CHECK(statedir_match_catalog(&again, d.instance, NULL) == 0);
	statedir_close(&again);
}

static void second_opener(void)
{
	struct statedir d, other;
	struct err e = {0};
	char pid[64];

	CHECK(statedir_open(&d, path_of(0, "locked"), "/nonexistent", NULL) ==
	      0);
	CHECK(statedir_open(&other, path_buf[0], "/nonexistent", &e) == -EBUSY);
	(void)snprintf(pid, sizeof pid,
		       "in use by process %ld:", (long)getpid());
	CHECK(strstr(e.text, pid));
	CHECK(strstr(e.text, path_buf[0]));
	CHECK(strstr(e.text, "stop that one first"));
	CHECK(other.fd == -1 && other.lock_fd == -1);
	CHECK(put(path_of(1, "locked/lock"), "") == 0);
	CHECK(statedir_open(&other, path_buf[0], "/nonexistent", &e) == -EBUSY);
	CHECK(strstr(e.text, "process of unknown id"));
	statedir_close(&d);
	CHECK(statedir_open(&d, path_buf[0], "/nonexistent", NULL) == 0);
	statedir_close(&d);
}

/* The lock goes with its process, however that ends; its pid in the file does not. */
static void lock_of_the_dead(void)
{
	struct statedir d;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (statedir_open(&d, path_of(0, "dead"), "/nonexistent",
				  NULL) < 0)
			_exit(1);
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(statedir_open(&d, path_of(0, "dead"), "/nonexistent", NULL) == 0);
	statedir_close(&d);
}

static void copied_to_another_machine(void)
{
	struct statedir d;
	struct err e = {0};
	char want[4096];

	CHECK(put(path_of(1, "host-a"), HOST "\n") == 0);
	CHECK(put(path_of(2, "host-b"), OTHER "\n") == 0);
	CHECK(found(&d, path_of(0, "copied"), path_buf[1]) == 0);
	statedir_close(&d);
	CHECK(statedir_open(&d, path_buf[0], path_buf[2], &e) == -ESTALE);
	(void)snprintf(want, sizeof want,
		       "state directory %s belongs to machine " HOST
		       ", this is machine " OTHER
		       ": if the directory moved here for good, run: cp %s "
		       "%s/machine-id; if this "
		       "host is a clone, remove %s to begin with an identity "
		       "of its own",
		       path_buf[0], path_buf[2], path_buf[0], path_buf[0]);
	CHECK_STR(e.text, want);
	CHECK(put(path_of(3, "copied/machine-id"), OTHER "\n") ==
	      0); /* the first cure */
	CHECK(statedir_open(&d, path_buf[0], path_buf[2], &e) == 0);
	CHECK(!d.is_new);
	statedir_close(&d);
}

static void hosts_without_an_id(void)
{
	struct statedir d;

	CHECK(put(path_of(1, "empty"), "\n") == 0);
	CHECK(put(path_of(2, "image"), "uninitialized\n") == 0);
	CHECK(put(path_of(3, "host-c"), HOST "\n") == 0);
	CHECK(found(&d, path_of(0, "nohost"), "/nonexistent") == 0);
	statedir_close(&d);
	CHECK(statedir_open(&d, path_buf[0], path_buf[1], NULL) == 0);
	statedir_close(&d);
	CHECK(statedir_open(&d, path_buf[0], path_buf[2], NULL) == 0);
	statedir_close(&d);
	CHECK(access(path_of(2, "nohost/machine-id"), F_OK) < 0);
	CHECK(statedir_open(&d, path_buf[0], path_buf[3], NULL) == 0);
	statedir_close(&d);
	CHECK(holds(path_buf[2], HOST "\n"));
	CHECK(statedir_open(&d, path_buf[0], "/nonexistent", NULL) == 0);
	statedir_close(&d);
}

static void lost_instance(void)
{
	struct statedir d;
	struct err e = {0};

	CHECK(found(&d, path_of(0, "lost"), "/nonexistent") == 0);
	statedir_close(&d);
	CHECK(unlink(path_of(1, "lost/instance")) == 0);
	CHECK(statedir_open(&d, path_buf[0], "/nonexistent", &e) == -ESTALE);
	CHECK(strstr(e.text, "/instance is lost while "));
	CHECK(strstr(e.text, "bring it back from a backup"));
	CHECK(d.fd == -1 && d.lock_fd == -1);
}

static void damaged_instance(void)
{
	static const char *const bad[] = {"", "0011", HOST "x\n",
					  HOST " found\n",
					  "00112233445566778899AABBCCDDEEFF\n"};
	struct statedir d;
	struct err e = {0};

	CHECK(statedir_open(&d, path_of(0, "damaged"), "/nonexistent", NULL) ==
	      0);
	statedir_close(&d);
	for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
		CHECK(put(path_of(1, "damaged/instance"), bad[k]) == 0);
		CHECK(statedir_open(&d, path_buf[0], "/nonexistent", &e) ==
		      -EBADMSG);
		CHECK(strstr(e.text, "expected 32 hexadecimal digits"));
	}
}

static void lost_catalog(void)
{
	struct statedir d;
	struct err e = {0};
	uint8_t other[ID_LEN] = {1};

	CHECK(found(&d, path_of(0, "cat"), "/nonexistent") == 0);
	CHECK(statedir_match_catalog(&d, NULL, &e) == 0);
	CHECK(statedir_match_catalog(&d, other, &e) == -ESTALE);
	statedir_close(&d);
	CHECK(unlink(path_of(1, "cat/catalog.db")) == 0);
	CHECK(statedir_open(&d, path_buf[0], "/nonexistent", NULL) == 0);
	CHECK(!d.is_new);
	CHECK(statedir_match_catalog(&d, NULL, &e) == -ESTALE);
	CHECK(strstr(e.text, "is lost: bring catalog.db back from a backup"));
	CHECK(statedir_match_catalog(&d, other, &e) == -ESTALE);
	CHECK(strstr(e.text, "catalog.db belongs to instance 01000000"));
	statedir_close(&d);
}

/* kill -9 between the instance and the catalog: the same first start again. */
static void first_start_cut_off(void)
{
	struct statedir d, again;

	CHECK(statedir_open(&d, path_of(0, "cut"), "/nonexistent", NULL) == 0);
	CHECK(statedir_found(&d, NULL) == 0);
	statedir_close(&d);
	CHECK(statedir_open(&again, path_buf[0], "/nonexistent", NULL) == 0);
	CHECK(again.is_new);
	CHECK(memcmp(again.instance, d.instance, ID_LEN) == 0);
	CHECK(statedir_found(&again, NULL) == 0);
	CHECK(memcmp(again.instance, d.instance, ID_LEN) == 0);
	CHECK(put(path_of(1, "cut/catalog.db"), "x") == 0);
	CHECK(statedir_match_catalog(&again, again.instance, NULL) == 0);
	statedir_close(&again);
	CHECK(statedir_open(&again, path_buf[0], "/nonexistent", NULL) == 0);
	CHECK(!again.is_new);
	statedir_close(&again);
}

/* An owner that only matches its directories ends the first start as well. */
static void matching_ends_the_first_start(void)
{
	struct statedir d;
	int dir;

	CHECK(mkdir(path_of(1, "staging0"), 0700) == 0);
	dir = open(path_buf[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(statedir_open(&d, path_of(0, "ends"), "/nonexistent", NULL) == 0);
	CHECK(statedir_found(&d, NULL) == 0);
	CHECK(put(path_of(2, "ends/catalog.db"), "x") == 0);
	CHECK(statedir_match(&d, dir, path_buf[1], NULL) == 0);
	statedir_close(&d);
	CHECK(statedir_open(&d, path_buf[0], "/nonexistent", NULL) == 0);
	CHECK(!d.is_new);
	statedir_close(&d);
	(void)close(dir);
}

static void directories(void)
{
	struct statedir d, other;
	struct err e = {0};
	char text[ID_LEN * 2 + 2];
	int dir;

	CHECK(found(&d, path_of(0, "one"), "/nonexistent") == 0);
	CHECK(found(&other, path_of(1, "two"), "/nonexistent") == 0);
	CHECK(mkdir(path_of(2, "staging"), 0700) == 0);
	dir = open(path_buf[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir >= 0);

	/* new and empty (but for what a file system has of its own): marked */
	CHECK(mkdir(path_of(3, "staging/lost+found"), 0700) == 0);
	CHECK(statedir_match(&d, dir, path_buf[2], NULL) == 0);
	id_text(d.instance, text);
	(void)strcat(text, "\n");
	CHECK(holds(path_of(3, "staging/instance"), text));
	CHECK(put(path_of(3, "staging/1-1-0-0.tsfile"), "data") == 0);
	CHECK(statedir_match(&d, dir, path_buf[2], NULL) == 0);

	CHECK(statedir_match(&other, dir, path_buf[2], &e) == -ESTALE);
	text[32] = '\0';
	CHECK(strstr(e.text, text));
	id_text(other.instance, text);
	CHECK(strstr(e.text, text));
	CHECK(strstr(e.text,
		     "bring back the catalog that belongs to the directory"));

	/* not empty and nobody's: never taken over */
	CHECK(unlink(path_of(3, "staging/instance")) == 0);
	CHECK(statedir_match(&d, dir, path_buf[2], &e) == -ESTALE);
	CHECK(strstr(e.text, "is not empty and has no file instance"));

	CHECK(put(path_buf[3], "garbage\n") == 0);
	CHECK(statedir_match(&d, dir, path_buf[2], &e) == -EBADMSG);
	statedir_close(&d);
	statedir_close(&other);
	(void)close(dir);
}

static void unusable_paths(void)
{
	struct statedir d;
	struct err e = {0};
	char longest[600];

	CHECK(statedir_open(&d, path_of(0, "missing/below"), "/nonexistent",
			    &e) == -ENOENT);
	CHECK(strstr(e.text, "cannot make the state directory"));
	CHECK(put(path_of(0, "plain"), "x") == 0);
	CHECK(statedir_open(&d, path_buf[0], "/nonexistent", &e) == -ENOTDIR);
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	CHECK(statedir_open(&d, longest, "/nonexistent", &e) == -ENAMETOOLONG);
	CHECK(d.fd == -1 && d.lock_fd == -1);
	CHECK(mkdir(path_of(0, "linked"), 0700) == 0);
	CHECK(symlink("/etc/passwd", path_of(1, "linked/lock")) == 0);
	CHECK(statedir_open(&d, path_buf[0], "/nonexistent", &e) == -ELOOP);
}

int main(void)
{
	test_run("ids in and out of text", ids);
	test_run("the second start finds what the first one made",
		 first_and_second_start);
	test_run("a second opener is refused with the holder's pid",
		 second_opener);
	test_run("a dead process holds no lock", lock_of_the_dead);
	test_run("a copy on another machine is refused with both cures",
		 copied_to_another_machine);
	test_run("a host without an id is not checked", hosts_without_an_id);
	test_run("a lost instance beside a catalog is refused", lost_instance);
	test_run("a damaged instance is refused", damaged_instance);
	test_run("a lost or foreign catalog is refused", lost_catalog);
	test_run("a first start that was cut off is begun again",
		 first_start_cut_off);
	test_run("matching a directory ends the first start",
		 matching_ends_the_first_start);
	test_run("directories: new marked, foreign and unmarked refused",
		 directories);
	test_run("paths that can not be a state directory", unusable_paths);
	return test_end();
}
