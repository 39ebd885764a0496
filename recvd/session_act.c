#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ground/fileio.h"
#include "session.h"

/* What the machine asks for: jobs of the writer, entries for the commit, frames. */

/* ---- jobs of the writer ---- */

struct write_job {
	struct job job;
	struct session *session;
	struct sender *sender;
	struct stage *stage;
	struct stage_file *file;
	uint64_t serial, index;
	struct digest digest;
	uint8_t *data; /* a buffer of the room; NULL: open the files */
	uint32_t len;
	bool reuse;
	uint64_t free_bytes, total_bytes; /* afterwards */
	int result;
	struct err err;
};

static void write_run(struct job *j)
{
	struct write_job *w = CONTAINER_OF(j, struct write_job, job);

	if (!w->data)
		w->result =
			stage_file_open(w->stage, w->file, w->reuse, &w->err);
	else
		w->result = stage_file_write(w->file, w->index, w->data, w->len,
					     &w->digest, &w->err);
	(void)!file_space(w->stage->fd, &w->free_bytes, &w->total_bytes);
}

void session_job_returned(struct session *s)
{
	s->n_jobs--;
	if (s->state == SESSION_ENDED && !s->n_jobs)
		loop_defer(s->d->loop, &s->d->reap);
	session_crowd_moved(s);
}

struct session_file *session_find_file(struct session *s, uint64_t serial)
{
	struct session_file *f = s->files;

	while (f && f->serial != serial)
		f = f->next;
	return f;
}

/* Takes it out of the list, and gives back what it had reserved. */
static struct session_file *unlink_file(struct session *s, uint64_t serial)
{
	struct session_file **at = &s->files, *f;

	while (*at && (*at)->serial != serial)
		at = &(*at)->next;
	f = *at;
	if (!f)
		return NULL;
	*at = f->next;
	s->d->room.reserved -= (f->n_blocks - f->n_written) * BLOCK_LEN;
	s->d->room.begun_bytes -= f->len;
	return f;
}

void session_drop_file(struct session *s, uint64_t serial, bool remove)
{
	struct session_file *f = unlink_file(s, serial);

	session_close_file(s->d, s->incarnation, serial, f ? f->file : NULL,
			   remove);
	free(f);
}

/* The disk is full: what is not the next in line makes room for what is. */
void session_make_room(struct session *s, uint64_t serial)
{
	struct session_file *f, *next;

	for (f = s->files; f; f = next) {
		next = f->next;
		if (f->serial > serial)
			session_drop_file(s, f->serial, true);
	}
	for (size_t i = 0; i < s->n_partials; i++)
		if (s->partials[i].entry.serial > serial) {
			session_discard(s->d, s->incarnation,
					s->partials[i].entry.serial);
			s->partials[i].entry.serial = 0;
		}
}

static uint64_t lowest_file(const struct session *s)
{
	uint64_t lowest = UINT64_MAX;

	for (const struct session_file *f = s->files; f; f = f->next)
		if (f->serial < lowest)
			lowest = f->serial;
	return lowest;
}

void session_write_failed(struct session *s, const struct err *why)
{
	bool is_full = why->sys == ENOSPC || why->sys == EDQUOT;
	char sentence[SENTENCE_MAX + 1];

	(void)snprintf(sentence, sizeof sentence, "%s: %.900s",
		       is_full ? "receiver's disk is full"
			       : "receiver could not write",
		       why->text);
	events_add(s->d->events, LOG_ERR_, "session",
		   &(struct log_about){.sender = s->sender ? s->sender->row.name
							   : NULL},
		   "%s", sentence);
	if (is_full)
		session_make_room(s, lowest_file(s));
	session_failed(s, sentence);
}

uint8_t *session_block_begins(struct session *s)
{
	uint8_t *data = room_buffer_take(&s->d->room);

	if (!data)
		return NULL;
	s->moved_ms = loop_now_ms(s->d->loop);
	if (room_add(&s->d->room, BLOCK_LEN, 0))
		sessions_breathe(s->d);
	session_flight(s->d, s->sender, BLOCK_LEN, 0);
	return data;
}

void session_block_done(struct session *s, struct sender *x, uint8_t *data)
{
	room_buffer_give(&s->d->room, data);
	if (room_sub(&s->d->room, BLOCK_LEN, 0))
		sessions_breathe(s->d);
	session_flight(s->d, x, 0, BLOCK_LEN);
}

void session_block_written(struct session *s, uint64_t serial)
{
	struct session_file *f = session_find_file(s, serial);

	if (f && f->n_written < f->n_blocks) {
		f->n_written++;
		s->d->room.reserved -= BLOCK_LEN;
	}
}

