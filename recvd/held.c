#include "held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog_schema.h"
#include "domain/squeeze.h"
#include "ground/fileio.h"

struct held_file {
	struct held_owner of;
	struct fileid file;
	unsigned place;
	int body_fd, mods_fd; /* -1: closed, or none */
	uint64_t body_len, mods_len;
};

struct held {
	const struct stage *stage;
	char *archive_dir, *catalog_path; /* owned */
	struct db db;
	sqlite3_stmt *find; /* owned; NULL: the catalog is not open */
	struct held_file files[HELD_OPEN];
	unsigned next; /* the one that is given up for another */
};

/* Waiting entries and retained ones, the newest first. */
static const char sql_find[] =
	"SELECT f.id, i.id, f.head FROM (SELECT id, head FROM entry "
	"WHERE file = ?1 UNION ALL SELECT entry, head FROM retained "
	"WHERE file = ?1) f JOIN incarnation i ON i.seq = f.id >> 40 "
	"WHERE i.sender = ?2 ORDER BY f.id DESC LIMIT ?3";

struct held *held_new(const struct stage *stage, const char *archive_dir,
		      const char *catalog)
{
	struct held *h = xcalloc(1, sizeof *h);

	h->stage = stage;
	h->archive_dir = strdup(archive_dir);
	h->catalog_path = strdup(catalog);
	for (size_t i = 0; i < HELD_OPEN; i++)
		h->files[i].body_fd = h->files[i].mods_fd = -1;
	return h;
}

static void close_file(struct held_file *f)
{
	cleanup_close(&f->body_fd);
	cleanup_close(&f->mods_fd);
	f->body_fd = f->mods_fd = -1;
}

void held_close_files(struct held *h)
{
	for (size_t i = 0; i < HELD_OPEN; i++)
		close_file(&h->files[i]);
}

void held_free(struct held *h)
{
	if (!h)
		return;
	held_close_files(h);
	if (h->find) {
		(void)sqlite3_finalize(h->find);
		db_close(&h->db);
	}
	free(h->archive_dir);
	free(h->catalog_path);
	free(h);
}

/* ---- one file in one place ---- */

static int open_with_mods(struct held_file *f, int dir_fd, const char *path,
			  enum mods_kind kind)
{
	char mods[PATH_MAX];
	struct stat st;

