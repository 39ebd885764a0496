/* One sender's connection as a state machine: events in, actions out. It holds no
 * descriptor and reads no clock, so the simulator runs the same code.
 *
 * The owner (session.c, or tests/sim) gives it decoded messages and completions, and
 * after each takes actions with receive_next() until there is none. The machine checks
 * order, bounds and every digest; it acknowledges a serial only after the owner said
 * that its commit is durable. An entry becomes durable as a whole, and in serial order among
 * those of its database; blocks of later entries may be written before. Where an edge says
 * LATER, what belongs to other databases passes that entry and is told as EARLY.
 *
 * What a failed write, sync or commit means: the owner calls receive_failed(); the
 * machine says BYE_BUSY and closes. Nothing is retried on the same descriptor: the edge
 * comes again and HELLO tells it what is there (design, section 3). */
#ifndef TSFERRY_RECEIVE_H
#define TSFERRY_RECEIVE_H

#include "early.h"

#ifndef RECEIVE_OPEN_MAX
#define RECEIVE_OPEN_MAX 64u	     /* entries begun and not complete */
#endif
#ifndef RECEIVE_UNCOMMITTED_MAX
#define RECEIVE_UNCOMMITTED_MAX 8192u /* complete entries that wait for a commit */
#endif

struct receive;

enum receive_act_kind {
	RX_NONE,
	RX_LOOKUP,  /* who is this (the HELLO is in `hello`): receive_known() or receive_refuse() */
	RX_WELCOME, /* send it; `welcome` */
	RX_PARTIAL, /* send it; `partial` */
	RX_EARLY,   /* send it: `early`, borrowed until the next event; behind the WELCOME also none,
		     * and in front of them entries that only filled a serial up to the durable one */
	RX_OPEN,    /* entry `entry` begins in blocks: make or reuse its partial file; receive_opened() */
	RX_WRITE,   /* block `index` at `offset`: data is borrowed until the next event; receive_written() */
	RX_FETCH,   /* block `index` at `offset`, `len` bytes, is made from held files: `block` and
		     * `held`, borrowed until the next event; written only if it has `digest`;
		     * receive_fetched() */
	RX_WANT,    /* send it: block `index` of `serial` shall come literally */
	RX_STAGE,   /* `entry` is complete with its payload in `data`: keep it for the next commit */
	RX_STAGE_FILE, /* `entry` is complete in its partial file, every write done: keep it for the next commit */
	RX_DURABLE, /* send it: `serial` */
	RX_APPLIED, /* send it: `applied` */
	RX_DISCARD, /* the partial file of `serial`, `nonce` is of no use: remove it */
	RX_DROP,    /* the incarnation of this connection is dropped by its edge */
	RX_BYE,	    /* send it and close: `bye` */
};

struct receive_act {
	enum receive_act_kind kind;
	uint64_t serial, nonce, index, offset;
	const struct entry *entry; /* borrowed until the next event */
	struct digest digest;	   /* of the block, or of the entry */
	const uint8_t *data;
	uint32_t len;
	const struct msg_block *block; /* RX_FETCH: ranges, and data of a PREFIX */
	const struct fileid *held;     /* which the ranges number */
	const struct msg_hello *hello;
	struct msg_welcome welcome;
	struct msg_partial partial;
	struct msg_applied applied;
	const struct early_one *early;
	size_t n_early;
	struct msg_bye bye;
};

/* A partial file that was found and read again: which blocks are really there. */
struct receive_partial {
	struct entry entry; /* taken by receive_known() */
	uint64_t n_blocks;
	uint8_t *present;	/* one byte per block; owned, taken */
	struct digest *digests; /* one per block; owned, taken */
};

/* What the catalog knows of an incarnation; zeros for a new one. */
struct receive_known {
	uint8_t instance[ID_LEN];
	uint64_t durable, durable_nonce, applied;
	uint32_t n_quarantined;
	const struct early *early; /* borrowed; NULL: none */
	const struct early *fills; /* the same: durable entries that only fill a serial */
	struct receive_partial *partials; /* array of n; the array is the caller's, contents are taken */
	size_t n_partials;
	bool is_doubted; /* the partials are as their lists say, and not read yet: none becomes
			  * more than it is before receive_believed() */
};

/* The owner's part, besides doing the acts in their order: before it answers RX_LOOKUP
 * nothing of an earlier connection of this incarnation may be on its way to the disk
 * (staged entries are committed or dropped, writes and removals are done). RX_OPEN,
 * RX_WRITE and RX_DISCARD of one serial take effect in their order. RX_OPEN reuses the
 * file of the same serial and nonce if there is one: its blocks are those that
 * receive_known() told of. RX_STAGE with more than ENTRY_ROW_MAX bytes never follows an
 * RX_DISCARD of its serial, so that the two may be different threads' work. Nothing of a
 * durable serial is ever discarded. */
struct receive *receive_new(void);
void receive_free(struct receive *r);

void receive_hello(struct receive *r, const struct msg_hello *m);
void receive_known(struct receive *r, const struct receive_known *k);
void receive_refuse(struct receive *r, enum bye_why why, const char *sentence);

void receive_entry(struct receive *r, struct msg_entry *m); /* takes what its entry owns */
void receive_later(struct receive *r, const struct msg_later *m);
void receive_block(struct receive *r, const struct msg_block *m);
void receive_held(struct receive *r, const struct msg_held *m);
void receive_end(struct receive *r, const struct msg_end *m);
void receive_drop(struct receive *r, const struct msg_drop *m);
void receive_bad(struct receive *r, const char *sentence); /* undecodable: BYE_PROTOCOL */

/* The file of an RX_OPEN is there; the first receive_written() says so too. */
void receive_opened(struct receive *r, uint64_t serial);
void receive_written(struct receive *r, uint64_t serial, uint64_t index);
/* After an RX_FETCH: the block is written; or not, because what is held has another
 * digest, or is not there. */
void receive_fetched(struct receive *r, uint64_t serial, uint64_t index, bool is_good);
/* Whatever was known with `is_doubted` has been read, and is there. */
void receive_believed(struct receive *r);
/* Entries handed over for a commit that has not been told. */
uint64_t receive_uncommitted(const struct receive *r);
void receive_committed(struct receive *r, uint64_t serial); /* every entry up to it */
/* A staged one, while one in front of it is not. */
void receive_early(struct receive *r, const struct early_one *one);
void receive_applied(struct receive *r, uint64_t serial, uint32_t n_quarantined);
/* A write, sync or commit failed, or there is no room: sentence for the edge. */
void receive_failed(struct receive *r, const char *sentence);

int receive_next(struct receive *r, struct receive_act *act); /* 1, or 0 when none */

bool receive_is_welcomed(const struct receive *r);
uint16_t receive_version(const struct receive *r); /* agreed; 0: none yet */
uint64_t receive_durable(const struct receive *r);

#endif
