#include <stdio.h>
#include <string.h>

#include "apply.h"
#include "ground/clock.h"
#include "listen.h"
#include "session.h"
#include "tree.h"

/* What each file of the tree says. */

/* Room for a last line: the tree says so when there would be more. */
#define QUARANTINE_ROOM (TREE_FILE_MAX - 4096u)

static void line(struct buf *out, const char *text)
{
	buf_addf(out, "%s\n", text);
}

static void time_line(struct buf *out, int64_t ms)
{
	char when[CLOCK_TEXT_LEN];

	line(out, clock_text(ms, when));
}

/* An edge's own lines: empty, or with a newline at the end. */
static void words(struct buf *out, const char *text)
{
	size_t n = strlen(text);

	buf_adds(out, text);
	if (n && text[n - 1] != '\n')
		buf_adds(out, "\n");
}

/* ---- / ---- */

static void add_log(const struct tree_at *at, struct buf *out)
{
	events_print(at->d->events, NULL, out);
}

static void add_last_error(const struct tree_at *at, struct buf *out)
{
	const struct refusal *r = control_last_refusal(at->d->control);
	char when[CLOCK_TEXT_LEN];

	if (!r->wall_ms)
		return;
	buf_addf(out, "time %s\nuser %u\nstatement %s\ncode %d\ntext %s\n",
		 clock_text(r->wall_ms, when), r->uid, r->statement, r->code,
		 r->text);
}

static void metric(struct buf *out, const char *name, const char *type,
		   const char *help, uint64_t value)
{
	buf_addf(out,
		 "# HELP tsferry_recvd_%s %s\n# TYPE tsferry_recvd_%s "
		 "%s\ntsferry_recvd_%s %llu\n",
		 name, help, name, type, name, (unsigned long long)value);
}

static void add_waiting(const struct recvd *d, uint64_t *waiting,
			uint64_t *quarantined)
{
	for (const struct sender *x = d->senders.first; x; x = x->next)
		for (const struct incarnation *i = x->newest; i; i = i->older) {
			*waiting += incarnation_waiting(i);
			*quarantined += i->n_quarantined;
		}
}

static uint64_t count_live(const struct recvd *d)
{
	uint64_t n = 0;

	for (const struct session *s = d->sessions; s; s = s->next)
		n += s->state == SESSION_LIVE;
	return n;
}

static void add_refusals(const struct recvd *d, struct buf *out)
{
	buf_adds(out, "# HELP tsferry_recvd_refused_total Connections refused "
		      "or closed, by cause.\n"
		      "# TYPE tsferry_recvd_refused_total counter\n");
	for (int i = 0; i < N_REFUSALS; i++)
		buf_addf(out,
			 "tsferry_recvd_refused_total{cause=\"%s\"} %llu\n",
			 refusal_name((enum refused_for)i),
			 (unsigned long long)d->counted.refused[i]);
}

static void add_metrics(const struct tree_at *at, struct buf *out)
{
	const struct recvd *d = at->d;
	uint64_t waiting = 0, quarantined = 0;

	add_waiting(d, &waiting, &quarantined);
	metric(out, "up", "gauge", "The receiver answers.", 1);
	metric(out, "pipeserver_on", "gauge", "PIPESERVER is on.",
	       listener_is_on(d->listener));
	metric(out, "connections", "gauge", "Edges that are connected.",
	       count_live(d));
	metric(out, "connections_total", "counter", "Connections taken.",
	       d->counted.sessions);
	metric(out, "durable_entries_total", "counter", "Entries made durable.",
	       d->counted.entries);
	metric(out, "durable_bytes_total", "counter", "Their payload.",
	       d->counted.bytes);
	metric(out, "received_bytes_total", "counter",
	       "Payload taken from the wire; more than was made durable when "
	       "some was sent again.",
	       d->counted.payload);
	metric(out, "commits_total", "counter", "Group commits.",
	       d->counted.commits);
	buf_adds(out,
		 "# HELP tsferry_recvd_commit_seconds From the first write "
		 "of a group to its commit.\n"
		 "# TYPE tsferry_recvd_commit_seconds histogram\n");
	histogram_print(&d->counted.commit_time, "tsferry_recvd_commit_seconds",
			"", out);
	metric(out, "applied_entries_total", "counter", "Entries applied.",
	       d->counted.applied);
	metric(out, "quarantines_total", "counter",
	       "Entries that came into the quarantine.",
	       d->counted.quarantined);
	metric(out, "waiting_entries", "gauge",
	       "Durable entries that are not applied.", waiting);
	metric(out, "quarantined_entries", "gauge",
	       "Of them in the quarantine.", quarantined);
	metric(out, "staged_bytes", "gauge", "Payload of the waiting entries.",
	       d->room.staged_bytes);
	metric(out, "retained_bytes", "gauge",
	       "Applied entries that are kept, with 512 bytes for each.",
	       d->room.retained_bytes);
	metric(out, "evicted_entries_total", "counter",
	       "Retained entries that had to go.", d->counted.evicted);
	metric(out, "flight_bytes", "gauge", "Bytes in buffers.",
	       d->room.flight);
	add_refusals(d, out);
	metric(out, "free_bytes", "gauge",
	       "Free space beside staging, when last measured.",
	       d->room.free_bytes);
}

