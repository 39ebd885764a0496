#include "deletion.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "coverage.h"
#include "deletion_inside.h"
#include "ground/fileio.h"

#define PATH_LEN (DATA_DIR_LEN + FILEID_PATH_MAX + 16)

static const char *part_path(const struct deletion_judging *j,
			     const struct deletion_source *s,
			     enum mods_kind kind, char to[PATH_LEN])
{
	char file[FILEID_PATH_MAX];
	struct fileid id;

	if (s->spool_dir) {
		(void)spool_path(s->spool_dir, s->nonce, kind, to);
		return to;
	}
	listing_file(j->l, &s->f, &id);
	(void)snprintf(to, PATH_LEN, "%s/%s%s", j->l->data_dirs[s->f.volume],
		       fileid_path(&id, file), mods_suffix(kind));
	return to;
}

/* The TsFile (MODS_NONE) or one of its deletion files: a descriptor, or -errno. */
static int deletion_open(const struct deletion_judging *j,
			 const struct deletion_source *s, enum mods_kind kind)
{
	char path[PATH_LEN];
	int fd = open(part_path(j, s, kind, path),
		      O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Never 0. Appending changes the size, writing anew the inode; where the file was
 * linked from another place it is the same one. */
static uint64_t stamp_of(const struct stat *st)
{
	uint64_t h = (uint64_t)st->st_ino * 0x9e3779b97f4a7c15ull;

	h ^= (uint64_t)st->st_size + (h << 6) + (h >> 2);
	h *= 0xbf58476d1ce4e5b9ull;
	h ^= (uint64_t)st->st_mtim.tv_sec * 1000000000ull +
	     (uint64_t)st->st_mtim.tv_nsec + (h << 6) + (h >> 2);
	return h ? h : 1;
}

/* Where both stand, an upgrade is writing the binary one from the text. */
static int open_mods(const struct deletion_judging *j,
		     struct deletion_source *s, struct stat *st)
{
	static const enum mods_kind kinds[] = {MODS_BINARY, MODS_TEXT};

	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP_CLOSE int fd = deletion_open(j, s, kinds[i]);

		if (fd == -ENOENT)
			continue;
		if (fd >= 0 && fstat(fd, st))
			return -errno;
		s->kind = kinds[i];
		return fd < 0 ? fd : steal_fd(&fd);
	}
	return -ENOENT;
}

static void say(struct deletion_judging *j, const struct deletion_source *s,
		const char *why)
{
	char path[PATH_LEN];

	if (j->lp->refused[0])
		return;
	(void)snprintf(j->lp->refused, sizeof(j->lp->refused),
		       "%.500s: %.300s (these deletions do not travel until "
		       "the file can be read)",
		       part_path(j, s, s->kind, path), why);
}

/* All of a deletion file as it is now, without a record that is not whole yet. */
static int read_whole(struct deletion_judging *j, struct deletion_source *s,
		      int fd, const struct stat *st, struct buf *b)
{
	size_t n = (size_t)st->st_size, whole = 0;
	struct err e = {0};
	uint8_t *to;
	int r;

	if (st->st_size > MODS_MAX)
		return err_set(&e, E2BIG, "too long"), say(j, s, e.text),
		       -E2BIG;
	to = buf_room(b, n ? n : 1);
	if (!to)
		return -ENOMEM;
	r = n ? file_pread(fd, to, n, 0) : 0;
	if (r == 0)
		buf_fill(b, n);
	else
		(void)err_set(&e, -r, "%s", err_words(-r));
	if (r == 0)
		r = mods_whole(s->kind, buf_data(b), b->len, &whole, &e);
	if (r < 0) {
		say(j, s, e.text);
		return r;
	}
	b->len = s->seen = whole;
	return 0;
}

/* A line `aborted` takes the record before it back (0.13 to 1.1). */
static int drop_cancelled(const struct deletion_source *s, struct buf *b)
{
	CLEANUP(buf_release) struct buf standing = {0};

	if (s->kind != MODS_TEXT || !b->len)
		return 0;
	buf_init(&standing, b->max);
	mods_add_standing(buf_data(b), b->len, &standing);
	if (buf_end(&standing))
		return -ENOMEM;
	if (standing.len < b->len) {
		buf_clear(b);
		buf_add(b, buf_data(&standing), standing.len);
	}
	return 0;
}

static void bind_file(const struct deletion_judging *j, sqlite3_stmt *st,
		      const struct living *f)
{
	known_bind(st, j->lp->pipe, j->l->database, j->l->region,
		   j->l->partition);
	(void)sqlite3_bind_int64(st, 5, f->unsequence);
	(void)sqlite3_bind_int64(st, 6, (int64_t)f->t);
	(void)sqlite3_bind_int64(st, 7, (int64_t)f->v);
	(void)sqlite3_bind_int64(st, 8, (int64_t)f->i);
	(void)sqlite3_bind_int64(st, 9, (int64_t)f->c);
}

int deletion_find_known(const struct deletion_judging *j,
			const struct living *f, struct known_file *out)
{
	sqlite3_stmt *st = j->l->db->known_one;
	int r;

	bind_file(j, st, f);
	r = db_row(&j->l->db->db, st, &j->l->err);
	if (r != 1)
		return r;
	known_row(st, out);
	(void)sqlite3_reset(st);
	return 1;
}

int deletion_load(const struct deletion_judging *j, const struct living *f,
		  struct coverage *out)
{
	const struct deletions *d = &j->lp->plan.deletions;
	sqlite3_stmt *st = j->l->db->covered;
	size_t i;
	int r;

	for (i = 0; i < d->n_read; i++) {
		const struct deletion_read *o = &d->read[i];

		if (o->has_covered && living_compare(&o->f, f) == 0)
			return coverage_decode(out, buf_data(&o->covered),
					       o->covered.len);
	}
	bind_file(j, st, f);
	r = db_row(&j->l->db->db, st, &j->l->err);
	if (r != 1)
		return r;
	r = coverage_decode(out, sqlite3_column_blob(st, 0),
			    (size_t)sqlite3_column_bytes(st, 0));
	(void)sqlite3_reset(st);
	return r;
}

static int add_piece(void *arg, const struct record *rec, int64_t first,
		     int64_t last)
{
	struct deletion_pieces *p = arg;

	if (array_room(&p->v, p->n, &p->cap, sizeof(*p->v)))
		return -ENOMEM;
	p->v[p->n++] = (struct deletion_piece){*rec, first, last};
	p->is_partial |= coverage_is_partial(rec, p->body_len);
	return 0;
}

int deletion_piece(struct deletion_pieces *p, const struct record *rec)
{
	return add_piece(p, rec, rec->start, rec->end);
}

static void pieces_release(struct deletion_pieces *p)
{
	free(p->v);
}

static int find_pieces(struct deletion_judging *j, struct deletion_source *s,
		       const struct buf *b, struct coverage *have,
		       struct deletion_pieces *out)
{
	const uint8_t *at = buf_data(b);
	size_t left = b->len;
	struct record rec;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = records_next(s->kind, at, left, &rec)) != 0) {
		if (n < 0)
			return (int)n;
		if (s->made_of)
			r = deletion_inherited(j, s, &rec, out);
		else
			r = coverage_missing(have, &rec, out->body_len,
					     add_piece, out);
		at += n;
		left -= (size_t)n;
	}
	return r;
}

