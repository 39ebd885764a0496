#include "schema_pass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "schema_diff.h"

/* A sorted source of lines: a listing, read line by line. */
struct lines {
	FILE *from; /* NULL: an empty one */
	char *line; /* owned */
	size_t size;
	struct series now;
	bool is_there; /* `now` is the next one */
	int64_t at;    /* where it begins */
};

struct walk_of {
	struct schema_pass *p;
	struct lines listing, before;
	struct db db;
	sqlite3_stmt *st;
	/* The catalog's next row. */
	char *row; /* owned: a line */
	struct series known;
	bool has_known;
	bool is_full;
};

void schema_pass_init(struct schema_pass *p)
{
	*p = (struct schema_pass){.job.run = schema_pass_run};
	buf_init(&p->statements, SCHEMA_PIECE_MAX + 8 * SCHEMA_LINE_MAX);
	buf_init(&p->rows, SCHEMA_ROWS_MAX + 8 * SCHEMA_LINE_MAX);
}

void schema_pass_next(struct schema_pass *p)
{
	buf_clear(&p->statements);
	buf_clear(&p->rows);
	p->of[0] = '\0';
}

void schema_pass_release(struct schema_pass *p)
{
	buf_release(&p->statements);
	buf_release(&p->rows);
	free(p->database);
	free(p->path);
	free(p->listed);
	free(p->dropped);
	p->database = p->path = p->listed = p->dropped = NULL;
}

/* ---- listings ---- */

static int lines_next(struct lines *l, struct err *e)
{
	ssize_t n;

	l->is_there = false;
	if (!l->from)
		return 0;
	l->at = ftello(l->from);
	n = getline(&l->line, &l->size, l->from);
	if (n < 0 && feof(l->from))
		return 0;
	if (n < 0 || n > (ssize_t)SCHEMA_LINE_MAX || l->line[n - 1] != '\n')
		return err_set(e, EIO,
			       "a listing of the schema that cannot "
			       "be read");
	l->line[n - 1] = '\0';
	l->is_there = true;
	return series_parse(&l->now, l->line) < 0
		       ? err_set(e, EBADMSG,
				 "a listing of the schema with a "
				 "line that is none")
		       : 0;
}

static int lines_open(struct lines *l, const char *path, int64_t at,
		      struct err *e)
{
	if (!path)
		return 0;
	l->from = fopen(path, "re");
	if (!l->from || fseeko(l->from, at, SEEK_SET) < 0)
		return err_set(e, errno, "%s: %s", path, err_words(errno));
	return lines_next(l, e);
}

static void lines_close(struct lines *l)
{
	if (l->from)
		(void)fclose(l->from); /* was read only */
	free(l->line);
}

/* ---- the catalog ---- */

static int known_next(struct walk_of *w, struct err *e)
{
	int r = db_row(&w->db, w->st, e);
	CLEANUP(buf_release) struct buf line = {0};

	w->has_known = r == 1;
	if (r != 1)
		return r;
	buf_init(&line, SCHEMA_LINE_MAX);
	for (int i = 0; i < 3; i++) {
		const char *text = (const char *)sqlite3_column_text(w->st, i);

		buf_addf(&line, "%s%s", i ? "\t" : "", text ? text : "");
	}
	free(w->row);
	w->row = xstrdup(buf_str(&line));
	if (buf_end(&line) < 0 || series_parse(&w->known, w->row) < 0)
		return err_set(e, EBADMSG,
			       "catalog.db: a row of the schema is "
			       "not as it was written");
	return 0;
}

/* Whether there is nothing to be done: this very listing was committed. */
static int read_listed(struct walk_of *w, struct err *e)
{
	struct schema_pass *p = w->p;
	char identity[SCHEMA_IDENTITY_LEN], digest[SCHEMA_DIGEST_LEN];
	sqlite3_stmt *st;
	int r = db_prepare(&w->db, &st,
			   "SELECT identity, digest FROM listed"
			   " WHERE pipe = ?1",
			   e);

	if (r)
		return r;
	(void)sqlite3_bind_int64(st, 1, p->pipe);
	r = db_row(&w->db, st, e);
	if (r == 1) {
		r = 0;
		if (db_text(st, 0, identity, sizeof(identity)) == 0 &&
		    db_text(st, 1, digest, sizeof(digest)) == 0) {
			bool is_same = strcmp(identity, p->identity) == 0;

			p->is_known_server = identity[0] && is_same;
			p->is_another_server = identity[0] && !is_same;
			r = !p->is_another_server && !p->before && digest[0] &&
			    strcmp(digest, p->digest) == 0;
		}
	}
	(void)sqlite3_finalize(st);
	return r;
}

