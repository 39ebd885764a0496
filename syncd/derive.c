#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "derive_inside.h"
#include "follow.h"
#include "ground/fileio.h"
#include "restate.h"

/* ---- the look at the sources ---- */

static int64_t size_beside(const struct listing *l, const struct living *f,
			   size_t volume, const char *suffix)
{
	char path[DATA_DIR_LEN + FILEID_PATH_MAX + 16], file[FILEID_PATH_MAX];
	struct fileid id;

	listing_file(l, f, &id);
	(void)snprintf(path, sizeof(path), "%s/%s%s", l->data_dirs[volume],
		       fileid_path(&id, file), suffix);
	return file_size_at(AT_FDCWD, path);
}

/* The deletions first: a source that goes in between counts as gone. So does one whose deletions
 * cannot be seen: it is looked at again. */
static int64_t mods_of(const struct listing *l, const struct living *f)
{
	size_t i;

	for (i = 0; i < l->n_data_dirs; i++) {
		int64_t mods = size_beside(l, f, i, ".mods2");

		if (mods == -ENOENT)
			mods = size_beside(l, f, i, ".mods");
		if (size_beside(l, f, i, "") < 0)
			continue;
		if (mods == -ENOENT)
			return 0;
		return mods < 0 ? -1 : mods;
	}
	return -1;
}

int derive_prepare(struct listing *l)
{
	sqlite3_stmt *st = l->db->compactions;
	size_t i, k;
	int r;

	(void)sqlite3_bind_text(st, 1, l->database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, l->region);
	(void)sqlite3_bind_int64(st, 3, l->partition);
	r = compactions_load(&l->compactions, &l->db->db, st, &l->err);
	for (i = 0; r == 0 && i < l->compactions.n; i++) {
		struct compaction *c = &l->compactions.v[i];

		for (k = 0; c->is_there && k < c->n; k++) {
			if (c->v[k].role == JOURNAL_SOURCE && c->v[k].mods < 0)
				c->v[k].mods = mods_of(l, &c->v[k].f);
		}
	}
	return r;
}

/* ---- the judgement ---- */

static void judging_release(struct judging *j)
{
	known_release(&j->known);
}

struct living *derive_vanished(const struct judging *j, const struct living *f)
{
	return living_find(j->vanished, f);
}

struct living *derive_fresh(const struct judging *j, const struct living *f)
{
	const struct living_list sorted = {.v = j->fresh->v, .n = j->n_fresh};

	return living_find(&sorted, f);
}

static struct known_file *product_one(const struct judging *j,
				      const struct living *f)
{
	size_t i;

	for (i = 0; i < j->plan->products.n; i++) {
		if (living_compare(&j->plan->products.v[i].f, f) == 0)
			return &j->plan->products.v[i];
	}
	return NULL;
}

/* A source that is gone from the edge and captured, itself or by derivation. */
const struct known_file *derive_source(const struct judging *j,
				       const struct living *f)
{
	const struct known_file *k = product_one(j, f);

	if (k || !derive_vanished(j, f))
		return k;
	return known_find(&j->known, f);
}

static bool is_source(const struct compaction *c, size_t i)
{
	return c->v[i].role == JOURNAL_SOURCE;
}

static bool is_read_to_the_end(const struct compaction_file *s,
			       const struct known_file *k)
{
	return s->mods >= 0 && k->mods_seen >= (uint64_t)s->mods;
}

/* Why the product cannot be derived as far as its sources say; NULL = it can. */
static const char *what_lacks(const struct judging *j,
			      const struct compaction *c)
{
	size_t i;

	if (!compaction_is_whole(c))
		return "its journal was not read to the end";
	for (i = 0; i < c->n; i++) {
		const struct known_file *k;

		if (!is_source(c, i))
			continue;
		k = derive_source(j, &c->v[i].f);
		if (!k)
			return "not all of its sources were captured";
		if (k->is_loose)
			return "a source was captured while the spool was "
			       "full";
		if (k->is_owed)
			return "one of its sources still had to follow "
			       "another file";
	}
	return NULL;
}

