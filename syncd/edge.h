/* The edge daemon's parts, wired by main.c. Everybody reads; each part is changed by
 * its own module. Everything here belongs to the loop's thread. */
#ifndef TSFERRY_EDGE_H
#define TSFERRY_EDGE_H

#include "domain/control.h"
#include "domain/statedir.h"
#include "domain/events.h"
#include "ground/keys.h"
#include "ground/worker.h"
#include "notes.h"
#include "outbox.h"
#include "settings.h"
#include "spool.h"

struct edge {
	struct loop *loop;
	struct worker
		*names; /* two threads: look-ups of hosts, removals of files */
	struct worker
		*reader; /* one thread: payloads, in the order of the asking */
	const char *conf_path; /* borrowed */
	struct settings set;
	struct statedir state;
	struct keys keys;
	struct outbox *outbox;
	struct spool spool;
	struct events *events;
	struct notes notes; /* of the edge as a whole */
	struct pipes *pipes;
	struct scan *scan;
	struct capture *capture;
	struct turns *turns;
	struct control *control;
	struct ask *ask;
	struct schema *schema;
	struct flush *flush;
	struct wait *waits; /* stmt_wait.c */
	int64_t started_ms;
	bool is_ending;
};

/* Sets or clears a note of the edge, tells links and the log when it is news. */
void edge_note(struct edge *e, enum note_cause cause, const char *text);
void edge_note_over(struct edge *e, enum note_cause cause);

#endif
