/* Lists are short (max_pipes, and the dropped ones that are kept), so they are lists. */
#include "pipes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "farewell.h"
#include "ground/clock.h"
#include "link.h"
#include "lost.h"
#include "progress.h"
#include "release.h"
#include "scan.h"
#include "schema.h"

#define SAVE_MS 1000
/* So many entries are released at once; fewer wait for the last one, or the timer. */
#define RELEASE_FROM 256

/* ---- the lists ---- */

struct sink *pipes_sink(const struct pipes *ps, const char *name)
{
	struct sink *s = ps->sinks;

	while (s && strcmp(s->row.name, name) != 0)
		s = s->next;
	return s;
}

struct sink *pipes_sink_like(const struct pipes *ps, const char *name)
{
	struct sink *s = pipes_sink(ps, name), *only = NULL;

	if (s)
		return s;
	for (s = ps->sinks; s; s = s->next) {
		if (strcasecmp(s->row.name, name) != 0)
			continue;
		if (only)
			return NULL;
		only = s;
	}
	return only;
}

struct pipe *pipes_find(const struct pipes *ps, const char *name)
{
	struct pipe *p = ps->pipes;

	while (p &&
	       (p->row.state == PIPE_DROP || strcmp(p->row.name, name) != 0))
		p = p->next;
	return p;
}

struct pipe *pipes_by_id(const struct pipes *ps, int64_t id)
{
	struct pipe *p = ps->pipes;

	while (p && p->row.id != id)
		p = p->next;
	return p;
}

size_t pipes_live(const struct pipes *ps, struct pipe **first)
{
	struct pipe *p;
	size_t n = 0;

	for (p = ps->pipes; p; p = p->next) {
		if (p->row.state == PIPE_DROP)
			continue;
		if (!n++ && first)
			*first = p;
	}
	return n;
}

size_t pipes_capturing(const struct pipes *ps, int64_t *ids, size_t n)
{
	const struct pipe *p;
	size_t i = 0;

	for (p = ps->pipes; p && i < n; p = p->next) {
		if (p->row.is_started_once && p->row.state != PIPE_DROP)
			ids[i++] = p->row.id;
	}
	return i;
}

struct sink *pipes_put_sink(struct pipes *ps, const struct sink_row *row)
{
	struct sink *s = pipes_sink(ps, row->name), **at = &ps->sinks;

	if (!s) {
		s = xcalloc(1, sizeof(*s));
		while (*at && strcmp((*at)->row.name, row->name) < 0)
			at = &(*at)->next;
		s->next = *at;
		*at = s;
	}
	s->row = *row;
	s->changed_ms = clock_wall_ms();
	return s;
}

void pipes_remove_sink(struct pipes *ps, struct sink *s)
{
	struct sink **at = &ps->sinks;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s);
}

struct pipe *pipes_add(struct pipes *ps, const struct pipe_row *row)
{
	struct pipe *p = xcalloc(1, sizeof(*p)), **at = &ps->pipes;

	while (*at)
		at = &(*at)->next;
	*at = p;
	p->row = *row;
	p->changed_ms = p->offline_since_ms = clock_wall_ms();
	return p;
}

static void forget_quarantine(struct pipe *p)
{
	while (p->quarantine) {
		struct quarantined *q = p->quarantine;

		p->quarantine = q->next;
		free(q->reason);
		free(q);
	}
	p->n_quarantined = 0;
}

static void free_pipe(struct pipe *p)
{
	link_free(p->link, false);
	notes_release(&p->notes);
	forget_quarantine(p);
	free(p);
}

/* ---- dropped pipes are kept, but not for ever ---- */

struct forgetting {
	struct outbox_job job;
	int64_t pipe;
};

static int run_forget(struct outbox_job *j, struct outbox_writer *w)
{
	struct forgetting *f = CONTAINER_OF(j, struct forgetting, job);

	return outbox_forget_pipe(w, f->pipe, &j->err);
}

static void forgotten(struct outbox_job *j)
{
	free(CONTAINER_OF(j, struct forgetting, job));
}

/* The row and everything of it are gone. */
static void pipes_forget(struct pipes *ps, struct pipe *p)
{
	struct forgetting *f = xcalloc(1, sizeof(*f));
	struct pipe **at = &ps->pipes;

	f->pipe = p->row.id;
	f->job.run = run_forget;
	f->job.done = forgotten;
	outbox_submit(ps->edge->outbox, &f->job);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free_pipe(p);
}

static bool may_go(const struct pipe *p)
{
	return p->row.state == PIPE_DROP && !p->is_unreleased;
}

