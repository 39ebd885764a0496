#include "statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "ground/fileio.h"

#define INSTANCE "instance"
#define CATALOG "catalog.db"
#define ID_TEXT_LEN (ID_LEN * 2 + 1)
#define SMALL_FILE 4096

/* The mark of a first start that has not come to its catalog yet, behind the id in
 * `instance`: a start that was cut off there is begun again, not refused. */
#define FOUNDING " founding"

void id_random(void *to, size_t n)
{
	uint8_t *p = to;

	while (n > 0) {
		ssize_t r = getrandom(p, n, 0);

		if (r < 0 && errno != EINTR) {
			(void)fprintf(stderr, "getrandom: %s\n",
				      err_words(errno));
			abort();
		}
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		}
	}
}

void id_text(const uint8_t id[ID_LEN], char to[ID_LEN * 2 + 1])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < ID_LEN; i++) {
		to[2 * i] = hex[id[i] >> 4];
		to[2 * i + 1] = hex[id[i] & 15];
	}
	to[2 * ID_LEN] = '\0';
}

int id_parse(const char *text, uint8_t id[ID_LEN])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t new[ID_LEN] = {0};

	if (strnlen(text, ID_TEXT_LEN) != ID_TEXT_LEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < ID_TEXT_LEN - 1; i++) {
		const char *at = strchr(hex, text[i]);

		if (!at)
			return -EINVAL;
		new[i / 2] = (uint8_t)(new[i / 2] << 4 | (at - hex));
	}
	memcpy(id, new, ID_LEN);
	return 0;
}

/* A small file of one line without its newline. 1, or 0 when there is none. */
static int read_line(int dir_fd, const char *name, char *to, size_t size)
{
	CLEANUP(buf_release) struct buf b;
	size_t n;
	int r;

	to[0] = '\0';
	buf_init(&b, SMALL_FILE);
	r = file_read_all(dir_fd, name, &b);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	n = strcspn(buf_str(&b), "\n");
	if (n >= size)
		return -E2BIG;
	memcpy(to, buf_str(&b), n);
	to[n] = '\0';
	return 1;
}

static int write_line(int dir_fd, const char *name, const char *text,
		      const char *more)
{
	char line[256];
	int n = snprintf(line, sizeof line, "%s%s\n", text, more);

	if (n < 0 || (size_t)n >= sizeof line)
		return -E2BIG;
	return file_replace(dir_fd, name, line, (size_t)n, 0600);
}

/* 1 and the id of the `instance` in a directory; 0 when there is none. */
static int read_instance(int dir_fd, const char *path, uint8_t id[ID_LEN],
			 bool *is_founding, struct err *e)
{
	char line[128];
	size_t n = ID_TEXT_LEN - 1;
	int r = read_line(dir_fd, INSTANCE, line, sizeof line);

	if (r < 0 && r != -E2BIG)
		return err_set(e, -r, "cannot read %s/" INSTANCE ": %s", path,
			       err_words(-r));
	if (r == 0)
		return 0;
	*is_founding = strlen(line) > n && strcmp(line + n, FOUNDING) == 0;
	if (*is_founding)
		line[n] = '\0';
	if (r < 0 || id_parse(line, id) < 0)
		return err_set(
			e, EBADMSG,
			"%s/" INSTANCE
			" is damaged: expected 32 hexadecimal digits, it has "
			"'%.40s': bring it back from a backup; the catalog and "
			"the other "
			"directories carry the same id",
			path, line);
	return 1;
}

