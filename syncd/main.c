/* syncd: the edge daemon. Wires its parts, runs the loop, takes them apart. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "capture.h"
#include "change.h"
#include "doctor.h"
#include "edge.h"
#include "explain.h"
#include "flush.h"
#include "ground/cli.h"
#include "ground/clock.h"
#include "ground/loop.h"
#include "ground/service.h"
#include "pipes.h"
#include "scan.h"
#include "schema.h"
#include "stmt.h"

#define MACHINE_ID "/etc/machine-id"
#define FAREWELL_MS 1000 /* for what streams still have to send */

struct signals {
	struct loop_signal term, intr, hup;
	struct loop_timer end;
	struct service service;
	struct edge *edge;
};

static void end_now(struct loop_timer *t)
{
	loop_stop(CONTAINER_OF(t, struct signals, end)->edge->loop);
}

static void end_orderly(struct signals *s)
{
	struct edge *e = s->edge;

	if (e->is_ending)
		return;
	events_add(e->events, LOG_INFO_, NULL, NULL, "stopping");
	service_stopping(&s->service);
	e->is_ending = true;
	stmt_end_waits(e);
	pipes_save_progress(e->pipes);
	pipes_end_links(e->pipes);
	s->end.fn = end_now;
	loop_timer_set(e->loop, &s->end,
		       pipes_live(e->pipes, NULL) ? FAREWELL_MS / 10 : 0);
}

static void on_term(struct loop_signal *sig)
{
	end_orderly(CONTAINER_OF(sig, struct signals, term));
}

static void on_int(struct loop_signal *sig)
{
	end_orderly(CONTAINER_OF(sig, struct signals, intr));
}

static void on_hup(struct loop_signal *sig)
{
	stmt_load_configuration(CONTAINER_OF(sig, struct signals, hup)->edge,
				NULL);
}

static int take_signals(struct signals *s, struct edge *e, struct err *err)
{
	int r;

	s->edge = e;
	(void)signal(SIGPIPE, SIG_IGN);
	r = loop_on_signal(e->loop, &s->term, SIGTERM, on_term);
	if (r == 0)
		r = loop_on_signal(e->loop, &s->intr, SIGINT, on_int);
	if (r == 0)
		r = loop_on_signal(e->loop, &s->hup, SIGHUP, on_hup);
	return r ? err_set(err, -r, "signals: %s", err_words(-r)) : 0;
}

/* What a person wrote into syncd.conf was checked there; what IoTDB's files say may be
 * anything. */
static void set_time_zone(const char *zone)
{
	char tz[CLOCK_ZONE_LEN];

	if (!zone[0])
		return;
	if (clock_zone(zone, tz) < 0) {
		log_warn("syncd",
			 "IoTDB's time zone %s is not known here: times are in "
			 "the system's (install tzdata, or set time_zone)",
			 zone);
		return;
	}
	(void)setenv("TZ", tz, 1);
	tzset();
}

static int open_state(struct edge *e, struct err *err)
{
	char path[sizeof(e->state.path) + 16];
	int r = statedir_open(&e->state, e->set.state_dir, MACHINE_ID, err);

	if (r == 0)
		r = keys_load(&e->keys, e->state.fd, err);
	if (r == 0 && e->state.is_new)
		r = statedir_found(&e->state, err);
	if (r)
		return r;
	(void)snprintf(path, sizeof(path), "%s/catalog.db", e->state.path);
	return outbox_open(&e->outbox, e->loop, path, &e->state, err);
}

static int open_parts(struct edge *e, struct err *err)
{
	int r = worker_new(&e->names, e->loop, 2, "names", err);

	if (r == 0)
		r = worker_new(&e->reader, e->loop, 1, "reader", err);
	if (r == 0)
		r = spool_load(&e->spool, &e->set, e->outbox, err);
	if (r == 0)
		r = spool_check_all(&e->spool, &e->state, err);
	e->ask = ask_new(e);
	if (r == 0)
		r = pipes_load(e, err);
	if (r == 0)
		r = scan_new(&e->scan, e, err);
	if (r)
		return r;
	e->turns = turns_new();
	e->schema = schema_new(e);
	schema_begin(e->schema);
	pipes_begin(e->pipes);
	e->flush = flush_new(e);
	flush_changed(e->flush);
	return stmt_open(e, err);
}

