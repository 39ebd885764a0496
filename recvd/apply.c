#include "apply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "apply_batch.h"
#include "ground/backoff.h"
#include "ground/clock.h"
#include "turn.h"

/* One batch at a time: chosen here, picked by the thread, answered by the loader,
 * ended in apply_end.c; then the next. */

static const struct loader_events loader_events;
static void kick_due(struct loop_task *t);
static void timer_due(struct loop_timer *t);

/* ---- life ---- */

static int find_program(struct apply *a, struct err *e)
{
	char self[SETTINGS_PATH_MAX];
	ssize_t n;
	char *slash;

	if (!settings_loader_is_ours(&a->d->settings)) {
		(void)snprintf(a->program, sizeof a->program, "%s",
			       a->d->settings.loader);
		return 0;
	}
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0)
		return err_set(e, errno, "/proc/self/exe: %s",
			       err_words(errno));
	self[n] = 0;
	slash = strrchr(self, '/');
	if (!slash ||
	    (size_t)snprintf(a->program, sizeof a->program, "%.*s/recvd-load",
			     (int)(slash - self), self) >= sizeof a->program)
		return err_set(e, ENAMETOOLONG,
			       "the path of recvd-load is too long");
	return 0;
}

int apply_new(struct apply **out, struct recvd *d, struct err *e)
{
	struct apply *a = xcalloc(1, sizeof *a);
	char path[SETTINGS_PATH_MAX + 16];
	int r;

	a->d = d;
	a->kick.fn = kick_due;
	a->timer.fn = timer_due;
	(void)snprintf(path, sizeof path, "%s/catalog.db",
		       d->settings.state_dir);
	r = find_program(a, e);
	if (r >= 0)
		r = catalog_reader_open(&a->reader, path, e);
	if (r >= 0)
		r = worker_new(&a->worker, d->loop, 1, "applier", e);
	if (r < 0) {
		apply_free(a);
		return r;
	}
	a->loader = loader_new(d->loop, &loader_events, a);
	*out = a;
	apply_kick(a);
	return 0;
}

void apply_batch_free(struct apply_batch *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < b->n_items; i++) {
		free(b->items[i].text);
		free(b->items[i].paths);
		free(b->items[i].cures);
	}
	for (unsigned i = 0; i < b->n_picks; i++)
		free((void *)(uintptr_t)b->picks[i].sender);
	buf_release(&b->lines);
	free(b);
}

void apply_free(struct apply *a)
{
	if (!a)
		return;
	a->is_closing = true;
	loader_free(a->loader);
	if (a->worker)
		worker_free(a->worker);
	loop_undefer(a->d->loop, &a->kick);
	loop_timer_stop(a->d->loop, &a->timer);
	apply_batch_free(a->batch);
	catalog_reader_close(&a->reader);
	free(a);
}

void apply_kick(struct apply *a)
{
	if (a && !a->is_closing)
		loop_defer(a->d->loop, &a->kick);
}

/* Whoever mended something does not want to wait for the end of a pause. */
static void end_pauses(struct apply *a)
{
	a->not_before_ms = 0;
	for (struct sender *x = a->d->senders.first; x; x = x->next)
		for (struct incarnation *i = x->newest; i; i = i->older)
			for (struct domain *dom = i->domains; dom;
			     dom = dom->next)
				dom->not_before_ms = 0;
}

void apply_reload(struct apply *a)
{
	if (!a)
		return;
	end_pauses(a);
	a->is_outdated = strcmp(a->d->settings.loader, "iotdb") == 0;
	apply_kick(a);
}

/* Filling an archive can wait, an acknowledgement can not. An IoTDB on this host works beside
 * us at its own priority, and who hands files to it would be starved by it. */
static bool steps_behind(const struct apply *a)
{
	return strcmp(a->d->settings.loader, "iotdb") != 0;
}

/* ---- choosing domains ---- */

/* By any of the sender's pipes: DROP and RESYNC leave the data where it is. */
static bool is_delivered(const struct sender *x, const char *database)
{
	for (const struct incarnation *i = x->newest; i; i = i->older)
		for (const struct domain *o = i->domains; o; o = o->next)
			if (o->is_delivered &&
			    strcmp(o->database, database) == 0)
				return true;
	return false;
}

