/* A link, not a copy: the inode that compaction and TTL unlink stays ours. Between
 * opening the source and linking its name another file may have taken the name, so
 * the link's inode is compared with the opened one, and the name is looked at once
 * more after the mods were read: a compaction that began in between has other mods
 * than those that were read. */
#include "pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>

#include "coverage.h"
#include "domain/tsfile.h"
#include "ground/fileio.h"
#include "spool.h"

#define COPY_CHUNK (1u << 20)
#define SOURCE_LEN (DATA_DIR_LEN + FILEID_PATH_MAX + 16)

int pin_place_open(struct pin_place *pl, const char *min_free, struct err *e)
{
	uint64_t free_bytes, total;
	struct stat st;
	int r;

	pl->spool_fd = file_open_dir(pl->spool_dir);
	if (pl->spool_fd < 0)
		return err_set(e, -pl->spool_fd, "spool %s: %s", pl->spool_dir,
			       err_words(-pl->spool_fd));
	if (fstat(pl->spool_fd, &st) || st.st_dev != pl->dev ||
	    st.st_ino != pl->ino)
		return err_set(e, ESTALE, "spool %s: is another directory now",
			       pl->spool_dir);
	r = file_space(pl->spool_fd, &free_bytes, &total);
	if (r)
		return err_set(e, -r, "spool %s: %s", pl->spool_dir,
			       err_words(-r));
	pl->is_loose |= free_bytes < conf_share(min_free, total);
	return 0;
}

void pin_place_close(struct pin_place *pl)
{
	if (pl->spool_fd >= 0)
		(void)close(pl->spool_fd);
	pl->spool_fd = -1;
}

static void refuse(struct pin *p, enum pin_result result)
{
	p->result = result;
}

static void block(struct pin *p, enum pin_block why)
{
	p->result = PIN_BLOCKED;
	p->block = why;
}

static const char *source_path(const struct pin *p, const struct pin_place *pl,
			       enum mods_kind kind, char *to)
{
	char path[FILEID_PATH_MAX];

	(void)snprintf(to, SOURCE_LEN, "%s/%s%s", pl->data_dir,
		       fileid_path(&p->file, path), mods_suffix(kind));
	return to;
}

/* An index that cannot be read is no reason to leave the file behind: then nothing is
 * known of its rows. */
static void read_range(struct pin *p)
{
	const struct tsfile_visit nobody = {0};
	struct tsfile_index ix;

	if (tsfile_index_read(p->fd, p->visit ? p->visit : &nobody, &ix,
			      NULL) == 0 &&
	    !ix.unsure)
		p->range = ix.range;
}

/* The source, opened, with the marks of a sealed TsFile at both ends. */
static bool open_source(struct pin *p, const struct pin_place *pl,
			struct stat *st, struct err *e)
{
	char path[SOURCE_LEN];
	struct tsfile_ends ends;

	(void)source_path(p, pl, MODS_NONE, path);
	p->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (p->fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		refuse(p, PIN_GONE);
	} else if (p->fd < 0 || fstat(p->fd, st)) {
		refuse(p, PIN_REFUSED);
		(void)err_set(e, errno,
			      "%s: %s (run syncd as IoTDB's own user)", path,
			      err_words(errno));
	} else if (!S_ISREG(st->st_mode)) {
		refuse(p, PIN_REFUSED);
		(void)err_set(e, EINVAL, "%s: expected a regular file", path);
	} else if (tsfile_read_ends(p->fd, &ends, e)) {
		refuse(p, PIN_REFUSED);
		(void)err_wrap(e, "%s", path);
		(void)err_hint(e, "skipped until it changes");
	} else {
		p->body_len = ends.len;
		/* Text is what the servers that write version 3 read. */
		p->mods_kind = ends.version == 3 ? MODS_TEXT : MODS_BINARY;
		p->sealed_ms = (int64_t)st->st_mtim.tv_sec * 1000 +
			       st->st_mtim.tv_nsec / 1000000;
		return true;
	}
	return false;
}

