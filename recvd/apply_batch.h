/* One batch of the applier: picked by its thread, answered by the loader, recorded by
 * the keeper. For apply.c, apply_pick.c and apply_end.c only. */
#ifndef TSFERRY_APPLY_BATCH_H
#define TSFERRY_APPLY_BATCH_H

#include "apply.h"
#include "loader.h"

#define APPLY_NICE 10 /* of the thread and of the loader */
#define APPLY_PICKS_MAX 64u
#define APPLY_TEXT_MAX (1u << 20)  /* of job lines */
#define APPLY_BYTES_MAX (16u << 20) /* rows made into files */

/* A domain that takes part, as its owner's copy. */
struct apply_pick {
	struct domain *domain; /* the loop's */
	int64_t id, seq;
	char dir[STAGE_DIR_MAX];
	const char *sender; /* owned by the batch */
	unsigned n_max;
	bool is_held; /* out: the next entry is quarantined */
};

struct apply_item {
	struct apply_pick *pick;
	struct stage_parts parts;
	uint64_t payload_len;
	bool is_sent;  /* to the loader; else the result was decided here */
	bool was_quarantined; /* RELEASED: it has a row in the quarantine */
	enum job_result result;
	char *text; /* owned; NULL = none */
	int64_t quarantine_id;
};

/* What an incarnation of the batch came to. */
struct apply_reach {
	struct incarnation *incarnation; /* the loop's */
	int64_t seq;
	uint64_t applied;
};

struct apply_batch {
	struct job job; /* picking, later unlinking */
	struct catalog_task task;
	struct apply *apply;
	struct stage *stage;
	struct catalog_reader *reader; /* the applier's */
	enum hold_deletes hold_deletes;
	bool pass; /* quarantine=pass */
	struct apply_pick picks[APPLY_PICKS_MAX];
	unsigned n_picks;
	struct apply_item items[JOB_BATCH_MAX];
	unsigned n_items, n_max, n_sent;
	struct buf lines;
	uint64_t bytes;
	struct apply_reach reach[APPLY_PICKS_MAX];
	unsigned n_reach;
	int result;
	struct err err;
};

struct apply {
	struct recvd *d;
	struct loader *loader;
	struct worker *worker;
	struct catalog_reader reader;
	struct loop_task kick;
	struct loop_timer timer;
	struct apply_batch *batch; /* the one under way */
	bool is_out;		   /* it is with the loader */
	bool is_closing;
	uint64_t not_before_ms;	   /* the loader's own pause */
	unsigned n_failures;	   /* starts and deaths in a row */
	unsigned n_stops;	   /* "stop" said in a row */
	uint64_t started_ms;	   /* the loader, when last */
	uint64_t round;		   /* of serving domains, so that none starves */
	unsigned n_deaths;	   /* of one set of jobs */
	unsigned n_single;	   /* so many jobs go one by one */
	char text[512];		   /* why it waits; "" = it does not */
	char program[SETTINGS_PATH_MAX];
};

/* Runs on the applier's thread. */
void apply_pick_run(struct job *j);

void apply_batch_free(struct apply_batch *b);

/* Records what is decided of a batch; then it is told, tidied up and freed. */
void apply_end(struct apply_batch *b);

/* From apply_end.c back: the batch is through. */
void apply_batch_over(struct apply *a, struct apply_batch *b);

#endif
