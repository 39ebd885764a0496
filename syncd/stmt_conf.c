/* LOAD CONFIGURATION and SIGHUP. The file is read elsewhere, because files can block;
 * it is taken over all or nothing. */
#include <errno.h>
#include <string.h>

#include "ask.h"
#include "flush.h"
#include "link.h"
#include "scan.h"
#include "schema.h"
#include "stmt.h"

#define EFFECT_NOW "took effect"
#define EFFECT_RESTART "needs a restart"

struct loading {
	struct job job;
	struct edge *edge;
	struct request *rq; /* NULL: SIGHUP */
	struct settings fresh;
	int result;
	struct err err;
};

static void run_load(struct job *j)
{
	struct loading *l = CONTAINER_OF(j, struct loading, job);

	l->result = settings_load(&l->fresh, l->edge->conf_path, &l->err);
}

static void tell_change(void *arg, const struct conf_key *key,
			const char *value)
{
	struct loading *l = arg;
	const char *effect = key->hot ? EFFECT_NOW : EFFECT_RESTART;
	const char *const row[] = {key->name, value, effect, NULL};

	events_add(l->edge->events, LOG_INFO_, NULL, NULL,
		   "configuration: %s=%s %s", key->name, value, effect);
	if (l->rq)
		control_row(l->rq, row);
}

static void take_effect(struct edge *e)
{
	struct pipe *p;

	for (p = e->pipes->pipes; p; p = p->next) {
		if (p->link)
			link_rate_changed(p->link);
	}
	ask_changed(e->ask);
	schema_changed(e->schema);
	flush_changed(e->flush);
	scan_changed(e->scan);
}

static void loaded(struct job *j)
{
	static const char *const heading[] = {"key", "value", "effect", NULL};
	struct loading *l = CONTAINER_OF(j, struct loading, job);

	if (l->result < 0) {
		events_add(l->edge->events, LOG_WARN_, NULL, NULL,
			   "the configuration stays as it is: %s", l->err.text);
		if (l->rq)
			control_fail(l->rq, &l->err);
		free(l);
		return;
	}
	if (l->rq)
		control_heading(l->rq, heading);
	settings_apply(&l->edge->set, &l->fresh, tell_change, l);
	take_effect(l->edge);
	if (l->rq)
		control_done(l->rq);
	free(l);
}

void stmt_load_configuration(struct edge *e, struct request *rq)
{
	struct loading *l = xcalloc(1, sizeof(*l));

	l->edge = e;
	l->rq = rq;
	l->job.run = run_load;
	l->job.done = loaded;
	worker_submit(e->names, &l->job);
}
