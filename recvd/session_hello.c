#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apply.h"
#include "domain/sql.h"
#include "ground/clock.h"
#include "ground/fileio.h"
#include "retain.h"
#include "session.h"

/* Who is it, may it come in, and what do we have of it. The answer waits for three
 * things in this order: a new incarnation is in the catalog; what an earlier connection
 * handed over is committed; the lists of its half-received files are read again (by the writer,
 * behind that connection's last writes). So a take-over never sees half of the state. What the
 * lists say is read beside what comes then (session_look.c). */

static const char *const fixed_names[] = {"key", "address", "first_seen",
					  "last_seen", "version"};

static void refuse(struct session *s, enum bye_why why, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void refuse(struct session *s, enum bye_why why, const char *fmt, ...)
{
	char sentence[SENTENCE_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof sentence, fmt, ap);
	va_end(ap);
	receive_refuse(s->rx, why, sentence);
	session_pump(s);
}

static void refuse_quota(struct session *s, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

/* Too much of one sender: it comes again, with back-off. */
static void refuse_quota(struct session *s, const char *fmt, ...)
{
	char sentence[SENTENCE_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof sentence, fmt, ap);
	va_end(ap);
	s->refusal = REFUSED_QUOTA;
	refuse(s, BYE_BUSY, "%s", sentence);
}

/* ---- who ---- */

static int check_names(struct session *s, const struct msg_hello *m)
{
	struct err e = {0};

	if (!name_is_plain(m->sender_name)) {
		refuse(s, BYE_REFUSED,
		       "sender_name is no name of a directory (UTF-8 without "
		       "/, control bytes and a "
		       "dot in front is expected): change sender_name in "
		       "syncd.conf");
		return -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_LEN(fixed_names); i++)
		if (strcmp(m->pipe, fixed_names[i]) == 0)
			(void)err_set(
				&e, EINVAL,
				"it is the name of a file in server/senders");
	if (!e.sys && sql_check_pipe_name(m->pipe, &e) >= 0)
		return 0;
	refuse(s, BYE_REFUSED,
	       "the pipe's name can not be shown at the receiver: %s", e.text);
	return -EINVAL;
}

static int check_key(struct session *s, const struct msg_hello *m)
{
	const uint8_t *key = stream_peer_key(s->stream);

	if (!key || memcmp(key, m->sender_id, SENDER_ID_LEN) == 0)
		return 0;
	refuse(s, BYE_REFUSED,
	       "the sender id in HELLO is not the key of the connection");
	return -EACCES;
}

/* A name belongs to one admitted key, because it names directories. */
static int check_owner(struct session *s, const struct msg_hello *m)
{
	struct sender *owner = senders_by_name(&s->d->senders, m->sender_name);

	if (!owner || owner->row.state != SENDER_ADMITTED ||
	    memcmp(owner->row.id, m->sender_id, SENDER_ID_LEN) == 0)
		return 0;
	refuse(s, BYE_REFUSED,
	       "the name %s belongs to key %s here (FORGET SENDER %s at the "
	       "receiver releases it, or "
	       "change sender_name in syncd.conf)",
	       m->sender_name, owner->key, m->sender_name);
	return -EEXIST;
}

/* One that was admitted once and forgotten has a past, which must not lose its owner. */
static void forget_oldest_knock(struct recvd *d)
{
	struct sender *x = d->senders.first;

	while (x && (x->row.state != SENDER_WAITING || x->newest))
		x = x->next;
	if (x)
		recvd_del_sender(d, x);
}

static struct sender *new_sender(struct session *s, const struct msg_hello *m,
				 enum sender_state state)
{
	struct sender_row row = {.state = state,
				 .first_seen_ms = clock_wall_ms()};

	memcpy(row.id, m->sender_id, sizeof row.id);
	if (state == SENDER_WAITING &&
	    senders_count(&s->d->senders, SENDER_WAITING) >=
		    SENDERS_KNOCKING_MAX)
		forget_oldest_knock(s->d);
	return senders_add(&s->d->senders, &row);
}

static void take_hello(struct session *s, struct sender *x,
		       const struct msg_hello *m)
{
	struct sender_row *row = &x->row;

	row->last_seen_ms = x->changed_ms = s->d->changed_ms = clock_wall_ms();
	(void)snprintf(row->name, sizeof row->name, "%s", m->sender_name);
	(void)snprintf(row->address, sizeof row->address, "%s", s->address);
	(void)snprintf(row->version, sizeof row->version, "%s", m->program);
	recvd_put_sender(s->d, x);
}

static struct sender *admit(struct session *s, const struct msg_hello *m)
{
	struct recvd *d = s->d;
	struct sender *x = senders_by_id(&d->senders, m->sender_id);
	bool first_use = d->settings.admit == ADMIT_FIRST_USE;

	if (!x && senders_known(&d->senders) >= QUOTA_SENDERS) {
		refuse_quota(s,
			     "the receiver knows %u keys already and takes no "
			     "new one",
			     QUOTA_SENDERS);
		return NULL;
	}
	if (!x) {
		x = new_sender(s, m,
			       first_use ? SENDER_ADMITTED : SENDER_WAITING);
		events_add(d->events, LOG_INFO_, "session",
			   &(struct log_about){.sender = m->sender_name},
			   "%s (%s): new key %s, %s", s->address,
			   m->sender_name, x->key,
			   first_use ? "admitted at first use"
				     : "waits for ADMIT SENDER");
	} else if (x->row.state != SENDER_ADMITTED && first_use) {
		x->row.state = SENDER_ADMITTED;
	} else if (x->row.state == SENDER_FORGOTTEN) {
		x->row.state = SENDER_WAITING;
	}
	take_hello(s, x, m);
	if (x->row.state == SENDER_ADMITTED)
		return x;
	refuse(s, BYE_REFUSED,
	       "the key %s is not admitted here (ADMIT SENDER %s at the "
	       "receiver)",
	       x->key, m->sender_name);
	return NULL;
}

/* ---- one connection per sender ---- */

static void take_over(struct session *s, struct sender *x)
{
	struct session *old = x->session;
	int64_t now = clock_wall_ms();
	uint64_t mono = loop_now_ms(s->d->loop);
	char sentence[256];

	if (!old || old == s)
		return;
	if (mono - x->takeover_mono_ms > TAKEOVER_QUIET_MS)
		x->n_takeovers = 0;
	x->n_takeovers++;
	x->takeover_mono_ms = mono;
	x->takeover_ms = x->changed_ms = now;
	(void)snprintf(sentence, sizeof sentence,
		       "a connection from %s took over this one from %s",
		       s->address, old->address);
	(void)snprintf(x->takeover_text, sizeof x->takeover_text,
		       "connections from %s and %s take each other over: two "
		       "hosts use one key, or the link breaks often (a second "
		       "host needs a state_dir of its own)",
		       s->address, old->address);
	events_add(s->d->events,
		   x->n_takeovers >= TAKEOVER_WARN ? LOG_WARN_ : LOG_INFO_,
		   "session", &(struct log_about){.sender = x->row.name},
		   "%s: %s", x->row.name, sentence);
	session_bye(old, BYE_TAKEN_OVER, sentence);
}

/* ---- incarnations ---- */

/* Removes half-received files of an incarnation that is over, once nothing of it is on
 * its way into the catalog any more: until then a file that has a list may become
 * durable. */
struct sweep {
	struct commit_wait wait;
	struct job job;
	struct recvd *d;
	struct incarnation *incarnation;
	char dir[STAGE_DIR_MAX];
	uint64_t durable;
	struct early early; /* owned */
};

static void sweep_run(struct job *j)
{
	struct sweep *w = CONTAINER_OF(j, struct sweep, job);

	(void)!stage_sweep(&w->d->stage, w->dir, w->durable, &w->early, NULL);
}

static void sweep_done(struct job *j)
{
	struct sweep *w = CONTAINER_OF(j, struct sweep, job);

	early_release(&w->early);
	free(w);
}

static void sweep_start(struct commit_wait *wait)
{
	struct sweep *w = CONTAINER_OF(wait, struct sweep, wait);

	w->durable = w->incarnation->row.durable;
	early_copy(&w->early, &w->incarnation->early);
	w->job.run = sweep_run;
	w->job.done = sweep_done;
	worker_submit(w->d->writer, &w->job);
}

static struct sweep *sweep_new(struct recvd *d, struct incarnation *i)
{
	struct sweep *w = xcalloc(1, sizeof *w);

	w->d = d;
	w->incarnation = i;
	(void)snprintf(w->dir, sizeof w->dir, "%s", i->dir);
	return w;
}

static void sweep(struct recvd *d, struct incarnation *i)
{
	struct sweep *w = sweep_new(d, i);

	w->wait.fn = sweep_start;
	commit_wait(d->commit, &w->wait);
}

void sessions_distrust(struct recvd *d, const char *sentence)
{
	for (struct session *s = d->sessions; s; s = s->next)
		session_failed(s, sentence);
	for (struct sender *x = d->senders.first; x; x = x->next)
		for (struct incarnation *i = x->newest; i; i = i->older)
			if (!i->row.dropped)
				sweep_start(&sweep_new(d, i)->wait);
}

struct drop_task {
	struct catalog_task task;
	struct recvd *d;
	int64_t seq;
	struct session *session; /* that is told once it is kept; NULL: none */
};

static int drop_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	return catalog_drop_incarnation(
		c, CONTAINER_OF(t, struct drop_task, task)->seq, e);
}

/* Without this word the edge tells it again: the end of a stream may be anything. */
static void answer_drop(struct session *s, const struct catalog_task *t)
{
	struct msg_bye m = {.why = t->result < 0 ? BYE_BUSY : BYE_HISTORY};
	struct buf b;

	s->n_jobs--;
	if (s->state == SESSION_ENDED) {
		loop_defer(s->d->loop, &s->d->reap);
		return;
	}
	(void)snprintf(m.text, sizeof m.text, "%.900s",
		       t->result < 0 ? t->err.text
				     : "this incarnation is dropped here");
	buf_init(&b, FRAME_LEN_MAX);
	msg_bye_encode(&m, &b);
	session_send(s, &b);
	session_end(s);
}

static void drop_done(struct catalog_task *t)
{
	struct drop_task *k = CONTAINER_OF(t, struct drop_task, task);

	if (t->result < 0)
		events_add(k->d->events, LOG_ERR_, "session", NULL,
			   "a DROP was not kept: %s", t->err.text);
	if (k->session)
		answer_drop(k->session, t);
	free(k);
}

void session_drop_incarnation(struct recvd *d, struct incarnation *i,
			      struct session *told)
{
	struct drop_task *t = xcalloc(1, sizeof *t);

	i->row.dropped = true;
	i->changed_ms = d->changed_ms = clock_wall_ms();
	sweep(d, i);
	t->d = d;
	t->seq = i->row.seq;
	t->session = told;
	if (told)
		told->n_jobs++;
	t->task.run = drop_run;
	t->task.done = drop_done;
	catalog_submit(d->catalog, &t->task);
}

/* ---- what do we have: three steps ---- */

static uint64_t count_present(const struct stage_partial *p)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < p->n_blocks; i++)
		n += p->present[i] != 0;
	return n;
}

