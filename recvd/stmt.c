#include "stmt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apply.h"
#include "ground/clock.h"
#include "listen.h"
#include "session.h"
#include "tree.h"

/* Every change is durable before it is answered: a statement that changes the catalog is
 * a task, and its request is ended when the task is done. */

#define RUNNING_SHOWN 2u /* pipes named in the refusal of STOP PIPESERVER */
#define RUNNING_QUIET_MS 60000

struct stmt_task {
	struct catalog_task task;
	struct recvd *d;
	struct request *rq;
	bool is_on;
	struct sender_row row;
};

static struct stmt_task *new_task(struct recvd *d, struct request *rq)
{
	struct stmt_task *t = xcalloc(1, sizeof *t);

	t->d = d;
	t->rq = rq;
	return t;
}

static void fail(struct request *rq, int code, int sys, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void fail(struct request *rq, int code, int sys, const char *fmt, ...)
{
	struct err e = {.code = code, .sys = sys};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e.text, sizeof e.text, fmt, ap);
	va_end(ap);
	control_fail(rq, &e);
}

/* ---- START and STOP PIPESERVER ---- */

static int server_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	bool is_on = CONTAINER_OF(t, struct stmt_task, task)->is_on;

	return catalog_set_meta(c, "pipeserver", is_on ? "on" : "off", e);
}

static void server_done(struct catalog_task *t)
{
	struct stmt_task *k = CONTAINER_OF(t, struct stmt_task, task);

	if (t->result < 0) {
		t->err.code = ERR_PIPE_SERVER;
		control_fail(k->rq, &t->err);
	} else {
		events_add(k->d->events, LOG_INFO_, "listen", NULL,
			   "PIPESERVER is %s", k->is_on ? "on" : "off");
		control_done(k->rq);
	}
	free(k);
}

static void keep_server(struct recvd *d, struct request *rq, bool is_on)
{
	struct stmt_task *t = new_task(d, rq);

	t->is_on = is_on;
	t->task.run = server_run;
	t->task.done = server_done;
	catalog_submit(d->catalog, &t->task);
}

static void start_server(struct recvd *d, struct request *rq)
{
	struct err e = {0};

	if (listener_start(d->listener, &e) < 0)
		control_fail(rq, &e);
	else
		keep_server(d, rq, true);
}

/* Connected, or within the last minute, and not stopped at the edge. */
static bool is_running(const struct incarnation *i, int64_t now_ms)
{
	if (i->row.dropped)
		return false;
	if (i->session)
		return strcmp(i->mirror.state, "STOP") != 0;
	return strcmp(i->mirror.state, "RUNNING") == 0 &&
	       now_ms - i->heard_ms < RUNNING_QUIET_MS;
}

static unsigned list_running(const struct recvd *d, struct buf *names)
{
	int64_t now = clock_wall_ms();
	unsigned n = 0;

	for (const struct sender *x = d->senders.first; x; x = x->next)
		for (const struct incarnation *i = x->newest; i; i = i->older) {
			if (!is_running(i, now))
				continue;
			if (n++ < RUNNING_SHOWN)
				buf_addf(names, "%s%s/%s", n > 1 ? ", " : "",
					 x->row.name, i->row.pipe);
		}
	if (n > RUNNING_SHOWN)
		buf_addf(names, " and %u more", n - RUNNING_SHOWN);
	return n;
}

static void stop_server(struct recvd *d, struct request *rq)
{
	CLEANUP(buf_release) struct buf names;

	buf_init(&names, 2048);
	if (listener_is_on(d->listener) && list_running(d, &names)) {
		fail(rq, ERR_PIPE_SERVER, EBUSY,
		     "Failed to stop pipe server because there is pipe still "
		     "running. (%s)",
		     buf_str(&names));
		return;
	}
	listener_stop(d->listener);
	keep_server(d, rq, false);
}

static void show_server(struct recvd *d, struct request *rq)
{
	const char *const heading[] = {"enable", NULL};
	const char *const row[] = {
		listener_is_on(d->listener) ? "true" : "false", NULL};

	control_heading(rq, heading);
	control_row(rq, row);
	control_done(rq);
}

/* ---- senders ---- */

static int sender_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	return catalog_put_sender(
		c, &CONTAINER_OF(t, struct stmt_task, task)->row, e);
}

static void sender_done(struct catalog_task *t)
{
	struct stmt_task *k = CONTAINER_OF(t, struct stmt_task, task);
	struct sender *x = senders_by_id(&k->d->senders, k->row.id);

	if (t->result < 0) {
		control_fail(k->rq, &t->err);
	} else {
		if (x) {
			x->row.state = k->row.state;
			x->changed_ms = k->d->changed_ms = clock_wall_ms();
		}
		control_done(k->rq);
	}
	free(k);
}

static void keep_state(struct recvd *d, struct request *rq,
		       const struct sender *x, enum sender_state state)
{
	struct stmt_task *t = new_task(d, rq);

	t->row = x->row;
	t->row.state = state;
	t->task.run = sender_run;
	t->task.done = sender_done;
	catalog_submit(d->catalog, &t->task);
}

/* The one that is meant, or NULL when that was answered. */
static struct sender *choose(struct recvd *d, struct request *rq)
{
	const char *name = rq->stmt.name;
	unsigned n;
	struct sender *x = senders_choose(&d->senders, name, &n);

	if (!x)
		fail(rq, ERR_REFUSED, ENOENT,
		     "There is no sender %s. (SHOW SENDERS lists them)", name);
	else if (n > 1)
		fail(rq, ERR_REFUSED, EBUSY,
		     "%u keys ask to be sender %s, name the key instead (SHOW "
		     "SENDERS).",
		     n, name);
	return n == 1 ? x : NULL;
}

