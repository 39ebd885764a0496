/* Sinks and pipes as the loop sees them: the catalog's rows, and what is only true
 * while the daemon runs (links, notes, quarantine).
 *
 * Rows change here after their transaction committed ("durable first"), except that a
 * pipe which an ERROR stops is stopped at once and saved behind. */
#ifndef TSFERRY_PIPES_H
#define TSFERRY_PIPES_H

#include "ground/histogram.h"
#include "edge.h"

struct link;
struct progress_waiter;
struct farewell;

struct sink {
	struct sink *next;
	struct sink_row row;
	int64_t changed_ms;
};

/* An entry that the receiver keeps in quarantine, as it told us. */
struct quarantined {
	struct quarantined *next;
	uint64_t id, serial;
	char *reason; /* owned */
};

struct warm;

struct pipe {
	struct pipe *next;
	struct pipe_row row;
	struct link
		*link; /* owned; NULL unless it runs, or an ERROR stopped it */
	struct notes notes;
	struct quarantined *quarantine; /* owned */
	uint32_t n_quarantined;
	int64_t changed_ms;	  /* state or message */
	int64_t offline_since_ms; /* for `link` while there is none */
	uint64_t n_retries, resent_bytes;
	uint64_t saved_prefix_bytes; /* zstd behind what the receiver holds */
	uint64_t saved_reference_bytes; /* that did not travel: the receiver held them */
	uint64_t saved_compressed_bytes; /* that did not travel: zstd, on a slow way */
	/* From capture, of the oldest entry of each acknowledgement. */
	struct histogram durable_after, applied_after;
	struct warm *warm; /* borrowed; while what it belongs to is told (warm.h) */
	bool is_progress_unsaved;
	bool is_releasing, is_unreleased; /* release.c; dropped, and entries of it are left */
	bool is_filling;   /* lost.c: no link may connect */
};

struct pipes {
	struct edge *edge;
	struct sink *sinks; /* by name */
	struct pipe *pipes; /* by creation */
	struct loop_timer save;
	struct progress_waiter *waiters; /* progress.c */
	struct farewell *farewells;	 /* farewell.c */
};

/* Makes e->pipes from the catalog. */
int pipes_load(struct edge *e, struct err *err) MUST_CHECK;
void pipes_begin(struct pipes *ps);	/* what ran runs on */
void pipes_end_links(struct pipes *ps); /* an orderly end */
void pipes_free(struct pipes *ps);	/* the loop must not run on */

struct sink *pipes_sink(const struct pipes *ps, const char *name); /* exact */
struct sink *pipes_sink_like(const struct pipes *ps,
			     const char *name); /* or alone in any case */
struct pipe *pipes_find(const struct pipes *ps,
			const char *name); /* not DROP */
struct pipe *pipes_by_id(const struct pipes *ps, int64_t id);
size_t pipes_live(const struct pipes *ps, struct pipe **first); /* not DROP */
/* Ids of the pipes that capture: started once and not dropped. */
size_t pipes_capturing(const struct pipes *ps, int64_t *ids, size_t n);

/* What a committed statement changed. */
struct sink *pipes_put_sink(struct pipes *ps, const struct sink_row *row);
void pipes_remove_sink(struct pipes *ps, struct sink *s);
struct pipe *pipes_add(struct pipes *ps, const struct pipe_row *row);
/* A dropped pipe has no entries any more: the superseded one goes, and of the others those
 * beyond dropped_kept, the oldest first. */
void pipes_push_out(struct pipes *ps);
/* Links begin and end by the state; a dropped pipe's entries are removed behind. The state
 * that it has already is no news; START has an offline link try at once. */
void pipe_set_state(struct pipes *ps, struct pipe *p, enum pipe_state state);
void pipes_sink_moved(struct pipes *ps,
		      const char *sink); /* ALTER: links connect anew */

/* What links report. */
void pipe_stopped_by(struct pipes *ps, struct pipe *p, const char *text,
		     bool asks_again);
void pipe_told(struct pipes *ps,
	       struct pipe *p); /* the receiver knows of its DROP */
void pipe_admitted(struct pipes *ps, struct pipe *p); /* the ERROR is over */
void pipe_durable(struct pipes *ps, struct pipe *p, uint64_t serial);
void pipe_applied(struct pipes *ps, struct pipe *p, uint64_t serial);
void pipe_note(struct pipes *ps, struct pipe *p, enum note_cause cause,
	       const char *text);
void pipe_note_over(struct pipes *ps, struct pipe *p, enum note_cause cause);
void pipe_quarantine(struct pipes *ps, struct pipe *p,
		     const struct msg_quarantine *m);
/* The receiver tells anew what is quarantined, behind its WELCOME; and so far it has. */
void pipe_quarantine_begin(struct pipe *p);
void pipe_quarantine_end(struct pipes *ps, struct pipe *p);
/* Why the receiver does not apply at present; "": it does. */
void pipe_waits(struct pipes *ps, struct pipe *p, const char *reason);
void pipe_n_quarantined(struct pipes *ps, struct pipe *p, uint32_t n);

/* What capture committed. `warm`: of the last serial, or NULL. */
void pipes_captured(struct pipes *ps, int64_t id, uint64_t assigned,
		    uint64_t assigned_bytes, struct warm *warm);
/* Messages changed for all: the receiver hears of it. */
void pipes_tell(struct pipes *ps);
/* Durable and applied serials into the catalog. */
void pipes_save_progress(struct pipes *ps);

/* Rows before this time do not travel. */
int64_t pipe_first_time(const struct pipe_row *row);
const char *pipe_state_text(enum pipe_state s);
/* The lines of `message`; empty in normal running. */
void pipe_message(const struct pipes *ps, const struct pipe *p,
		  struct buf *out);
/* Its first line, for a cell of SHOW PIPES. */
void pipe_message_cell(const struct pipes *ps, const struct pipe *p,
		       struct buf *out);

#endif