/* Captured sources whose deletions may not all have been read. The rows decide: when none is
 * missing, none was deleted. They cannot where a source is not known. */
static int find_stale(struct judging *j, const struct compaction *c,
		      const char **why)
{
	CLEANUP(known_release) struct known_list sources = {.n = 0};
	CLEANUP_FREE struct living **products =
		xcalloc(c->n, sizeof(struct living *));
	bool is_complete = !*why;
	size_t i, n = 0, n_unread = 0;
	int r = 0;

	for (i = 0; r == 0 && i < c->n; i++) {
		struct living *f = derive_fresh(j, &c->v[i].f);
		const struct known_file *k;

		if (c->v[i].role == JOURNAL_TARGET && f)
			products[n++] = f;
		k = is_source(c, i) ? derive_source(j, &c->v[i].f) : NULL;
		if (!k)
			continue;
		n_unread += !is_read_to_the_end(&c->v[i], k);
		r = known_add(&sources, k);
	}
	if (r || !n_unread ||
	    (is_complete && (!n || restate_is_equal(j->l, j->lp->pipe, &sources,
						    products, n))))
		return r;
	if (is_complete)
		*why = "the deletions of a source may not have been read to "
		       "the end";
	for (i = 0; r == 0 && i < sources.n; i++)
		r = known_add(&j->plan->stale, &sources.v[i]);
	return r;
}

/* ---- what follows from it ---- */

static void tell(struct judging *j, const struct living *f, size_t n_sources,
		 const char *why)
{
	char path[FILEID_PATH_MAX];
	struct fileid id;

	listing_file(j->l, f, &id);
	if (why)
		buf_addf(&j->plan->news,
			 "%s is sent, a product of %zu files: %s\n",
			 fileid_path(&id, path), n_sources, why);
	else
		buf_addf(&j->plan->news,
			 "%s is derived from %zu captured files: not sent\n",
			 fileid_path(&id, path), n_sources);
}

static size_t count_sources(const struct compaction *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		n += is_source(c, i);
	return n;
}

/* An insertion links the source's very deletions beside the product. */
static bool is_insertion(const struct compaction *c)
{
	return strstr(c->journal, ".insertion-compaction.log") != NULL;
}

static struct known_file make_product(const struct judging *j,
				      const struct compaction *c,
				      const struct living *f)
{
	struct known_file p = {.f = *f, .is_derived = true};
	bool is_known = true;
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct known_file *s =
			is_source(c, i) ? derive_source(j, &c->v[i].f) : NULL;

		if (!s)
			continue;
		if (s->serial > p.serial)
			p.serial = s->serial;
		if (!p.serial_low || s->serial_low < p.serial_low)
			p.serial_low = s->serial_low;
		if (is_insertion(c))
			p.mods_seen = s->mods_seen;
		is_known &= s->range.any;
		known_widen(&p.range, &s->range);
	}
	/* No wider than its sources together; exact once it was surveyed. */
	p.range.any &= is_known;
	return p;
}

static int derive_targets(struct judging *j, const struct compaction *c)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->n; i++) {
		const struct compaction_file *t = &c->v[i];
		struct known_file p;
		struct living *f;

		if (t->role != JOURNAL_TARGET)
			continue;
		f = derive_fresh(j, &t->f);
		p = make_product(j, c, f ? f : &t->f);
		r = known_add(&j->plan->products, &p);
		if (f) {
			f->is_explained = true;
			tell(j, f, count_sources(c), NULL);
		}
	}
	return r;
}

/* Are all sources accounted for, so that nothing more can be learned by waiting for
 * another compaction's judgement? */
static bool is_ripe(const struct judging *j, const struct compaction *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		if (is_source(c, i) && !derive_source(j, &c->v[i].f))
			return false;
	}
	return true;
}

