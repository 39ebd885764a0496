#include "commit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apply.h"
#include "gather.h"
#include "ground/clock.h"
#include "ground/fileio.h"
#include "retain.h"
#include "session.h"
#include "turn.h"

/* The queue is the loop's; a group is the keeper's from submission to done(). Entries
 * carry a ticket, counted up, so that a waiter knows when all before it are through. */

struct commit_item {
	struct commit_item *next;
	struct incarnation
		*incarnation; /* the keeper uses the copies below only */
	struct domain *domain;
	int64_t seq, domain_id;
	bool is_domain_new;
	bool is_early; /* the keeper's word: one in front of it is not durable */
	struct early_one reached; /* otherwise: so far it is now */
	uint64_t ticket;
	struct digest digest;
	struct entry entry;	 /* owned; with a file: the file's */
	struct stage_file *file; /* owned; NULL: the payload is in data */
	uint8_t *data;		 /* owned */
	uint32_t len;
	char dir[STAGE_DIR_MAX];
};

struct commit {
	struct recvd *d;
	struct loop_task start;
	struct catalog_task task;
	bool is_running, has_files;
	struct commit_item *queue, **queue_end;
	size_t n_queued, n_queued_files;
	struct loop_timer gather;
	uint64_t files_done_ms;	   /* when the last group with files ended */
	struct commit_item *group; /* the keeper's while is_running */
	uint64_t last_ticket, done_ticket;
	struct commit_wait *waits;
	struct loop_task wake;
	uint64_t free_bytes, total_bytes; /* measured by the keeper */
	bool sync_failed; /* the keeper's word about the group */
	uint64_t began_us;
};

static void start_group(struct loop_task *t);
static void start_soon(struct commit *c);
static void gathered(struct loop_timer *t);
static void wake_waits(struct loop_task *t);

struct commit *commit_new(struct recvd *d)
{
	struct commit *c = xcalloc(1, sizeof *c);

	c->d = d;
	c->queue_end = &c->queue;
	c->start.fn = start_group;
	c->gather.fn = gathered;
	c->wake.fn = wake_waits;
	return c;
}

static void item_free(struct commit_item *it)
{
	if (!it->file)
		entry_release(&it->entry);
	stage_file_free(it->file);
	free(it->data);
	free(it);
}

static void list_free(struct commit_item *it)
{
	struct commit_item *next;

	for (; it; it = next) {
		next = it->next;
		item_free(it);
	}
}

void commit_free(struct commit *c)
{
	if (!c)
		return;
	loop_timer_stop(c->d->loop, &c->gather);
	list_free(c->queue);
	list_free(c->group);
	free(c);
}

/* ---- the queue ---- */

static void enqueue(struct commit *c, struct commit_item *it,
		    struct incarnation *i)
{
	it->incarnation = i;
	it->domain = domain_get(&c->d->senders, i, it->entry.file.database);
	it->seq = i->row.seq;
	it->domain_id = it->domain->id;
	it->ticket = ++c->last_ticket;
	(void)snprintf(it->dir, sizeof it->dir, "%s", i->dir);
	*c->queue_end = it;
	c->queue_end = &it->next;
	c->n_queued++;
	c->n_queued_files += it->file != NULL;
	c->d->room.begun_bytes += entry_payload_len(&it->entry);
	if (room_add(&c->d->room, it->len, it->file ? 1 : 0))
		sessions_breathe(c->d);
	session_flight(c->d, i->sender, it->len, 0);
	start_soon(c);
}

int commit_payload(struct commit *c, struct incarnation *i, struct entry *en,
		   const struct digest *digest, const void *data, uint32_t len)
{
	CLEANUP_FREE uint8_t *copy = malloc(len ? len : 1);
	struct commit_item *it;

	if (!copy)
		return -ENOMEM;
	if (len)
		memcpy(copy, data, len);
	it = xcalloc(1, sizeof *it);
	it->digest = *digest;
	it->entry = *en;
	memset(en, 0, sizeof *en);
	it->data = steal_ptr(&copy);
	it->len = len;
	enqueue(c, it, i);
	return 0;
}

void commit_file(struct commit *c, struct incarnation *i, struct stage_file *f,
		 const struct digest *digest)
{
	struct commit_item *it = xcalloc(1, sizeof *it);

	it->digest = *digest;
	it->entry = f->entry; /* borrowed from the file */
	it->file = f;
	enqueue(c, it, i);
}

