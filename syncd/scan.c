/* One walk, one listing at a time, on the scan's own thread. A partition goes round:
 *
 *	dirty -> listing -> lists at capture -> clean
 *
 * and back to dirty when its directories changed, a journal went, a file was not there
 * any more, or nothing could be pinned. Only in a clean partition without a journal may
 * an event be believed: there, `.resource` means sealed, and everything that precedes
 * the file is captured already. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "pipes.h"
#include "plan_job.h"
#include "reconcile.h"
#include "scan_inside.h"
#include "vanish_ask.h"
#include "vanish_drop.h"

#define LIST_BELOW (2ul * CAPTURE_BATCH) /* files waiting at capture */
#define NETWORK_INTERVAL_MS 10000
#define MODS_EVERY \
	10 /* walks: a look at deletion files that are watched, too */

void scan_mark_dirty(struct scan *s, struct partition *p)
{
	p->is_clean = false;
	if (p->is_listing || p->n_lists)
		p->is_again = true;
	if (p->is_dirty || p->is_listing || p->n_lists)
		return;
	p->is_dirty = true;
	p->next_dirty = NULL;
	*s->last_dirty = p;
	s->last_dirty = &p->next_dirty;
}

void scan_mark_urgent(struct scan *s, struct partition *p)
{
	bool was_dirty = p->is_dirty;

	scan_mark_dirty(s, p);
	if (was_dirty || !p->is_dirty || s->first_dirty == p)
		return;
	/* It went to the end: there is one before it. */
	for (struct partition *at = s->first_dirty; at; at = at->next_dirty) {
		if (at->next_dirty != p)
			continue;
		at->next_dirty = NULL;
		s->last_dirty = &at->next_dirty;
		p->next_dirty = s->first_dirty;
		s->first_dirty = p;
		return;
	}
}

/* ---- waiting ---- */

static bool is_idle(const struct scan *s)
{
	return !s->walk && !s->is_walk_again && !s->is_listing &&
	       !s->first_dirty && !s->is_held &&
	       !capture_is_paused(s->edge->capture);
}

static void any_busy(void *arg, struct partition *p)
{
	if (p->is_listing || p->n_lists || p->n_questions)
		*(bool *)arg = true;
}

static bool scan_is_busy(const struct scan *s)
{
	bool busy = !is_idle(s);
	struct partitions *ps = (struct partitions *)(uintptr_t)&s->partitions;

	if (!busy)
		partitions_each(ps, any_busy, &busy);
	return busy;
}

static void wake_waiters(struct scan *s)
{
	struct scan_waiter **at = &s->waiters;

	if (!s->waiters || scan_is_busy(s))
		return;
	while (*at) {
		struct scan_waiter *w = *at;

		if (s->n_walks < w->walk) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->fn(w);
	}
}

void scan_wait(struct scan *s, struct scan_waiter *w)
{
	/* A walk that is under way may have passed what was sealed just now. */
	w->walk = s->n_walks + 1;
	w->next = s->waiters;
	s->waiters = w;
	scan_begin_walk(s);
}

