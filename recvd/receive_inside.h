/* The inside of the receive machine, shared by its parts: receive.c holds the
 * dialogue (HELLO, WELCOME, progress, BYE), receive_found.c what was found half received,
 * receive_entries.c the entries on their way, receive_early.c those that pass others,
 * receive_held.c blocks that do not travel.
 * Nobody else includes this.
 *
 *	durable < next_stage <= next_entry
 *
 * next_entry is the serial that must come next, next_stage the oldest one that is not
 * yet handed over for a commit. What lies between waits in a ring over the serial; NULL there:
 * it is handed over already, or was durable before. */
#ifndef TSFERRY_RECEIVE_INSIDE_H
#define TSFERRY_RECEIVE_INSIDE_H

#include "domain/squeeze.h"
#include "receive.h"

/* Payloads that wait in memory behind an incomplete entry; more goes to partial
 * files. Heads that wait, their devices included; more is refused as BYE_BUSY. */
#ifndef RECEIVE_KEPT_MAX
#define RECEIVE_KEPT_MAX (1u << 20)
#endif
#ifndef RECEIVE_HEADS_MAX
#define RECEIVE_HEADS_MAX (8u << 20)
#endif

enum receive_state {
	RECEIVE_NEW,	/* HELLO is expected */
	RECEIVE_LOOKUP, /* the owner is asked */
	RECEIVE_LIVE,
	RECEIVE_PROBED, /* only asked; nothing more is expected */
	RECEIVE_OVER,	/* BYE or DROP: nothing counts any more */
};

/* A block of an entry, in `present`. */
enum rx_block {
	RX_BLOCK_ABSENT,
	RX_BLOCK_HERE,
	RX_BLOCK_FETCHED, /* being read from held files */
	RX_BLOCK_WANTED,  /* which failed: it is to come literally */
};

/* An entry on its way: found half received, open, or waiting for its turn. */
struct rx_entry {
	struct entry en; /* owned */
	uint64_t n_blocks, n_have, n_writing, n_missing; /* n_missing: fetched or wanted */
	uint8_t *present;	/* owned, one byte per block */
	struct digest *digests; /* owned, one per block */
	uint8_t *data;		/* owned: the payload kept in memory */
	uint32_t len;
	struct digest digest; /* of the entry, when ended */
	bool is_file, is_ended;
	bool is_found; /* half received before this connection */
	bool is_later; /* only its serial and database are known */
	bool is_ending; /* END came, `digest` is what it said; blocks are still missing */
	struct fileid *held; /* owned: files that its blocks refer to */
	uint32_t n_held;
	bool is_opening; /* RX_OPEN is under way: nothing may be synced yet */
	size_t head_bytes;
	struct rx_entry *next; /* in the list of spent ones */
};

#define RX_BLOCKED_MAX 32u /* databases that wait; with more nobody passes */

/* How far the ring was looked through for somebody who may pass: an event that changes nothing in
 * front of `at` costs no second look. */
struct rx_pass {
	uint64_t from, at; /* from next_stage as it was; 0: nothing counts */
	const char *blocked[RX_BLOCKED_MAX]; /* borrowed from the ring */
	size_t n;
};

struct rx_discard {
	uint64_t serial, nonce;
};

struct receive {
	enum receive_state state;
	struct msg_hello hello;
	struct msg_welcome welcome;
	uint16_t version; /* agreed; 0: no HELLO yet, or none in common */
	struct squeezer *squeezer; /* owned; its bytes are borrowed by the next act */
	uint64_t durable, applied, told_durable, told_applied;
	uint32_t n_quarantined, told_quarantined;

	/* Acts that wait to be taken. */
	bool say_lookup, say_early, say_welcome, say_drop, say_bye;
	struct msg_bye bye;
	size_t partial_at;	     /* the next of `found` to tell of */
	uint64_t partial_block;	     /* and from which block on */
	uint32_t partials_left;	     /* of what the WELCOME announced */
	struct rx_discard *discards; /* owned; all of this connection */
	size_t n_discards, cap_discards, discard_at;
	struct rx_entry *opening, *writing; /* borrowed from the ring */
	uint64_t write_index;
	const uint8_t *write_data; /* borrowed from the message */
	struct rx_entry *fetching; /* borrowed from the ring */
	struct msg_block fetch; /* its data borrowed from the message */
	struct msg_want *wants; /* owned; to be said */
	size_t n_wants, cap_wants;

