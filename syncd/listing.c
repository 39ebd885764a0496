#include "listing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "deletion.h"
#include "derive.h"
#include "follow.h"
#include "ground/clock.h"
#include "ground/fileio.h"
#include "journal.h"
#include "living.h"
#include "outbox.h"
#include "restate.h"
#include "survey.h"
#include "vanish.h"
#include "vanish_ask.h"

/* A directory that changed less than this ago may change again under the same time
 * stamp: it is listed again at the next scan. */
#define STAMP_TRUST_NS 3000000000ll
#define RESOURCE_SUFFIX ".resource"
#define STRING_OF_(x) #x
#define STRING_OF(x) STRING_OF_(x)

/* Of one file. */
static int prepare_one(struct listing_db *ld, sqlite3_stmt **st,
		       const char *columns, struct err *e)
{
	char sql[512];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT %s FROM known WHERE pipe = ?1"
		       " AND database = ?2 AND region = ?3 AND partition = ?4"
		       " AND unsequence = ?5 AND t = ?6 AND v = ?7 AND i = ?8"
		       " AND c = ?9",
		       columns);
	return db_prepare(&ld->db, st, sql, e);
}

int listing_db_open(struct listing_db *ld, const char *catalog_path,
		    struct err *e)
{
	int r = outbox_reader_open(&ld->db, catalog_path, e);

	if (r)
		return r;
	r = db_prepare(&ld->db, &ld->compactions,
		       "SELECT journal, body FROM compaction"
		       " WHERE database = ?1 AND region = ?2"
		       " AND partition = ?3",
		       e);
	if (r == 0)
		r = prepare_one(ld, &ld->known_one, KNOWN_COLUMNS, e);
	if (r == 0)
		r = prepare_one(ld, &ld->covered, "covered", e);
	if (r == 0)
		r = db_prepare(&ld->db, &ld->dropped,
			       "SELECT rest, identity FROM series JOIN listed"
			       " ON listed.pipe = series.pipe"
			       " WHERE series.pipe = ?1 AND database = ?2"
			       " AND path = ''",
			       e);
	if (r == 0)
		r = db_prepare(&ld->db, &ld->pinned,
			       "SELECT nonce, volume FROM entry"
			       " WHERE pipe = ?1 AND serial = ?2",
			       e);
	if (r)
		return r;
	r = db_prepare(&ld->db, &ld->unread,
		       "SELECT " KNOWN_COLUMNS " FROM known"
		       " WHERE pipe = ?1 AND database = ?2 AND region = ?3"
		       " AND partition = ?4 AND row_sum IS NULL"
		       " LIMIT " STRING_OF(SURVEY_BATCH),
		       e);
	if (r)
		return r;
	/* Of no time when they have no row. */
	r = db_prepare(&ld->db, &ld->later,
		       "SELECT " KNOWN_COLUMNS ", region, partition FROM known"
		       " WHERE pipe = ?1 AND database = ?2"
		       " AND partition > ?3",
		       e);
	if (r)
		return r;
	r = db_prepare(&ld->db, &ld->devices,
		       "SELECT path FROM device WHERE database = ?1"
		       " AND region = ?2",
		       e);
	if (r)
		return r;
	r = db_prepare(&ld->db, &ld->pin,
		       "SELECT nonce, spool_dir FROM entry JOIN volume"
		       " ON volume.id = entry.volume"
		       " WHERE pipe = ?1 AND serial = ?2",
		       e);
	if (r)
		return r;
	return db_prepare(&ld->db, &ld->known,
			  "SELECT " KNOWN_COLUMNS " FROM known"
			  " WHERE pipe = ?1 AND database = ?2 AND region = ?3"
			  " AND partition = ?4 ORDER BY unsequence, t, v, i, c",
			  e);
}

void listing_db_close(struct listing_db *ld)
{
	(void)sqlite3_finalize(ld->known);
	(void)sqlite3_finalize(ld->unread);
	(void)sqlite3_finalize(ld->compactions);
	(void)sqlite3_finalize(ld->pin);
	(void)sqlite3_finalize(ld->devices);
	(void)sqlite3_finalize(ld->later);
	seen_forget(&ld->seen);
	ld->devices = ld->later = NULL;
	(void)sqlite3_finalize(ld->known_one);
	(void)sqlite3_finalize(ld->covered);
	(void)sqlite3_finalize(ld->pinned);
	(void)sqlite3_finalize(ld->dropped);
	ld->known_one = ld->covered = ld->pinned = ld->dropped = NULL;
	ld->pin = ld->known = ld->unread = ld->compactions = NULL;
	db_close(&ld->db);
}