	f->body_fd = file_open_beneath(dir_fd, path, O_RDONLY, 0);
	if (f->body_fd < 0)
		return f->body_fd;
	if (fstat(f->body_fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	f->body_len = (uint64_t)st.st_size;
	f->mods_len = 0;
	if (kind == MODS_NONE)
		return 0;
	(void)snprintf(mods, sizeof mods, "%s%s", path, mods_suffix(kind));
	f->mods_fd = file_open_beneath(dir_fd, mods, O_RDONLY, 0);
	if (f->mods_fd >= 0 && fstat(f->mods_fd, &st) == 0)
		f->mods_len = (uint64_t)st.st_size;
	return 0;
}

static int open_archived(struct held *h, struct held_file *f)
{
	char path[NAME_LEN_MAX + FILEID_PATH_MAX + 2], name[FILEID_PATH_MAX];
	CLEANUP_CLOSE int dir_fd = -1;
	int r;

	if (!h->archive_dir || !h->archive_dir[0])
		return -ENOENT;
	dir_fd = file_open_dir(h->archive_dir);
	if (dir_fd < 0)
		return dir_fd;
	(void)snprintf(path, sizeof path, "%s/%s/%s/%u/%lld/%s", f->of.name,
		       f->file.database, fileid_space(&f->file), f->file.region,
		       (long long)f->file.partition,
		       fileid_name(&f->file, name));
	r = open_with_mods(f, dir_fd, path, MODS_TEXT);
	if (r == 0 && f->mods_fd < 0) {
		close_file(f);
		r = open_with_mods(f, dir_fd, path, MODS_BINARY);
	}
	return r;
}

static int open_catalog(struct held *h)
{
	struct err e = {0};
	int r;

	if (h->find)
		return 0;
	r = h->catalog_path ? db_open_reader(&h->db, h->catalog_path, &e)
			    : -ENOMEM;
	if (r < 0)
		return r;
	r = db_prepare(&h->db, &h->find, sql_find, &e);
	if (r < 0) {
		h->find = NULL;
		db_close(&h->db);
	}
	return r;
}

static int open_row(struct held *h, struct held_file *f)
{
	struct rd head = rd_over(sqlite3_column_blob(h->find, 2),
				 (size_t)sqlite3_column_bytes(h->find, 2));
	char path[STAGE_DIR_MAX + STAGE_NAME_MAX + 1], name[STAGE_NAME_MAX],
		dir[STAGE_DIR_MAX];
	uint8_t incarnation[ID_LEN];
	struct entry en = {0};
	int r;

	if (db_blob(h->find, 1, incarnation, sizeof incarnation) < 0 ||
	    entry_decode(&en, &head) < 0)
		return -EBADMSG;
	stage_body_name(&en, name);
	(void)snprintf(path, sizeof path, "%s/%s",
		       stage_dir_name(f->of.id, incarnation, dir), name);
	r = fileid_equal(&en.file, &f->file)
		    ? open_with_mods(f, h->stage->fd, path,
				     en.mods_len ? en.mods_kind : MODS_NONE)
		    : -ENOENT;
	entry_release(&en);
	return r;
}

/* The k-th of the catalog's. */
static int open_staged(struct held *h, struct held_file *f, unsigned k)
{
	struct err e = {0};
	int r = open_catalog(h);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(h->find, 1, catalog_file_key(&f->file));
	(void)sqlite3_bind_blob(h->find, 2, f->of.id, SENDER_ID_LEN,
				SQLITE_STATIC);
	(void)sqlite3_bind_int64(h->find, 3, HELD_CANDIDATES);
	do
		r = db_row(&h->db, h->find, &e);
	while (r > 0 && k-- > 0);
	r = r > 0 ? open_row(h, f) : r < 0 ? r : -ENOENT;
	(void)sqlite3_reset(h->find);
	(void)sqlite3_clear_bindings(h->find);
	return r;
}

/* ---- reading ---- */

static bool is_it(const struct held_file *f, const struct held_owner *of,
		  const struct fileid *file, unsigned place)
{
	return f->body_fd >= 0 && f->place == place &&
	       memcmp(f->of.id, of->id, SENDER_ID_LEN) == 0 &&
	       fileid_equal(&f->file, file);
}

static int open_at(struct held *h, const struct held_owner *of,
		   const struct fileid *file, unsigned place,
		   struct held_file **out)
{
	struct held_file *f;
	int r;

	for (size_t i = 0; i < HELD_OPEN; i++)
		if (is_it(&h->files[i], of, file, place)) {
			*out = &h->files[i];
			return 0;
		}
	f = &h->files[h->next];
	h->next = (h->next + 1) % HELD_OPEN;
	close_file(f);
	f->of = *of;
	f->file = *file;
	f->place = place;
	r = place == 0 ? open_archived(h, f) : open_staged(h, f, place - 1);
	if (r < 0)
		close_file(f);
	*out = f;
	return r;
}

static int read_from(const struct held_file *f, uint64_t offset, uint8_t *to,
		     size_t n)
{
	uint64_t body = offset < f->body_len ? f->body_len - offset : 0;
	size_t front = body < n ? (size_t)body : n;
	int r;

	if (offset > f->body_len + f->mods_len ||
	    n > f->body_len + f->mods_len - offset)
		return -ENOENT;
	r = front ? file_pread(f->body_fd, to, front, offset) : 0;
	if (r < 0 || front == n)
		return r;
	return file_pread(f->mods_fd, to + front, n - front,
			  offset + front - f->body_len);
}

int held_read(struct held *h, const struct held_owner *of,
	      const struct fileid *file, unsigned k, uint64_t offset, void *to,
	      size_t n)
{
	struct held_file *f;

	for (unsigned place = 0; place <= HELD_CANDIDATES; place++) {
		int r = open_at(h, of, file, place, &f);

		if (r == 0)
			r = read_from(f, offset, to, n);
		if (r == 0 && k-- == 0)
			return 0;
	}
	return -ENOENT;
}

/* ---- a block ---- */

/* The ranges one behind the other, from the k-th place of each file that has so many, or
 * its last. -ENOENT: no file has so many places. */
static int read_ranges(struct held *h, const struct held_owner *of,
		       const struct held_block *b, unsigned k, uint8_t *to)
{
	bool is_new = k == 0;
	size_t at = 0;

	for (unsigned i = 0; i < b->n_ranges; i++) {
		const struct held_range *x = &b->ranges[i];
		unsigned place = k;
		int r;

		do
			r = held_read(h, of, &b->files[i], place, x->offset,
				      to + at, x->len);
		while (r < 0 && place-- > 0);
		if (r < 0)
			return r;
		is_new |= place == k;
		at += x->len;
	}
	return is_new ? 0 : -ENOENT;
}

static size_t ranges_len(const struct held_block *b)
{
	size_t n = 0;

	for (unsigned i = 0; i < b->n_ranges; i++)
		n += b->ranges[i].len;
	return n;
}

static bool unpack(const struct held_block *b, const uint8_t *prefix, void *to)
{
	return unsqueeze_behind(prefix, ranges_len(b), b->packed, b->packed_len,
				to, b->len);
}

static bool is_block(const struct held_block *b, const void *p)
{
	struct digest d = digest_block(p, b->len);

	return digest_equal(&d, &b->digest);
}

bool held_make(struct held *h, const struct held_owner *of,
	       const struct held_block *b, void *to)
{
	size_t len = ranges_len(b);
	CLEANUP_FREE uint8_t *prefix =
		b->how == BLOCK_PREFIX ? malloc(len ? len : 1) : NULL;
	uint8_t *at = b->how == BLOCK_PREFIX ? prefix : to;
	int r = 0;

	if (!at || (b->how == BLOCK_REFERENCE && len != b->len))
		return false;
	for (unsigned k = 0; k <= HELD_CANDIDATES; k++) {
		r = read_ranges(h, of, b, k, at);
		if (r < 0)
			return false;
		if ((b->how == BLOCK_REFERENCE || unpack(b, at, to)) &&
		    is_block(b, to))
			return true;
	}
	return false;
}