static void admit_sender(struct recvd *d, struct request *rq)
{
	struct sender *x = choose(d, rq);
	struct sender *owner =
		x ? senders_by_name(&d->senders, x->row.name) : NULL;

	if (!x)
		return;
	if (owner && owner != x && owner->row.state == SENDER_ADMITTED)
		fail(rq, ERR_REFUSED, EEXIST,
		     "The name %s belongs to key %s, FORGET SENDER %s first.",
		     x->row.name, owner->key, owner->row.name);
	else
		keep_state(d, rq, x, SENDER_ADMITTED);
}

static uint64_t count_waiting(const struct sender *x)
{
	uint64_t n = 0;

	for (const struct incarnation *i = x->newest; i; i = i->older)
		n += incarnation_waiting(i);
	return n;
}

/* What would be applied under a name that another key may take at once must not wait. */
static void forget_sender(struct recvd *d, struct request *rq)
{
	struct sender *x = choose(d, rq);
	uint64_t n = x ? count_waiting(x) : 0;

	if (!x)
		return;
	if (n) {
		fail(rq, ERR_REFUSED, EBUSY,
		     "Can not forget sender %s, because %llu of its entries "
		     "are not applied yet "
		     "(SHOW QUARANTINE; RETRY or SKIP them).",
		     x->row.name, (unsigned long long)n);
	} else if (x->session && d->settings.admit == ADMIT_FIRST_USE) {
		fail(rq, ERR_REFUSED, EBUSY,
		     "Can not forget sender %s, because it is connected and "
		     "would be admitted again "
		     "(STOP its pipe at the edge, or set admit=known).",
		     x->row.name);
	} else {
		if (x->session)
			session_bye(
				x->session, BYE_REFUSED,
				"this sender was forgotten at the receiver");
		keep_state(d, rq, x, SENDER_FORGOTTEN);
	}
}

/* ---- quarantine ---- */

static void order_done(struct apply_order *o, const struct err *e)
{
	if (e)
		control_fail(o->arg, e);
	else
		control_done(o->arg);
	apply_order_free(o);
}

static void order(struct recvd *d, struct request *rq, bool is_skip)
{
	struct apply_order *o = xcalloc(1, sizeof *o);

	o->is_skip = is_skip;
	o->id = rq->stmt.is_all ? 0 : (int64_t)rq->stmt.id;
	o->done = order_done;
	o->arg = rq;
	if (!rq->stmt.is_all && (rq->stmt.id == 0 || rq->stmt.id > INT64_MAX)) {
		free(o);
		fail(rq, ERR_REFUSED, ENOENT,
		     "There is no quarantined entry %llu. (SHOW QUARANTINE "
		     "lists them)",
		     (unsigned long long)rq->stmt.id);
		return;
	}
	apply_order(d->apply, o);
}

/* ---- LOAD CONFIGURATION ---- */

static void load_configuration(struct recvd *d, struct request *rq)
{
	static const char *const heading[] = {"key", "value", "effect", NULL};
	struct settings_change changes[SETTINGS_KEYS_MAX];
	CLEANUP(buf_release) struct buf warnings;
	struct err e = {0};
	char *rest, *text;
	int n;

	buf_init(&warnings, 65536);
	n = recvd_reload(d, changes, &warnings, &e);
	if (n < 0) {
		control_fail(rq, &e);
		return;
	}
	control_heading(rq, heading);
	for (int i = 0; i < n; i++) {
		const char *const row[] = {changes[i].key, changes[i].value,
					   changes[i].effect, NULL};

		control_row(rq, row);
	}
	rest = (char *)(uintptr_t)buf_str(&warnings);
	while ((text = strsep(&rest, "\n"))) {
		const char *const row[] = {"ip_white_list", text, "warning",
					   NULL};

		if (*text)
			control_row(rq, row);
	}
	control_done(rq);
}

/* ---- which one ---- */

static void statement(void *arg, struct request *rq)
{
	struct recvd *d = arg;
	enum stmt_kind kind = rq->stmt.kind;

	if (d->stop_timer.fn)
		fail(rq, ERR_REFUSED, ESHUTDOWN, "recvd is stopping");
	else if (kind == STMT_START_PIPESERVER)
		start_server(d, rq);
	else if (kind == STMT_STOP_PIPESERVER)
		stop_server(d, rq);
	else if (kind == STMT_SHOW_PIPESERVER)
		show_server(d, rq);
	else if (kind == STMT_SHOW_SENDERS)
		stmt_show_senders(d, rq);
	else if (kind == STMT_ADMIT_SENDER)
		admit_sender(d, rq);
	else if (kind == STMT_FORGET_SENDER)
		forget_sender(d, rq);
	else if (kind == STMT_SHOW_QUARANTINE)
		stmt_show_quarantine(d, rq);
	else if (kind == STMT_RETRY || kind == STMT_SKIP)
		order(d, rq, kind == STMT_SKIP);
	else if (kind == STMT_LOAD_CONFIGURATION)
		load_configuration(d, rq);
	else
		fail(rq, ERR_REFUSED, EOPNOTSUPP,
		     "syncd answers this statement, not recvd");
}

static struct sql_setting setting(void *arg)
{
	(void)arg;
	return (struct sql_setting){.precision = SQL_MS,
				    .now_ms = clock_wall_ms()};
}

int stmt_open(struct recvd *d, struct err *e)
{
	struct control_ops ops = {
		.statement = statement,
		.setting = setting,
		.tree = tree_ops_of(d),
		.arg = d,
		.home = HOME_RECVD,
	};

	return control_new(&d->control, d->loop, d->settings.control_socket,
			   &ops, e);
}