static int open_dir(struct statedir *d, struct err *e)
{
	bool is_made = mkdir(d->path, 0700) == 0;

	if (!is_made && errno != EEXIST)
		return err_set(e, errno,
			       "cannot make the state directory %s: %s",
			       d->path, err_words(errno));
	d->fd = file_open_dir(d->path);
	if (d->fd < 0)
		return err_set(e, -d->fd,
			       "cannot open the state directory %s: %s",
			       d->path, err_words(-d->fd));
	if (is_made) {
		CLEANUP_CLOSE int parent =
			openat(d->fd, "..", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		int r = parent < 0 ? -errno : file_sync_dir(parent);

		if (r < 0)
			return err_set(e, -r, "cannot make %s durable: %s",
				       d->path, err_words(-r));
	}
	return 0;
}

/* Says who has the lock, as far as the holder wrote it down already. */
static int say_locked(const struct statedir *d, struct err *e)
{
	char pid[24];

	if (read_line(d->fd, "lock", pid, sizeof pid) <= 0 || !pid[0])
		(void)snprintf(pid, sizeof pid, "of unknown id");
	return err_set(e, EBUSY,
		       "state directory %s is in use by process %s: stop that "
		       "one first, or give "
		       "this one a state_dir of its own",
		       d->path, pid);
}

static int lock(struct statedir *d, struct err *e)
{
	char pid[24];
	int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid()), r;

	d->lock_fd = openat(d->fd, "lock",
			    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->lock_fd < 0)
		return err_set(e, errno, "cannot open %s/lock: %s", d->path,
			       err_words(errno));
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return say_locked(d, e);
		return err_set(e, errno, "cannot lock %s/lock: %s", d->path,
			       err_words(errno));
	}
	r = ftruncate(d->lock_fd, 0) < 0
		    ? -errno
		    : file_pwrite(d->lock_fd, pid, (size_t)n, 0);
	if (r < 0)
		return err_set(e, -r, "cannot write %s/lock: %s", d->path,
			       err_words(-r));
	return 0;
}

/* A host without an id, or with the word that stands in an image that never booted, is not
 * checked. */
static int check_machine(struct statedir *d, const char *host_path,
			 struct err *e)
{
	char host[128], own[128];
	int r = read_line(AT_FDCWD, host_path, host, sizeof host);

	if (r <= 0 || !host[0] || strcmp(host, "uninitialized") == 0)
		return 0;
	r = read_line(d->fd, "machine-id", own, sizeof own);
	if (r < 0)
		return err_set(e, -r, "cannot read %s/machine-id: %s", d->path,
			       err_words(-r));
	if (r == 0 || !own[0]) {
		r = write_line(d->fd, "machine-id", host, "");
		if (r < 0)
			return err_set(e, -r, "cannot write %s/machine-id: %s",
				       d->path, err_words(-r));
		return 0;
	}
	if (strcmp(host, own) == 0)
		return 0;
	return err_set(e, ESTALE,
		       "state directory %s belongs to machine %s, this is "
		       "machine %s: if the "
		       "directory moved here for good, run: cp %s "
		       "%s/machine-id; if this host is a "
		       "clone, remove %s to begin with an identity of its own",
		       d->path, own, host, host_path, d->path, d->path);
}