/* sendfile(2) copies between file systems of any two kinds. */
static int copy_bytes(int from, int to, uint64_t len)
{
	uint64_t done = 0;

	while (done < len) {
		uint64_t left = len - done;
		ssize_t n = sendfile(to, from, NULL,
				     left < COPY_CHUNK ? left : COPY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		done += (uint64_t)n;
	}
	return 0;
}

/* Replaces p's descriptor by one of the copy, which then is what is synced. */
static int copy_in(const char *source, int spool_fd, const char *name,
		   int *keep_fd)
{
	CLEANUP_CLOSE int from = open(source, O_RDONLY | O_CLOEXEC);
	CLEANUP_CLOSE int to = -1;
	struct stat st;
	int r;

	if (from < 0 || fstat(from, &st))
		return -errno;
	to = openat(spool_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (to < 0)
		return -errno;
	r = copy_bytes(from, to, (uint64_t)st.st_size);
	if (r) {
		(void)unlinkat(spool_fd, name, 0);
		return r;
	}
	if (*keep_fd >= 0)
		(void)close(*keep_fd);
	*keep_fd = steal_fd(&to);
	return 0;
}

static void explain_link(struct pin *p, const struct pin_place *pl, int sys,
			 struct err *e)
{
	char path[SOURCE_LEN];

	(void)source_path(p, pl, MODS_NONE, path);
	if (sys == ENOSPC || sys == EDQUOT) {
		block(p, PIN_BLOCK_SPACE);
		(void)err_set(e, sys,
			      "capture waits: no room in spool %s: %s (free "
			      "some room; capture goes on by itself)",
			      pl->spool_dir, err_words(sys));
	} else if (sys == EXDEV) {
		block(p, PIN_BLOCK_LINK);
		(void)err_set(e, sys,
			      "%s cannot be linked into %s: they are on "
			      "different mounts (set spool_dir to a directory "
			      "on the same mount, or spool_copy=yes)",
			      path, pl->spool_dir);
	} else if (sys == EPERM || sys == EACCES) {
		block(p, PIN_BLOCK_LINK);
		(void)err_set(e, sys,
			      "%s cannot be linked into %s: %s (run syncd as "
			      "IoTDB's own user or give it CAP_FOWNER, or set "
			      "spool_copy=yes)",
			      path, pl->spool_dir, err_words(sys));
	} else {
		block(p, PIN_BLOCK_OTHER);
		(void)err_set(e, sys, "%s cannot be linked into %s: %s", path,
			      pl->spool_dir, err_words(sys));
	}
}

static bool can_copy_instead(int sys)
{
	return sys == EXDEV || sys == EPERM || sys == EACCES || sys == EMLINK;
}

/* 0, or -errno; keep_fd gets the copy's descriptor when it had to be one. */
static int link_in(const char *source, const struct pin_place *pl,
		   const char *name, bool may_copy, int *keep_fd)
{
	if (linkat(AT_FDCWD, source, pl->spool_fd, name, 0) == 0)
		return 0;
	if (!may_copy || !can_copy_instead(errno))
		return -errno;
	return copy_in(source, pl->spool_fd, name, keep_fd);
}

/* 0, or -ENOENT: what was to be linked is gone, something else has its name. */
static int check_inode(int dir_fd, const char *name, const struct stat *want)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return st.st_ino == want->st_ino && st.st_dev == want->st_dev ? 0
								      : -ENOENT;
}

static bool link_tsfile(struct pin *p, const struct pin_place *pl,
			const struct stat *source, bool may_copy, struct err *e)
{
	char path[SOURCE_LEN], name[48];
	int r, before = p->fd;

	(void)spool_name(p->nonce, MODS_NONE, name);
	r = link_in(source_path(p, pl, MODS_NONE, path), pl, name, may_copy,
		    &p->fd);
	if (r == 0 && p->fd == before)
		r = check_inode(pl->spool_fd, name, source);
	if (r == -ENOENT)
		refuse(p, PIN_GONE);
	else if (r)
		explain_link(p, pl, -r, e);
	return r == 0;
}

/* Links the one deletion file that counts: where both stand, an upgrade is writing the
 * binary one from the text. Sets the kind that was found, MODS_NONE when none was. */
static bool link_mods(struct pin *p, const struct pin_place *pl, bool may_copy,
		      enum mods_kind *found, struct err *e)
{
	static const enum mods_kind kinds[] = {MODS_BINARY, MODS_TEXT};

	char path[SOURCE_LEN], name[48];
	size_t i;

	*found = MODS_NONE;
	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		int r = link_in(source_path(p, pl, kinds[i], path), pl,
				spool_name(p->nonce, kinds[i], name), may_copy,
				&p->mods_fd);

		if (r == -ENOENT)
			continue;
		if (r) {
			explain_link(p, pl, -r, e);
			return false;
		}
		*found = kinds[i];
		if (p->mods_fd < 0)
			p->mods_fd = openat(pl->spool_fd, name,
					    O_RDONLY | O_CLOEXEC);
		return true;
	}
	return true;
}