void scan_unwait(struct scan *s, struct scan_waiter *w)
{
	struct scan_waiter **at = &s->waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

/* ---- captures ---- */

static void settle(struct scan *s, struct partition *p)
{
	if (p->is_listing || p->n_lists)
		return;
	if (p->is_again) {
		p->is_again = false;
		scan_mark_dirty(s, p);
	} else if (p->is_leaving && !p->is_dirty && !p->n_questions &&
		   p->schema_look == SCHEMA_UNASKED) {
		partition_remove(&s->partitions, p);
	}
}

static void sum_refused(void *arg, struct partition *p)
{
	*(size_t *)arg += p->n_refused;
}

/* The note of single files stands while any partition has one. What a listing found
 * counts when everything that it found was tried. */
static void judge_refused(struct scan *s, struct partition *p)
{
	size_t n_refused = 0;

	if (p->n_lists || p->is_listing)
		return;
	p->n_refused = p->n_refused_now;
	partitions_each(&s->partitions, sum_refused, &n_refused);
	if (!n_refused)
		edge_note_over(s->edge, NOTE_FILE);
}

/* A list, or a plan, of the partition is done with. */
static void one_less(struct scan *s, struct partition *p)
{
	p->n_lists--;
	if (!p->n_lists && !p->is_listing)
		p->is_clean = !p->is_again;
	if (p->has_unread)
		scan_want_survey(s, p);
	judge_refused(s, p);
	settle(s, p);
	scan_pump(s);
}

static void list_captured(void *arg, struct capture_list *l)
{
	struct scan *s = arg;
	struct partition *p = l->of;

	if (l->is_single)
		s->n_singles--;
	p->n_refused_now += (unsigned)l->n_refused;
	if (l->n_refused)
		memset(p->stamps, 0, sizeof(p->stamps));
	if (l->is_blocked || l->n_gone) {
		p->is_clean = false;
		p->is_again = true;
	}
	capture_list_free(l);
	one_less(s, p);
}

/* What a plan is followed by: files that are captured behind it. */
struct planned {
	struct scan *scan;
	int64_t pipe;
	struct living *files; /* owned */
	size_t n;
};

static void plan_done(void *arg, struct partition *p, int result)
{
	struct planned *pl = arg;
	struct scan *s = pl->scan;

	if (result < 0) {
		/* Decided again at the next walk. */
		memset(p->stamps, 0, sizeof(p->stamps));
		p->is_again |= p->n_lists > 1;
	} else if (pl->n && pipes_by_id(s->edge->pipes, pl->pipe)) {
		scan_hand_over(s, p, pl->pipe, pl->files, pl->n, false);
		pl->files = NULL;
	}
	free(pl->files);
	free(pl);
	one_less(s, p);
}

/* First what was decided, then the files, so that a deletion comes before the rows that
 * were written after it, and a debt before what makes it. */
void scan_submit_plan(struct scan *s, struct partition *p,
		      struct listing_pipe *lp)
{
	struct planned *pl;

	if (plan_is_empty(&lp->plan))
		return;
	pl = xcalloc(1, sizeof(*pl));
	pl->scan = s;
	pl->pipe = lp->pipe;
	pl->files = lp->files;
	pl->n = lp->n_files;
	lp->files = NULL;
	lp->n_files = 0;
	p->n_lists++;
	plan_submit(s->edge, p, lp->pipe, &lp->plan, plan_done, pl);
}

void scan_hand_over(struct scan *s, struct partition *p, int64_t pipe,
		    struct living *files, size_t n, bool is_single)
{
	struct capture_list *l = xcalloc(1, sizeof(*l));

	l->pipe = pipe;
	l->of = p;
	l->files = files;
	l->n = n;
	l->is_single = is_single;
	l->done = list_captured;
	l->arg = s;
	p->n_lists++;
	if (is_single)
		s->n_singles++;
	capture_add(s->edge->capture, l);
}

/* ---- listings ---- */

static void take_pipe(struct scan *s, struct partition *p,
		      struct listing_pipe *lp)
{
	if (lp->refused[0]) {
		edge_note(s->edge, NOTE_FILE, lp->refused);
		p->n_refused_now++;
		memset(p->stamps, 0, sizeof(p->stamps));
	}
	if (lp->is_cut_short) {
		lp->n_files = lp->n_vanished = 0;
		p->is_again = true;
	}
	if (lp->n_vanished) {
		reconcile_gone(s->edge, p, lp->pipe, lp->vanished,
			       lp->n_vanished);
		lp->vanished = NULL;
	}
	scan_submit_plan(s, p, lp);
	if (lp->n_files && pipes_by_id(s->edge->pipes, lp->pipe)) {
		scan_hand_over(s, p, lp->pipe, lp->files, lp->n_files, false);
		lp->files = NULL;
	}
}

static bool is_waiting(const struct listing *l)
{
	bool is = false;

	for (size_t i = 0; i < l->n_pipes; i++)
		is |= l->pipes[i].is_waiting;
	return is;
}

static void take_listing(struct scan *s, struct partition *p, struct listing *l)
{
	size_t i;

	memcpy(p->stamps, l->stamps, sizeof(p->stamps));
	p->n_dirs_before = p->n_dirs;
	/* A journal that came while the directories were read is in `again`. */
	p->has_journal = l->has_journal;
	p->oldest_unsealed_ms = l->oldest_unsealed_ms;
	p->top = l->top;
	p->has_top = l->has_top;
	/* What was captured while it ran is told by the capture. */
	if (l->has_unread || p->has_unread)
		scan_want_survey(s, p);
	p->n_refused_now = 0;
	p->is_clean = !p->is_again;
	/* Held up, so that a list that comes back at once does not settle. */
	p->n_lists++;
	for (i = 0; i < l->n_pipes; i++)
		take_pipe(s, p, &l->pipes[i]);
	p->n_lists--;
	if (p->n_lists || is_waiting(l))
		p->is_clean = false;
}

static void listing_done(struct job *j)
{
	struct listing *l = CONTAINER_OF(j, struct listing, job);
	struct scan *s = l->arg;
	struct partition *p = l->of;

	s->is_listing = false;
	p->is_listing = false;
	if (l->result < 0) {
		edge_note(s->edge, NOTE_LIST, l->err.text);
		memset(p->stamps, 0, sizeof(p->stamps));
	} else {
		take_listing(s, p, l);
		vanish_take(s, p, l);
		vanish_drop_take(s, p, l);
	}
	held_keep(l->held, &l->compactions, &p->held);
	l->held = NULL;
	listing_release(l);
	free(l);
	judge_refused(s, p);
	settle(s, p);
	scan_pump(s);
}

static void fill_pipe(const struct scan *s, struct listing_pipe *lp, int64_t id)
{
	const struct pipe *p = pipes_by_id(s->edge->pipes, id);

	lp->pipe = id;
	lp->sync_del_op = p && p->row.sync_del_op;
	lp->floor = p ? pipe_first_time(&p->row) : INT64_MIN;
}

struct listing *scan_new_listing(struct scan *s, struct partition *p)
{
	struct listing *l = xcalloc(1, sizeof(*l));
	int64_t ids[LISTING_PIPES_MAX];
	size_t i;

	l->db = &s->db;
	l->arg = s;
	l->of = p;
	l->database = p->database;
	l->region = p->region;
	l->partition = p->partition;
	l->precedence = s->edge->set.precedence;
	l->may_forget = s->n_away == 0;
	l->n_data_dirs = s->edge->spool.n_configured;
	for (i = 0; i < l->n_data_dirs; i++)
		l->data_dirs[i] = s->edge->spool.volumes[i].data_dir;
	l->n_pipes = pipes_capturing(s->edge->pipes, ids, LISTING_PIPES_MAX);
	for (i = 0; i < l->n_pipes; i++)
		fill_pipe(s, &l->pipes[i], ids[i]);
	l->spool = &s->edge->spool;
	l->may_ask = s->edge->set.iotdb_rpc[0] != '\0';
	l->inferred_deletes = s->edge->set.inferred_deletes;
	l->ask = vanish_ask;
	l->is_schema_told = p->schema_look == SCHEMA_TOLD;
	vanish_give(p, l);
	l->job.run = listing_run;
	p->is_listing = true;
	p->is_again = false;
	s->is_listing = true;
	return l;
}

static void submit_listing(struct scan *s, struct partition *p)
{
	struct listing *l = scan_new_listing(s, p);

	l->held = p->held;
	p->held = NULL;
	l->job.done = listing_done;
	worker_submit(s->worker, &l->job);
}

static bool may_list(const struct scan *s)
{
	return !s->edge->is_ending && !s->is_held && !s->is_listing &&
	       !s->n_unready &&
	       !capture_is_paused(s->edge->capture) &&
	       capture_waiting(s->edge->capture) < LIST_BELOW;
}

void scan_pump(struct scan *s)
{
	struct partition *p = s->first_dirty;

	if (p && may_list(s)) {
		s->first_dirty = p->next_dirty;
		if (!s->first_dirty)
			s->last_dirty = &s->first_dirty;
		p->is_dirty = false;
		submit_listing(s, p);
	}
	wake_waiters(s);
}

void scan_hold(struct scan *s, bool is_held)
{
	if (s->is_held == is_held)
		return;
	s->is_held = is_held;
	if (!is_held)
		scan_pump(s);
}

/* ---- walks ---- */

/* Deletion files of which no event told. */
static void see_mods(struct scan *s, const struct watch_dir *d,
		     struct partition *p)
{
	uint64_t *stamp = &p->mods_stamps[d->volume][d->unsequence];

	if (!d->mods_stamp || d->mods_stamp == *stamp)
		return;
	if (*stamp)
		scan_mark_dirty(s, p);
	*stamp = d->mods_stamp;
}

static void see_dir(struct scan *s, const struct watch_dir *d)
{
	struct partition *p = partition_make(&s->partitions, d->database,
					     d->region, d->partition);

	if (p->walk != s->n_walks) {
		p->walk = s->n_walks;
		p->n_dirs = 0;
		p->is_leaving = false;
	}
	p->n_dirs++;
	if (!p->stamps[d->volume][d->unsequence] ||
	    p->stamps[d->volume][d->unsequence] != d->mtime_ns)
		scan_mark_dirty(s, p);
	see_mods(s, d, p);
}

static void after_walk(void *arg, struct partition *p)
{
	struct scan *s = arg;

	if (s->is_all_again || p->n_dirs != p->n_dirs_before)
		scan_mark_dirty(s, p);
	if (p->walk == s->n_walks || s->n_away)
		return;
	if (!p->is_leaving)
		scan_mark_dirty(s, p);
	p->is_leaving = true;
	p->n_dirs = p->n_dirs_before = 0;
}

static void note_or_clear(struct scan *s, enum note_cause cause,
			  const struct err *e)
{
	if (e->sys)
		edge_note(s->edge, cause, e->text);
	else
		edge_note_over(s->edge, cause);
}

static void take_notes(struct scan *s, const struct walk *w)
{
	struct err limit = {0};

	note_or_clear(s, NOTE_DATA_DIR, &w->away);
	note_or_clear(s, NOTE_SPOOL, &w->spool);
	note_or_clear(s, NOTE_LIST, &w->list);
	if (w->is_limit_reached)
		(void)err_set(&limit, ENOSPC,
			      "the limit of inotify watches is reached: new "
			      "files are found by the scan every "
			      "scan_interval only (raise it with sysctl "
			      "fs.inotify.max_user_watches, or "
			      "max_user_instances)");
	note_or_clear(s, NOTE_WATCH, &limit);
}

static void take_volumes(struct scan *s, const struct walk *w)
{
	size_t i, n_ready = 0;

	for (i = 0; i < w->n_volumes; i++) {
		struct volume *v = &s->edge->spool.volumes[i];

		v->is_ready = w->volumes[i].is_ready;
		v->is_used = w->volumes[i].is_used;
		v->dev = w->volumes[i].dev;
		v->ino = w->volumes[i].ino;
		v->over_bytes = w->volumes[i].over_bytes;
		n_ready += v->is_ready;
	}
	bounds_judge(s->edge, w->over);
	s->n_away = w->n_away;
	s->n_unready = w->n_volumes - n_ready - w->n_away;
	s->is_network = w->is_network;
	if (n_ready > s->n_swept)
		reconcile_spools(s->edge);
	s->n_swept = n_ready;
}

static int64_t interval_ms(const struct scan *s)
{
	const struct settings *set = &s->edge->set;

	if (s->is_network && !set->is_scan_interval_given)
		return NETWORK_INTERVAL_MS;
	return set->scan_interval_ms;
}

static void walk_done(struct job *j)
{
	struct walk *w = CONTAINER_OF(j, struct walk, job);
	struct scan *s = w->arg;
	size_t i;

	s->walk = NULL;
	take_notes(s, w);
	take_volumes(s, w);
	for (i = 0; i < w->n_dirs; i++) {
		if (w->dirs[i].is_partition)
			see_dir(s, &w->dirs[i]);
	}
	watch_learn(s->watch, w->dirs, w->n_dirs);
	partitions_each(&s->partitions, after_walk, s);
	s->is_all_again = false;
	walk_release(w);
	free(w);
	loop_timer_set(s->edge->loop, &s->next, (uint64_t)interval_ms(s));
	if (s->is_walk_again) {
		s->is_walk_again = false;
		scan_begin_walk(s);
	}
	scan_pump(s);
}

void scan_begin_walk(struct scan *s)
{
	struct walk *w;
	size_t i;

	if (s->walk) {
		s->is_walk_again = true;
		return;
	}
	if (s->edge->is_ending)
		return;
	w = xcalloc(1, sizeof(*w));
	w->arg = s;
	w->state = &s->edge->state;
	memcpy(w->spool_max_bytes, s->edge->set.spool_max_bytes,
	       sizeof(w->spool_max_bytes));
	memcpy(w->spool_min_free, s->edge->set.spool_min_free,
	       sizeof(w->spool_min_free));
	w->inotify_fd = watch_fd(s->watch);
	w->looks_at_mods = s->n_walks % MODS_EVERY == 0;
	w->n_volumes = s->edge->spool.n_configured;
	for (i = 0; i < w->n_volumes; i++)
		w->volumes[i] = s->edge->spool.volumes[i];
	w->known = s->n_walks == 0 ? &s->db : NULL;
	w->job.run = walk_run;
	w->job.done = walk_done;
	s->walk = w;
	s->n_walks++;
	worker_submit(s->worker, &w->job);
}

static void time_to_walk(struct loop_timer *t)
{
	struct scan *s = CONTAINER_OF(t, struct scan, next);
	int64_t id;

	if (pipes_capturing(s->edge->pipes, &id, 1))
		scan_begin_walk(s);
	else
		loop_timer_set(s->edge->loop, &s->next,
			       (uint64_t)interval_ms(s));
}

void scan_changed(struct scan *s)
{
	if (s && !s->walk && !s->edge->is_ending)
		time_to_walk(&s->next);
}

static void forget_stamps(void *arg, struct partition *p)
{
	(void)arg;
	p->is_clean = false;
	memset(p->stamps, 0, sizeof(p->stamps));
}

void scan_everything(struct scan *s)
{
	partitions_each(&s->partitions, forget_stamps, NULL);
	s->is_all_again = true;
	scan_begin_walk(s);
}

/* ---- */

int64_t scan_oldest_unsealed_ms(const struct scan *s)
{
	int64_t oldest = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(s->partitions.buckets); i++) {
		const struct partition *p = s->partitions.buckets[i];

		for (; p; p = p->next_in_bucket) {
			int64_t ms = p->oldest_unsealed_ms;

			if (ms && (!oldest || ms < oldest))
				oldest = ms;
		}
	}
	return oldest;
}