static void answer(struct session *s)
{
	struct incarnation *i = s->incarnation;
	CLEANUP_FREE struct receive_partial *given = NULL;
	struct receive_known k = {0};

	memcpy(k.instance, s->d->dir.instance, ID_LEN);
	if (i) {
		k.durable = i->row.durable;
		k.durable_nonce = i->row.durable_nonce;
		k.applied = i->row.applied;
		k.early = &i->early;
		k.fills = &i->fills;
		k.n_quarantined = i->n_quarantined;
		i->session = s;
	}
	if (s->n_partials)
		given = xcalloc(s->n_partials, sizeof *given);
	for (size_t n = 0; n < s->n_partials; n++) {
		struct stage_partial *p = &s->partials[n];

		given[n] = (struct receive_partial){p->entry, p->n_blocks,
						    p->present, p->digests};
		/* What stays is only the name, for RX_OPEN, and how much is there. */
		p->n_blocks = count_present(p);
		p->entry.devices = NULL;
		p->present = NULL;
		p->digests = NULL;
	}
	k.partials = given;
	k.n_partials = s->n_partials;
	k.is_doubted = s->look != NULL;
	s->state = SESSION_LIVE;
	s->is_live = true;
	s->d->n_live++;
	s->moved_ms = loop_now_ms(s->d->loop);
	receive_known(s->rx, &k);
	session_pump(s);
	session_time_silence(s);
	session_breathe(s);
}

