#include "compaction.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "living.h"

static void release_one(struct compaction *c)
{
	free(c->v);
	free(c->stored);
}

void compactions_release(struct compactions *cs)
{
	size_t i;

	for (i = 0; i < cs->n; i++)
		release_one(&cs->v[i]);
	free(cs->v);
	memset(cs, 0, sizeof(*cs));
}

static struct compaction *find(const struct compactions *cs,
			       const char *journal)
{
	size_t i;

	for (i = 0; i < cs->n; i++) {
		if (strcmp(cs->v[i].journal, journal) == 0)
			return &cs->v[i];
	}
	return NULL;
}

static struct compaction *make(struct compactions *cs, const char *journal)
{
	struct compaction *c = find(cs, journal);

	if (c)
		return c;
	if (array_room(&cs->v, cs->n, &cs->cap, sizeof(*cs->v)))
		return NULL;
	c = &cs->v[cs->n++];
	memset(c, 0, sizeof(*c));
	(void)snprintf(c->journal, sizeof(c->journal), "%s", journal);
	return c;
}

static struct compaction_file *find_file(const struct compaction *c,
					 enum journal_role role,
					 const struct living *f)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		if (c->v[i].role == role && living_compare(&c->v[i].f, f) == 0)
			return &c->v[i];
	}
	return NULL;
}

static int add_file(struct compaction *c, const struct compaction_file *one)
{
	if (c->n == COMPACTION_FILES_MAX) {
		c->is_too_long = true;
		return 0;
	}
	if (array_room(&c->v, c->n, &c->cap, sizeof(*c->v)))
		return -ENOMEM;
	c->v[c->n++] = *one;
	return 0;
}

struct reading {
	struct compaction *c;
	int result;
};

static void take_line(void *arg, enum journal_role role,
		      const struct fileid *id)
{
	struct reading *r = arg;
	struct compaction_file one = {.role = role, .mods = -1};

	if (id->i > UINT32_MAX || id->c > UINT32_MAX || r->result)
		return;
	one.f = (struct living){.t = id->t,
				.v = id->v,
				.i = (uint32_t)id->i,
				.c = (uint32_t)id->c,
				.unsequence = id->unsequence};
	if (!find_file(r->c, role, &one.f))
		r->result = add_file(r->c, &one);
}

int compaction_read(struct compactions *cs, const char *journal, const void *p,
		    size_t n, bool is_there)
{
	struct reading r = {.c = make(cs, journal)};

	if (!r.c)
		return -ENOMEM;
	r.c->is_there |= is_there;
	journal_lines(p, n, take_line, &r);
	return r.result;
}

/* One line as compaction_print() writes it. */
static bool parse_line(const char *line, struct compaction_file *out)
{
	unsigned role, unsequence;

	memset(out, 0, sizeof(*out));
	if (sscanf(line,
		   "%u %u %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu32
		   " %" SCNd64,
		   &role, &unsequence, &out->f.t, &out->f.v, &out->f.i,
		   &out->f.c, &out->mods) != 7 ||
	    role > JOURNAL_EMPTY || unsequence > 1)
		return false;
	out->role = (enum journal_role)role;
	out->f.unsequence = unsequence;
	return true;
}

static int load_body(struct compaction *c, const char *body)
{
	struct compaction_file one;
	int r = 0;

	while (r == 0 && *body) {
		struct compaction_file *old;

		if (!parse_line(body, &one))
			return -EBADMSG;
		old = find_file(c, one.role, &one.f);
		if (!old)
			r = add_file(c, &one);
		else if (one.mods >= 0)
			old->mods = one.mods; /* the first look counts */
		body += strcspn(body, "\n");
		body += *body != '\0';
	}
	return r;
}

static int load_row(struct compactions *cs, sqlite3_stmt *st)
{
	const char *body = (const char *)sqlite3_column_text(st, 1);
	char journal[JOURNAL_NAME_LEN];
	struct compaction *c;

	if (!body || db_text(st, 0, journal, sizeof(journal)))
		return -EBADMSG;
	c = make(cs, journal);
	if (!c)
		return -ENOMEM;
	free(c->stored);
	c->stored = xstrdup(body);
	return load_body(c, body);
}

int compactions_load(struct compactions *cs, struct db *db, sqlite3_stmt *st,
		     struct err *e)
{
	int r;

	while ((r = db_row(db, st, e)) == 1) {
		r = load_row(cs, st);
		if (r) {
			(void)sqlite3_reset(st);
			return err_set(e, -r, "a compaction in the catalog: %s",
				       err_words(-r));
		}
	}
	return r;
}

void compaction_print(const struct compaction *c, struct buf *out)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct compaction_file *o = &c->v[i];

		buf_addf(out,
			 "%u %u %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu32
			 " %" PRId64 "\n",
			 (unsigned)o->role, (unsigned)o->f.unsequence, o->f.t,
			 o->f.v, o->f.i, o->f.c, o->mods);
	}
}

bool compaction_is_whole(const struct compaction *c)
{
	size_t i;

	bool has_source = false, has_end = false;

	for (i = 0; i < c->n; i++) {
		if (c->v[i].role == JOURNAL_SOURCE)
			has_source = true;
		else
			has_end = true;
	}
	return has_source && has_end && !c->is_too_long;
}