/* One directory of the partition, in one of the three passes. */
struct pass {
	struct listing *l;
	struct living_list *files;
	int dir_fd;
	uint8_t volume;
	bool unsequence;
};

static bool take_identity(const struct fileid *id, const struct pass *p,
			  struct living *out)
{
	if (id->i > UINT32_MAX || id->c > UINT32_MAX)
		return false; /* no server counts that many compactions */
	*out = (struct living){.t = id->t,
			       .v = id->v,
			       .i = (uint32_t)id->i,
			       .c = (uint32_t)id->c,
			       .volume = p->volume,
			       .unsequence = p->unsequence};
	return true;
}

static int take_file(void *arg, const char *name, unsigned char d_type)
{
	const struct pass *p = arg;
	struct fileid id = {0};
	struct living one;

	if (d_type == DT_DIR || fileid_parse_name(&id, name) ||
	    !take_identity(&id, p, &one))
		return 0;
	return living_add(p->files, &one);
}

static int take_resource(void *arg, const char *name, unsigned char d_type)
{
	const struct pass *p = arg;
	size_t n = strlen(name), len = strlen(RESOURCE_SUFFIX);
	struct fileid id = {0};
	struct living key, *at;
	char file[160];

	(void)d_type;
	if (n <= len || n - len >= sizeof(file) ||
	    strcmp(name + n - len, RESOURCE_SUFFIX) != 0)
		return 0;
	memcpy(file, name, n - len);
	file[n - len] = '\0';
	if (fileid_parse_name(&id, file) || !take_identity(&id, p, &key))
		return 0;
	at = living_find(p->files, &key);
	if (at)
		at->has_resource = true;
	return 0;
}

static void mark_target(void *arg, const struct fileid *id)
{
	const struct pass *p = arg;
	struct living key, *at;

	if (!take_identity(id, p, &key))
		return;
	key.unsequence = id->unsequence;
	at = living_find(p->files, &key);
	if (at)
		at->is_target = true;
}

/* "T-V-I-C.tsfile.mods" and ".mods2". */
static int take_mods(struct pass *p, const char *name)
{
	const char *dot = strrchr(name, '.');
	struct fileid id = {0};
	struct living one;
	char file[160];

	if (!dot || (strcmp(dot, ".mods") != 0 && strcmp(dot, ".mods2") != 0) ||
	    (size_t)(dot - name) >= sizeof(file))
		return 0;
	memcpy(file, name, (size_t)(dot - name));
	file[dot - name] = '\0';
	if (fileid_parse_name(&id, file) || !take_identity(&id, p, &one))
		return 0;
	return living_add(&p->l->with_mods, &one);
}

static int take_journal(void *arg, const char *name, unsigned char d_type)
{
	struct pass *p = arg;
	CLEANUP(buf_release) struct buf b = {0};
	int r;

	(void)d_type;
	if (!journal_is_one(name))
		return take_mods(p, name);
	p->l->has_journal = true;
	buf_init(&b, JOURNAL_MAX);
	r = file_read_all(p->dir_fd, name, &b);
	if (r == -ENOENT)
		return 0; /* the compaction ended meanwhile */
	if (r < 0)
		return r;
	journal_targets(buf_data(&b), b.len, mark_target, p);
	return compaction_read(&p->l->compactions, name, buf_data(&b), b.len,
			       true);
}

static void take_stamp(struct pass *p, const struct stat *st)
{
	int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000000ll +
			st->st_mtim.tv_nsec;

	if (clock_wall_ms() * 1000000ll - mtime > STAMP_TRUST_NS)
		p->l->stamps[p->volume][p->unsequence] = mtime;
}

static int open_dir(const struct listing *l, const struct pass *p)
{
	char path[DATA_DIR_LEN + FILEID_PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/%s/%s/%" PRIu32 "/%" PRId64,
		       l->data_dirs[p->volume],
		       p->unsequence ? "unsequence" : "sequence", l->database,
		       l->region, l->partition);
	return file_open_dir(path);
}

typedef int (*name_fn)(void *arg, const char *name, unsigned char d_type);

