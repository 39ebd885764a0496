/* The files of /pipes/<pipe>. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"
#include "link.h"
#include "progress.h"
#include "schema.h"
#include "stmt.h"
#include "tree.h"

#define QUEUE_SHOWN 100

static void show_nothing(const struct edge *e, const void *of, struct buf *out)
{
	(void)e;
	(void)of;
	(void)out;
}

static void show_status(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p = of;

	(void)e;
	buf_addf(out, "%s\n", pipe_state_text(p->row.state));
}

static void show_message(const struct edge *e, const void *of, struct buf *out)
{
	pipe_message(e->pipes, of, out);
}

static void show_create_time(const struct edge *e, const void *of,
			     struct buf *out)
{
	const struct pipe *p = of;
	char when[CLOCK_TEXT_LEN];

	(void)e;
	buf_addf(out, "%s\n", clock_text(p->row.create_ms, when));
}

static void show_query(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p = of;

	(void)e;
	buf_addf(out, "%s\n", p->row.query);
}

static void show_sync_del_op(const struct edge *e, const void *of,
			     struct buf *out)
{
	const struct pipe *p = of;

	(void)e;
	buf_adds(out, p->row.sync_del_op ? "true\n" : "false\n");
}

static void show_sink(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p = of;

	(void)e;
	buf_addf(out, "../sinks/%s", p->row.sink);
}

static void show_link(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p = of;
	char when[CLOCK_TEXT_LEN];

	(void)e;
	if (p->link)
		link_print(p->link, out);
	else
		buf_addf(out, "offline since %s: the pipe is stopped\n",
			 clock_text(p->offline_since_ms, when));
}

static void show_progress(const struct edge *e, const void *of, struct buf *out)
{
	pipe_progress(e->pipes, of, out);
}

struct queue_view {
	const struct pipe *pipe;
	struct buf *out;
};

static int show_entry(void *arg, struct outbox_entry *en)
{
	const struct queue_view *v = arg;
	bool is_durable = en->entry.serial <= v->pipe->row.durable ||
			  link_is_early(v->pipe->link, en->entry.serial);
	char text[FILEID_PATH_MAX + 64];
	const char *name = entry_text(&en->entry, text, sizeof(text));
	const char *blank = strchr(name, ' ');

	buf_addf(v->out, "%" PRIu64 " %s %" PRIu64 " %s %s\n", en->entry.serial,
		 entry_kind_text(en->entry.kind), entry_payload_len(&en->entry),
		 is_durable ? "durable" : "waiting", blank ? blank + 1 : name);
	entry_release(&en->entry);
	return 0;
}

static void show_queue(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p = of;
	struct queue_view v = {.pipe = p, .out = out};
	uint64_t from = p->row.applied > p->row.released ? p->row.applied
							 : p->row.released;

	struct err err = {0};

	if (outbox_entries(e->outbox, p->row.id, from + 1, QUEUE_SHOWN,
			   show_entry, &v, &err) < 0)
		buf_addf(out, "%s\n", err.text);
}

static void show_gaps(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p = of;

	outbox_gaps(e->outbox, p->row.id, out);
}

static void show_schema_limits(const struct edge *e, const struct pipe *p,
			       struct buf *out)
{
	if (!e->set.iotdb_rpc[0]) {
		buf_adds(out, "tags, attributes, aliases and deletions of "
			      "series do not travel, and flush_interval has no "
			      "effect: the edge IoTDB is not asked (set "
			      "iotdb_rpc)\n");
		return;
	}
	buf_adds(out, "TTL, triggers, views and templates do not travel\n");
	if (schema_is_of_nobody(e->schema))
		buf_adds(out, "a database that is dropped at the edge stays in "
			      "the cloud: the edge IoTDB does not tell that it "
			      "is the same as before (1.3.2 and later do)\n");
	if (!p->row.sync_del_op)
		buf_adds(out, "deletions of series do not travel "
			      "(SyncDelOp=false)\n");
	else if (e->set.iotdb_user[0] && strcmp(e->set.iotdb_user, "root") != 0)
		buf_adds(out, "deletions of series do not travel: a user other "
			      "than root may not see all series "
			      "(iotdb_user)\n");
}

/* What this pipe cannot carry as it is configured, and what would lift it. */
static void show_limits(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p = of;

	if (p->row.sync_del_op && !e->set.iotdb_rpc[0])
		buf_adds(out,
			 "a deletion that IoTDB carries out by removing whole "
			 "files does not travel: nothing at the edge tells it "
			 "from TTL, DROP DATABASE or a person's rm (set "
			 "iotdb_rpc)\n");
	show_schema_limits(e, p, out);
	if (e->set.facts.version[0] == '2')
		buf_adds(out, "of databases of tables rows and deletions of "
			      "rows travel: attribute columns, comments, empty "
			      "tables and DROP COLUMN do not\n");
	if (!e->set.facts.version[0])
		buf_adds(out, "the version of the edge IoTDB is not known; the "
			      "order of files is that of 1.3.3 and later (set "
			      "iotdb_version)\n");
}

static void show_quarantine(const struct edge *e, const void *of,
			    struct buf *out)
{
	const struct pipe *p = of;
	const struct quarantined *q;

	(void)e;
	for (q = p->quarantine; q; q = q->next)
		buf_addf(out, "%" PRIu64 " %" PRIu64 " %s\n", q->serial, q->id,
			 q->reason);
}

static void show_events(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p = of;

	events_print(e->events, p->row.name, out);
}

static int64_t when_created(const struct edge *e, const void *of)
{
	const struct pipe *p = of;

	(void)e;
	return p->row.create_ms;
}

static int64_t when_changed(const struct edge *e, const void *of)
{
	const struct pipe *p = of;

	(void)e;
	return p->changed_ms;
}

static int64_t when_moved(const struct edge *e, const void *of)
{
	(void)e;
	(void)of;
	return clock_wall_ms();
}

static int64_t when_told(const struct edge *e, const void *of)
{
	const struct pipe *p = of;
	int64_t ms = events_last_ms(e->events, p->row.name);

	return ms ? ms : p->changed_ms;
}

const struct tree_file tree_pipe_files[] = {
	{"ctl", TREE_FILE, 0666, show_nothing, when_created},
	{"status", TREE_FILE, 0444, show_status, when_changed},
	{"message", TREE_FILE, 0444, show_message, when_changed},
	{"create_time", TREE_FILE, 0444, show_create_time, when_created},
	{"query", TREE_FILE, 0444, show_query, when_created},
	{"sync_del_op", TREE_FILE, 0444, show_sync_del_op, when_created},
	{"sink", TREE_LINK, 0777, show_sink, when_created},
	{"link", TREE_FILE, 0444, show_link, when_told},
	{"progress", TREE_FILE, 0444, show_progress, when_moved},
	{"queue", TREE_FILE, 0444, show_queue, when_moved},
	{"gaps", TREE_FILE, 0444, show_gaps, when_changed},
	{"limits", TREE_FILE, 0444, show_limits, when_created},
	{"quarantine", TREE_FILE, 0444, show_quarantine, when_changed},
	{"events", TREE_FILE, 0444, show_events, when_told},
};
const size_t tree_n_pipe_files = ARRAY_LEN(tree_pipe_files);