static bool has_catalog(const struct statedir *d)
{
	return faccessat(d->fd, CATALOG, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int load_instance(struct statedir *d, struct err *e)
{
	bool is_founding = false;
	int r = read_instance(d->fd, d->path, d->instance, &is_founding, e);

	if (r < 0)
		return r;
	d->is_new = r == 0 || is_founding;
	if (r == 0 && has_catalog(d))
		return err_set(e, ESTALE,
			       "%s/" INSTANCE " is lost while %s/" CATALOG
			       " is there: bring it "
			       "back from a backup, or copy the file " INSTANCE
			       " from the spool or "
			       "staging directory that belongs to it",
			       d->path, d->path);
	return 0;
}

int statedir_open(struct statedir *d, const char *path,
		  const char *machine_id_path, struct err *e)
{
	int r;

	memset(d, 0, sizeof *d);
	d->fd = d->lock_fd = -1;
	if (strlen(path) >= sizeof d->path)
		return err_set(
			e, ENAMETOOLONG,
			"state_dir has %zu bytes, at most %zu are possible",
			strlen(path), sizeof d->path - 1);
	memcpy(d->path, path, strlen(path) + 1);
	r = open_dir(d, e);
	if (r == 0)
		r = lock(d, e);
	if (r == 0)
		r = check_machine(d, machine_id_path, e);
	if (r == 0)
		r = load_instance(d, e);
	if (r < 0)
		statedir_close(d);
	return r;
}

void statedir_close(struct statedir *d)
{
	cleanup_close(&d->lock_fd);
	cleanup_close(&d->fd);
	d->fd = d->lock_fd = -1;
}

static int write_instance(const struct statedir *d, int dir_fd,
			  const char *path, const char *more, struct err *e)
{
	char text[ID_TEXT_LEN];
	int r;

	id_text(d->instance, text);
	r = write_line(dir_fd, INSTANCE, text, more);
	if (r < 0)
		return err_set(e, -r, "cannot write %s/" INSTANCE ": %s", path,
			       err_words(-r));
	return 0;
}

int statedir_found(struct statedir *d, struct err *e)
{
	static const uint8_t none[ID_LEN];

	if (memcmp(d->instance, none, ID_LEN) != 0)
		return 0; /* a first start that was cut off keeps its id */
	id_random(d->instance, ID_LEN);
	return write_instance(d, d->fd, d->path, FOUNDING, e);
}

/* The first start is over as soon as there is a catalog. */
static int end_founding(const struct statedir *d, struct err *e)
{
	char line[128];

	if (!d->is_new || !has_catalog(d))
		return 0;
	if (read_line(d->fd, INSTANCE, line, sizeof line) == 1 &&
	    !strstr(line, FOUNDING))
		return 0;
	return write_instance(d, d->fd, d->path, "", e);
}

/* For file_list(): stops at the first name that somebody's data may have; not at a
 * mark whose writing was cut off. */
static int is_occupied(void *arg, const char *name, unsigned char d_type)
{
	(void)arg;
	(void)d_type;
	return strcmp(name, "lost+found") != 0 &&
	       strcmp(name, "." INSTANCE ".new") != 0;
}

static int match_mark(const struct statedir *d, int dir_fd,
		      const char *dir_path, struct err *e)
{
	char theirs[ID_TEXT_LEN], ours[ID_TEXT_LEN];
	uint8_t id[ID_LEN];
	bool is_founding = false;
	int r = read_instance(dir_fd, dir_path, id, &is_founding, e);

	if (r < 0)
		return r;
	id_text(d->instance, ours);
	if (r == 1 && memcmp(id, d->instance, ID_LEN) == 0)
		return 0;
	if (r == 1) {
		id_text(id, theirs);
		return err_set(e, ESTALE,
			       "directory %s belongs to instance %s, the "
			       "catalog in %s is of "
			       "instance %s: bring back the catalog that "
			       "belongs to the directory, "
			       "or, if what it holds may go, empty it with its "
			       "file " INSTANCE,
			       dir_path, theirs, d->path, ours);
	}
	r = file_list(dir_fd, is_occupied, NULL);
	if (r < 0)
		return err_set(e, -r, "cannot list %s: %s", dir_path,
			       err_words(-r));
	if (r > 0)
		return err_set(
			e, ESTALE,
			"directory %s is not empty and has no file " INSTANCE
			", so it does not belong to instance %s of %s: name "
			"another "
			"directory, or, if what it holds may go, empty it",
			dir_path, ours, d->path);
	return write_instance(d, dir_fd, dir_path, "", e);
}

int statedir_match(const struct statedir *d, int dir_fd, const char *dir_path,
		   struct err *e)
{
	int r = end_founding(d, e);

	return r < 0 ? r : match_mark(d, dir_fd, dir_path, e);
}

int statedir_match_catalog(const struct statedir *d, const uint8_t *catalog,
			   struct err *e)
{
	char theirs[ID_TEXT_LEN], ours[ID_TEXT_LEN];

	id_text(d->instance, ours);
	if (!catalog) {
		if (d->is_new)
			return 0;
		return err_set(e, ESTALE,
			       "the catalog of %s (instance %s) is lost: "
			       "bring " CATALOG
			       " back from a backup; to begin anew without "
			       "what it knew, remove %s "
			       "and the directories that belong to it",
			       d->path, ours, d->path);
	}
	if (memcmp(catalog, d->instance, ID_LEN) == 0)
		return end_founding(d, e);
	id_text(catalog, theirs);
	return err_set(
		e, ESTALE,
		"%s/" CATALOG
		" belongs to instance %s, the state directory is instance %s: "
		"bring back the catalog and the directory from the same backup",
		d->path, theirs, ours);
}
