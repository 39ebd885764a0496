/* What inotify says, and what of it may be believed without a listing. */
#include <inttypes.h>
#include <stdio.h>

#include "pipes.h"
#include "scan_inside.h"

#define SINGLES_MAX 4096

/* Above everything that is captured: nothing must follow it again. */
static bool is_on_top(const struct scan *s, const struct partition *p,
		      const struct living *f)
{
	return !p->has_top ||
	       living_rank(f, &p->top, s->edge->set.precedence) > 0;
}

static bool may_believe(const struct scan *s, const struct partition *p)
{
	return p->is_clean && !p->is_listing && !p->is_dirty && !p->is_again &&
	       !p->has_journal && !s->is_held &&
	       !capture_is_paused(s->edge->capture) &&
	       s->n_singles < SINGLES_MAX;
}

static void on_resource(void *arg, const struct watch_dir *d,
			const struct fileid *id)
{
	struct scan *s = arg;
	struct partition *p = partition_find(&s->partitions, d->database,
					     d->region, d->partition);
	int64_t pipes[LISTING_PIPES_MAX];
	struct living file;
	size_t i, n = pipes_capturing(s->edge->pipes, pipes, ARRAY_LEN(pipes));

	if (!p) {
		scan_begin_walk(s);
		return;
	}
	if (!n) {
		p->is_clean = false;
		return;
	}
	file = (struct living){.t = id->t,
			       .v = id->v,
			       .i = (uint32_t)id->i,
			       .c = (uint32_t)id->c,
			       .volume = d->volume,
			       .unsequence = d->unsequence};
	if (!may_believe(s, p) || !is_on_top(s, p, &file) ||
	    id->i > UINT32_MAX || id->c > UINT32_MAX) {
		scan_mark_dirty(s, p);
		scan_pump(s);
		return;
	}
	p->top = file;
	p->has_top = p->has_unread = true;
	for (i = 0; i < n; i++) {
		struct living *f = xcalloc(1, sizeof(*f));

		*f = file;
		scan_hand_over(s, p, pipes[i], f, 1, true);
	}
}

/* From its first moment on it can be read to its end, however soon it goes. */
static void hold_journal(struct scan *s, struct partition *p,
			 const struct watch_dir *d, const char *name)
{
	char path[DATA_DIR_LEN + FILEID_PATH_MAX + JOURNAL_NAME_LEN];

	if (d->volume >= s->edge->spool.n_configured)
		return;
	(void)snprintf(path, sizeof(path),
		       "%s/%s/%s/%" PRIu32 "/%" PRId64 "/%s",
		       s->edge->spool.volumes[d->volume].data_dir,
		       d->unsequence ? "unsequence" : "sequence", d->database,
		       d->region, d->partition, name);
	held_add(&p->held, path, name);
}

/* Each time the partition is listed: the sources are looked at while they stand, the
 * targets are sealed when the journal is gone. */
static void on_journal(void *arg, const struct watch_dir *d, const char *name,
		       bool is_there)
{
	struct scan *s = arg;
	struct partition *p = partition_find(&s->partitions, d->database,
					     d->region, d->partition);

	if (!p) {
		scan_begin_walk(s);
		return;
	}
	p->has_journal = true; /* until a listing finds none */
	if (is_there)
		hold_journal(s, p, d, name);
	scan_mark_urgent(s, p);
	scan_pump(s);
}

static void on_output(void *arg, const struct watch_dir *d)
{
	struct scan *s = arg;
	struct partition *p = partition_find(&s->partitions, d->database,
					     d->region, d->partition);

	if (!p)
		return;
	scan_mark_urgent(s, p);
	scan_pump(s);
}

static void on_tree_changed(void *arg)
{
	scan_begin_walk(arg);
}

static void on_lost(void *arg)
{
	struct scan *s = arg;

	events_add(s->edge->events, LOG_WARN_, NULL, NULL,
		   "inotify lost events: everything is listed again");
	scan_everything(s);
}

int scan_listen(struct scan *s, struct err *err)
{
	const struct watch_ops ops = {.resource = on_resource,
				      .journal = on_journal,
				      .output = on_output,
				      .mods = on_output,
				      .tree_changed = on_tree_changed,
				      .lost = on_lost,
				      .arg = s};

	return watch_new(&s->watch, s->edge->loop, &ops, err);
}
