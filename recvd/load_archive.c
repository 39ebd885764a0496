#include "load_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "domain/tsfile.h"
#include "ground/fileio.h"
#include "load_times.h"
#include "schema_text.h"

/* ---- the directory ---- */

static int make_path(const char *path)
{
	char part[4096];

	if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
		return -ENAMETOOLONG;
	for (char *p = part + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = c;
		if (!c)
			return 0;
	}
}

static int remove_one(void *arg, const char *name, unsigned char d_type)
{
	const int *fd = arg;

	(void)d_type;
	return unlinkat(*fd, name, 0) < 0 ? -errno : 0;
}

static int remove_temporaries(struct archive *a)
{
	int r = 0;

	if (a->tmp_fd < 0)
		a->tmp_fd = file_open_beneath(a->fd, ARCHIVE_TEMPORARY,
					      O_RDONLY | O_DIRECTORY, 0);
	if (a->tmp_fd < 0)
		return a->tmp_fd == -ENOENT ? 0 : a->tmp_fd;
	r = file_list(a->tmp_fd, remove_one, &a->tmp_fd);
	cleanup_close(&a->tmp_fd);
	a->tmp_fd = -1;
	if (r >= 0 && unlinkat(a->fd, ARCHIVE_TEMPORARY, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

int archive_open(struct archive *a, const char *path, struct err *e)
{
	int r = make_path(path);

	*a = (struct archive){.fd = -1, .tmp_fd = -1, .last_fd = -1};
	if (r >= 0)
		a->fd = file_open_dir(path);
	if (r >= 0 && a->fd < 0)
		r = a->fd;
	if (r >= 0)
		r = remove_temporaries(a);
	if (r < 0)
		return err_set(e, -r, "archive_dir %s: %s", path,
			       err_words(-r));
	return 0;
}

void archive_close(struct archive *a)
{
	if (a->tmp_fd >= 0)
		(void)!remove_temporaries(a);
	cleanup_close(&a->last_fd);
	cleanup_close(&a->fd);
	a->last_fd = a->fd = -1;
	times_free(a->times);
	a->times = NULL;
}

int archive_sync(struct archive *a, struct err *e)
{
	int r = remove_temporaries(a);

	/* Somebody may move a directory away between two batches. */
	cleanup_close(&a->last_fd);
	a->last_fd = -1;
	if (r >= 0 && a->is_dirty && syncfs(a->fd) < 0)
		r = -errno;
	a->is_dirty = a->is_taken_synced = false;
	if (r < 0)
		return err_set(e, -r, "syncing the archive: %s", err_words(-r));
	return 0;
}

enum job_result archive_failed(int r, const char *what, struct err *e)
{
	(void)err_set(e, -r, "archive: %s: %s", what, err_words(-r));
	switch (-r) {
	case EBADMSG:
	case ENOTSUP:
	case E2BIG:
	case ENOENT:
	case ENODATA:
	case EXDEV:
	case ELOOP:
	case EISDIR:
	case ENOTDIR:
	case ENAMETOOLONG:
		return JOB_QUARANTINE;
	case EROFS:
	case EIO:
	case EACCES:
	case EPERM:
		return JOB_STOP;
	}
	return JOB_RETRY; /* ENOSPC, EDQUOT, EMFILE, ENOMEM ... */
}

/* The directory of a job's file, made when it is missing. Consecutive jobs share it. */
static int open_dir(struct archive *a, const struct load_job *j)
{
	const struct fileid *f = &j->file;
	char path[sizeof a->last_dir];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s/%s/%u/%lld", j->sender,
		       f->database, fileid_space(f), f->region,
		       (long long)f->partition);
	if (a->last_fd >= 0 && strcmp(path, a->last_dir) == 0)
		return a->last_fd;
	fd = file_make_dirs(a->fd, path, 0755);
	if (fd < 0)
		return fd;
	cleanup_close(&a->last_fd);
	a->last_fd = fd;
	(void)snprintf(a->last_dir, sizeof a->last_dir, "%s", path);
	return fd;
}

/* ---- temporaries ---- */

static int temporary(struct archive *a, char name[ARCHIVE_TMP_LEN])
{
	if (a->tmp_fd < 0)
		a->tmp_fd = file_make_dirs(a->fd, ARCHIVE_TEMPORARY, 0755);
	(void)snprintf(name, ARCHIVE_TMP_LEN, "%u", a->n_tmp++);
	return a->tmp_fd;
}

static int take_place(struct archive *a, const char *tmp, int dir_fd,
		      const char *name)
{
	return renameat(a->tmp_fd, tmp, dir_fd, name) < 0 ? -errno : 0;
}

int archive_write_temporary(struct archive *a, const void *p, size_t n,
			    char name[ARCHIVE_TMP_LEN])
{
	CLEANUP_CLOSE int fd = -1;
	int r = temporary(a, name);

	if (r < 0)
		return r;
	fd = file_open_beneath(a->tmp_fd, name, O_WRONLY | O_CREAT | O_EXCL,
			       0644);
	a->is_dirty = true;
	return fd < 0 ? fd : file_pwrite(fd, p, n, 0);
}

/* A file below `dir_fd` made anew: temporary, sync, rename. */
static int archive_replace(struct archive *a, int dir_fd, const char *name,
			   const void *p, size_t n)
{
	char tmp[ARCHIVE_TMP_LEN];
	CLEANUP_CLOSE int fd = -1;
	int r = archive_write_temporary(a, p, n, tmp);

	if (r < 0)
		return r;
	/* Its bytes before its name: a reader after a power cut sees the old file or the
	 * new one. */
	fd = file_open_beneath(a->tmp_fd, tmp, O_WRONLY, 0);
	if (fd < 0)
		return fd;
	r = fdatasync(fd) < 0 ? -errno : 0;
	return r < 0 ? r : take_place(a, tmp, dir_fd, name);
}

/* The archive is on another file system than staging. */
static int copy_in(struct archive *a, const char *path, int dir_fd,
		   const char *name)
{
	CLEANUP_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP_CLOSE int to = -1;
	char tmp[ARCHIVE_TMP_LEN];
	int r;

	if (from < 0)
		return -errno;
	r = temporary(a, tmp);
	if (r < 0)
		return r;
	to = file_open_beneath(a->tmp_fd, tmp, O_WRONLY | O_CREAT | O_EXCL,
			       0644);
	if (to < 0)
		return to;
	r = file_copy(from, to);
	return r < 0 ? r : take_place(a, tmp, dir_fd, name);
}

/* A staged file gets its name in the archive, over whatever has it. */
static int place(struct archive *a, const char *path, bool take, int dir_fd,
		 const char *name)
{
	char tmp[ARCHIVE_TMP_LEN];
	int r;

	a->is_dirty = true;
	if (take)
		r = renameat(AT_FDCWD, path, dir_fd, name) < 0 ? -errno : 0;
	else
		r = linkat(AT_FDCWD, path, dir_fd, name, 0) < 0 ? -errno : 0;
	if (r == -EXDEV)
		return copy_in(a, path, dir_fd, name);
	if (r != -EEXIST)
		return r;
	r = temporary(a, tmp);
	if (r < 0)
		return r;
	if (linkat(AT_FDCWD, path, a->tmp_fd, tmp, 0) < 0)
		return -errno;
	return take_place(a, tmp, dir_fd, name);
}

/* ---- FILE ---- */

struct names {
	char file[160], mods[160],
		other[160]; /* other: the mods of the other form */
};

static void name_all(const struct load_job *j, struct names *n)
{
	enum mods_kind other =
		j->mods_kind == MODS_TEXT ? MODS_BINARY : MODS_TEXT;
	char name[FILEID_PATH_MAX];

	(void)fileid_name(&j->file, name);
	(void)snprintf(n->file, sizeof n->file, "%.120s", name);
	(void)snprintf(n->mods, sizeof n->mods, "%.120s%s", name,
		       mods_suffix(j->mods_path ? j->mods_kind : MODS_BINARY));
	(void)snprintf(n->other, sizeof n->other, "%.120s%s", name,
		       mods_suffix(other));
}

static enum job_result bad_file(const struct load_job *j, struct err *e,
				const char *text)
{
	(void)err_set(e, EBADMSG, "%s of %lld-%lld: %s", j->path,
		      (long long)j->file.t, (long long)j->file.v, text);
	return JOB_QUARANTINE;
}

static enum job_result check_tsfile(const struct load_job *j, struct err *e)
{
	CLEANUP_CLOSE int fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct tsfile_ends ends;
	struct err why = {0};
	char text[160];
	int r;

	if (fd < 0)
		return archive_failed(-errno, j->path, e);
	r = tsfile_read_ends(fd, &ends, &why);
	if (r < 0 && r != -EBADMSG) /* the disk's word, not the file's */
		return archive_failed(r, j->path, e);
	if (r < 0)
		return bad_file(j, e, why.text);
	(void)snprintf(text, sizeof text,
		       "expected %llu bytes, the staged file has %llu",
		       (unsigned long long)j->length,
		       (unsigned long long)ends.len);
	return ends.len == j->length ? JOB_APPLIED : bad_file(j, e, text);
}

/* A malformed record would disable the whole file of deletions. */
static enum job_result check_mods(const struct load_job *j, struct err *e)
{
	CLEANUP(buf_release) struct buf bytes = {0};
	size_t whole = 0;
	struct err why = {0};
	char text[160];
	int r;

	if (!j->mods_path)
		return JOB_APPLIED;
	buf_init(&bytes, MODS_MAX);
	r = file_read_all(AT_FDCWD, j->mods_path, &bytes);
	if (r < 0)
		return archive_failed(r, j->mods_path, e);
	if (mods_whole(j->mods_kind, buf_data(&bytes), bytes.len, &whole,
		       &why) < 0)
		return bad_file(j, e, why.text);
	(void)snprintf(text, sizeof text,
		       "expected %llu bytes of whole deletion records, %zu of "
		       "%zu bytes are",
		       (unsigned long long)j->mods_length, whole, bytes.len);
	return whole == bytes.len && whole == j->mods_length
		       ? JOB_APPLIED
		       : bad_file(j, e, text);
}

/* The payload's digest as the archive has it: the file, then its deletion records. */
static int digest_of(int dir_fd, const struct names *n,
		     const struct load_job *j, struct digest *d)
{
	CLEANUP_CLOSE int body =
		file_open_beneath(dir_fd, n->file, O_RDONLY, 0);
	CLEANUP_CLOSE int mods = -1;
	CLEANUP_FREE uint8_t *b = malloc(BLOCK_LEN);
	uint64_t len = j->length + j->mods_length;
	struct digest_list list;
	int r = 0;

	if (j->mods_path)
		mods = file_open_beneath(dir_fd, n->mods, O_RDONLY, 0);
	if (!b || body < 0 || (j->mods_path && mods < 0))
		return -EBADF;
	digest_list_init(&list);
	for (uint64_t i = 0; r >= 0 && i < block_count(len); i++) {
		uint64_t at = i * BLOCK_LEN;
		uint32_t n_bytes = block_len(len, i);
		size_t front = at >= j->length ? 0 : (size_t)(j->length - at);
		struct digest block;

		if (front > n_bytes)
			front = n_bytes;
		r = front ? file_pread(body, b, front, at) : 0;
		if (r >= 0 && front < n_bytes)
			r = file_pread(mods, b + front, n_bytes - front,
				       at + front - j->length);
		block = digest_block(b, n_bytes);
		digest_list_add(&list, n_bytes, &block);
	}
	*d = digest_list_end(&list);
	return r;
}

static bool is_there_already(int dir_fd, const struct names *n,
			     const struct load_job *j)
{
	struct digest have;

	if (file_size_at(dir_fd, n->file) != (int64_t)j->length)
		return false;
	if (file_size_at(dir_fd, n->mods) !=
		    (j->mods_path ? (int64_t)j->mods_length : -ENOENT) ||
	    file_size_at(dir_fd, n->other) != -ENOENT)
		return false;
	return digest_of(dir_fd, n, j, &have) >= 0 &&
	       digest_equal(&have, &j->digest);
}

static int remove_name(struct archive *a, int dir_fd, const char *name)
{
	if (unlinkat(dir_fd, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	a->is_dirty = true;
	return 0;
}

/* Rows were written into files a moment ago: before the first one of a batch gets its
 * name, all are synced, or a power cut would leave names of empty files. */
static int sync_taken(struct archive *a, const struct load_job *j)
{
	CLEANUP_CLOSE int fd = -1;

	if (!j->take || a->is_taken_synced)
		return 0;
	fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || syncfs(fd) < 0)
		return -errno;
	a->is_taken_synced = true;
	return 0;
}

/* Deletions first: a file must never be seen without those that belong to it. */
static int place_all(struct archive *a, int dir_fd, const struct names *n,
		     const struct load_job *j)
{
	int r = sync_taken(a, j);

	if (r >= 0 && j->mods_path)
		r = place(a, j->mods_path, j->take, dir_fd, n->mods);
	if (r >= 0)
		r = place(a, j->path, j->take, dir_fd, n->file);
	if (r >= 0 && !j->mods_path)
		r = remove_name(a, dir_fd, n->mods);
	return r < 0 ? r : remove_name(a, dir_fd, n->other);
}

enum job_result archive_check(const struct load_job *j, struct err *e)
{
	enum job_result result = check_tsfile(j, e);

	return result == JOB_APPLIED ? check_mods(j, e) : result;
}

static enum job_result apply_file(struct archive *a, const struct load_job *j,
				  struct err *e)
{
	enum job_result result = archive_check(j, e);
	struct names n;
	int fd, r;

	if (result != JOB_APPLIED)
		return result;
	fd = open_dir(a, j);
	if (fd < 0)
		return archive_failed(fd, "making its directory", e);
	name_all(j, &n);
	if (is_there_already(fd, &n, j)) {
		a->is_dirty =
			true; /* an earlier run may have been cut off before its sync */
		return JOB_APPLIED;
	}
	r = place_all(a, fd, &n, j);
	return r < 0 ? archive_failed(r, n.file, e) : JOB_APPLIED;
}

/* ---- SCHEMA ---- */

static enum job_result apply_schema(struct archive *a, const struct load_job *j,
				    struct err *e)
{
	CLEANUP(buf_release) struct buf all, more;
	char dir[NAME_LEN_MAX + DATABASE_MAX + 2];
	CLEANUP_CLOSE int fd = -1;
	int r;

	buf_init(&all, SCHEMA_FILE_MAX);
	buf_init(&more, SCHEMA_FILE_MAX);
	(void)snprintf(dir, sizeof dir, "%s/%s", j->sender, j->file.database);
	fd = file_make_dirs(a->fd, dir, 0755);
	if (fd < 0)
		return archive_failed(fd, "making its directory", e);
	r = file_read_all(AT_FDCWD, j->path, &more);
	if (r < 0)
		return archive_failed(r, j->path, e);
	if (schema_drops(buf_str(&more), more.len)) {
		enum job_result result = archive_drop(a, j, e);

		if (result != JOB_APPLIED)
			return result;
	}
	r = file_read_all(fd, SCHEMA_FILE, &all);
	if (r < 0 && r != -ENOENT)
		return archive_failed(r, SCHEMA_FILE, e);
	/* The same again, after a cut: it stands there already. */
	if (more.len && all.len >= more.len &&
	    memcmp(buf_data(&all) + all.len - more.len, buf_data(&more),
		   more.len) == 0)
		return JOB_APPLIED;
	buf_add(&all, buf_data(&more), more.len);
	if (more.len && buf_data(&more)[more.len - 1] != '\n')
		buf_adds(&all, "\n");
	r = buf_end(&all);
	if (r >= 0)
		r = archive_replace(a, fd, SCHEMA_FILE, buf_data(&all),
				    all.len);
	return r < 0 ? archive_failed(r, SCHEMA_FILE, e) : JOB_APPLIED;
}

enum job_result archive_apply(struct archive *a, const struct load_job *j,
			      struct err *e)
{
	switch (j->kind) {
	case ENTRY_FILE:
		return apply_file(a, j, e);
	case ENTRY_SCHEMA:
		return apply_schema(a, j, e);
	case ENTRY_DELETE:
	case ENTRY_RESTATE:
		return archive_delete(a, j, e);
	}
	return archive_failed(-EBADMSG, "a job of an unknown kind", e);
}