static int tell_quarantine(void *arg, const struct quarantine_row *row)
{
	session_quarantine(arg, row, false);
	return 0;
}

/* Behind the WELCOME the edge hears what is quarantined, as if it happened now. */
static void tell_all_quarantine(struct session *s)
{
	struct err e = {0};

	if (!s->incarnation || !s->incarnation->n_quarantined)
		return;
	if (catalog_each_quarantine(&s->d->reader, s->incarnation->row.seq, 0,
				    tell_quarantine, s, &e) < 0)
		events_add(s->d->events, LOG_ERR_, "session", NULL,
			   "reading the quarantine: %s", e.text);
}

struct scan_job {
	struct job job;
	struct session *session;
	struct stage *stage;
	char dir[STAGE_DIR_MAX];
	uint64_t durable, free_bytes, total_bytes;
	bool must_read;	    /* the lists alone were wrong */
	struct early early; /* owned */
	struct stage_partial *partials;
	size_t n;
	int result;
	struct err err;
};

static void scan_run(struct job *j)
{
	struct scan_job *w = CONTAINER_OF(j, struct scan_job, job);

	(void)!file_space(w->stage->fd, &w->free_bytes, &w->total_bytes);
	w->result = stage_make_dir(w->stage, w->dir, &w->err);
	if (w->result >= 0)
		w->result = (w->must_read ? stage_scan : stage_lists)(
			w->stage, w->dir, w->durable, &w->early, &w->partials,
			&w->n, &w->err);
}