static bool is_shared(const struct apply *a, const struct domain *dom)
{
	if (strcmp(a->d->settings.loader, "archive") == 0)
		return false;
	for (const struct sender *x = a->d->senders.first; x; x = x->next)
		if (x != dom->incarnation->sender &&
		    is_delivered(x, dom->database))
			return true;
	return false;
}

static void add_pick(struct apply_batch *b, struct domain *dom)
{
	struct apply_pick *p = &b->picks[b->n_picks++];

	p->domain = dom;
	p->id = dom->id;
	p->seq = dom->incarnation->row.seq;
	p->n_freed = dom->n_freed;
	(void)snprintf(p->dir, sizeof p->dir, "%s", dom->incarnation->dir);
	p->sender = xstrdup(dom->incarnation->sender->row.name);
	p->is_delivered = is_delivered(dom->incarnation->sender, dom->database);
	p->is_shared = is_shared(b->apply, dom);
}

static bool is_ready(const struct apply *a, const struct domain *dom,
		     uint64_t *wake_ms)
{
	if (!turn_has(dom, a->d->settings.quarantine == QUARANTINE_PASS))
		return false;
	if (dom->not_before_ms <= loop_now_ms(a->d->loop))
		return true;
	if (dom->not_before_ms < *wake_ms)
		*wake_ms = dom->not_before_ms;
	return false;
}

/* Those that were not served in this round, or those that were. Sets *wake_ms to when
 * the first pause of a domain ends. */
static void choose_some(struct apply *a, struct apply_batch *b, bool served,
			uint64_t *wake_ms)
{
	for (struct sender *x = a->d->senders.first; x; x = x->next)
		for (struct incarnation *i = x->newest; i; i = i->older)
			for (struct domain *dom = i->domains; dom;
			     dom = dom->next)
				if (b->n_picks < APPLY_PICKS_MAX &&
				    (dom->round == a->round) == served &&
				    is_ready(a, dom, wake_ms))
					add_pick(b, dom);
}

static struct apply_batch *new_batch(struct apply *a)
{
	struct apply_batch *b = xcalloc(1, sizeof *b);

	b->apply = a;
	b->stage = &a->d->stage;
	b->reader = &a->reader;
	b->hold_deletes = (enum hold_deletes)a->d->settings.hold_deletes;
	b->pass = a->d->settings.quarantine == QUARANTINE_PASS;
	b->steps_behind = steps_behind(a);
	b->n_max = a->n_single ? 1 : JOB_BATCH_MAX;
	/* One line may come on top of a full text. */
	buf_init(&b->lines, APPLY_TEXT_MAX + JOB_LINE_MAX + 64);
	return b;
}

static struct apply_batch *choose(struct apply *a, uint64_t *wake_ms)
{
	struct apply_batch *b = new_batch(a);

	choose_some(a, b, false, wake_ms);
	if (!b->n_picks)
		a->round++; /* everybody had a turn */
	choose_some(a, b, b->n_picks > 0, wake_ms);
	for (unsigned i = 0; i < b->n_picks; i++) {
		unsigned share = JOB_BATCH_MAX / b->n_picks;

		b->picks[i].n_max = share < 4 ? 4 : share;
		b->picks[i].domain->round = a->round;
	}
	if (b->n_picks)
		return b;
	apply_batch_free(b);
	return NULL;
}

/* ---- a batch's way ---- */

static void pause_until(struct apply *a, uint64_t when_ms)
{
	uint64_t now = loop_now_ms(a->d->loop);

	loop_timer_set(a->d->loop, &a->timer,
		       when_ms > now ? when_ms - now : 1);
}

static void loader_failed(struct apply *a, const char *why)
{
	uint64_t now = loop_now_ms(a->d->loop), pause;

	if (now - a->started_ms > APPLY_RETRY_MAX_MS)
		a->n_failures = 0; /* it had lived */
	pause = backoff_ms(a->n_failures++, APPLY_RESTART_MS,
			   APPLY_RETRY_MAX_MS);
	a->not_before_ms = now + pause;
	(void)snprintf(a->text, sizeof a->text, "%s", why);
	events_add(a->d->events, LOG_ERR_, "apply", NULL,
		   "%s; started again in %llu ms", why,
		   (unsigned long long)pause);
	pause_until(a, a->not_before_ms);
	apply_tell_all(a);
}