static int open_rows(struct walk_of *w, struct err *e)
{
	const struct schema_pass *p = w->p;
	int r = db_prepare(&w->db, &w->st,
			   "SELECT database, path, rest FROM series"
			   " WHERE pipe = ?1 AND (database, path) > (?2, ?3)"
			   " ORDER BY database, path",
			   e);

	if (r)
		return r;
	(void)sqlite3_bind_int64(w->st, 1, p->pipe);
	(void)sqlite3_bind_text(w->st, 2, p->database ? p->database : "", -1,
				SQLITE_STATIC);
	(void)sqlite3_bind_text(w->st, 3, p->path ? p->path : "", -1,
				SQLITE_STATIC);
	return known_next(w, e);
}

/* ---- what differs ---- */

static void row(struct walk_of *w, char what, const struct series *s,
		const char *rest)
{
	struct buf *rows = &w->p->rows;

	buf_add(rows, &what, 1);
	buf_add(rows, s->database, strlen(s->database) + 1);
	buf_add(rows, s->path, strlen(s->path) + 1);
	buf_add(rows, rest, strlen(rest) + 1);
}

static void created(struct walk_of *w, struct series *s)
{
	row(w, '+', s, s->rest);
	if (series_cut(s) < 0)
		return;
	schema_create(s, &w->p->statements);
	w->p->counts.created++;
}

static bool is_in_before(const struct walk_of *w, const struct series *s)
{
	return w->before.is_there &&
	       series_compare(s->database, s->path, &w->before.now) == 0;
}

static bool keeps_cloud(const struct walk_of *w, const struct series *s)
{
	const struct schema_pass *p = w->p;

	return p->is_another_server || p->is_most_gone || !p->may_remove ||
	       !p->listed || strcmp(p->listed, s->database) != 0;
}

/* A database that is gone. A server that swears by no identity may be another one, and a
 * whole database is too much for a guess. */
static void gone_database(struct walk_of *w, const struct series *s)
{
	struct schema_pass *p = w->p;

	if (!p->is_known_server || !p->may_remove) {
		row(w, '-', s, "");
		return;
	}
	row(w, '+', s, SCHEMA_DROPPED);
	schema_drop(s->database, &p->statements);
	free(p->dropped);
	p->dropped = xstrdup(s->database);
	p->counts.dropped++;
}

static bool is_dropped(const struct series *s)
{
	return !*s->path && strcmp(s->rest, SCHEMA_DROPPED) == 0;
}

/* In the catalog, and not in the listing. */
static void gone(struct walk_of *w)
{
	struct schema_pass *p = w->p;
	struct series *s = &w->known;

	if (!p->sees_all || is_dropped(s))
		return;
	if (!p->before && !p->is_another_server) {
		p->counts.missing++;
		return;
	}
	if (is_in_before(w, s)) {
		p->counts.missing++; /* one of two is wrong: another time */
		return;
	}
	if (!*s->path) {
		gone_database(w, s);
		return;
	}
	row(w, '-', s, "");
	if (p->dropped && strcmp(p->dropped, s->database) == 0)
		return;
	if (keeps_cloud(w, s)) {
		p->counts.kept++;
		return;
	}
	schema_remove(s->path, &p->statements);
	p->counts.removed++;
}

/* Deleted and made anew, as another: its rows of before are gone at the edge. */
static void replaced(struct walk_of *w, const struct series *s,
		     const char *rest)
{
	struct schema_pass *p = w->p;

	if (!p->before && !p->is_another_server) {
		p->counts.missing++;
		return;
	}
	row(w, '+', s, rest);
	if (keeps_cloud(w, s)) {
		p->counts.kept++;
		return;
	}
	schema_remove(s->path, &p->statements);
	schema_create(s, &p->statements);
	p->counts.removed++;
}