const struct tree_file tree_root_files[] = {
	{"metrics", 0444, add_metrics},
	{"log", 0444, add_log},
	{"last_error", 0444, add_last_error},
	{NULL, 0, NULL},
};

/* ---- /server ---- */

static void add_nothing(const struct tree_at *at, struct buf *out)
{
	(void)at;
	(void)out;
}

static void add_server_status(const struct tree_at *at, struct buf *out)
{
	line(out, listener_is_on(at->d->listener) ? "true" : "false");
}

static void add_port(const struct tree_at *at, struct buf *out)
{
	buf_addf(out, "%u\n", listener_port(at->d->listener));
}

static void add_key(const struct tree_at *at, struct buf *out)
{
	line(out, at->d->keys.text);
}

static void add_white_list(const struct tree_at *at, struct buf *out)
{
	line(out, at->d->settings.ip_white_list);
}

static void add_loader(const struct tree_at *at, struct buf *out)
{
	apply_status(at->d->apply, out);
}

struct listing {
	struct recvd *d;
	struct buf *out;
	bool with_owner;
};

static int add_quarantine_row(void *arg, const struct quarantine_row *row)
{
	struct listing *l = arg;
	struct incarnation *i =
		senders_incarnation(&l->d->senders, row->incarnation);
	char when[CLOCK_TEXT_LEN];

	if (l->out->len > QUARANTINE_ROOM) {
		buf_adds(l->out, "# more: SHOW QUARANTINE\n");
		return 1;
	}
	if (!l->with_owner)
		buf_addf(l->out, "%llu\t%lld\t%s\n",
			 (unsigned long long)row->serial, (long long)row->id,
			 row->reason);
	else
		buf_addf(l->out, "%lld\t%s\t%s\t%llu\t%s\t%s\t%s\n",
			 (long long)row->id, i ? i->sender->row.name : "",
			 i ? i->row.pipe : "", (unsigned long long)row->serial,
			 row->entry, clock_text(row->since_ms, when),
			 row->reason);
	return 0;
}

static void add_quarantine(const struct tree_at *at, struct buf *out)
{
	struct listing l = {.d = at->d, .out = out, .with_owner = !at->i};

	if (at->i && !at->i->n_quarantined)
		return;
	(void)!catalog_each_quarantine(&at->d->reader,
				       at->i ? at->i->row.seq : 0, 0,
				       add_quarantine_row, &l, NULL);
}

const struct tree_file tree_server_files[] = {
	{"ctl", 0666, add_nothing},
	{"status", 0444, add_server_status},
	{"port", 0444, add_port},
	{"key", 0444, add_key},
	{"ip_white_list", 0444, add_white_list},
	{"loader", 0444, add_loader},
	{"quarantine", 0444, add_quarantine},
	{NULL, 0, NULL},
};

/* ---- /server/senders/<sender> ---- */

static void add_sender_key(const struct tree_at *at, struct buf *out)
{
	line(out, at->x->key);
}

static void add_address(const struct tree_at *at, struct buf *out)
{
	line(out, at->x->row.address);
}

static void add_first_seen(const struct tree_at *at, struct buf *out)
{
	time_line(out, at->x->row.first_seen_ms);
}

static void add_last_seen(const struct tree_at *at, struct buf *out)
{
	time_line(out, at->x->row.last_seen_ms);
}

static void add_version(const struct tree_at *at, struct buf *out)
{
	line(out, at->x->row.version);
}

const struct tree_file tree_sender_files[] = {
	{"key", 0444, add_sender_key},
	{"address", 0444, add_address},
	{"first_seen", 0444, add_first_seen},
	{"last_seen", 0444, add_last_seen},
	{"version", 0444, add_version},
	{NULL, 0, NULL},
};

/* ---- /server/senders/<sender>/<pipe> ---- */

static void add_status(const struct tree_at *at, struct buf *out)
{
	words(out, at->i->row.dropped ? "DROP" : at->i->mirror.state);
}

static void add_message(const struct tree_at *at, struct buf *out)
{
	words(out, at->i->mirror.message);
}

static void add_progress(const struct tree_at *at, struct buf *out)
{
	words(out, at->i->mirror.progress);
}

static void add_gaps(const struct tree_at *at, struct buf *out)
{
	words(out, at->i->mirror.gaps);
}

static void add_durable(const struct tree_at *at, struct buf *out)
{
	buf_addf(out, "%llu\n", (unsigned long long)at->i->row.durable);
}

static void add_applied(const struct tree_at *at, struct buf *out)
{
	buf_addf(out, "%llu\n", (unsigned long long)at->i->row.applied);
}

static void add_partial(const struct tree_at *at, struct buf *out)
{
	const struct session *s = at->i->session;

	for (const struct session_file *f = s ? s->files : NULL; f; f = f->next)
		buf_addf(out, "%llu\t%llu of %llu blocks\n",
			 (unsigned long long)f->serial,
			 (unsigned long long)f->n_written,
			 (unsigned long long)f->n_blocks);
}

const struct tree_file tree_pipe_files[] = {
	{"status", 0444, add_status},
	{"message", 0444, add_message},
	{"progress", 0444, add_progress},
	{"durable", 0444, add_durable},
	{"applied", 0444, add_applied},
	{"partial", 0444, add_partial},
	{"quarantine", 0444, add_quarantine},
	{"gaps", 0444, add_gaps},
	{NULL, 0, NULL},
};