void pipes_push_out(struct pipes *ps)
{
	struct pipe *p, *next;
	int64_t n = 0;

	for (p = ps->pipes; p; p = p->next)
		n += p->row.state == PIPE_DROP && !p->row.is_superseded;
	for (p = ps->pipes; p; p = next) {
		next = p->next;
		if (!may_go(p))
			continue;
		if (p->row.is_superseded) {
			pipes_forget(ps, p);
		} else if (n > ps->edge->set.dropped_kept) {
			n--;
			pipes_forget(ps, p);
		}
	}
}

/* ---- states ---- */

const char *pipe_state_text(enum pipe_state s)
{
	switch (s) {
	case PIPE_RUNNING:
		return "RUNNING";
	case PIPE_STOP:
		return "STOP";
	case PIPE_DROP:
		return "DROP";
	}
	return "";
}

static void begin_link(struct pipes *ps, struct pipe *p)
{
	if (p->link)
		link_kick(p->link);
	else
		p->link = link_new(ps->edge, p);
}

static void end_link(struct pipe *p)
{
	if (!p->link)
		return;
	link_free(p->link, true);
	p->link = NULL;
	p->offline_since_ms = clock_wall_ms();
}

void pipe_set_state(struct pipes *ps, struct pipe *p, enum pipe_state state)
{
	bool is_first = state == PIPE_RUNNING && !p->row.is_started_once;

	if (p->row.state != state || p->row.error[0]) {
		p->changed_ms = clock_wall_ms();
		events_add(ps->edge->events, LOG_INFO_, NULL,
			   &(struct log_about){.pipe = p->row.name}, "%s",
			   pipe_state_text(state));
	}
	p->row.state = state;
	p->row.error[0] = '\0';
	switch (state) {
	case PIPE_RUNNING:
		p->row.is_started_once = true;
		begin_link(ps, p);
		if (is_first) {
			schema_pipe_begins(ps->edge->schema);
			scan_everything(ps->edge->scan);
		}
		break;
	case PIPE_STOP:
		end_link(p);
		break;
	case PIPE_DROP:
		end_link(p);
		release_dropped(ps, p);
		if (!p->row.is_superseded)
			farewell_begin(ps, p);
		pipes_push_out(ps);
		break;
	}
}

void pipes_sink_moved(struct pipes *ps, const char *sink)
{
	struct pipe *p;

	for (p = ps->pipes; p; p = p->next) {
		if (p->link && strcmp(p->row.sink, sink) == 0)
			link_again(p->link);
	}
}

void pipe_message(const struct pipes *ps, const struct pipe *p, struct buf *out)
{
	char when[CLOCK_TEXT_LEN];

	if (p->row.state == PIPE_DROP)
		return;
	if (p->row.error[0])
		buf_addf(out, "[ERROR] [%s] %s\n",
			 clock_text(p->row.error_ms, when), p->row.error);
	notes_print(&p->notes, out);
	if (p->row.is_started_once)
		notes_print(&ps->edge->notes, out);
}

void pipe_message_cell(const struct pipes *ps, const struct pipe *p,
		       struct buf *out)
{
	CLEANUP(buf_release) struct buf b;
	const char *text;
	size_t n;

	buf_init(&b, 65536);
	pipe_message(ps, p, &b);
	text = buf_str(&b);
	n = strcspn(text, "\n");
	buf_add(out, text, n);
	if (text[n] && text[n + 1])
		buf_adds(out, " ...");
}

/* ---- states that links cause ---- */

struct saving {
	struct outbox_job job;
	struct pipe_row row;
};

static int run_save(struct outbox_job *j, struct outbox_writer *w)
{
	struct saving *s = CONTAINER_OF(j, struct saving, job);

	return outbox_save_pipe(w, &s->row, &j->err);
}

static void saved(struct outbox_job *j)
{
	if (j->result < 0)
		log_err("syncd", "the state of a pipe was not saved: %s",
			j->err.text);
	free(CONTAINER_OF(j, struct saving, job));
}

static void save_row(struct pipes *ps, const struct pipe *p)
{
	struct saving *s = xcalloc(1, sizeof(*s));

	s->row = p->row;
	s->job.run = run_save;
	s->job.done = saved;
	outbox_submit(ps->edge->outbox, &s->job);
}

void pipe_stopped_by(struct pipes *ps, struct pipe *p, const char *text,
		     bool asks_again)
{
	bool is_news =
		p->row.state != PIPE_STOP || strcmp(p->row.error, text) != 0;

	p->row.state = PIPE_STOP;
	if (is_news) {
		(void)snprintf(p->row.error, sizeof(p->row.error), "%s", text);
		p->row.error_ms = clock_wall_ms();
		p->changed_ms = p->row.error_ms;
		events_add(ps->edge->events, LOG_ERR_, NULL,
			   &(struct log_about){.pipe = p->row.name},
			   "stopped: %s", text);
		save_row(ps, p);
	}
	if (!asks_again)
		end_link(p);
}