static int one_dir(struct listing *l, struct pass *p, name_fn fn)
{
	CLEANUP_CLOSE int fd = open_dir(l, p);
	struct stat st;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return fd;
	if (fn == take_file && fstat(fd, &st) == 0)
		take_stamp(p, &st);
	p->dir_fd = fd;
	return file_list(fd, fn, p);
}

static int all_dirs(struct listing *l, struct living_list *files, name_fn fn)
{
	size_t i;
	int r = 0;

	for (i = 0; r >= 0 && i < 2 * l->n_data_dirs; i++) {
		struct pass p = {.l = l,
				 .files = files,
				 .volume = (uint8_t)(i / 2),
				 .unsequence = i % 2 != 0};

		r = one_dir(l, &p, fn);
	}
	return r;
}

/* The same identity in two data directories is one file: the first counts. */
static void sort_unique(struct living_list *l)
{
	size_t i, n = 0;

	if (!l->n)
		return;
	living_sort(l, (struct living_order){.is_identity = true});
	for (i = 0; i < l->n; i++) {
		if (!n || living_compare(&l->v[n - 1], &l->v[i]) != 0)
			l->v[n++] = l->v[i];
	}
	l->n = n;
}

/* T is the time at which the server made the file. */
static void find_unsealed(struct listing *l, const struct living_list *files)
{
	size_t i;

	for (i = 0; i < files->n; i++) {
		const struct living *f = &files->v[i];
		int64_t t = (int64_t)f->t;

		if (!f->has_resource && !f->is_target &&
		    (!l->oldest_unsealed_ms || t < l->oldest_unsealed_ms))
			l->oldest_unsealed_ms = t;
	}
}

static bool is_sealed(const struct living *f)
{
	return f->has_resource && !f->is_target;
}

/* Files up to `known`, or all with NULL: what is sealed and comes before it is fresh.
 * 1 when `known` is among them. `fresh` may be `files` itself, which is then eaten up
 * from the front. */
static int take_sealed_until(struct living_list *fresh,
			     const struct living_list *files, size_t *at,
			     const struct living *known)
{
	int r = 0;

	while (r == 0 && *at < files->n) {
		const struct living f = files->v[*at];
		int order = known ? living_compare(&f, known) : -1;

		if (order > 0)
			break;
		(*at)++;
		if (order == 0)
			return 1;
		if (is_sealed(&f))
			r = living_add(fresh, &f);
	}
	return r;
}

static void raise_top(struct listing *l, const struct living *f)
{
	if (l->has_top && living_rank(f, &l->top, l->precedence) <= 0)
		return;
	l->top = *f;
	l->has_top = true;
}

/* One known file against the list: where it stands, or that it is gone. */
static int compare_one(struct listing *l, const struct living_list *files,
		       size_t *at, const struct known_file *known,
		       struct living_list *fresh, struct living_list *vanished)
{
	int r = take_sealed_until(fresh, files, at, &known->f);

	if (r == 0 && l->may_forget)
		r = living_add(vanished, &known->f);
	if (r == 1 && known->is_owed && is_sealed(&files->v[*at - 1])) {
		struct living again = files->v[*at - 1];

		again.is_again = true;
		r = living_add(fresh, &again);
	}
	return r;
}

/* Both sides are sorted alike: one pass. */
static int compare(struct listing *l, const struct living_list *files,
		   int64_t pipe, struct living_list *fresh,
		   struct living_list *vanished)
{
	sqlite3_stmt *st;
	struct known_file known;
	size_t at = 0;
	int r;

	if (!l->db)
		return take_sealed_until(fresh, files, &at, NULL);
	st = l->db->known;
	known_bind(st, pipe, l->database, l->region, l->partition);
	while ((r = db_row(&l->db->db, st, &l->err)) == 1) {
		known_row(st, &known);
		raise_top(l, &known.f);
		l->has_unread |= !known.has_sum;
		r = compare_one(l, files, &at, &known, fresh, vanished);
		if (r < 0) {
			(void)sqlite3_reset(st);
			return r;
		}
	}
	return r < 0 ? r : take_sealed_until(fresh, files, &at, NULL);
}

/* Only the journals that were read are kept: they may be gone by then. */
static int decide_later(struct listing *l, struct listing_pipe *lp,
			struct living_list *fresh, struct living_list *vanished)
{
	fresh->n = vanished->n = 0;
	plan_release(&lp->plan);
	return derive_remember(l, lp);
}

