#include "vanish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "restate.h"
#include "schema_line.h"
#include "schema_pass.h"
#include "settings.h"

/* Those that reached the cloud, or will: what the spool never had is a gap anyway, and
 * what lies before the start time never went. */
static int find_lost(struct listing *l, struct listing_pipe *lp,
		     const struct living_list *vanished, struct known_list *out)
{
	CLEANUP(known_release) struct known_list all = {.n = 0};
	size_t i;
	int r;

	known_bind(l->db->known, lp->pipe, l->database, l->region,
		   l->partition);
	r = known_read(&l->db->db, l->db->known, &all, &l->err);
	for (i = 0; r == 0 && i < vanished->n; i++) {
		const struct known_file *k = known_find(&all, &vanished->v[i]);

		if (k && k->serial && !k->is_loose)
			r = known_add(out, k);
	}
	return r;
}

static int let_go(struct listing_pipe *lp, struct living_list *vanished)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < vanished->n; i++)
		r = living_add(&lp->plan.gone, &vanished->v[i]);
	vanished->n = 0;
	return r;
}

static void tell(struct listing *l, struct listing_pipe *lp, size_t n,
		 const char *what)
{
	buf_addf(&lp->plan.news,
		 "%s/%" PRIu32 "/%" PRId64
		 ": %zu captured files are gone and no journal says why: %s\n",
		 l->database, l->region, l->partition, n, what);
}

static int ask(struct listing *l, const struct restate *rs)
{
	struct vanish_question q = {.database = l->database,
				    .region = l->region,
				    .first = rs->first,
				    .last = rs->last};
	CLEANUP(buf_release) struct buf lines;

	buf_init(&lines, RESTATE_LINES_MAX);
	restate_print(rs, &lines);
	q.devices = buf_str(&lines);
	return buf_end(&lines) || !l->ask ? VANISH_UNKNOWN : l->ask(l, &q);
}

static int make_restate(struct listing *l, struct listing_pipe *lp,
			struct living_list *fresh, struct living_list *vanished,
			struct restate *rs, size_t n)
{
	int answer = ask(l, rs);
	bool is_held = answer != VANISH_DELETED ||
		       l->inferred_deletes == INFERRED_HOLD;
	int r;

	if (answer == VANISH_LATER) {
		vanished->n = 0; /* known as before until then */
		return 0;
	}
	if (answer == VANISH_EXPLAINED) {
		tell(l, lp, n, "their rows are there, or fell to a TTL");
		return 0;
	}
	tell(l, lp, n,
	     is_held ? "a RESTATE waits at the receiver for RETRY or SKIP"
		     : "their rows are deleted in the cloud, too");
	rs->is_held = is_held;
	r = restate_send(l, lp, fresh, rs);
	return r ? r : let_go(lp, vanished);
}

/* ---- a database that was dropped ---- */

enum drop {
	DROP_NO,
	DROP_PERHAPS, /* the schema will tell */
	DROP_TOLD
};

static enum drop drop_of(struct listing *l, const struct listing_pipe *lp)
{
	sqlite3_stmt *st = l->db->dropped;
	char rest[16] = "", identity[SCHEMA_IDENTITY_LEN] = "";
	int r;

	(void)sqlite3_bind_int64(st, 1, lp->pipe);
	(void)sqlite3_bind_text(st, 2, l->database, -1, SQLITE_STATIC);
	r = db_row(&l->db->db, st, NULL);
	if (r != 1)
		return r < 0 ? DROP_PERHAPS : DROP_NO;
	(void)!db_text(st, 0, rest, sizeof(rest));
	(void)!db_text(st, 1, identity, sizeof(identity));
	(void)sqlite3_reset(st);
	if (strcmp(rest, SCHEMA_DROPPED) == 0)
		return DROP_TOLD;
	return *identity ? DROP_PERHAPS : DROP_NO;
}

/* 1: it is told, or will be. */
static int judge_drop(struct listing *l, struct listing_pipe *lp,
		      struct living_list *vanished, size_t n)
{
	enum drop drop = drop_of(l, lp);

	if (drop == DROP_TOLD) {
		tell(l, lp, n, "the database was dropped, as the schema tells");
		return 1;
	}
	if (drop == DROP_NO || l->is_schema_told)
		return 0;
	l->wants_schema = true;
	vanished->n = 0; /* known as before until then */
	return 1;
}

int vanish_judge(struct listing *l, struct listing_pipe *lp,
		 struct living_list *fresh, struct living_list *vanished)
{
	CLEANUP(known_release) struct known_list lost = {.n = 0};
	CLEANUP(restate_release) struct restate rs = {.first = 1, .last = 0};
	int r;

	if (!vanished->n || !l->may_forget || !lp->sync_del_op)
		return 0;
	r = find_lost(l, lp, vanished, &lost);
	if (r || !lost.n)
		return r;
	if (judge_drop(l, lp, vanished, lost.n))
		return 0;
	if (l->inferred_deletes == INFERRED_IGNORE) {
		tell(l, lp, lost.n,
		     "the cloud keeps their rows (inferred_deletes=ignore)");
		return 0;
	}
	if (!l->may_ask) {
		tell(l, lp, lost.n, "the cloud keeps their rows (see limits)");
		return 0;
	}
	r = restate_of_files(l, lp, &lost, &rs);
	if (r)
		return r;
	if (rs.first > rs.last || !rs.n_devices) {
		tell(l, lp, lost.n,
		     "what they held is not known any more, so the cloud "
		     "keeps their rows");
		return 0;
	}
	return make_restate(l, lp, fresh, vanished, &rs, lost.n);
}