static void scan_done(struct job *j)
{
	struct scan_job *w = CONTAINER_OF(j, struct scan_job, job);
	struct session *s = w->session;

	s->n_jobs--;
	/* Measured at each HELLO: who was sent away by a full disk comes again with one. */
	room_measured(&s->d->room, w->free_bytes, w->total_bytes);
	if (s->state != SESSION_LOOKUP) {
		stage_partials_free(w->partials, w->n);
		loop_defer(s->d->loop, &s->d->reap);
	} else if (w->result < 0) {
		session_failed(s, w->err.text);
	} else {
		s->partials = w->partials;
		s->n_partials = w->n;
		if (w->must_read) {
			s->incarnation->is_read = true;
			s->incarnation->is_doubtful = false;
		} else {
			session_look(s);
		}
		answer(s);
		tell_all_quarantine(s);
		apply_tell(s->d->apply, s);
	}
	early_release(&w->early);
	free(w);
}

static void step_scan(struct commit_wait *wait)
{
	struct session *s = CONTAINER_OF(wait, struct session, wait);
	struct scan_job *w = xcalloc(1, sizeof *w);

	s->is_waiting = false;
	w->job.run = scan_run;
	w->job.done = scan_done;
	w->session = s;
	w->stage = &s->d->stage;
	w->durable = s->incarnation->row.durable;
	w->must_read = s->incarnation->is_doubtful;
	early_copy(&w->early, &s->incarnation->early);
	(void)snprintf(w->dir, sizeof w->dir, "%s", s->incarnation->dir);
	s->n_jobs++;
	worker_submit(s->d->writer, &w->job);
}

static void step_wait(struct session *s)
{
	s->is_waiting = true;
	s->wait.fn = step_scan;
	commit_wait(s->d->commit, &s->wait);
}

struct new_task {
	struct catalog_task task;
	struct session *session;
	struct sender_row sender;
	struct incarnation_row row;
};

/* With its sender's row, which the admission may not have got into the catalog: without it
 * the next start would not know whose the incarnation is. */
static int new_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	struct new_task *k = CONTAINER_OF(t, struct new_task, task);
	int r = catalog_put_sender(c, &k->sender, e);

	return r < 0 ? r : catalog_add_incarnation(c, &k->row, e);
}

/* Only now the incarnation exists: one that is not in the catalog must have no
 * entries, or a restart would not find them. */
static void new_done(struct catalog_task *t)
{
	struct new_task *k = CONTAINER_OF(t, struct new_task, task);
	struct session *s = k->session;
	struct sender *x = s->known_sender;

	s->n_jobs--;
	if (t->result >= 0) {
		for (struct incarnation *i = x->newest; i; i = i->older) {
			if (!i->row.dropped)
				sweep(s->d, i);
			i->row.dropped = true;
		}
		s->incarnation = incarnation_add(&s->d->senders, x, &k->row);
		s->d->changed_ms = clock_wall_ms();
	}
	x->is_adding = false;
	if (s->state != SESSION_LOOKUP)
		loop_defer(s->d->loop, &s->d->reap);
	else if (t->result < 0)
		session_failed(s, t->err.text);
	else
		step_wait(s);
	free(k);
}