/* What the plan owes goes as what was captured before. */
static void mark_rejoined(struct living_list *fresh)
{
	size_t i;

	for (i = 0; i < fresh->n; i++)
		fresh->v[i].is_again |= fresh->v[i].is_rejoined;
}

/* The last pipe takes the list itself: it may be long. */
static int judge_pipe(struct listing *l, struct living_list *files,
		      struct listing_pipe *lp, bool is_last)
{
	struct living_list fresh = {0}, vanished = {0};
	const struct living_list all = *files;
	size_t i;
	int r;

	if (is_last) {
		fresh = *files;
		fresh.n = 0;
		memset(files, 0, sizeof(*files));
	}
	r = compare(l, &all, lp->pipe, &fresh, &vanished);
	if (r >= 0 && l->db)
		r = derive_judge(l, lp, &fresh, &vanished);
	if (r >= 0 && l->db && l->may_forget)
		r = restate_find_missed(l, lp, &fresh, &vanished);
	if (r >= 0 && l->db)
		r = vanish_judge(l, lp, &fresh, &vanished);
	if (r >= 0 && l->db)
		r = restate_add(l, lp, &fresh);
	if (r >= 0 && lp->is_waiting)
		r = decide_later(l, lp, &fresh, &vanished);
	else if (r >= 0 && l->db)
		r = deletion_judge(l, lp, &fresh, &vanished);
	mark_rejoined(&fresh);
	for (i = 0; i < lp->plan.products.n; i++)
		raise_top(l, &lp->plan.products.v[i].f);
	living_sort(&fresh, (struct living_order){.rule = l->precedence});
	if (r >= 0 && l->has_top)
		r = follow_add(l, lp, &fresh, &l->top);
	l->has_unread |= fresh.n > 0;
	if (r >= 0 && fresh.n)
		raise_top(l, &fresh.v[fresh.n - 1]);
	lp->files = fresh.v;
	lp->n_files = fresh.n;
	lp->vanished = vanished.v;
	lp->n_vanished = vanished.n;
	return r;
}

static int look(struct listing *l, struct living_list *files)
{
	int r = all_dirs(l, files, take_file);

	sort_unique(files);
	if (r >= 0)
		r = all_dirs(l, files, take_resource);
	if (r >= 0)
		r = all_dirs(l, files, take_journal);
	if (r >= 0)
		r = held_read(l->held, &l->compactions);
	sort_unique(&l->with_mods);
	return r < 0 || !l->db ? r : derive_prepare(l);
}

void listing_file(const struct listing *l, const struct living *f,
		  struct fileid *out)
{
	(void)snprintf(out->database, sizeof(out->database), "%s", l->database);
	out->unsequence = f->unsequence;
	out->region = l->region;
	out->partition = l->partition;
	out->t = f->t;
	out->v = f->v;
	out->i = f->i;
	out->c = f->c;
}

static int list_all(struct listing *l)
{
	CLEANUP(living_release) struct living_list files = {0};
	size_t i;
	int r = look(l, &files);

	find_unsealed(l, &files);
	for (i = 0; r >= 0 && l->keeps_all && i < files.n; i++)
		r = living_add(&l->all, &files.v[i]);
	for (i = 0; r >= 0 && i < l->n_pipes; i++)
		r = judge_pipe(l, &files, &l->pipes[i], i + 1 == l->n_pipes);
	return r;
}

void listing_run(struct job *j)
{
	struct listing *l = CONTAINER_OF(j, struct listing, job);
	size_t i;
	int r;

	for (i = 0; i < l->n_pipes; i++)
		plan_init(&l->pipes[i].plan);
	r = l->is_survey ? survey_run(l) : list_all(l);
	if (l->is_survey)
		l->has_unread = r == 1;
	if (r < 0 && !l->err.sys)
		(void)err_set(&l->err, -r,
			      "partition %s/%" PRIu32 "/%" PRId64
			      " cannot be listed: %s",
			      l->database, l->region, l->partition,
			      err_words(-r));
	l->result = r < 0 ? r : 0;
}

void listing_release(struct listing *l)
{
	size_t i;

	for (i = 0; i < l->n_pipes; i++) {
		free(l->pipes[i].files);
		free(l->pipes[i].vanished);
		l->pipes[i].files = l->pipes[i].vanished = NULL;
		plan_release(&l->pipes[i].plan);
	}
	living_release(&l->all);
	living_release(&l->with_mods);
	compactions_release(&l->compactions);
	held_free(l->held);
	l->held = NULL;
	vanish_release(l);
}