static void write_done(struct job *j)
{
	struct write_job *w = CONTAINER_OF(j, struct write_job, job);
	struct session *s = w->session;

	room_measured(&s->d->room, w->free_bytes, w->total_bytes);
	if (w->data)
		session_block_done(s, w->sender, w->data);
	if (w->result < 0 && s->rx) {
		session_write_failed(s, &w->err);
	} else if (s->rx && w->data) {
		session_block_written(s, w->serial);
		receive_written(s->rx, w->serial, w->index);
		session_pump(s);
	} else if (s->rx) {
		receive_opened(s->rx, w->serial);
		session_pump(s);
	}
	session_job_returned(s);
	free(w);
}

static void submit_write(struct session *s, struct write_job *w,
			 struct session_file *f)
{
	w->job.run = write_run;
	w->job.done = write_done;
	w->session = s;
	w->stage = &s->d->stage;
	w->file = f->file;
	w->serial = f->serial;
	s->n_jobs++;
	worker_submit(s->d->writer, &w->job);
}

/* Closes the files of an entry behind the writes that are under way, and removes them
 * when they are of no use. */
struct close_job {
	struct job job;
	struct stage *stage;
	struct stage_file *file; /* may be NULL */
	char dir[STAGE_DIR_MAX];
	uint64_t serial;
	bool remove;
};

static void close_run(struct job *j)
{
	struct close_job *c = CONTAINER_OF(j, struct close_job, job);

	stage_file_free(c->file);
	if (c->remove)
		stage_remove(c->stage, c->dir, c->serial);
}

static void close_done(struct job *j)
{
	free(CONTAINER_OF(j, struct close_job, job));
}

void session_close_file(struct recvd *d, const struct incarnation *i,
			uint64_t serial, struct stage_file *f, bool remove)
{
	struct close_job *c = xcalloc(1, sizeof *c);

	c->job.run = close_run;
	c->job.done = close_done;
	c->stage = &d->stage;
	c->file = f;
	c->serial = serial;
	c->remove = remove;
	(void)snprintf(c->dir, sizeof c->dir, "%s", i->dir);
	worker_submit(d->writer, &c->job);
}

void session_discard(struct recvd *d, const struct incarnation *i,
		     uint64_t serial)
{
	session_close_file(d, i, serial, NULL, true);
}

/* ---- actions ---- */

static int copy_entry(const struct entry *from, struct entry *to)
{
	*to = *from;
	if (!from->devices)
		return 0;
	to->devices = strdup(from->devices);
	return to->devices ? 0 : -ENOMEM;
}

const struct stage_partial *session_found(const struct session *s,
					  uint64_t serial, uint64_t nonce)
{
	for (size_t i = 0; i < s->n_partials; i++)
		if (s->partials[i].entry.serial == serial &&
		    s->partials[i].entry.nonce == nonce)
			return &s->partials[i];
	return NULL;
}

static void forget_found(struct session *s, uint64_t serial)
{
	for (size_t i = 0; i < s->n_partials; i++)
		if (s->partials[i].entry.serial == serial)
			s->partials[i].entry.serial = 0;
}

static void act_open(struct session *s, const struct receive_act *act)
{
	const struct stage_partial *found =
		session_found(s, act->serial, act->nonce);
	struct session_file *f;
	struct write_job *w;
	struct entry en;

	if (copy_entry(act->entry, &en) < 0) {
		session_failed(s, "receiver is out of memory");
		return;
	}
	f = xcalloc(1, sizeof *f);
	f->serial = act->serial;
	f->nonce = act->nonce;
	f->len = entry_payload_len(&en);
	f->n_blocks = block_count(f->len);
	f->file = stage_file_new(s->incarnation->dir, &en);
	f->next = s->files;
	s->files = f;
	w = xcalloc(1, sizeof *w);
	w->reuse = found != NULL;
	f->n_written = found ? found->n_blocks : 0;
	s->d->room.reserved += (f->n_blocks - f->n_written) * BLOCK_LEN;
	s->d->room.begun_bytes += f->len;
	forget_found(s, act->serial);
	submit_write(s, w, f);
}

static void act_write(struct session *s, const struct receive_act *act)
{
	struct session_file *f = session_find_file(s, act->serial);
	struct write_job *w;
	uint8_t *data = f ? session_block_begins(s) : NULL;

	if (!data) {
		session_failed(s, "receiver is out of memory");
		return;
	}
	memcpy(data, act->data, act->len);
	w = xcalloc(1, sizeof *w);
	w->data = data;
	w->len = act->len;
	w->index = act->index;
	w->digest = act->digest;
	w->sender = s->sender;
	submit_write(s, w, f);
}

static void act_stage(struct session *s, const struct receive_act *act)
{
	struct entry en;
	int r = copy_entry(act->entry, &en);

	if (r < 0) {
		session_failed(s, "receiver is out of memory");
		return;
	}
	r = commit_payload(s->d->commit, s->incarnation, &en, &act->digest,
			   act->data, act->len);
	if (r < 0) {
		entry_release(&en);
		session_failed(s, "receiver is out of memory");
	}
}