static int send_targets(struct judging *j, const struct compaction *c,
			const char *why)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->n; i++) {
		struct living *f = c->v[i].role == JOURNAL_TARGET
					   ? derive_fresh(j, &c->v[i].f)
					   : NULL;
		struct known_file p;

		if (!f)
			continue;
		/* Else captured files may have gone into what it was made of. */
		f->is_judged = compaction_is_whole(c) && is_ripe(j, c);
		tell(j, f, count_sources(c), why);
		p = make_product(j, c, f);
		p.range = follow_range(j->l, f);
		f->is_rejoined = j->lp->sync_del_op && p.serial;
		if (f->is_rejoined)
			r = plan_owe_product(j->plan, &p);
	}
	return r;
}

static int let_go(struct judging *j, const struct compaction *c)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->n; i++) {
		struct living *f =
			is_source(c, i) ? derive_vanished(j, &c->v[i].f) : NULL;

		if (!f || f->is_explained)
			continue;
		f->is_explained = true;
		r = living_add(&j->plan->gone, f);
	}
	return r;
}

static int decide(struct judging *j, struct compaction *c)
{
	const char *why = what_lacks(j, c);
	int r = find_stale(j, c, &why);

	c->is_decided = true;
	if (r == 0 && !why)
		r = derive_cross(j, c);
	if (r == 1)
		why = "a captured file ranks between its sources and it";
	if (r >= 0 && !why)
		r = derive_targets(j, c);
	else if (r >= 0)
		r = send_targets(j, c, why);
	return r < 0 ? r : let_go(j, c);
}

static bool is_living(const struct judging *j, const struct living *f)
{
	return derive_fresh(j, f) ||
	       (known_find(&j->known, f) && !derive_vanished(j, f));
}

/* While a source stands, its compaction was seen half done, or was undone: the product
 * has nothing that its sources have not. */
static bool is_half_done(const struct judging *j, const struct compaction *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		if (is_source(c, i) && is_living(j, &c->v[i].f))
			return true;
	}
	return false;
}

static bool has_known_sources(const struct judging *j,
			      const struct compaction *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		if (is_source(c, i) && !derive_source(j, &c->v[i].f) &&
		    !is_living(j, &c->v[i].f))
			return false;
	}
	return compaction_is_whole(c);
}

/* With it the new files that it may be in: captured alone they would be no news by the time
 * that it is asked where it went. */
static void withhold_gone(struct judging *j, struct living *gone)
{
	size_t i;

	if (gone->is_explained)
		return;
	gone->is_explained = true;
	for (i = 0; i < j->n_fresh; i++) {
		struct living *f = &j->fresh->v[i];

		if (!f->is_again && !f->is_judged && !f->is_rejoined &&
		    restate_may_be_in(f, gone))
			f->is_explained = true;
	}
}

/* Files of a compaction that cannot be judged yet are not news. */
static void withhold(struct judging *j, const struct compaction *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		struct living *f = is_source(c, i)
					   ? derive_vanished(j, &c->v[i].f)
					   : derive_fresh(j, &c->v[i].f);

		if (f)
			f->is_explained = true;
	}
	/* What else is gone may be in a source that nobody knows. */
	for (i = 0; !has_known_sources(j, c) && i < j->vanished->n; i++)
		withhold_gone(j, &j->vanished->v[i]);
}

/* Products of one may be the sources of the next: what is ripe goes first. */
static int decide_all(struct judging *j, bool only_ripe)
{
	struct compactions *cs = &j->l->compactions;
	bool is_progress = true;
	size_t i;
	int r = 0;

	while (r == 0 && is_progress) {
		is_progress = false;
		for (i = 0; r == 0 && i < cs->n; i++) {
			struct compaction *c = &cs->v[i];

			if (c->is_decided || c->is_there ||
			    is_half_done(j, c) || (only_ripe && !is_ripe(j, c)))
				continue;
			r = decide(j, c);
			is_progress = true;
		}
	}
	return r;
}