void pipe_told(struct pipes *ps, struct pipe *p)
{
	p->row.is_told = true;
	save_row(ps, p);
}

void pipe_admitted(struct pipes *ps, struct pipe *p)
{
	if (p->row.state != PIPE_STOP)
		return;
	p->row.state = PIPE_RUNNING;
	p->row.error[0] = '\0';
	p->changed_ms = clock_wall_ms();
	events_add(ps->edge->events, LOG_INFO_, NULL,
		   &(struct log_about){.pipe = p->row.name},
		   "RUNNING again: the receiver admits it");
	save_row(ps, p);
}

/* ---- progress ---- */

void pipes_save_progress(struct pipes *ps)
{
	struct pipe *p;

	for (p = ps->pipes; p; p = p->next) {
		if (p->row.state != PIPE_DROP && p->is_progress_unsaved) {
			p->is_progress_unsaved = false;
			progress_save(ps, p);
		}
	}
}

static void time_to_save(struct loop_timer *t)
{
	struct pipes *ps = CONTAINER_OF(t, struct pipes, save);
	struct pipe *p;

	for (p = ps->pipes; p; p = p->next) {
		if (p->row.state != PIPE_DROP)
			release_applied(ps, p);
		else if (p->is_unreleased)
			release_dropped(ps, p);
	}
	pipes_save_progress(ps);
}

static void progress_changed(struct pipes *ps, struct pipe *p)
{
	p->is_progress_unsaved = true;
	if (!ps->save.slot)
		loop_timer_set(ps->edge->loop, &ps->save, SAVE_MS);
}

static void count_since_capture(struct pipes *ps, const struct pipe *p,
				uint64_t serial, struct histogram *h)
{
	int64_t ms = outbox_captured_ms(ps->edge->outbox, p->row.id, serial);

	if (ms)
		histogram_add(h, (clock_wall_ms() - ms) * 1000);
}

void pipe_durable(struct pipes *ps, struct pipe *p, uint64_t serial)
{
	if (serial > p->row.durable)
		count_since_capture(ps, p, p->row.durable + 1,
				    &p->durable_after);
	p->row.durable = serial;
	pipe_note_over(ps, p, NOTE_ATTEMPT);
	progress_changed(ps, p);
	progress_moved(ps, p);
}

void pipe_applied(struct pipes *ps, struct pipe *p, uint64_t serial)
{
	if (serial > p->row.applied)
		count_since_capture(ps, p, p->row.applied + 1,
				    &p->applied_after);
	p->row.applied = serial;
	progress_changed(ps, p);
	if (p->row.applied == p->row.assigned ||
	    p->row.applied - p->row.released >= RELEASE_FROM)
		release_applied(ps, p);
	progress_moved(ps, p);
}

void pipes_captured(struct pipes *ps, int64_t id, uint64_t assigned,
		    uint64_t assigned_bytes, struct warm *warm)
{
	struct pipe *p = pipes_by_id(ps, id);

	if (!p)
		return;
	p->row.assigned = assigned;
	p->row.assigned_bytes = assigned_bytes;
	p->warm = warm;
	if (p->link)
		link_assigned(p->link, assigned);
	p->warm = NULL;
}

int64_t pipe_first_time(const struct pipe_row *row)
{
	if (!row->has_from)
		return INT64_MIN;
	return row->is_exclusive && row->from < INT64_MAX ? row->from + 1
							  : row->from;
}

/* ---- notes and quarantine ---- */

void pipe_note(struct pipes *ps, struct pipe *p, enum note_cause cause,
	       const char *text)
{
	if (!notes_set(&p->notes, cause, text))
		return;
	p->changed_ms = clock_wall_ms();
	events_add(ps->edge->events, LOG_WARN_, NULL,
		   &(struct log_about){.pipe = p->row.name}, "%s", text);
	if (p->link)
		link_changed(p->link);
}

void pipe_note_over(struct pipes *ps, struct pipe *p, enum note_cause cause)
{
	(void)ps;
	if (!notes_clear(&p->notes, cause))
		return;
	p->changed_ms = clock_wall_ms();
	if (p->link)
		link_changed(p->link);
}

void pipes_tell(struct pipes *ps)
{
	struct pipe *p;

	for (p = ps->pipes; p; p = p->next) {
		p->changed_ms = clock_wall_ms();
		if (p->link)
			link_changed(p->link);
	}
}

