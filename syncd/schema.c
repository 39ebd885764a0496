#include "schema.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "pipes.h"
#include "scan.h"
#include "schema_pass.h"

#define LIST_LIMIT_MS 900000u /* a million series, on a slow machine */
#define SHARE 20u	      /* of the time, at most, is spent listing */
#define HOLD_MAX_MS 30000u
#define PIPES_MAX 32
#define FILE_NAME "schema.list"

/* A cycle goes from step to step; with something to be taken away it goes round twice. */
enum step {
	STEP_IDLE,
	STEP_LIST,
	STEP_PASS,
	STEP_PAUSE, /* between two listings */
	STEP_DRAIN, /* until everything sealed is captured */
};

struct schema {
	struct edge *edge;
	enum step step;
	bool is_second; /* look at the same schema */
	bool is_asked_again;
	uint64_t n_cycles; /* begun */
	uint64_t began_ms, took_ms;
	struct loop_timer next, hold;
	bool is_held;
	bool was_late; /* the hold ended before what it was for */
	struct ask_request rq;
	struct scan_waiter drained;
	struct schema_waiter *waiters;
	char listing[600], before[600], catalog[600];
	char identity[SCHEMA_IDENTITY_LEN], digest[SCHEMA_DIGEST_LEN];
	bool sees_all;
	int64_t pipes[PIPES_MAX];
	size_t n_pipes, at;
	bool is_most_gone[PIPES_MAX];
	uint64_t n_missing;
	struct schema_pass *pass; /* owned; under way */
};

static void time_to_list(struct loop_timer *t);
static void hold_over(struct loop_timer *t);
static void list(struct schema *s);
static void next_pipe(struct schema *s);

struct schema *schema_new(struct edge *e)
{
	struct schema *s = xcalloc(1, sizeof(*s));

	s->edge = e;
	s->next.fn = time_to_list;
	s->hold.fn = hold_over;
	(void)snprintf(s->listing, sizeof(s->listing), "%s/" FILE_NAME,
		       e->state.path);
	(void)snprintf(s->before, sizeof(s->before), "%s/" FILE_NAME ".before",
		       e->state.path);
	(void)snprintf(s->catalog, sizeof(s->catalog), "%s/catalog.db",
		       e->state.path);
	return s;
}

void schema_free(struct schema *s)
{
	if (!s)
		return;
	loop_timer_stop(s->edge->loop, &s->next);
	loop_timer_stop(s->edge->loop, &s->hold);
	ask_cancel(s->edge->ask, &s->rq);
	if (s->pass) {
		schema_pass_release(s->pass);
		free(s->pass);
	}
	free(s);
}

static uint64_t now_ms(const struct schema *s)
{
	return loop_now_ms(s->edge->loop);
}

/* ---- holding capture ---- */

static void let_go(struct schema *s)
{
	loop_timer_stop(s->edge->loop, &s->hold);
	if (!s->is_held)
		return;
	s->is_held = false;
	scan_hold(s->edge->scan, false);
}

static void hold_over(struct loop_timer *t)
{
	struct schema *s = CONTAINER_OF(t, struct schema, hold);

	s->was_late = true;
	let_go(s);
}

static void hold(struct schema *s)
{
	uint64_t ms = 2 * s->took_ms;

	if (ms < SCHEMA_HOLD_MS)
		ms = SCHEMA_HOLD_MS;
	if (ms > HOLD_MAX_MS)
		ms = HOLD_MAX_MS;
	s->was_late = false;
	s->is_held = true;
	scan_hold(s->edge->scan, true);
	loop_timer_set(s->edge->loop, &s->hold, ms);
}

/* ---- waiting ---- */

static void wake(struct schema *s, bool is_all)
{
	struct schema_waiter **at = &s->waiters, *ready = NULL;

	while (*at) {
		struct schema_waiter *w = *at;

		if (!is_all && w->cycle > s->n_cycles) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = ready;
		ready = w;
	}
	while (ready) {
		struct schema_waiter *w = ready;

		ready = w->next;
		w->fn(w);
	}
}

bool schema_wait(struct schema *s, struct schema_waiter *w)
{
	if (!ask_is_wanted(s->edge) || ask_is_paused(s->edge->ask) ||
	    s->edge->is_ending)
		return false;
	w->cycle = s->n_cycles + 1;
	w->next = s->waiters;
	s->waiters = w;
	if (s->step == STEP_IDLE)
		loop_timer_set(s->edge->loop, &s->next, 0);
	else
		s->is_asked_again = true;
	return true;
}

