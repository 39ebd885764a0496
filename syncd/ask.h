/* The edge IoTDB, asked through syncd-ask (asker.h), which is started at the first request and
 * only where iotdb_rpc is set.
 *
 * One request at a time, in the order of asking. Each gets one answer, later than the call
 * that submitted it, on the loop. A program that dies, says nonsense or is silent longer than
 * its request allows is killed and started again after a pause, 1 s doubled up to ASK_PAUSE_MAX_MS;
 * the same pause follows when no server answers or the log-in is refused. While it lasts
 * every request is answered at once with ASK_AWAY and the same sentence. The note NOTE_ASK
 * stands from the first failure to the next success. Nothing else waits for any of this. */
#ifndef TSFERRY_ASK_H
#define TSFERRY_ASK_H

#include "edge.h"

#define ASK_PAUSE_MIN_MS 1000u
#define ASK_PAUSE_MAX_MS 60000u
#define ASK_GREETING_MS 10000u

enum ask_result {
	ASK_OK,
	ASK_NO,	 /* the server refused; its code and sentence */
	ASK_AWAY /* no answer: try again later */
};

#define ASK_FIELDS_MAX 6u

struct ask_answer {
	enum ask_result result;
	int code;	  /* ASK_NO */
	const char *text; /* of ASK_NO and ASK_AWAY: a sentence */
	unsigned n;	  /* ASK_OK: fields; those missing are "" */
	const char *field[ASK_FIELDS_MAX];
};

/* The owner's, zeroed, until it is done or given back. */
struct ask_request {
	struct ask_request *next;
	struct buf line; /* whole lines; released behind the answer */
	unsigned limit_ms;
	void (*done)(struct ask_request *rq, const struct ask_answer *a);
	bool is_asked;
};

struct ask *ask_new(struct edge *e);
void ask_free(struct ask *a); /* kills the program; nothing is answered */

bool ask_is_wanted(const struct edge *e); /* iotdb_rpc is set */
/* One text line, "flush\n". May be called from a `done`. */
void ask_submit(struct ask *a, struct ask_request *rq, unsigned limit_ms,
		const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same for a request whose lines are in `rq->line`. */
void ask_submit_lines(struct ask *a, struct ask_request *rq, unsigned limit_ms);
/* It is not answered any more. Safe on one that is not asked. */
void ask_cancel(struct ask *a, struct ask_request *rq);

/* The configuration changed: another program where it has to be another, and no pause. */
void ask_changed(struct ask *a);
bool ask_is_paused(const struct ask *a);

/* Beside syncd's own program. */
void ask_program(char *to, size_t size);

#endif