/* Behind a DELETE of too much the file comes again, with its own records. */
static int follow_again(struct deletion_judging *j,
			const struct deletion_source *s)
{
	struct living again = s->f;
	size_t i;
	int r;

	for (i = 0; i < j->fresh->n; i++) {
		if (living_compare(&j->fresh->v[i], &again) == 0)
			return 0;
	}
	again.is_again = true;
	r = living_add(&j->lp->plan.owed, &again);
	return r ? r : living_add(j->fresh, &again);
}

static int remember(struct deletion_judging *j, const struct deletion_source *s,
		    struct coverage *have, uint64_t stamp)
{
	struct deletion_read *o = deletions_add_read(&j->lp->plan.deletions);

	if (!o)
		return -ENOMEM;
	o->f = s->f;
	o->seen = s->seen;
	o->stamp = stamp;
	o->has_covered = have != NULL;
	buf_init(&o->covered, COVERAGE_MAX);
	if (have)
		coverage_encode(have, &o->covered);
	return buf_end(&o->covered) ? -ENOMEM : 0;
}

/* What was not read of a file, once its deletions are: 1 when it is gone meanwhile. */
static int judge_records(struct deletion_judging *j, struct deletion_source *s,
			 const struct buf *b, uint64_t stamp)
{
	CLEANUP(pieces_release) struct deletion_pieces pieces = {.n = 0};
	CLEANUP(coverage_release) struct coverage have;
	CLEANUP_CLOSE int fd = deletion_open(j, s, MODS_NONE);
	struct stat st;
	int r;

	coverage_init(&have);
	if (fd < 0 || fstat(fd, &st))
		return 0; /* gone meanwhile: the next listing asks the spool */
	pieces.body_len = (uint64_t)st.st_size;
	r = deletion_load(j, &s->f, &have);
	if (r == 0)
		r = find_pieces(j, s, b, &have, &pieces);
	if (r == 0 && pieces.n)
		r = deletion_emit(j, s, fd, &pieces);
	if (r == 0 && pieces.is_partial && !s->spool_dir)
		r = follow_again(j, s);
	if (r == 0)
		r = coverage_add_all(&have, s->kind, buf_data(b), b->len,
				     pieces.body_len);
	return r ? r : remember(j, s, &have, stamp);
}