static int read_mods(struct pin *p, const struct pin_place *pl,
		     enum mods_kind kind, struct buf *b, struct err *e)
{
	char name[48], path[SOURCE_LEN];
	size_t whole = 0;
	int r = file_read_all(pl->spool_fd, spool_name(p->nonce, kind, name),
			      b);

	if (r >= 0)
		r = mods_whole(kind, buf_data(b), b->len, &whole, e);
	else
		(void)err_set(e, -r, "%s", err_words(-r));
	if (r < 0) {
		(void)err_wrap(e, "%s", source_path(p, pl, kind, path));
		(void)err_hint(e, "the file is held back until its deletions "
				  "can be read");
		return r;
	}
	b->len = whole;
	return 0;
}

/* The travelling mods differ from IoTDB's and so are a file of their own. */
static bool write_mods(struct pin *p, const struct pin_place *pl,
		       const struct buf *b, struct err *e)
{
	char name[48];
	int r;

	(void)spool_name(p->nonce, p->mods_kind, name);
	if (unlinkat(pl->spool_fd, name, 0) && errno != ENOENT) {
		explain_link(p, pl, errno, e);
		return false;
	}
	if (p->mods_fd >= 0)
		(void)close(p->mods_fd);
	p->mods_fd = openat(pl->spool_fd, name,
			    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = p->mods_fd < 0 ? -errno
			   : file_pwrite(p->mods_fd, buf_data(b), b->len, 0);
	if (r) {
		explain_link(p, pl, -r, e);
		return false;
	}
	p->mods_len = b->len;
	return true;
}

/* The records that stand; true when they are not the linked bytes as they are. */
static bool keep_standing(const struct pin *p, struct buf *b)
{
	CLEANUP(buf_release) struct buf standing = {0};
	size_t len = b->len;

	if (p->mods_kind != MODS_TEXT || !len)
		return false;
	buf_init(&standing, b->max);
	mods_add_standing(buf_data(b), len, &standing);
	if (buf_end(&standing) || standing.len == len)
		return false;
	buf_clear(b);
	buf_add(b, buf_data(&standing), standing.len);
	return true;
}

/* Deletions that were made since do not travel (SyncDelOp=false). */
static int put_kept(struct pin *p, struct buf *b, struct err *e)
{
	int r;

	if (!p->kept)
		return 0;
	buf_clear(b);
	r = coverage_print(p->kept, p->mods_kind, b);
	return r ? err_set(e, -r, "deletions that travelled before: %s",
			   err_words(-r))
		 : 0;
}

/* Where the rows are not known there may be some on both sides. */
static bool needs_cut(const struct pin *p, const struct pin_cut *cut)
{
	return cut->is_set &&
	       (!p->range.any || p->range.first <= cut->last_deleted);
}

struct cutting {
	int64_t last_deleted;
	struct buf *out;
	size_t table; /* of the last record in `out`, where it begins; its length */
	size_t len;
};

/* The devices of a table stand together. */
static int cut_table(void *arg, const struct tsfile_device *d)
{
	struct cutting *c = arg;

	if (c->len && c->len == d->table_len &&
	    memcmp(buf_data(c->out) + c->table, d->path, c->len) == 0)
		return 0;
	mods_add_table_cut(d->path, d->table_len, c->last_deleted, c->out);
	c->len = d->table_len;
	/* Behind the name stand one byte and one number of one byte. */
	c->table = c->out->len - 2 - c->len;
	return buf_end(c->out) ? -E2BIG : 0;
}

static int add_cut(const struct pin *p, const struct pin_cut *cut,
		   struct buf *b, struct err *e)
{
	struct cutting c = {.last_deleted = cut->last_deleted, .out = b};
	const struct tsfile_visit visit = {.device = cut_table, .arg = &c};
	struct tsfile_index ix;
	char name[FILEID_PATH_MAX];
	int r;

	if (database_is_tree(p->file.database)) {
		mods_add_cut(p->mods_kind, cut->last_deleted, b);
		return 0;
	}
	r = tsfile_index_read(p->fd, &visit, &ix, e);
	if (r < 0) {
		(void)err_wrap(e, "%s", fileid_path(&p->file, name));
		(void)err_hint(e, "its rows before the start time cannot be "
				  "left out, so the file is");
	}
	return r;
}

static bool is_outside(const struct pin *p, const struct pin_cut *cut)
{
	return cut->is_set && p->range.any &&
	       p->range.last <= cut->last_deleted;
}

static bool take_mods(struct pin *p, const struct pin_place *pl,
		      const struct pin_cut *cut, bool may_copy, struct err *e)
{
	CLEANUP(buf_release) struct buf b;
	enum mods_kind found;
	bool is_own;

	buf_init(&b, MODS_MAX + 4096);
	if (!link_mods(p, pl, may_copy, &found, e))
		return false;
	if (found != MODS_NONE && read_mods(p, pl, found, &b, e)) {
		refuse(p, PIN_REFUSED);
		return false;
	}
	if (found != MODS_NONE)
		p->mods_kind = found;
	p->mods_seen = b.len;
	is_own = keep_standing(p, &b) || p->kept;
	if (put_kept(p, &b, e)) {
		refuse(p, PIN_REFUSED);
		return false;
	}
	if (needs_cut(p, cut)) {
		if (add_cut(p, cut, &b, e)) {
			refuse(p, PIN_REFUSED);
			return false;
		}
		is_own = true;
	}
	if (is_own)
		return write_mods(p, pl, &b, e);
	p->mods_len = b.len;
	if (!p->mods_len)
		p->mods_kind = MODS_NONE;
	return true;
}

void pin_file(struct pin *p, struct pin_place *pl, const struct pin_cut *cut,
	      bool may_copy, struct err *e)
{
	struct stat st = {0};
	char path[SOURCE_LEN];

	p->result = PIN_DONE;
	p->block = PIN_BLOCK_NONE;
	p->fd = p->mods_fd = -1;
	p->mods_len = p->mods_seen = 0;
	if (!open_source(p, pl, &st, e)) {
		pin_close(p);
		return;
	}
	p->range = (struct tsfile_range){0};
	if (cut->is_set || pl->is_loose || p->visit)
		read_range(p);
	if (is_outside(p, cut)) {
		p->result = PIN_OUTSIDE;
		pin_close(p);
		return;
	}
	p->is_loose = pl->is_loose;
	if ((p->is_loose || link_tsfile(p, pl, &st, may_copy, e)) &&
	    take_mods(p, pl, cut, may_copy, e) &&
	    check_inode(AT_FDCWD, source_path(p, pl, MODS_NONE, path), &st) ==
		    0) {
		if (p->mods_len && !p->range.any)
			read_range(p);
		return;
	}
	if (p->result == PIN_DONE)
		p->result = PIN_GONE;
	pin_undo(p, pl);
}

int pin_sync(struct pin *p, struct err *e)
{
	int r = 0;

	if (p->fd >= 0 && fdatasync(p->fd))
		r = -errno;
	if (p->mods_fd >= 0 && fdatasync(p->mods_fd))
		r = -errno;
	pin_close(p);
	return r ? err_set(e, -r, "a pinned file cannot be synced: %s",
			   err_words(-r))
		 : 0;
}

void pin_close(struct pin *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->mods_fd >= 0)
		(void)close(p->mods_fd);
	p->fd = p->mods_fd = -1;
}

void pin_undo(struct pin *p, const struct pin_place *pl)
{
	pin_close(p);
	spool_unpin(pl->spool_dir, p->nonce);
}
