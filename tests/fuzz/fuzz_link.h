/* The edge that a fuzzed receiver talks to: a link without a network, and a model of
 * catalog, reader and pipe which aborts when the link says or does what it must not. */
#ifndef TSFERRY_FUZZ_LINK_H
#define TSFERRY_FUZZ_LINK_H

#include "fuzz_peer.h"
#include "syncd/link_inside.h"
#include "syncd/pipes.h"

#define MODEL_JOBS 64u

struct call {
	const struct call_events *ev;
	void *arg;
	bool is_open;
};

struct edge_model {
	struct edge e;
	struct pipes pipes;
	struct pipe pipe;
	struct sink sink;
	struct link *link;
	struct call *call; /* NULL: none is up */
	struct buf
		stream;	 /* what the receiver said and the link did not take */
	struct buf tail; /* what the link said, not yet a whole frame */
	uint8_t *block;	 /* one block, for all payloads */
	struct loop_task *deferred;
	struct read_job *jobs[MODEL_JOBS];
	size_t n_jobs;
	uint64_t bytes_out;
	bool has_lost; /* the catalog answers less than it should */

	/* of the connection */
	bool has_hello, may_send, has_want;
	uint64_t next;	  /* the serial of the next ENTRY; 0: none was sent */
	uint64_t open[2]; /* entries whose blocks and END are due; 0: none */
	bool is_later[64]; /* by serial: put off, and not here yet */
	bool has_early;	   /* EARLY was said: some are put off, some are left out */
	uint64_t durable; /* as told to the pipe */
	uint64_t applied;
};

/* There is one, because what the link calls has no place for a pointer. */
extern struct edge_model *model;

void model_new(void);
void model_free(void);
uint64_t model_nonce(uint64_t serial);
uint64_t model_len(uint64_t serial);
struct entry model_entry(uint64_t serial);  /* owned by the caller */
void model_reads(unsigned n, unsigned how); /* the oldest n jobs come back */
void model_run_deferred(void);
/* What the link said on the wire. */
void model_heard(const struct buf *b);

#endif
