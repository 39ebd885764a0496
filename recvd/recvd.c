#include "recvd.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "apply.h"
#include "commit.h"
#include "ground/clock.h"
#include "ground/fileio.h"
#include "held.h"
#include "listen.h"
#include "retain.h"
#include "session.h"
#include "stmt.h"
#include "tidy.h"
#include "tree.h"
#include "turn.h"

/* The order of opening is the order of trust: whose directory, whose key, does the
 * catalog belong to it, does staging belong to the catalog; only then anything is
 * removed, and last of all the network is let in. Nothing here grows with what waits. */

#define MACHINE_ID "/etc/machine-id"
#define STOP_POLL_MS 20u
#define STOP_MAX_MS 1000

static void say_warnings(struct recvd *d, struct buf *warnings)
{
	char *rest = (char *)(uintptr_t)buf_str(warnings), *line;

	while ((line = strsep(&rest, "\n")))
		if (*line)
			events_add(d->events, LOG_WARN_, "settings", NULL, "%s",
				   line);
}

static int open_settings(struct recvd *d, struct err *e)
{
	CLEANUP(buf_release) struct buf warnings;
	int r;

	buf_init(&warnings, 65536);
	r = settings_load(&d->settings, d->config_path, &warnings, e);
	if (r >= 0)
		say_warnings(d, &warnings);
	return r;
}

/* As many descriptors as we may have: one per connection and per half-received file.
 * Few heaps, because memory that one thread takes another gives back; and large buffers
 * go back to the system at once. */
static void set_limits(void)
{
	struct rlimit l;

	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_MMAP_THRESHOLD, 131072);

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max < 65536 ? l.rlim_max : 65536;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int open_state(struct recvd *d, struct err *e)
{
	int r = statedir_open(&d->dir, d->settings.state_dir, MACHINE_ID, e);

	if (r < 0)
		return r;
	if (d->dir.is_new) {
		r = statedir_found(&d->dir, e);
		if (r < 0)
			return r;
	} else if (faccessat(d->dir.fd, "catalog.db", F_OK, 0) < 0) {
		return statedir_match_catalog(&d->dir, NULL, e);
	}
	return keys_load(&d->keys, d->dir.fd, e);
}

static int open_staging(struct recvd *d, struct err *e)
{
	(void)snprintf(d->stage.path, sizeof d->stage.path, "%s/staging",
		       d->settings.state_dir);
	d->stage.fd = file_make_dirs(d->dir.fd, "staging", 0755);
	if (d->stage.fd < 0)
		return err_set(e, -d->stage.fd, "%s: %s", d->stage.path,
			       err_words(-d->stage.fd));
	(void)!file_space(d->stage.fd, &d->room.free_bytes,
			  &d->room.total_bytes);
	return statedir_match(&d->dir, d->stage.fd, d->stage.path, e);
}

static int open_catalog(struct recvd *d, struct err *e)
{
	char path[SETTINGS_PATH_MAX + 16];
	int r;

	(void)snprintf(path, sizeof path, "%s/catalog.db",
		       d->settings.state_dir);
	r = catalog_open(&d->catalog, d->loop, path, &d->dir, e);
	return r < 0 ? r : catalog_reader_open(&d->reader, path, e);
}

/* ---- what the catalog knows, into memory ---- */

static int take_sender(void *arg, const struct sender_row *row)
{
	(void)senders_add(arg, row);
	return 0;
}

static int take_incarnation(void *arg, const struct incarnation_row *row)
{
	struct sender *x = senders_by_id(arg, row->sender);

	if (!x)
		return -EBADMSG;
	(void)incarnation_add(arg, x, row);
	return 0;
}

static int take_domain(void *arg, const struct domain_row *row)
{
	struct recvd *d = arg;
	struct incarnation *i =
		senders_incarnation(&d->senders, row->incarnation);

	if (!i)
		return -EBADMSG;
	domain_add(&d->senders, i, row)->is_stored = true;
	d->room.staged_bytes += row->bytes;
	i->sender->staged_bytes += row->bytes;
	return 0;
}

static int take_early(void *arg, int64_t incarnation,
		      const struct early_one *one, bool only_fills)
{
	struct incarnation *i = senders_incarnation(arg, incarnation);

	if (!i)
		return -EBADMSG;
	if (only_fills)
		early_add_fill(&i->fills, one);
	else
		early_add(&i->early, one);
	return 0;
}

static int load_catalog(struct recvd *d, struct err *e)
{
	int r = catalog_each_sender(&d->reader, take_sender, &d->senders, e);

	if (r >= 0)
		r = catalog_each_incarnation(&d->reader, take_incarnation,
					     &d->senders, e);
	if (r >= 0)
		r = catalog_each_early(&d->reader, take_early, &d->senders, e);
	if (r >= 0)
		r = catalog_each_domain(&d->reader, take_domain, d, e);
	if (r >= 0)
		r = catalog_retained_bytes(&d->reader, &d->room.retained_bytes,
					   e);
	if (r < 0 && e && !e->sys)
		return err_set(e, -r, "catalog: a row belongs to nobody");
	return r;
}

/* ---- the working parts ---- */

static int open_listener(struct recvd *d, struct err *e)
{
	char state[8];
	struct err why = {0};
	int r = listener_new(&d->listener, d, e);

	if (r < 0)
		return r;
	r = catalog_meta(&d->reader, "pipeserver", state, sizeof state, e);
	if (r <= 0 || strcmp(state, "on") != 0)
		return r;
	if (listener_start(d->listener, &why) < 0) {
		events_add(d->events, LOG_ERR_, "listen", NULL,
			   "%s; tried again", why.text);
		listener_insist(d->listener);
	}
	return 0;
}

