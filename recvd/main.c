#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "ground/cli.h"
#include "ground/service.h"
#include "recvd.h"

/* recvd(8): arguments, signals, the loop. */

struct signals {
	struct loop_signal term, intr, hup;
	struct service service;
	struct recvd *d;
};

static const struct cli cli = {
	.name = "recvd",
	.usage = "usage: recvd -c FILE [-n]\n"
		 "       recvd --help | --version\n",
};

static void end_orderly(struct signals *s)
{
	service_stopping(&s->service);
	recvd_stop(s->d);
}

static void on_term(struct loop_signal *s)
{
	end_orderly(CONTAINER_OF(s, struct signals, term));
}

static void on_intr(struct loop_signal *s)
{
	end_orderly(CONTAINER_OF(s, struct signals, intr));
}

static void on_hup(struct loop_signal *s)
{
	struct recvd *d = CONTAINER_OF(s, struct signals, hup)->d;
	struct settings_change changes[SETTINGS_KEYS_MAX];
	struct err e = {0};

	if (recvd_reload(d, changes, NULL, &e) < 0)
		events_add(d->events, LOG_ERR_, "settings", NULL,
			   "nothing was taken over: %s", e.text);
}

static int take_signals(struct signals *s, struct recvd *d, struct err *e)
{
	int r = loop_on_signal(d->loop, &s->term, SIGTERM, on_term);

	s->d = d;
	if (r >= 0)
		r = loop_on_signal(d->loop, &s->intr, SIGINT, on_intr);
	if (r >= 0)
		r = loop_on_signal(d->loop, &s->hup, SIGHUP, on_hup);
	return r < 0 ? err_set(e, -r, "signals: %s", err_words(-r)) : 0;
}

static int serve(struct recvd *d, struct signals *s, struct err *e)
{
	int r = service_ready(&s->service, d->loop, "recvd " TSFERRY_VERSION);

	if (r < 0)
		log_warn("recvd", "the service manager is not told: %s",
			 err_words(-r));
	events_add(d->events, LOG_INFO_, NULL, NULL, "version %s ready, key %s",
		   TSFERRY_VERSION, d->keys.text);
	if (d->keys.is_new && !d->dir.is_new)
		events_add(d->events, LOG_WARN_, NULL, NULL,
			   "key.pem was gone and is made anew: edges that know "
			   "the old key stop (bring it back, or ALTER PIPESINK "
			   "with key='%s' at each edge)",
			   d->keys.text);
	r = loop_run(d->loop);
	service_end(&s->service);
	return r < 0 ? err_set(e, -r, "the loop: %s", err_words(-r)) : 0;
}

static int run(const char *config_path)
{
	struct recvd d = {0};
	struct signals signals = {0};
	struct err e = {0};
	int r = recvd_open(&d, config_path, &e);

	if (r >= 0)
		r = take_signals(&signals, &d, &e);
	if (r >= 0)
		r = serve(&d, &signals, &e);
	if (r < 0)
		log_err("recvd", "%s", e.text);
	recvd_close(&d);
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *config_path = NULL;
	bool is_doctor = false;
	int c;

	while ((c = cli_next(&cli, argc, argv, "c:n")) != -1) {
		if (c == CLI_ANSWERED)
			return 0;
		else if (c == 'c')
			config_path = optarg;
		else if (c == 'n')
			is_doctor = true;
		else
			return cli_wrong(&cli);
	}
	if (!config_path || optind != argc)
		return cli_wrong(&cli);
	(void)signal(SIGPIPE, SIG_IGN);
	return is_doctor ? cli_end(&cli, doctor(config_path))
			 : run(config_path);
}