static void tell_quarantine(struct pipes *ps, struct pipe *p)
{
	const struct quarantined *q = p->quarantine;
	char text[MESSAGE_LEN];

	if (!p->n_quarantined) {
		forget_quarantine(p);
		pipe_note_over(ps, p, NOTE_QUARANTINE);
		return;
	}
	if (q)
		(void)snprintf(text, sizeof(text),
			       "%u in quarantine at the receiver, entry "
			       "%llu: %.700s (RETRY %llu or SKIP %llu at the "
			       "receiver)",
			       p->n_quarantined, (unsigned long long)q->serial,
			       q->reason, (unsigned long long)q->id,
			       (unsigned long long)q->id);
	else
		(void)snprintf(text, sizeof(text),
			       "%u in quarantine at the receiver (RETRY or "
			       "SKIP there; SHOW QUARANTINE names them)",
			       p->n_quarantined);
	pipe_note(ps, p, NOTE_QUARANTINE, text);
}

static void remove_quarantined(struct pipe *p, uint64_t id)
{
	struct quarantined **at = &p->quarantine;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	if (*at) {
		struct quarantined *q = *at;

		*at = q->next;
		free(q->reason);
		free(q);
	}
}

#define QUARANTINE_SHOWN 1000

static void add_quarantined(struct pipe *p, const struct msg_quarantine *m)
{
	struct quarantined *q, **at = &p->quarantine;
	size_t n = 0;

	while (*at && (*at)->serial < m->serial && n++ < QUARANTINE_SHOWN)
		at = &(*at)->next;
	if (n >= QUARANTINE_SHOWN)
		return;
	q = xcalloc(1, sizeof(*q));
	q->id = m->id;
	q->serial = m->serial;
	q->reason = xstrdup(m->reason);
	q->next = *at;
	*at = q;
}

void pipe_quarantine(struct pipes *ps, struct pipe *p,
		     const struct msg_quarantine *m)
{
	size_t n = 0;
	const struct quarantined *q;

	remove_quarantined(p, m->id);
	if (!m->is_over)
		add_quarantined(p, m);
	for (q = p->quarantine; q; q = q->next)
		n++;
	p->n_quarantined = (uint32_t)n;
	tell_quarantine(ps, p);
}

/* The sentence stands meanwhile: most often it is the same again. */
void pipe_quarantine_begin(struct pipe *p)
{
	forget_quarantine(p);
}

void pipe_quarantine_end(struct pipes *ps, struct pipe *p)
{
	if (!p->n_quarantined)
		pipe_note_over(ps, p, NOTE_QUARANTINE);
}

void pipe_waits(struct pipes *ps, struct pipe *p, const char *reason)
{
	char text[MESSAGE_LEN];

	if (!*reason) {
		pipe_note_over(ps, p, NOTE_WAITS);
		return;
	}
	(void)snprintf(text, sizeof(text), "the receiver tries again: %.900s",
		       reason);
	pipe_note(ps, p, NOTE_WAITS, text);
}

void pipe_n_quarantined(struct pipes *ps, struct pipe *p, uint32_t n)
{
	if (p->n_quarantined == n)
		return;
	p->n_quarantined = n;
	tell_quarantine(ps, p);
}

/* ---- start and end ---- */

static void load_sink(void *arg, const struct sink_row *row)
{
	(void)pipes_put_sink(arg, row);
}

static void load_pipe(void *arg, const struct pipe_row *row)
{
	(void)pipes_add(arg, row);
}

int pipes_load(struct edge *e, struct err *err)
{
	struct pipes *ps = xcalloc(1, sizeof(*ps));
	int r;

	ps->edge = e;
	ps->save.fn = time_to_save;
	e->pipes = ps;
	r = outbox_each_sink(e->outbox, load_sink, ps, err);
	return r ? r : outbox_each_pipe(e->outbox, load_pipe, ps, err);
}

void pipes_begin(struct pipes *ps)
{
	struct pipe *p;
	int64_t id;

	for (p = ps->pipes; p; p = p->next) {
		if (p->row.state == PIPE_DROP) {
			release_dropped(ps, p);
			if (!p->row.is_superseded)
				farewell_begin(ps, p);
		} else if (p->row.state == PIPE_RUNNING || p->row.error[0]) {
			begin_link(ps, p);
		}
		if (p->row.state != PIPE_DROP)
			lost_note(ps->edge, p);
	}
	if (pipes_capturing(ps, &id, 1))
		scan_everything(ps->edge->scan);
}

void pipes_end_links(struct pipes *ps)
{
	struct pipe *p;

	farewell_end_all(ps);
	for (p = ps->pipes; p; p = p->next)
		end_link(p);
}

void pipes_free(struct pipes *ps)
{
	if (!ps)
		return;
	while (ps->pipes) {
		struct pipe *p = ps->pipes;

		ps->pipes = p->next;
		free_pipe(p);
	}
	while (ps->sinks) {
		struct sink *s = ps->sinks;

		ps->sinks = s->next;
		free(s);
	}
	free(ps);
}
