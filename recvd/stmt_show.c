/* The rows of SHOW SENDERS and SHOW QUARANTINE. */
#include <stdio.h>

#include "ground/clock.h"
#include "session.h"
#include "stmt.h"

static const char *state_of(const struct sender *x)
{
	switch (x->row.state) {
	case SENDER_WAITING:
		return "waiting";
	case SENDER_ADMITTED:
		return x->session ? "online" : "offline";
	case SENDER_FORGOTTEN:
		return "forgotten";
	}
	return "";
}

static void add_pipes(const struct sender *x, struct buf *out)
{
	bool is_first = true;

	for (const struct incarnation *i = x->newest; i; i = i->older) {
		if (!incarnation_is_shown(i))
			continue;
		buf_addf(out, "%s%s", is_first ? "" : ",", i->row.pipe);
		is_first = false;
	}
}

static void show_sender(const struct sender *x, struct request *rq)
{
	CLEANUP(buf_release) struct buf pipes;
	char last_seen[CLOCK_TEXT_LEN], message[512];
	const char *row[] = {x->row.name, x->key,    x->row.address,
			     state_of(x), last_seen, x->row.version,
			     NULL,	  message,   NULL};

	buf_init(&pipes, 65536);
	add_pipes(x, &pipes);
	row[6] = buf_str(&pipes);
	(void)clock_text(x->row.last_seen_ms, last_seen);
	(void)sender_message(x, clock_mono_ms(), message, sizeof message);
	control_row(rq, row);
}

void stmt_show_senders(struct recvd *d, struct request *rq)
{
	static const char *const heading[] = {"name",  "key",	    "address",
					      "state", "last seen", "version",
					      "pipes", "message",   NULL};

	control_heading(rq, heading);
	for (const struct sender *x = d->senders.first; x; x = x->next)
		if (x->row.state != SENDER_FORGOTTEN)
			show_sender(x, rq);
	control_done(rq);
}

struct showing {
	struct recvd *d;
	struct request *rq;
};

static int show_quarantined(void *arg, const struct quarantine_row *q)
{
	struct showing *s = arg;
	struct incarnation *i =
		senders_incarnation(&s->d->senders, q->incarnation);
	char id[24], serial[24], since[CLOCK_TEXT_LEN];
	const char *const row[] = {id,
				   i ? i->sender->row.name : "",
				   i ? i->row.pipe : "",
				   serial,
				   q->entry,
				   clock_text(q->since_ms, since),
				   q->reason,
				   NULL};

	(void)snprintf(id, sizeof id, "%lld", (long long)q->id);
	(void)snprintf(serial, sizeof serial, "%llu",
		       (unsigned long long)q->serial);
	control_row(s->rq, row);
	return 0;
}

void stmt_show_quarantine(struct recvd *d, struct request *rq)
{
	static const char *const heading[] = {"id",	"sender", "pipe",
					      "serial", "entry",  "since",
					      "reason", NULL};
	struct showing s = {d, rq};
	struct err e = {0};

	control_heading(rq, heading);
	if (catalog_each_quarantine(&d->reader, 0, 0, show_quarantined, &s,
				    &e) < 0)
		control_fail(rq, &e);
	else
		control_done(rq);
}