static void differs(struct walk_of *w, struct series *s)
{
	struct series old = w->known;
	CLEANUP_FREE char *rest = xstrdup(s->rest);
	size_t len = w->p->statements.len;

	if (is_dropped(&w->known)) {
		created(w, s);
		return;
	}
	if (series_cut(s) < 0 || series_cut(&old) < 0)
		return;
	if (schema_is_another(&old, s)) {
		replaced(w, s, rest);
		return;
	}
	schema_alter(&old, s, &w->p->statements);
	w->p->counts.changed += w->p->statements.len > len;
	row(w, '+', s, rest);
}

/* ---- the walk ---- */

static bool is_full(const struct walk_of *w, const char *database)
{
	const struct schema_pass *p = w->p;

	return p->statements.len >= SCHEMA_PIECE_MAX ||
	       p->rows.len >= SCHEMA_ROWS_MAX ||
	       (p->statements.len && strcmp(p->of, database) != 0);
}

static void remember(struct schema_pass *p, const struct series *s)
{
	free(p->database);
	free(p->path);
	p->database = xstrdup(s->database);
	p->path = xstrdup(s->path);
}

static int step_before(struct walk_of *w, const struct series *s, struct err *e)
{
	int r = 0;

	while (r == 0 && w->before.is_there &&
	       series_compare(s->database, s->path, &w->before.now) > 0)
		r = lines_next(&w->before, e);
	return r;
}

static void see_database(struct walk_of *w, const struct series *s)
{
	if (*s->path)
		return;
	free(w->p->listed);
	w->p->listed = xstrdup(s->database);
}

/* The next name of both, wherever it stands. */
static int step(struct walk_of *w, struct err *e)
{
	struct lines *l = &w->listing;
	struct schema_pass *p = w->p;
	int order = !w->has_known  ? -1
		    : !l->is_there ? 1
				   : series_compare(l->now.database,
						    l->now.path, &w->known);
	struct series *s = order <= 0 ? &l->now : &w->known;
	int r = 0;

	if (is_full(w, s->database)) {
		w->is_full = true;
		return 0;
	}
	(void)snprintf(p->of, sizeof(p->of), "%s", s->database);
	r = step_before(w, s, e);
	if (r)
		return r;
	remember(p, s);
	p->counts.known += order >= 0;
	if (order <= 0)
		see_database(w, s);
	if (order < 0)
		created(w, s);
	else if (order > 0)
		gone(w);
	else if (strcmp(s->rest, w->known.rest) != 0)
		differs(w, s);
	if (order <= 0)
		r = lines_next(l, e);
	if (r == 0 && order >= 0)
		r = known_next(w, e);
	return r;
}

static int walk(struct walk_of *w, struct err *e)
{
	int r = 0;

	while (r == 0 && !w->is_full && (w->listing.is_there || w->has_known))
		r = step(w, e);
	if (r == 0 && (buf_end(&w->p->statements) || buf_end(&w->p->rows)))
		r = err_set(e, E2BIG, "a schema with names that are too long");
	w->p->at = w->listing.at;
	w->p->before_at = w->before.at;
	w->p->is_end = !w->is_full;
	return r;
}

void schema_pass_run(struct job *j)
{
	struct schema_pass *p = CONTAINER_OF(j, struct schema_pass, job);
	struct walk_of w = {.p = p};
	int r = outbox_reader_open(&w.db, p->catalog, &p->err);

	if (r == 0 && !p->is_begun)
		r = read_listed(&w, &p->err);
	p->is_begun = true;
	p->is_end = r == 1;
	if (p->is_end || r < 0)
		goto out;
	r = lines_open(&w.listing, p->listing, p->at, &p->err);
	if (r == 0)
		r = lines_open(&w.before, p->before, p->before_at, &p->err);
	if (r == 0)
		r = open_rows(&w, &p->err);
	if (r == 0)
		r = walk(&w, &p->err);
out:
	p->result = r < 0 ? r : 0;
	(void)sqlite3_finalize(w.st);
	db_close(&w.db);
	lines_close(&w.listing);
	lines_close(&w.before);
	free(w.row);
}