	/* receive_early.c */
	bool has_later;	     /* the edge knows what EARLY means */
	struct rx_pass pass;
	struct early known;  /* as receive_known() said */
	struct early greeting; /* what is told of it behind the WELCOME */
	struct early passed; /* durable above `durable` */
	struct early tell;   /* which the edge has not heard */
	bool is_told;	     /* it has, since the last event */
	uint64_t n_out;	     /* handed over, and not told of */

	/* receive_entries.c */
	uint64_t next_entry, next_stage;
	struct rx_entry **ring;	 /* owned; RECEIVE_UNCOMMITTED_MAX slots */
	struct rx_entry **found; /* owned; partials that no ENTRY named yet */
	bool is_doubted;	 /* what was found is not read yet */
	size_t n_found;
	unsigned n_open;
	unsigned n_ended; /* in the ring, and whole */
	size_t kept_bytes, head_bytes;
	struct rx_entry *spent; /* given out; freed at the next event */
	/* The usual case, an inline entry whose turn it is, passes without a copy. */
	struct rx_entry now;
	bool has_now;
};

/* Every event begins with it: what was borrowed until now is freed. */
void rx_settle(struct receive *r);
void rx_bye(struct receive *r, enum bye_why why, uint64_t serial,
	    const char *fmt, ...) PRINTF_LIKE(4, 5);
void rx_discard(struct receive *r, uint64_t serial, uint64_t nonce);
bool rx_was_discarded(const struct receive *r, uint64_t serial);
void rx_entry_free(struct rx_entry *x);
void rx_found_take(struct receive *r, const struct receive_known *k);
uint32_t rx_found_messages(const struct receive *r);
int rx_found_next(struct receive *r, struct receive_act *act);
/* The found one that continues as `en`, taken out; others of that serial are of no
 * use. Without `may_use` none is. */
struct rx_entry *rx_found_match(struct receive *r, const struct entry *en,
				bool may_use);
int rx_entries_next(struct receive *r, struct receive_act *act);
/* Into the ring; takes what `en` owns, and `x` (NULL: a new one). NULL: refused, the
 * connection is over. */
struct rx_entry *rx_wait_begins(struct receive *r, struct rx_entry *x, struct entry *en);
static inline bool rx_is_ready(const struct receive *r, const struct rx_entry *x)
{
	return x->is_ended && x->n_writing == 0 && !x->is_opening &&
	       !(x->is_found && r->is_doubted);
}
/* receive_early.c: what was durable early before this connection, and is to be told. */
void rx_early_take(struct receive *r, const struct receive_known *k);
/* Durable since before this connection. */
bool rx_is_early(const struct receive *r, uint64_t serial);
/* An entry that is; the edge need not know it. Another one of its serial ends the connection. */
bool rx_entry_again(struct receive *r, const struct entry *en);
/* The next that may be handed over before its turn; NULL. */
struct rx_entry *rx_early_ready(struct receive *r);
/* An entry that waits became ready, or left its place: who may pass is to be looked for anew. */
static inline void rx_pass_anew(struct receive *r)
{
	r->pass.from = 0;
}
int rx_early_next(struct receive *r, struct receive_act *act);
/* The entry at a serial that is not handed over yet; NULL. */
struct rx_entry *rx_at(struct receive *r, uint64_t serial);
/* One that is open, or BYE. */
struct rx_entry *rx_find_open(struct receive *r, uint64_t serial, const char *what);
/* Every block of an ended entry is here: its digest decides. */
void rx_entry_whole(struct receive *r, struct rx_entry *x);
/* receive_held.c: a block that refers to held files. */
void rx_block_held(struct receive *r, struct rx_entry *x, const struct msg_block *m);
int rx_held_next(struct receive *r, struct receive_act *act);
void rx_entries_release(struct receive *r);

#endif