/* ---- on the keeper ---- */

static int write_large(struct commit_item *it, struct stage *s, struct err *e)
{
	if (it->file || it->len <= ENTRY_ROW_MAX)
		return 0;
	it->file = stage_file_new(it->dir, &it->entry);
	it->entry = it->file->entry;
	return stage_file_whole(s, it->file, it->data, it->len, e);
}

static int sync_dirs(const struct commit_item *group, struct stage *s,
		     struct err *e)
{
	const char *last = "";

	for (const struct commit_item *it = group; it; it = it->next) {
		int r;

		if (!it->file || strcmp(it->dir, last) == 0)
			continue;
		last = it->dir;
		r = stage_sync_dir(s, it->dir, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int sync_all(struct stage *s, struct err *e)
{
	if (syncfs(s->fd) < 0)
		return err_set(e, errno, "syncing staging %s: %s", s->path,
			       err_words(errno));
	return 0;
}

static int sync_group(const struct commit_item *group, unsigned n_files,
		      struct stage *s, struct err *e)
{
	if (n_files > COMMIT_FILES_ONE_BY_ONE)
		return sync_all(s, e);
	for (const struct commit_item *it = group; it; it = it->next) {
		int r = it->file ? stage_file_sync(it->file, e) : 0;

		if (r < 0)
			return r;
	}
	return sync_dirs(group, s, e);
}

/* Before the transaction: what it will name is on the disk. */
static int group_prepare(struct catalog_task *t, struct catalog *cat,
			 struct err *e)
{
	struct commit *c = CONTAINER_OF(t, struct commit, task);
	struct stage *s = &c->d->stage;
	unsigned n_files = 0;
	int r;

	(void)cat;
	for (struct commit_item *it = c->group; it; it = it->next) {
		r = write_large(it, s, e);
		if (r < 0)
			return r;
		n_files += it->file != NULL;
	}
	r = n_files ? sync_group(c->group, n_files, s, e) : 0;
	c->sync_failed = r < 0;
	return r;
}

static int put_item(struct catalog *cat, const struct commit_item *it,
		    struct err *e)
{
	struct entry_row row = {
		.incarnation = it->seq,
		.domain = it->domain_id,
		.digest = it->digest,
		.entry = it->entry,
		.data = it->file || !it->len ? NULL : it->data,
		.data_len = it->len,
	};
	int r = 0;

	if (it->is_domain_new)
		r = catalog_add_domain(cat, it->domain_id, it->seq,
				       it->entry.file.database, e);
	return r < 0 ? r : catalog_add_entry(cat, &row, e);
}

static int group_run(struct catalog_task *t, struct catalog *cat, struct err *e)
{
	struct commit *c = CONTAINER_OF(t, struct commit, task);
	struct catalog_reach at = {0};
	int r = 0;

	for (struct commit_item *it = c->group; r >= 0 && it; it = it->next) {
		struct early_one one = {it->entry.serial, it->entry.nonce};

		r = put_item(cat, it, e);
		if (r >= 0 && entry_only_fills(&it->entry))
			r = catalog_fills(cat, it->seq, &one, e);
		if (r >= 0)
			r = catalog_reach(cat, &at, it->seq, &one, e);
		it->is_early = r > 0;
		it->reached = at.durable;
	}
	if (r >= 0)
		r = catalog_reach_end(cat, &at, e);
	if (r < 0)
		return r;
	(void)!file_space(c->d->stage.fd, &c->free_bytes, &c->total_bytes);
	return 0;
}

/* ---- on the loop again ---- */

static void take_durable(struct commit *c, struct commit_item *it)
{
	struct recvd *d = c->d;
	struct incarnation *i = it->incarnation;
	const struct early_one one = {it->entry.serial, it->entry.nonce};

	it->domain->is_stored = true;
	it->domain->n_entries++;
	if (it->entry.kind == ENTRY_SCHEMA)
		turn_let_go(it->domain); /* it may be the cure */
	if (entry_only_fills(&it->entry))
		early_add_fill(&i->fills, &one);
	if (it->is_early) {
		early_add(&i->early, &one);
	} else {
		i->row.durable = it->reached.serial;
		i->row.durable_nonce = it->reached.nonce;
		early_pass(&i->early, it->reached.serial);
	}
	i->changed_ms = 0; /* set once per group, below */
	d->room.staged_bytes += entry_payload_len(&it->entry);
	i->sender->staged_bytes += entry_payload_len(&it->entry);
	d->counted.entries++;
	d->counted.bytes += entry_payload_len(&it->entry);
}

struct tidy_job {
	struct job job;
	struct stage *stage;
	struct commit_item *group;
};

/* Lists of blocks of what is durable now; on the writer, because unlinking may wait. */
static void tidy_run(struct job *j)
{
	struct tidy_job *t = CONTAINER_OF(j, struct tidy_job, job);

	for (struct commit_item *it = t->group; it; it = it->next)
		if (it->file)
			stage_file_done(t->stage, it->file);
}

static void tidy_done(struct job *j)
{
	struct tidy_job *t = CONTAINER_OF(j, struct tidy_job, job);

	list_free(t->group);
	free(t);
}

/* What has no file is freed at once: payloads are most of our memory. */
static void tidy(struct commit *c, struct commit_item *group)
{
	struct commit_item *files = NULL, *next;
	struct tidy_job *t;

	for (; group; group = next) {
		next = group->next;
		if (!group->file) {
			item_free(group);
			continue;
		}
		free(group->data);
		group->data = NULL;
		group->next = files;
		files = group;
	}
	if (!files)
		return;
	t = xcalloc(1, sizeof *t);
	t->job.run = tidy_run;
	t->job.done = tidy_done;
	t->stage = &c->d->stage;
	t->group = files;
	worker_submit(c->d->writer, &t->job);
}

static void release_room(struct commit *c, const struct commit_item *group)
{
	uint64_t bytes = 0, files = 0;

	for (const struct commit_item *it = group; it; it = it->next) {
		bytes += it->len;
		c->d->room.begun_bytes -= entry_payload_len(&it->entry);
		/* A large payload became a file on the way: it was counted as bytes. */
		files += it->file && !it->data;
	}
	if (room_sub(&c->d->room, bytes, files))
		sessions_breathe(c->d);
	for (const struct commit_item *it = group; it; it = it->next)
		session_flight(c->d, it->incarnation->sender, 0, it->len);
}

/* What waits behind a failed entry of its incarnation would leave a hole. */
static void drop_queued(struct commit *c, struct incarnation *i)
{
	struct commit_item **at = &c->queue, *it, *dropped = NULL;

	while ((it = *at)) {
		if (it->incarnation != i) {
			at = &it->next;
			continue;
		}
		*at = it->next;
		it->next = dropped;
		dropped = it;
		c->n_queued--;
		c->n_queued_files -= it->file != NULL;
		if (c->sync_failed && it->file)
			session_discard(c->d, i, it->entry.serial);
	}
	c->queue_end = at;
	release_room(c, dropped);
	list_free(dropped);
}

static const char *sentence_of(const struct err *e, char *to, size_t size)
{
	if (e->sys == ENOSPC || e->sys == EDQUOT)
		(void)snprintf(to, size, "receiver's disk is full: %.900s",
			       e->text);
	else
		(void)snprintf(to, size,
			       "receiver could not make it durable: %.900s",
			       e->text);
	return to;
}

static void group_failed(struct commit *c, const struct commit_item *group)
{
	char sentence[SENTENCE_MAX + 1];

	(void)sentence_of(&c->task.err, sentence, sizeof sentence);
	events_add(c->d->events, LOG_ERR_, "commit", NULL, "%s", sentence);
	for (const struct commit_item *it = group; it; it = it->next) {
		drop_queued(c, it->incarnation);
		if (it->incarnation->session)
			session_failed(it->incarnation->session, sentence);
		/* Inline payloads come again whole, and after a failed sync
		 * everything: what was written of them is rubbish. */
		if (it->file && (it->data || c->sync_failed))
			session_discard(c->d, it->incarnation,
					it->entry.serial);
	}
	/* The kernel reports lost pages once and then calls them clean: no half-received
	 * file may be trusted or synced again, whoever it belongs to, and none that
	 * waits for the next group. */
	while (c->sync_failed && c->queue)
		drop_queued(c, c->queue->incarnation);
	if (c->sync_failed)
		sessions_distrust(c->d, sentence);
	c->sync_failed = false;
}

static void group_durable(struct commit *c, struct commit_item *group)
{
	int64_t now = clock_wall_ms();

	for (struct commit_item *it = group; it; it = it->next)
		take_durable(c, it);
	for (struct commit_item *it = group; it; it = it->next)
		if (it->is_early && it->incarnation->session)
			session_early(it->incarnation->session,
				      &(struct early_one){it->entry.serial,
							  it->entry.nonce});
	for (struct commit_item *it = group; it; it = it->next) {
		struct incarnation *i = it->incarnation;

		if (i->changed_ms)
			continue;
		i->changed_ms = now;
		if (i->session)
			session_committed(i->session, i->row.durable);
	}
	c->d->counted.commits++;
	histogram_add(&c->d->counted.commit_time,
		      (int64_t)(clock_mono_us() - c->began_us));
	room_measured(&c->d->room, c->free_bytes, c->total_bytes);
	retain_trim(c->d->retain, 0);
}

static void group_done(struct catalog_task *t)
{
	struct commit *c = CONTAINER_OF(t, struct commit, task);
	struct commit_item *group = c->group;

	c->is_running = false;
	c->group = NULL;
	if (c->has_files)
		c->files_done_ms = loop_now_ms(c->d->loop);
	for (const struct commit_item *it = group; it; it = it->next)
		c->done_ticket = it->ticket;
	if (t->result < 0)
		group_failed(c, group);
	else
		group_durable(c, group);
	release_room(c, group);
	if (t->result < 0)
		list_free(group);
	else
		tidy(c, group);
	start_soon(c);
	if (c->waits)
		loop_defer(c->d->loop, &c->wake);
	if (t->result >= 0)
		apply_kick(c->d->apply);
}

static void gathered(struct loop_timer *t)
{
	struct commit *c = CONTAINER_OF(t, struct commit, gather);

	start_group(&c->start);
}

/* At once when idle, and as soon as the turn is over under load; only files that follow
 * files are gathered. */
static void start_soon(struct commit *c)
{
	struct loop *l = c->d->loop;
	uint64_t wait_ms;

	if (c->is_running || !c->queue)
		return;
	wait_ms =
		gather_ms(c->n_queued_files, loop_now_ms(l), c->files_done_ms);
	if (wait_ms) {
		if (!c->gather.slot)
			loop_timer_set(l, &c->gather, wait_ms);
		return;
	}
	loop_defer(l, &c->start);
}

static void start_group(struct loop_task *t)
{
	struct commit *c = CONTAINER_OF(t, struct commit, start);
	struct commit_item **end = &c->queue;
	size_t n = 0, bytes = 0, n_files = 0;

	if (c->is_running || !c->queue)
		return;
	loop_timer_stop(c->d->loop, &c->gather);
	while (*end && n < COMMIT_GROUP_MAX && bytes < COMMIT_BYTES_MAX) {
		bytes += (*end)->len;
		n_files += (*end)->file != NULL;
		(*end)->is_domain_new = !(*end)->domain->is_stored;
		end = &(*end)->next;
		n++;
	}
	c->group = c->queue;
	c->queue = *end;
	*end = NULL;
	if (!c->queue)
		c->queue_end = &c->queue;
	c->n_queued -= n;
	c->n_queued_files -= n_files;
	c->has_files = n_files > 0;
	c->is_running = true;
	c->began_us = clock_mono_us();
	c->task = (struct catalog_task){
		.prepare = group_prepare, .run = group_run, .done = group_done};
	catalog_submit(c->d->catalog, &c->task);
}

/* ---- waiting ---- */

static void wake_waits(struct loop_task *t)
{
	struct commit *c = CONTAINER_OF(t, struct commit, wake);
	struct commit_wait **at = &c->waits, *w;

	while ((w = *at)) {
		bool is_through = !c->is_running && !c->queue;

		if (!is_through && w->ticket > c->done_ticket) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = NULL;
		w->fn(w);
		at = &c->waits; /* fn may have changed the list */
	}
}

void commit_finish(struct commit *c)
{
	struct commit_wait *w;

	while (c && (w = c->waits)) {
		c->waits = w->next;
		w->next = NULL;
		w->fn(w);
	}
}

void commit_wait(struct commit *c, struct commit_wait *w)
{
	w->ticket = c->last_ticket;
	w->next = c->waits;
	c->waits = w;
	loop_defer(c->d->loop, &c->wake);
}

void commit_unwait(struct commit *c, struct commit_wait *w)
{
	struct commit_wait **at = &c->waits;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}