/* In the reverse order of their use of each other: first what submits jobs is quiet,
 * then threads end, then what they worked on goes. */
static void close_all(struct edge *e)
{
	e->is_ending = true;
	worker_free(e->reader);
	scan_end_jobs(e->scan);
	if (e->outbox)
		outbox_end_jobs(e->outbox);
	worker_free(e->names);
	flush_free(e->flush);
	schema_free(e->schema);
	scan_free(e->scan);
	ask_free(e->ask);
	turns_free(e->turns);
	if (e->control)
		control_free(e->control);
	pipes_free(e->pipes);
	outbox_close(e->outbox);
	notes_release(&e->notes);
	events_free(e->events);
	keys_release(&e->keys);
	statedir_close(&e->state);
	loop_free(e->loop);
	free(e);
}

static int serve(struct edge *e, struct signals *s, struct err *err)
{
	int r = service_ready(&s->service, e->loop, "syncd " TSFERRY_VERSION);

	if (r < 0)
		log_warn("syncd", "the service manager is not told: %s",
			 err_words(-r));
	events_add(e->events, LOG_INFO_, NULL, NULL, "syncd %s is ready",
		   TSFERRY_VERSION);
	if (e->keys.is_new && !e->state.is_new)
		events_add(e->events, LOG_WARN_, NULL, NULL,
			   "key.pem was gone and is made anew: to receivers "
			   "this is another sender (bring the old one back, or "
			   "FORGET SENDER %s there and RESYNC PIPE here)",
			   e->set.sender_name);
	r = loop_run(e->loop);
	service_end(&s->service);
	return r < 0 ? err_set(err, -r, "the loop: %s", err_words(-r)) : 0;
}

static int run(const char *conf_path)
{
	struct edge *e = xcalloc(1, sizeof(*e));
	struct signals signals = {.edge = e};
	struct err err = {0};
	int r;

	e->conf_path = conf_path;
	e->started_ms = clock_wall_ms();
	e->events = events_new("syncd");
	e->state.fd = e->state.lock_fd = -1;
	r = settings_load(&e->set, conf_path, &err);
	if (r == 0) {
		set_time_zone(e->set.facts.time_zone);
		r = loop_new(&e->loop, &err);
	}
	if (r == 0)
		r = take_signals(&signals, e, &err);
	if (r == 0)
		r = open_state(e, &err);
	if (r == 0)
		r = open_parts(e, &err);
	if (r == 0)
		r = serve(e, &signals, &err);
	if (r < 0)
		log_err("syncd", "%s", err.sys ? err.text : err_words(-r));
	close_all(e);
	return r < 0 ? 1 : 0;
}

static const struct cli cli = {
	.name = "syncd",
	.usage = "usage: syncd -c FILE [-n]\n"
		 "       syncd --explain DATA_DIR | --explain -c FILE\n"
		 "       syncd --help | --version\n",
};

static int explain(int argc, char **argv)
{
	if (argc == 3 && argv[2][0] != '-')
		return explain_run(NULL, argv[2]);
	if (argc == 4 && strcmp(argv[2], "-c") == 0)
		return explain_run(argv[3], NULL);
	return cli_wrong(&cli);
}

int main(int argc, char **argv)
{
	const char *conf_path = NULL;
	bool is_doctor = false;
	int c;

	/* Few threads that allocate little: one arena, and what is long goes back to the
	 * system when it is freed. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_THRESHOLD, 131072);
	if (argc > 1 && strcmp(argv[1], "--explain") == 0)
		return cli_end(&cli, explain(argc, argv));
	while ((c = cli_next(&cli, argc, argv, "c:n")) != -1) {
		if (c == CLI_ANSWERED)
			return 0;
		else if (c == 'c')
			conf_path = optarg;
		else if (c == 'n')
			is_doctor = true;
		else
			return cli_wrong(&cli);
	}
	if (!conf_path || optind != argc)
		return cli_wrong(&cli);
	return is_doctor ? cli_end(&cli, doctor_run(conf_path))
			 : run(conf_path);
}