static void start_loader(struct apply *a)
{
	const struct settings *s = &a->d->settings;
	const char *const archive[] = {a->program, s->archive_dir, NULL};
	const char *const iotdb[] = {
		a->program,	      "--iotdb",     s->load_dir,
		s->iotdb_rpc,	      s->iotdb_user, s->iotdb_password_file,
		settings_load_via(s), NULL};
	struct err e = {0};

	if (loader_pid(a->loader))
		return; /* it has not answered yet */
	a->started_ms = loop_now_ms(a->d->loop);
	a->is_outdated = false;
	if (loader_start(a->loader,
			 strcmp(s->loader, "iotdb") == 0 ? iotdb : archive,
			 &e) < 0)
		loader_failed(a, e.text);
	else if (steps_behind(a))
		(void)setpriority(PRIO_PROCESS, (id_t)loader_pid(a->loader),
				  APPLY_NICE);
}

static void picked(struct job *j)
{
	struct apply_batch *b = CONTAINER_OF(j, struct apply_batch, job);
	struct apply *a = b->apply;

	if (a->is_closing)
		return; /* apply_free() has it */
	if (b->result < 0) {
		events_add(a->d->events, LOG_ERR_, "apply", NULL,
			   "taking entries: %s", b->err.text);
		a->not_before_ms = loop_now_ms(a->d->loop) + APPLY_RETRY_MS;
		apply_batch_over(a, b);
		apply_batch_free(b);
	} else if (b->n_sent && !loader_is_ready(a->loader)) {
		apply_batch_over(
			a,
			b); /* it died meanwhile; the next batch takes them again */
		apply_batch_free(b);
	} else if (b->n_sent) {
		a->is_out = true;
		loader_send(a->loader, buf_data(&b->lines), b->lines.len);
	} else {
		apply_end(b);
	}
}

static void kick_due(struct loop_task *t)
{
	struct apply *a = CONTAINER_OF(t, struct apply, kick);
	uint64_t wake_ms = UINT64_MAX;
	struct apply_batch *b;

	if (a->batch || a->is_closing || !a->d->is_tidy)
		return;
	if (a->not_before_ms > loop_now_ms(a->d->loop)) {
		pause_until(a, a->not_before_ms);
		return;
	}
	if (a->is_outdated)
		loader_stop(a->loader);
	if (!loader_is_ready(a->loader)) {
		start_loader(a);
		return;
	}
	b = choose(a, &wake_ms);
	if (!b) {
		if (wake_ms != UINT64_MAX)
			pause_until(a, wake_ms);
		return;
	}
	a->batch = b;
	b->job.run = apply_pick_run;
	b->job.done = picked;
	worker_submit(a->worker, &b->job);
}

static void timer_due(struct loop_timer *t)
{
	apply_kick(CONTAINER_OF(t, struct apply, timer));
}

void apply_batch_over(struct apply *a, struct apply_batch *b)
{
	bool is_progress = b->n_items || b->result < 0;

	/* A domain that was found held drops out, so this comes to an end. */
	for (unsigned i = 0; i < b->n_picks; i++)
		is_progress |= b->picks[i].is_held;
	a->batch = NULL;
	a->is_out = false;
	if (is_progress)
		apply_kick(a);
}

/* ---- the loader's words ---- */

static void loader_ready(void *arg)
{
	struct apply *a = arg;

	a->text[0] = 0;
	apply_kick(a);
}

/* No SCHEMA comes where a series was of this type between two listings only, or nobody lists. */
static char *mismatch_text(const char *text, const char *paths)
{
	bool is_one = *paths && !strchr(paths, '\n') && strlen(paths) <= 200;
	char bounded[SENTENCE_MAX + 1];

	(void)snprintf(bounded, sizeof bounded,
		       "%.550s; tried again behind the next SCHEMA of its "
		       "paths; where none comes: DELETE TIMESERIES %s in the "
		       "cloud, whose rows there go, then RETRY",
		       text, is_one ? paths : "of them");
	return xstrdup(bounded);
}

