/* The files at the top of /pipes and of /pipes/sinks/<sink>. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "ground/clock.h"
#include "link.h"
#include "progress.h"
#include "scan.h"
#include "stmt.h"
#include "tree.h"

/* ---- / ---- */

static void show_identity(const struct edge *e, const void *of, struct buf *out)
{
	(void)of;
	buf_addf(out, "name %s\nid %s\nkey %s\nversion %s\nstate_dir %s\n",
		 e->set.sender_name, e->keys.text, e->keys.text,
		 TSFERRY_VERSION, e->state.path);
}

static void show_sink_types(const struct edge *e, const void *of,
			    struct buf *out)
{
	(void)e;
	(void)of;
	buf_adds(out, "IoTDB\n");
}

static void show_log(const struct edge *e, const void *of, struct buf *out)
{
	(void)of;
	events_print(e->events, NULL, out);
}

static void show_last_error(const struct edge *e, const void *of,
			    struct buf *out)
{
	const struct refusal *r = control_last_refusal(e->control);
	char when[CLOCK_TEXT_LEN];

	(void)of;
	if (!r->wall_ms)
		return;
	buf_addf(out, "time %s\nuser %u\nstatement %s\ncode %d\ntext %s\n",
		 clock_text(r->wall_ms, when), r->uid, r->statement, r->code,
		 r->text);
}

static void metric_head(struct buf *out, const char *name, const char *type,
			const char *help)
{
	buf_addf(out,
		 "# HELP tsferry_syncd_%s %s\n# TYPE tsferry_syncd_%s %s\n",
		 name, help, name, type);
}

/* Escaped as Prometheus asks for. */
static void add_label(struct buf *out, const struct pipe *p)
{
	const char *c;

	buf_adds(out, "pipe=\"");
	for (c = p->row.name; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_adds(out, "\\");
		buf_add(out, c, 1);
	}
	buf_adds(out, "\"");
}

/* A value of each living pipe. */
static void metric_pipe(struct buf *out, const char *name, const struct pipe *p,
			uint64_t value)
{
	buf_addf(out, "tsferry_syncd_%s{", name);
	add_label(out, p);
	buf_addf(out, "} %" PRIu64 "\n", value);
}

static void metric_time(struct buf *out, const char *name, const struct pipe *p,
			const struct histogram *h)
{
	CLEANUP(buf_release) struct buf label;
	char full[64];

	buf_init(&label, 4096);
	add_label(&label, p);
	(void)snprintf(full, sizeof(full), "tsferry_syncd_%s", name);
	histogram_print(h, full, buf_str(&label), out);
}

struct metric {
	const char *name, *type, *help;
	uint64_t (*value)(const struct pipe *p);
};

static uint64_t is_running(const struct pipe *p)
{
	return p->row.state == PIPE_RUNNING;
}

static uint64_t is_online(const struct pipe *p)
{
	return p->link && link_is_online(p->link);
}

static uint64_t n_assigned(const struct pipe *p)
{
	return p->row.assigned;
}

static uint64_t n_durable(const struct pipe *p)
{
	return p->row.durable;
}

static uint64_t n_applied(const struct pipe *p)
{
	return p->row.applied;
}

static uint64_t n_quarantined(const struct pipe *p)
{
	return p->n_quarantined;
}

static uint64_t n_assigned_bytes(const struct pipe *p)
{
	return p->row.assigned_bytes;
}

static uint64_t n_retries(const struct pipe *p)
{
	return p->n_retries;
}

static uint64_t n_resent(const struct pipe *p)
{
	return p->resent_bytes;
}

static const struct metric metrics[] = {
	{"running", "gauge", "The pipe is RUNNING.", is_running},
	{"online", "gauge", "Its receiver is connected.", is_online},
	{"assigned_serial", "gauge", "The last entry captured.", n_assigned},
	{"durable_serial", "gauge", "The last entry durable at the receiver.",
	 n_durable},
	{"applied_serial", "gauge", "The last entry applied.", n_applied},
	{"captured_bytes", "gauge", "Payload of all entries captured.",
	 n_assigned_bytes},
	{"quarantined_entries", "gauge", "Entries in quarantine.",
	 n_quarantined},
	{"retries_total", "counter", "Attempts that failed.", n_retries},
	{"resent_bytes_total", "counter", "Payload that was sent again.",
	 n_resent},
};

static void show_times(const struct edge *e, struct buf *out)
{
	const struct pipe *p;

	metric_head(out, "durable_seconds", "histogram",
		    "From capture to durable at the receiver; the oldest "
		    "entry of each acknowledgement.");
	for (p = e->pipes->pipes; p; p = p->next)
		if (p->row.state != PIPE_DROP)
			metric_time(out, "durable_seconds", p,
				    &p->durable_after);
	metric_head(out, "applied_seconds", "histogram",
		    "From capture to applied, in the same way.");
	for (p = e->pipes->pipes; p; p = p->next)
		if (p->row.state != PIPE_DROP)
			metric_time(out, "applied_seconds", p,
				    &p->applied_after);
}

