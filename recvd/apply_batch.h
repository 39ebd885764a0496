/* One batch of the applier: picked by its thread, answered by the loader, recorded by
 * the keeper. For apply.c, apply_pick.c and apply_end.c only. */
#ifndef TSFERRY_APPLY_BATCH_H
#define TSFERRY_APPLY_BATCH_H

#include "apply.h"
#include "loader.h"

#define APPLY_NICE 10 /* of the thread and of the loader, where they step behind */
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
	bool is_delivered; /* a FILE of the database was applied, whichever pipe brought it */
	bool is_shared; /* another sender delivered one, and what loads keeps both in one place */
	uint64_t n_freed; /* of the domain, when the batch began */
	bool is_held; /* out: the next entry is quarantined, and nothing may pass it */
};

struct apply_item {
	struct apply_pick *pick;
	struct stage_parts parts;
	uint64_t payload_len;
	bool is_sent;  /* to the loader; else the result was decided here */
	bool was_quarantined; /* RELEASED: it has a row in the quarantine */
	bool is_row;	      /* its payload is in the catalog; files are only the loader's */
	bool is_retained;     /* it is kept when it is applied */
	enum job_result result;
	char *text; /* owned; NULL = none */
	char *paths; /* owned; of a MISMATCH; NULL = none named */
	int64_t quarantine_id;
	uint64_t *cures; /* owned; of a SCHEMA: mismatches that are tried again behind it */
	unsigned n_cures;
	unsigned n_cured; /* of them, an operator had not dealt with meanwhile */
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
	bool steps_behind; /* its thread does */
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
	unsigned n_alone;	   /* deaths in a row with one job alone, */
	uint64_t alone_serial;	   /* the entry of this serial */
	char text[512];		   /* why it waits; "" = it does not */
	char program[SETTINGS_PATH_MAX];
	bool is_outdated; /* the loader runs with other settings */
};

/* Runs on the applier's thread. */
void apply_pick_run(struct job *j);

void apply_batch_free(struct apply_batch *b);

/* ---- apply_schema.c, on the applier's thread ---- */

/* The payload of an entry, as a row or from its staged file, into `bytes`, which stays empty
 * for a row. */
int apply_payload(struct apply_batch *b, const struct apply_pick *pick,
		  const struct entry_row *row, struct buf *bytes, const void **p,
		  size_t *n) MUST_CHECK;
/* Why a SCHEMA waits for an operator, NULL when it does not. is_delivered: a FILE of the
 * database was applied before. */
int apply_schema_stray(struct apply_batch *b, const struct apply_pick *pick,
		       const struct entry_row *row, bool is_delivered,
		       char **reason) MUST_CHECK;
/* Which type mismatches a SCHEMA may cure, into it->cures. */
int apply_schema_cures(struct apply_batch *b, const struct entry_row *row,
		       struct apply_item *it) MUST_CHECK;
/* Entry `row` is quarantined and holds its domain: calls `take` with the next SCHEMA entry
 * that may cure it. 1 when there was one. */
int apply_schema_pass(struct apply_batch *b, const struct apply_pick *pick,
		      const struct entry_row *row,
		      int (*take)(void *arg, const struct entry_row *row), void *arg) MUST_CHECK;

/* Records what is decided of a batch; then it is told, tidied up and freed. */
void apply_end(struct apply_batch *b);

/* From apply_end.c back: the batch is through. */
void apply_batch_over(struct apply *a, struct apply_batch *b);

#endif