static bool is_kept_back(const struct deletion_judging *j,
			 const struct deletion_source *s)
{
	return !j->lp->sync_del_op || !s->k.serial;
}

static int read_source(struct deletion_judging *j, struct deletion_source *s)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP_CLOSE int fd = -1;
	struct stat st;
	uint64_t stamp;
	int r;

	buf_init(&b, MODS_MAX + 1);
	fd = open_mods(j, s, &st);
	if (fd < 0 && fd != -ENOENT)
		say(j, s, err_words(-fd));
	if (fd < 0)
		return 0;
	stamp = stamp_of(&st);
	if (stamp == s->k.mods_stamp)
		return 0;
	if (j->n_bytes && j->n_bytes + (size_t)st.st_size > DELETION_READ_MAX) {
		j->lp->is_cut_short = true;
		return 0;
	}
	j->n_bytes += (size_t)st.st_size;
	r = read_whole(j, s, fd, &st, &b);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (is_kept_back(j, s))
		return remember(j, s, NULL, stamp);
	r = drop_cancelled(s, &b);
	return r ? r : judge_records(j, s, &b, stamp);
}

/* The deletion file that the spool has linked for an entry. */
static int read_pinned(struct deletion_judging *j, const struct known_file *k)
{
	struct deletion_source s = {.f = k->f, .k = *k};
	sqlite3_stmt *st = j->l->db->pinned;
	const struct volume *v;
	int r;

	(void)sqlite3_bind_int64(st, 1, j->lp->pipe);
	(void)sqlite3_bind_int64(st, 2, (int64_t)k->serial);
	r = db_row(&j->l->db->db, st, &j->l->err);
	if (r != 1)
		return r;
	s.nonce = (uint64_t)sqlite3_column_int64(st, 0);
	v = spool_volume(j->l->spool, sqlite3_column_int64(st, 1));
	(void)sqlite3_reset(st);
	if (!v || k->is_derived)
		return 0;
	s.spool_dir = v->spool_dir;
	return read_source(j, &s);
}

static int judge_known(struct deletion_judging *j, const struct known_file *k)
{
	struct deletion_source s = {.k = *k};
	const struct living *at = living_find(&j->l->with_mods, &k->f);

	if (at) {
		s.f = *at;
		return read_source(j, &s);
	}
	if (!j->lp->sync_del_op ||
	    (!living_find(j->vanished, &k->f) && !living_find(&j->gone, &k->f)))
		return 0;
	return read_pinned(j, k);
}

static int judge_all_known(struct deletion_judging *j)
{
	sqlite3_stmt *st = j->l->db->known;
	struct known_file k;
	int r;

	known_bind(st, j->lp->pipe, j->l->database, j->l->region,
		   j->l->partition);
	while ((r = db_row(&j->l->db->db, st, &j->l->err)) == 1) {
		known_row(st, &k);
		r = judge_known(j, &k);
		if (r < 0 || j->lp->is_cut_short) {
			(void)sqlite3_reset(st);
			return r;
		}
	}
	return r;
}

/* Also of products that are sent: what travels beside one is about its own rows only, and the
 * cloud has them in the captured sources, too. */
static int judge_derived(struct deletion_judging *j)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < j->lp->plan.products.n; i++) {
		struct known_file *k = &j->lp->plan.products.v[i];
		const struct living *at = living_find(&j->l->with_mods, &k->f);
		struct deletion_source s = {.k = *k, .made_of = &k->f};

		if (!at || j->lp->is_cut_short)
			continue;
		s.f = *at;
		s.k.mods_stamp = 0;
		r = read_source(j, &s);
	}
	return r;
}

static void judging_release(struct deletion_judging *j)
{
	living_release(&j->gone);
}

int deletion_judge(struct listing *l, struct listing_pipe *lp,
		   struct living_list *fresh,
		   const struct living_list *vanished)
{
	CLEANUP(judging_release)
	struct deletion_judging j = {
		.l = l, .lp = lp, .fresh = fresh, .vanished = vanished};
	size_t i;
	int r = 0;

	if (!l->with_mods.n && !vanished->n && !lp->plan.gone.n)
		return 0;
	for (i = 0; r == 0 && i < lp->plan.gone.n; i++)
		r = living_add(&j.gone, &lp->plan.gone.v[i]);
	living_sort(&j.gone, (struct living_order){.is_identity = true});
	if (r == 0)
		r = judge_all_known(&j);
	if (r == 0)
		r = judge_derived(&j);
	return r ? r : deletion_follow_behind(&j);
}