static void back_done(struct retain_back *b, const struct err *e)
{
	struct new_task *t = b->arg;
	struct session *s = t->session;

	if (b->n)
		events_add(s->d->events, LOG_INFO_, "session",
			   &(struct log_about){.sender = b->sender->row.name,
					       .pipe = t->row.pipe},
			   "RESYNC of %s/%s: %llu retained entries are applied "
			   "again, before what the edge still has",
			   b->sender->row.name, t->row.pipe,
			   (unsigned long long)b->n);
	if (e) {
		t->task.result = -e->sys;
		t->task.err = *e; /* which is the walk's own */
	}
	retain_back_free(b);
	if (e)
		new_done(&t->task);
	else
		catalog_submit(s->d->catalog, &t->task);
}

/* First what is retained of the older incarnations waits again, then the new one is added,
 * which waits for it database by database. Cut off in between, the next HELLO does it once
 * more: what was applied twice then is what an older incarnation had applied before. */
static void bring_back(struct session *s, struct new_task *t)
{
	struct retain_back *b = xcalloc(1, sizeof *b);

	b->d = s->d;
	b->sender = s->sender;
	b->done = back_done;
	b->arg = t;
	retain_bring_back(b);
}

static void step_new(struct session *s, const struct msg_hello *m)
{
	struct new_task *t = xcalloc(1, sizeof *t);

	t->row.seq = s->d->senders.next_seq++;
	memcpy(t->row.sender, m->sender_id, sizeof t->row.sender);
	memcpy(t->row.id, m->incarnation, sizeof t->row.id);
	(void)snprintf(t->row.pipe, sizeof t->row.pipe, "%s", m->pipe);
	t->row.create_time_ms = m->create_time_ms;
	t->session = s;
	t->sender = s->sender->row;
	t->task.run = new_run;
	t->task.done = new_done;
	s->sender->is_adding = true;
	s->known_sender = s->sender;
	s->n_jobs++;
	if (m->flags & HELLO_RESYNC && s->sender->newest)
		bring_back(s, t);
	else
		catalog_submit(s->d->catalog, &t->task);
}

static void look_up_incarnation(struct session *s, const struct msg_hello *m)
{
	struct incarnation *i = incarnation_find(s->sender, m->incarnation);

	if (i && i->row.dropped) {
		refuse(s, BYE_HISTORY,
		       "this incarnation of pipe %s was dropped here, a newer "
		       "one took its place "
		       "(RESYNC PIPE %s opens a new one)",
		       m->pipe, m->pipe);
	} else if (s->sender->is_adding) {
		/* Also for one that is known: in a moment it may be dropped. */
		refuse(s, BYE_BUSY,
		       "another connection of this sender is being let in");
	} else if (i) {
		s->incarnation = i;
		step_wait(s);
	} else if (!quota_take(&s->sender->incarnations,
			       loop_now_ms(s->d->loop), QUOTA_INCARNATIONS,
			       QUOTA_INCARNATIONS_PER_1000S)) {
		refuse_quota(s,
			     "sender %s began more than %u pipes in a short "
			     "time",
			     m->sender_name, QUOTA_INCARNATIONS);
	} else if (s->d->senders.next_seq > CATALOG_INCARNATION_MAX) {
		refuse(s, BYE_BUSY,
		       "the catalog is out of numbers for incarnations");
	} else {
		step_new(s, m);
	}
}

void session_lookup(struct session *s, const struct msg_hello *m)
{
	struct sender *x;

	s->state = SESSION_LOOKUP;
	session_time_silence(s);
	session_breathe(s);
	if (check_key(s, m) < 0 || check_names(s, m) < 0 ||
	    check_owner(s, m) < 0)
		return;
	x = admit(s, m);
	if (!x)
		return;
	if (!quota_take(&x->hellos, loop_now_ms(s->d->loop), QUOTA_HELLOS,
			QUOTA_HELLOS_PER_1000S)) {
		refuse_quota(s,
			     "sender %s connects more often than %u times a "
			     "second",
			     m->sender_name, QUOTA_HELLOS_PER_1000S / 1000);
		return;
	}
	s->sender = x;
	if (m->flags & HELLO_PROBE) {
		answer(s);
		return;
	}
	take_over(s, x);
	x->session = s;
	events_add(s->d->events, LOG_INFO_, "session",
		   &(struct log_about){.sender = x->row.name, .pipe = m->pipe},
		   "%s (%s): pipe %s connected", s->address, x->row.name,
		   m->pipe);
	look_up_incarnation(s, m);
}

void session_lookup_stop(struct session *s)
{
	if (s->is_waiting)
		commit_unwait(s->d->commit, &s->wait);
	s->is_waiting = false;
}
