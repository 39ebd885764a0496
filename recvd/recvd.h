/* The receiver as one object: what its parts share, and how it starts and ends.
 *
 * Threads: the loop (network, decisions, all of this struct), the writer (one thread:
 * blocks into staging, in order), the looker (one thread: half-received blocks, read again
 * behind a HELLO), the keeper (one thread: syncs and the catalog), the
 * applier (one thread: takes entries out of the catalog for the loader). A part hands
 * jobs to a thread and looks at nothing that a job holds until it is done. */
#ifndef TSFERRY_RECVD_H
#define TSFERRY_RECVD_H

#include "catalog.h"
#include "domain/control.h"
#include "domain/statedir.h"
#include "domain/events.h"
#include "ground/histogram.h"
#include "ground/keys.h"
#include "quota.h"
#include "room.h"
#include "senders.h"
#include "settings.h"
#include "stage.h"

struct recvd {
	const char *config_path; /* borrowed */
	struct settings settings;
	struct loop *loop;
	struct events *events;
	struct statedir dir;
	struct keys keys;
	struct stage stage;
	struct catalog *catalog;
	struct catalog_reader reader; /* the loop's own */
	struct worker *writer;
	struct worker *looker; /* session_look.c */
	struct held *held; /* the writer's */
	struct senders senders;
	bool is_tidy; /* tidy.h: staging holds nothing but what is explained */
	struct room room;
	struct commit *commit;
	struct apply *apply;
	struct retain *retain;
	struct listener *listener;
	struct control *control;
	struct session *sessions; /* all, of whatever state */
	size_t n_live;		  /* of them, with a WELCOME */
	size_t turn;		  /* who is read first */
	struct loop_task reap;	  /* frees sessions that ended */
	struct loop_timer stop_timer;
	unsigned stop_ms; /* how long it has been stopping */
	int64_t started_ms,
		changed_ms; /* wall clock; the latter: states under server/ */

	struct {
		uint64_t entries, bytes, commits, applied, quarantined,
			sessions;
		uint64_t
			evicted, /* retained entries that had to go */
			refused[N_REFUSALS];
		uint64_t
			payload; /* bytes taken from the wire, the same ones twice when sent twice */
		struct histogram commit_time;
	} counted; /* since the start */
};

/* Everything but running: opens and checks the state, refuses with a sentence. On
 * failure `d` can still be closed. Blocks. */
int recvd_open(struct recvd *d, const char *config_path,
	       struct err *e) MUST_CHECK;
void recvd_close(struct recvd *d);

/* SIGTERM: tells every session, gives them a second, then ends the loop. */
void recvd_stop(struct recvd *d);

/* LOAD CONFIGURATION and SIGHUP: as settings_reload(), and what changed takes effect. */
int recvd_reload(struct recvd *d, struct settings_change *changes,
		 struct buf *warnings, struct err *e) MUST_CHECK;

/* Catalog tasks that nobody waits for: a failure is an event. */
void recvd_put_sender(struct recvd *d, const struct sender *x);
void recvd_del_sender(struct recvd *d,
		      struct sender *x); /* which only knocked */

#endif