static void show_metrics(const struct edge *e, const void *of, struct buf *out)
{
	const struct pipe *p;
	size_t i;

	(void)of;
	metric_head(out, "up", "gauge", "The edge daemon answers.");
	buf_adds(out, "tsferry_syncd_up 1\n");
	metric_head(out, "watches", "gauge", "Directories that are watched.");
	buf_addf(out, "tsferry_syncd_watches %zu\n", scan_watches(e->scan));
	metric_head(out, "capture_paused", "gauge", "Nothing can be pinned.");
	buf_addf(out, "tsferry_syncd_capture_paused %d\n",
		 capture_is_paused(e->capture));
	for (i = 0; i < ARRAY_LEN(metrics); i++) {
		metric_head(out, metrics[i].name, metrics[i].type,
			    metrics[i].help);
		for (p = e->pipes->pipes; p; p = p->next) {
			if (p->row.state != PIPE_DROP)
				metric_pipe(out, metrics[i].name, p,
					    metrics[i].value(p));
		}
	}
	metric_head(out, "oldest_unsent_seconds", "gauge",
		    "How long the oldest entry has not been durable.");
	for (p = e->pipes->pipes; p; p = p->next)
		if (p->row.state != PIPE_DROP)
			metric_pipe(out, "oldest_unsent_seconds", p,
				    pipe_oldest_unsent_s(e->pipes, p));
	show_times(e, out);
}

static int64_t when_now(const struct edge *e, const void *of)
{
	(void)e;
	(void)of;
	return clock_wall_ms();
}

static int64_t when_logged(const struct edge *e, const void *of)
{
	int64_t ms = events_last_ms(e->events, NULL);

	(void)of;
	return ms ? ms : e->started_ms;
}

static int64_t when_refused(const struct edge *e, const void *of)
{
	int64_t ms = control_last_refusal(e->control)->wall_ms;

	(void)of;
	return ms ? ms : e->started_ms;
}

const struct tree_file tree_root_files[] = {
	{"identity", TREE_FILE, 0444, show_identity, NULL},
	{"sinktypes", TREE_FILE, 0444, show_sink_types, NULL},
	{"metrics", TREE_FILE, 0444, show_metrics, when_now},
	{"log", TREE_FILE, 0444, show_log, when_logged},
	{"last_error", TREE_FILE, 0444, show_last_error, when_refused},
};
const size_t tree_n_root_files = ARRAY_LEN(tree_root_files);

/* ---- /sinks/<sink> ---- */

static void show_type(const struct edge *e, const void *of, struct buf *out)
{
	(void)e;
	(void)of;
	buf_adds(out, "IoTDB\n");
}

static void show_attributes(const struct edge *e, const void *of,
			    struct buf *out)
{
	const struct sink *s = of;

	(void)e;
	stmt_sink_attributes(&s->row, out);
	buf_adds(out, "\n");
}

static void show_ip(const struct edge *e, const void *of, struct buf *out)
{
	const struct sink *s = of;

	(void)e;
	buf_addf(out, "%s\n", s->row.host);
}

static void show_port(const struct edge *e, const void *of, struct buf *out)
{
	const struct sink *s = of;

	(void)e;
	buf_addf(out, "%u\n", s->row.port);
}

static void show_key(const struct edge *e, const void *of, struct buf *out)
{
	const struct sink *s = of;

	(void)e;
	if (s->row.key[0])
		buf_addf(out, "%s\n", s->row.key);
}

static void show_pipes(const struct edge *e, const void *of, struct buf *out)
{
	const struct sink *s = of;
	const struct pipe *p;

	for (p = e->pipes->pipes; p; p = p->next) {
		if (p->row.state != PIPE_DROP &&
		    strcmp(p->row.sink, s->row.name) == 0)
			buf_addf(out, "%s\n", p->row.name);
	}
}

static int64_t when_put(const struct edge *e, const void *of)
{
	const struct sink *s = of;

	(void)e;
	return s->changed_ms;
}

const struct tree_file tree_sink_files[] = {
	{"type", TREE_FILE, 0444, show_type, when_put},
	{"attributes", TREE_FILE, 0444, show_attributes, when_put},
	{"ip", TREE_FILE, 0444, show_ip, when_put},
	{"port", TREE_FILE, 0444, show_port, when_put},
	{"key", TREE_FILE, 0444, show_key, when_put},
	{"pipes", TREE_FILE, 0444, show_pipes, when_logged},
};
const size_t tree_n_sink_files = ARRAY_LEN(tree_sink_files);