void schema_unwait(struct schema *s, struct schema_waiter *w)
{
	struct schema_waiter **at = &s->waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

/* ---- cycles ---- */

/* Twenty times as long as it took, so that a server is never busy with us. */
static uint64_t pause_ms(const struct schema *s)
{
	uint64_t ms = SHARE * s->took_ms;

	if (ms < SCHEMA_POLL_MS)
		return SCHEMA_POLL_MS;
	return ms < SCHEMA_POLL_MAX_MS ? ms : SCHEMA_POLL_MAX_MS;
}

static void cycle_over(struct schema *s, bool is_good)
{
	bool is_again = s->is_asked_again && is_good;

	s->step = STEP_IDLE;
	s->is_asked_again = false;
	(void)unlink(s->listing);
	(void)unlink(s->before);
	if (s->edge->is_ending) {
		let_go(s);
		return;
	}
	loop_timer_set(s->edge->loop, &s->next, is_again ? 0 : pause_ms(s));
	let_go(s); /* a WAIT that was held up by it asks for a listing now */
	wake(s, !is_good);
}

/* A second look: a while later, behind everything that is sealed by now. */
static void time_to_look_again(struct scan_waiter *w)
{
	struct schema *s = CONTAINER_OF(w, struct schema, drained);

	hold(s);
	s->is_second = true;
	if (rename(s->listing, s->before) < 0)
		cycle_over(s, true);
	else
		list(s);
}

static void all_passed(struct schema *s)
{
	s->took_ms = now_ms(s) - s->began_ms;
	if (s->is_second || !s->n_missing) {
		cycle_over(s, true);
		return;
	}
	let_go(s);
	s->step = STEP_PAUSE;
	loop_timer_set(s->edge->loop, &s->next, SCHEMA_AGAIN_MS);
}

/* ---- one pipe ---- */

static void tell(const struct schema *s, const struct schema_pass *p)
{
	const struct pipe *pipe = pipes_by_id(s->edge->pipes, p->pipe);
	const struct schema_counts *c = &p->counts;
	const struct log_about about = {.pipe = pipe ? pipe->row.name : NULL};

	if (c->created || c->changed || c->removed)
		events_add(s->edge->events, LOG_INFO_, "schema", &about,
			   "schema: %llu created, %llu changed, %llu deleted",
			   (unsigned long long)c->created,
			   (unsigned long long)c->changed,
			   (unsigned long long)c->removed);
	if (c->dropped)
		events_add(s->edge->events, LOG_INFO_, "schema", &about,
			   "schema: %llu databases were dropped at the edge, "
			   "and are in the cloud",
			   (unsigned long long)c->dropped);
	if (c->kept)
		events_add(s->edge->events, LOG_WARN_, "schema", &about,
			   "schema: %llu series that the edge IoTDB lists no "
			   "more, or as others, are kept in the cloud (%s)",
			   (unsigned long long)c->kept,
			   p->may_remove
				   ? "another server, most of all at once, or "
				     "a database that is gone"
				   : "SyncDelOp=false");
}

static void pass_over(struct schema *s)
{
	struct schema_pass *p = s->pass;

	tell(s, p);
	s->n_missing += p->counts.missing;
	s->is_most_gone[s->at - 1] = !p->is_known_server &&
				     p->counts.missing > SCHEMA_MASS &&
				     p->counts.missing * 2 > p->counts.known;
	schema_pass_release(p);
	free(p);
	s->pass = NULL;
	next_pipe(s);
}

struct committing {
	struct outbox_job job;
	struct schema *schema;
	bool has_entry;
	uint64_t assigned, assigned_bytes;
};

static int run_commit(struct outbox_job *j, struct outbox_writer *w)
{
	struct committing *c = CONTAINER_OF(j, struct committing, job);

	return schema_write(c->schema->pass, w, &c->has_entry, &c->assigned,
			    &c->assigned_bytes, &j->err);
}

static void give_up(struct schema *s, const struct err *e)
{
	if (e->sys)
		events_add(s->edge->events, LOG_WARN_, "schema", NULL,
			   "schema: %s", e->text);
	schema_pass_release(s->pass);
	free(s->pass);
	s->pass = NULL;
	cycle_over(s, false);
}

static void committed(struct outbox_job *j)
{
	struct committing *c = CONTAINER_OF(j, struct committing, job);
	struct schema *s = c->schema;
	struct schema_pass *p = s->pass;

	if (j->result == 0 && c->has_entry)
		pipes_captured(s->edge->pipes, p->pipe, c->assigned,
			       c->assigned_bytes, NULL);
	if (s->edge->is_ending) {
		free(c);
		return;
	}
	if (j->result < 0 && j->err.sys) {
		edge_note(s->edge, NOTE_CATALOG, j->err.text);
		give_up(s, &(struct err){.sys = 0});
	} else if (j->result < 0 || p->is_end) {
		pass_over(s); /* or the pipe is dropped */
	} else {
		schema_pass_next(p);
		worker_submit(s->edge->names, &p->job);
	}
	free(c);
}

static void passed(struct job *j)
{
	struct schema_pass *p = CONTAINER_OF(j, struct schema_pass, job);
	struct schema *s = p->arg;
	struct committing *c;

	if (s->edge->is_ending)
		return;
	if (p->result < 0) {
		give_up(s, &p->err);
		return;
	}
	/* What the hold was for did not come in time: another time. */
	if (s->is_second && s->was_late) {
		cycle_over(s, true);
		schema_pass_release(p);
		free(p);
		s->pass = NULL;
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->schema = s;
	c->job.run = run_commit;
	c->job.done = committed;
	outbox_submit(s->edge->outbox, &c->job);
}

static void next_pipe(struct schema *s)
{
	const struct pipe *pipe = NULL;
	struct schema_pass *p;

	while (s->at < s->n_pipes && !pipe)
		pipe = pipes_by_id(s->edge->pipes, s->pipes[s->at++]);
	if (!pipe) {
		all_passed(s);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	schema_pass_init(p);
	p->arg = s;
	p->job.done = passed;
	p->pipe = pipe->row.id;
	p->listing = s->listing;
	p->before = s->is_second ? s->before : NULL;
	p->catalog = s->catalog;
	memcpy(p->identity, s->identity, sizeof(p->identity));
	memcpy(p->digest, s->digest, sizeof(p->digest));
	p->sees_all = s->sees_all;
	p->may_remove = pipe->row.sync_del_op;
	p->is_most_gone = s->is_second && s->is_most_gone[s->at - 1];
	s->pass = p;
	worker_submit(s->edge->names, &p->job);
}

/* ---- listing ---- */

static void listed(struct ask_request *rq, const struct ask_answer *a)
{
	struct schema *s = CONTAINER_OF(rq, struct schema, rq);

	if (a->result == ASK_NO)
		events_add(s->edge->events, LOG_WARN_, "schema", NULL,
			   "schema: %s", a->text);
	if (a->result != ASK_OK) {
		cycle_over(s, false);
		return;
	}
	(void)snprintf(s->identity, sizeof(s->identity), "%s", a->field[1]);
	s->sees_all = strcmp(a->field[2], "ALL") == 0;
	(void)snprintf(s->digest, sizeof(s->digest), "%s", a->field[3]);
	s->step = STEP_PASS;
	s->at = 0;
	next_pipe(s);
}

static void list(struct schema *s)
{
	s->step = STEP_LIST;
	s->n_pipes = pipes_capturing(s->edge->pipes, s->pipes, PIPES_MAX);
	s->rq.done = listed;
	ask_submit(s->edge->ask, &s->rq, LIST_LIMIT_MS, "list\t%s\n",
		   s->listing);
}

static void time_to_list(struct loop_timer *t)
{
	struct schema *s = CONTAINER_OF(t, struct schema, next);
	int64_t id;

	if (s->edge->is_ending)
		return;
	if (s->step == STEP_PAUSE) {
		s->step = STEP_DRAIN;
		s->drained.fn = time_to_look_again;
		scan_wait(s->edge->scan, &s->drained);
		return;
	}
	if (!ask_is_wanted(s->edge) ||
	    !pipes_capturing(s->edge->pipes, &id, 1)) {
		let_go(s);
		wake(s, true);
		return;
	}
	s->n_cycles++;
	s->began_ms = now_ms(s);
	s->is_second = false;
	s->n_missing = 0;
	list(s);
}

/* ---- when ---- */

static void soon(struct schema *s)
{
	if (s->step == STEP_IDLE)
		loop_timer_set(s->edge->loop, &s->next, 0);
	else
		s->is_asked_again = true;
}

void schema_pipe_begins(struct schema *s)
{
	if (!ask_is_wanted(s->edge))
		return;
	if (!s->is_held)
		hold(s);
	soon(s);
}

void schema_begin(struct schema *s)
{
	const struct pipe *p = s->edge->pipes->pipes;
	bool is_first = false;
	int64_t id;

	(void)unlink(s->listing);
	(void)unlink(s->before);
	for (; p; p = p->next)
		is_first |= p->row.is_started_once && !p->row.assigned &&
			    p->row.state != PIPE_DROP;
	if (is_first)
		schema_pipe_begins(s);
	else if (pipes_capturing(s->edge->pipes, &id, 1))
		schema_changed(s);
}

void schema_changed(struct schema *s)
{
	if (ask_is_wanted(s->edge))
		soon(s);
}

bool schema_is_of_nobody(const struct schema *s)
{
	return s->digest[0] && !s->identity[0];
}