static bool is_consumed(const struct judging *j, const struct living *f)
{
	const struct compactions *cs = &j->l->compactions;
	size_t i, k;

	for (i = 0; i < cs->n; i++) {
		for (k = 0; k < cs->v[i].n; k++) {
			if (is_source(&cs->v[i], k) &&
			    living_compare(&cs->v[i].v[k].f, f) == 0)
				return true;
		}
	}
	return false;
}

/* A new file that may have a product's rows, though no journal says so. */
static bool is_in_fresh(const struct judging *j, const struct living *product)
{
	size_t i;

	for (i = 0; i < j->n_fresh; i++) {
		const struct living *f = &j->fresh->v[i];

		if (!f->is_again && !f->is_judged && !product_one(j, f) &&
		    restate_may_be_in(f, product))
			return true;
	}
	return false;
}

/* A product that went into another one that nobody saw made: what was deleted of it meanwhile
 * nobody read. */
static int find_lost_products(struct judging *j)
{
	struct plan *p = j->plan;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < p->products.n; i++) {
		const struct living *f = &p->products.v[i].f;

		if (!derive_fresh(j, f) && !is_consumed(j, f) &&
		    is_in_fresh(j, f))
			r = known_add(&p->stale, &p->products.v[i]);
	}
	return r;
}

/* A product that was compacted away in turn is as gone as a source. */
static void drop_consumed(struct judging *j)
{
	struct known_list *l = &j->plan->products;
	size_t i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (derive_fresh(j, &l->v[i].f))
			l->v[n++] = l->v[i];
	}
	l->n = n;
}

static void drop_explained(struct living_list *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (!l->v[i].is_explained)
			l->v[n++] = l->v[i];
	}
	l->n = n;
}

/* What is judged is forgotten, the rest is kept for the next look. */
static int remember(struct judging *j)
{
	const struct compactions *cs = &j->l->compactions;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < cs->n; i++) {
		const struct compaction *c = &cs->v[i];
		CLEANUP(buf_release) struct buf body;

		buf_init(&body, COMPACTION_BODY_MAX);
		if (!c->is_decided)
			compaction_print(c, &body);
		if (!c->is_decided && compaction_is_whole(c) &&
		    (!c->stored || strcmp(c->stored, buf_str(&body)) != 0))
			r = plan_journal(j->plan, c->journal, buf_str(&body));
		else if (c->is_decided && c->stored)
			r = plan_journal(j->plan, c->journal, NULL);
	}
	return r;
}

int derive_remember(struct listing *l, struct listing_pipe *lp)
{
	struct judging j = {.l = l, .lp = lp, .plan = &lp->plan};
	size_t i;

	for (i = 0; i < l->compactions.n; i++)
		l->compactions.v[i].is_decided = false;
	return remember(&j);
}

int derive_judge(struct listing *l, struct listing_pipe *lp,
		 struct living_list *fresh, struct living_list *vanished)
{
	CLEANUP(judging_release)
	struct judging j = {.l = l,
			    .lp = lp,
			    .plan = &lp->plan,
			    .fresh = fresh,
			    .vanished = vanished,
			    .n_fresh = fresh->n};
	size_t i;
	int r;

	if (!l->compactions.n)
		return 0;
	known_bind(l->db->known, lp->pipe, l->database, l->region,
		   l->partition);
	r = known_read(&l->db->db, l->db->known, &j.known, &l->err);
	for (i = 0; i < l->compactions.n; i++)
		l->compactions.v[i].is_decided = false;
	if (r == 0 && l->may_forget)
		r = decide_all(&j, true);
	if (r == 0 && l->may_forget)
		r = decide_all(&j, false);
	for (i = 0; i < l->compactions.n; i++) {
		if (!l->compactions.v[i].is_decided)
			withhold(&j, &l->compactions.v[i]);
	}
	if (r == 0)
		r = remember(&j);
	if (r == 0)
		r = find_lost_products(&j);
	drop_consumed(&j);
	drop_explained(fresh);
	drop_explained(vanished);
	return r;
}