static void act_stage_file(struct session *s, const struct receive_act *act)
{
	struct session_file *f = unlink_file(s, act->serial);

	if (!f) {
		session_failed(s, "receiver lost a staged file");
		return;
	}
	commit_file(s->d->commit, s->incarnation, f->file, &act->digest);
	free(f);
}

static void act_discard(struct session *s, const struct receive_act *act)
{
	forget_found(s, act->serial);
	session_drop_file(s, act->serial, true);
}

static void act_drop(struct session *s)
{
	events_add(s->d->events, LOG_INFO_, "session",
		   &(struct log_about){.sender = s->sender->row.name,
				       .pipe = s->incarnation->row.pipe},
		   "pipe %s of %s was dropped at the edge",
		   s->incarnation->row.pipe, s->sender->row.name);
	session_drop_incarnation(s->d, s->incarnation, s);
}

/* By its BYE's class, unless somebody knew better. */
static void count_bye(struct session *s, enum bye_why why)
{
	static const enum refused_for refusals[] = {
		[BYE_STOPPING] = N_REFUSALS,
		[BYE_BUSY] = REFUSED_BUSY,
		[BYE_REFUSED] = REFUSED_KEY,
		[BYE_TAKEN_OVER] = REFUSED_TAKEN_OVER,
		[BYE_MISMATCH] = REFUSED_MISMATCH,
		[BYE_PROTOCOL] = REFUSED_PROTOCOL,
		[BYE_VERSION] = REFUSED_VERSION,
		[BYE_HISTORY] = REFUSED_HISTORY,
	};

	if (s->refusal == N_REFUSALS)
		s->refusal = refusals[why];
	if (s->refusal != N_REFUSALS)
		session_count(s);
}

static void act_bye(struct session *s, const struct receive_act *act)
{
	struct buf b;

	count_bye(s, act->bye.why);

	if (act->bye.why != BYE_STOPPING)
		events_add(s->d->events, LOG_WARN_, "session",
			   &(struct log_about){
				   .sender = s->sender ? s->sender->row.name
						       : NULL,
				   .serial = act->bye.serial},
			   "%s (%s): closed: %s", s->address,
			   s->sender ? s->sender->row.name : "no HELLO yet",
			   act->bye.text);
	buf_init(&b, FRAME_BUF_MAX);
	msg_bye_encode(&act->bye, &b);
	session_send(s, &b);
	session_end(s);
}

static void act_send(struct session *s, const struct receive_act *act)
{
	struct buf b;

	buf_init(&b, FRAME_BUF_MAX);
	if (act->kind == RX_WELCOME) {
		msg_welcome_encode(&act->welcome, &b);
	} else if (act->kind == RX_PARTIAL) {
		msg_partial_encode(&act->partial, &b);
	} else if (act->kind == RX_EARLY) {
		early_encode(act->early, act->n_early, &b);
	} else if (act->kind == RX_DURABLE) {
		struct msg_durable m = {.serial = act->serial};

		msg_durable_encode(&m, &b);
	} else if (act->kind == RX_WANT) {
		struct msg_want m = {.serial = act->serial,
				     .index = act->index};

		msg_want_encode(&m, &b);
	} else {
		msg_applied_encode(&act->applied, &b);
	}
	session_send(s, &b);
}

static void act_on(struct session *s, const struct receive_act *act)
{
	switch (act->kind) {
	case RX_NONE:
		break;
	case RX_LOOKUP:
		session_lookup(s, act->hello);
		break;
	case RX_EARLY:
	case RX_WELCOME:
	case RX_PARTIAL:
	case RX_DURABLE:
	case RX_APPLIED:
	case RX_WANT:
		act_send(s, act);
		break;
	case RX_OPEN:
		act_open(s, act);
		break;
	case RX_WRITE:
		s->d->counted.payload += act->len;
		act_write(s, act);
		break;
	case RX_FETCH:
		session_fetch(s, act);
		break;
	case RX_STAGE:
		s->d->counted.payload += act->len;
		act_stage(s, act);
		break;
	case RX_STAGE_FILE:
		act_stage_file(s, act);
		break;
	case RX_DISCARD:
		act_discard(s, act);
		break;
	case RX_DROP:
		act_drop(s);
		break;
	case RX_BYE:
		act_bye(s, act);
		break;
	}
}

/* An action may give the machine an event (a refusal), whose actions come next here and
 * not inside of it. */
void session_pump(struct session *s)
{
	struct receive_act act;

	if (s->is_pumping)
		return;
	s->is_pumping = true;
	while (s->rx && receive_next(s->rx, &act))
		act_on(s, &act);
	s->is_pumping = false;
	if (s->state == SESSION_ENDED && s->rx) {
		receive_free(s->rx);
		s->rx = NULL;
	}
}