static void open_held(struct recvd *d)
{
	bool is_archive = strcmp(d->settings.loader, "archive") == 0;
	char path[SETTINGS_PATH_MAX + 16];

	(void)snprintf(path, sizeof path, "%s/catalog.db",
		       d->settings.state_dir);
	d->held = held_new(&d->stage, is_archive ? d->settings.archive_dir : "",
			   path);
}

static int open_parts(struct recvd *d, struct err *e)
{
	int r = worker_new(&d->writer, d->loop, 1, "writer", e);

	if (r >= 0)
		r = worker_new(&d->looker, d->loop, 1, "looker", e);
	if (r < 0)
		return r;
	/* Before whatever a session will ask of this thread. */
	tidy_staging(d);
	open_held(d);
	d->commit = commit_new(d);
	d->retain = retain_new(d);
	retain_trim(d->retain, 0);
	r = apply_new(&d->apply, d, e);
	if (r >= 0)
		r = open_listener(d, e);
	return r < 0 ? r : stmt_open(d, e);
}

int recvd_open(struct recvd *d, const char *config_path, struct err *e)
{
	int r;

	d->config_path = config_path;
	d->started_ms = d->changed_ms = clock_wall_ms();
	d->reap.fn = sessions_reap;
	d->dir.fd = d->dir.lock_fd = d->stage.fd = -1;
	d->events = events_new("recvd");
	senders_init(&d->senders);
	set_limits();
	r = open_settings(d, e);
	if (r >= 0)
		r = loop_new(&d->loop, e);
	if (r >= 0)
		r = open_state(d, e);
	if (r >= 0)
		r = open_catalog(d, e);
	if (r >= 0)
		r = open_staging(d, e);
	if (r >= 0)
		r = load_catalog(d, e);
	return r < 0 ? r : open_parts(d, e);
}

/* Whoever may still hand a job to a thread ends before the thread does. */
void recvd_close(struct recvd *d)
{
	control_free(d->control);
	listener_free(d->listener);
	for (struct session *s = d->sessions; s; s = s->next)
		session_end(s);
	retain_stop(d->retain);
	catalog_close(d->catalog);
	commit_finish(d->commit);
	if (d->writer)
		worker_free(d->writer);
	worker_free(d->looker);
	held_free(d->held);
	apply_free(d->apply);
	sessions_free(d);
	commit_free(d->commit);
	retain_free(d->retain);
	catalog_reader_close(&d->reader);
	senders_release(&d->senders);
	room_release(&d->room);
	cleanup_close(&d->stage.fd);
	keys_release(&d->keys);
	if (d->dir.fd >= 0)
		statedir_close(&d->dir);
	if (d->loop)
		loop_free(d->loop);
	events_free(d->events);
}

static void stop_due(struct loop_timer *t)
{
	struct recvd *d = CONTAINER_OF(t, struct recvd, stop_timer);
	bool is_quiet = !d->sessions && !catalog_pending(d->catalog);

	d->stop_ms += STOP_POLL_MS;
	if (is_quiet || d->stop_ms >= STOP_MAX_MS)
		loop_stop(d->loop);
	else
		loop_timer_set(d->loop, t, STOP_POLL_MS);
}

void recvd_stop(struct recvd *d)
{
	if (d->stop_timer.fn)
		return;
	events_add(d->events, LOG_INFO_, NULL, NULL, "stopping");
	d->stop_timer.fn = stop_due;
	listener_shut(d->listener);
	sessions_bye(d, BYE_STOPPING, "the receiver stops");
	loop_timer_set(d->loop, &d->stop_timer, STOP_POLL_MS);
}

int recvd_reload(struct recvd *d, struct settings_change *changes,
		 struct buf *warnings, struct err *e)
{
	int n = settings_reload(&d->settings, d->config_path, changes, warnings,
				e);
	int r;

	if (n < 0)
		return n;
	r = listener_set_white_list(d->listener, e);
	if (r < 0)
		return r;
	for (struct sender *x = d->senders.first; x; x = x->next)
		for (struct incarnation *i = x->newest; i; i = i->older)
			for (struct domain *dom = i->domains; dom;
			     dom = dom->next)
				turn_let_go(dom);
	apply_reload(d->apply);
	retain_trim(d->retain, 0);
	for (int i = 0; i < n; i++)
		events_add(d->events, LOG_INFO_, "settings", NULL, "%s=%s %s",
			   changes[i].key, changes[i].value, changes[i].effect);
	return n;
}

/* ---- senders' rows ---- */

struct sender_task {
	struct catalog_task task;
	struct recvd *d;
	struct sender_row row;
	bool is_delete;
};

static int sender_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	struct sender_task *k = CONTAINER_OF(t, struct sender_task, task);

	return k->is_delete ? catalog_del_sender(c, k->row.id, e)
			    : catalog_put_sender(c, &k->row, e);
}

static void sender_done(struct catalog_task *t)
{
	struct sender_task *k = CONTAINER_OF(t, struct sender_task, task);

	if (t->result < 0)
		events_add(k->d->events, LOG_ERR_, "catalog",
			   &(struct log_about){.sender = k->row.name},
			   "sender %s was not kept: %s", k->row.name,
			   t->err.text);
	free(k);
}

static void submit_sender(struct recvd *d, const struct sender *x,
			  bool is_delete)
{
	struct sender_task *k = xcalloc(1, sizeof *k);

	k->d = d;
	k->row = x->row;
	k->is_delete = is_delete;
	k->task.run = sender_run;
	k->task.done = sender_done;
	catalog_submit(d->catalog, &k->task);
}

void recvd_put_sender(struct recvd *d, const struct sender *x)
{
	submit_sender(d, x, false);
}

void recvd_del_sender(struct recvd *d, struct sender *x)
{
	submit_sender(d, x, true);
	senders_remove(&d->senders, x);
}