size_t scan_watches(const struct scan *s)
{
	return watch_count(s->watch);
}

static void capture_resumed(void *arg)
{
	scan_begin_walk(arg);
}

int scan_new(struct scan **out, struct edge *e, struct err *err)
{
	struct scan *s = xcalloc(1, sizeof(*s));
	char path[600];
	int r;

	s->edge = e;
	s->last_dirty = &s->first_dirty;
	s->next.fn = time_to_walk;
	scan_survey_begin(s);
	e->capture = capture_new(e, capture_resumed, s);
	(void)snprintf(path, sizeof(path), "%s/catalog.db", e->state.path);
	r = listing_db_open(&s->db, path, err);
	if (r == 0)
		r = scan_listen(s, err);
	if (r == 0)
		r = worker_new(&s->worker, e->loop, 1, "scan", err);
	if (r) {
		scan_free(s);
		return r;
	}
	loop_timer_set(e->loop, &s->next, (uint64_t)interval_ms(s));
	*out = s;
	return 0;
}

void scan_end_jobs(struct scan *s)
{
	if (s)
		worker_free(s->worker);
	if (s)
		s->worker = NULL;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	scan_end_jobs(s);
	loop_timer_stop(s->edge->loop, &s->next);
	vanish_end(s);
	vanish_drop_end(s);
	scan_survey_end(s);
	capture_free(s->edge->capture);
	s->edge->capture = NULL;
	watch_free(s->watch);
	partitions_release(&s->partitions);
	listing_db_close(&s->db);
	free(s);
}