static void loader_answer(void *arg, unsigned job, enum job_result r,
			  const char *text, const char *paths)
{
	struct apply *a = arg;
	struct apply_item *it = a->is_out && job < a->batch->n_items
					? &a->batch->items[job]
					: NULL;

	if (!it || !it->is_sent || it->result != JOB_NONE)
		return;
	it->result = r;
	if (*text && r == JOB_MISMATCH) {
		it->text = mismatch_text(text, paths);
	} else if (*text) {
		char bounded[SENTENCE_MAX + 1];

		(void)snprintf(bounded, sizeof bounded, "%.900s", text);
		it->text = xstrdup(bounded);
	}
	if (r == JOB_MISMATCH && strlen(paths) <= APPLY_PATHS_MAX)
		it->paths = xstrdup(paths);
}

static void loader_end(void *arg)
{
	struct apply *a = arg;
	struct apply_batch *b = a->batch;

	if (!a->is_out)
		return;
	a->is_out = false;
	a->n_deaths = a->n_failures = a->n_alone = 0;
	a->text[0] = 0;
	if (a->n_single)
		a->n_single--;
	for (unsigned i = 0; i < b->n_items; i++)
		if (b->items[i].is_sent && b->items[i].result == JOB_NONE) {
			b->items[i].result = JOB_RETRY;
			b->items[i].text =
				xstrdup("the loader did not answer this job");
		}
	apply_end(b);
}

/* The jobs that were not answered may be to blame; of kill -9 they hardly are. */
static void blame(struct apply *a, struct apply_batch *b, const char *why,
		  bool was_killed)
{
	unsigned max = was_killed ? APPLY_KILLS_MAX : APPLY_DEATHS_MAX;
	char text[SENTENCE_MAX + 1];

	if (a->n_single && b->n_items == 1 && b->items[0].result == JOB_NONE) {
		if (a->alone_serial != b->items[0].parts.serial)
			a->n_alone = 0;
		a->alone_serial = b->items[0].parts.serial;
		if (++a->n_alone < max)
			return;
		(void)snprintf(text, sizeof text, "%s of this entry alone",
			       why);
		b->items[0].result = JOB_QUARANTINE;
		b->items[0].text = xstrdup(text);
		a->n_single = a->n_alone = 0;
		return;
	}
	a->n_deaths++;
	if (a->n_deaths >= APPLY_DEATHS_MAX) {
		a->n_deaths = 0;
		a->n_single = JOB_BATCH_MAX;
	}
}

static void loader_died(void *arg, const char *why, bool was_ready,
			bool was_killed)
{
	struct apply *a = arg;
	struct apply_batch *b = a->batch;

	if (a->is_out && was_ready)
		blame(a, b, why, was_killed);
	loader_failed(a, why);
	if (!a->is_out)
		return;
	a->is_out = false;
	apply_end(b); /* what was answered stands */
}

static const struct loader_events loader_events = {
	.ready = loader_ready,
	.answer = loader_answer,
	.end = loader_end,
	.died = loader_died,
};

void apply_status(const struct apply *a, struct buf *out)
{
	uint64_t n = 0;
	bool waits = a->not_before_ms > loop_now_ms(a->d->loop);

	for (const struct sender *x = a->d->senders.first; x; x = x->next)
		for (const struct incarnation *i = x->newest; i; i = i->older)
			n += incarnation_waiting(i);
	buf_addf(out, "loader %s\n", a->d->settings.loader);
	buf_addf(out, "archive_dir %s\n", a->d->settings.archive_dir);
	buf_addf(out, "state %s\n",
		 waits	    ? "waiting"
		 : a->batch ? "busy"
			    : "idle");
	buf_addf(out, "text %s\n", waits ? a->text : "");
	buf_addf(out, "pid %d\n", loader_pid(a->loader));
	buf_addf(out, "waiting_entries %llu\n", (unsigned long long)n);
}
