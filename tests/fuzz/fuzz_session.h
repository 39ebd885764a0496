/* The receiver that a fuzzed peer talks to: a session without a stream, and a model of
 * disk, commit and catalog which aborts when the machine asks for what it must not. */
#ifndef TSFERRY_FUZZ_SESSION_H
#define TSFERRY_FUZZ_SESSION_H

#include "domain/squeeze.h"
#include "fuzz_peer.h"
#include "recvd/session.h"

#define MODEL_ENTRIES 64u
#define MODEL_JOBS 256u

struct model_entry {
	uint64_t serial, nonce, len;
	uint64_t n_writing;
	bool is_open;
};

struct model_staged {
	uint64_t serial; /* 0: none */
	struct early_one one;
	struct digest database;
	bool is_told; /* as early */
};

struct model_job {
	uint64_t serial, index;
	bool is_write, is_fetch, is_good;
};

struct cloud {
	struct recvd d;
	struct session s;
	struct sender sender;
	struct incarnation incarnation;
	struct buf stream; /* what the peer sent and the session did not take */
	uint8_t *payload;  /* one block, for all entries */
	uint8_t packed[BLOCK_LEN];
	struct squeezer *squeezer;
	char devices[16];
	uint64_t next; /* the serial that a sound ENTRY would have */
	bool is_welcomed, is_dropped, is_slow;

	uint64_t durable, told_durable, staged, applied, told_applied;
	uint32_t partials_left;
	struct model_staged out[MODEL_ENTRIES]; /* by serial; what is staged */
	struct model_entry entries[MODEL_ENTRIES]; /* by serial */
	struct model_job jobs[MODEL_JOBS];
	size_t n_jobs;
};

struct cloud *owner_new(void);
void owner_free(struct cloud *c);

/* The digest of an entry whose payload are the model's bytes. */
struct digest model_digest(const struct cloud *c, uint64_t len);

void owner_known(struct cloud *c, struct rd *in);
void owner_disk(struct cloud *c, unsigned n); /* the oldest n jobs are done */
void owner_commit(struct cloud *c);
void owner_apply(struct cloud *c, unsigned n);
void owner_fail(struct cloud *c);

#endif
