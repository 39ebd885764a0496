/* The inside of the upload machine, shared by its two halves: upload.c holds the
 * dialogue (greeting, histories, progress, farewell), upload_window.c what is under way
 * (heads, reads, sends), upload_lane.c what is put off, upload_early.c what is durable above
 * the durable serial, upload_refer.c what the receiver may hold. Nobody else includes this.
 *
 * Serials under way, in order:
 *
 *	durable < send_serial <= read_serial <= heads_end <= fetch_end <= assigned + 1
 *
 * send_serial is the entry whose frames are next, read_serial the one whose blocks are
 * read next, heads_end the first head not yet here, fetch_end the first not asked for.
 * Everything is a ring over the serial, so that an event costs no search.
 *
 * There are two lanes. One is these cursors; what they put off goes into the other, a queue
 * with its own read and send cursor. Reads of both are answered in one order, so that who
 * is next to be sent is told by the block that was read first. */
#ifndef TSFERRY_UPLOAD_INSIDE_H
#define TSFERRY_UPLOAD_INSIDE_H

#include "upload.h"

#ifndef UPLOAD_HEADS
#define UPLOAD_HEADS 256u     /* heads here or asked for; a power of two */
#endif
#ifndef UPLOAD_RUNS_MAX
#define UPLOAD_RUNS_MAX 4096u /* PARTIAL messages remembered of one WELCOME */
#endif
#define UPLOAD_HAVE_MAX (1u << 20) /* digests remembered of one WELCOME */
#define UPLOAD_FAILING 8u	   /* serials whose attempts are counted */

enum upload_state {
	UPLOAD_OFF,
	UPLOAD_GREETING, /* HELLO is out */
	UPLOAD_CHECKING, /* the catalog is asked for a nonce */
	UPLOAD_LISTING,	 /* PARTIALs are awaited */
	UPLOAD_LIVE,
	UPLOAD_LEAVING, /* BYE came or was decided: nothing counts until the link is gone */
};

struct upload_read {
	uint64_t serial, index;
	uint32_t len;
	bool is_stale; /* asked for on a link that is gone */
	bool is_want;  /* the receiver asked for it */
};

struct upload_done {
	uint64_t serial, index;
	uint32_t len;
	struct digest digest;
	void *data;
};

struct upload_sent {
	uint64_t nonce, bytes, len;
	bool may_refer;
	bool is_later; /* it is put off, and not wholly sent */
	bool is_early; /* durable before its turn */
};

/* An entry of which blocks may be asked for: sent, or being sent, and not durable. */
struct upload_ref {
	uint64_t serial; /* 0: free */
	struct entry en; /* a FILE: owns nothing */
	unsigned n_missed;
};

#define UPLOAD_REF_SPAN UPLOAD_WINDOW_ENTRIES /* entries that are sent behind the oldest of them */
#define UPLOAD_REF_MISSES 4u   /* of an entry, then the rest of it is literal */
#define UPLOAD_REF_FAILURES 8u /* entries with a miss, when they are more than half */
#define UPLOAD_WANTS_MAX (1u << 16)

/* Blocks that the receiver holds already; sorted by serial and first. */
struct upload_run {
	uint64_t serial, nonce, first;
	uint32_t n;
	struct digest *digests; /* owned */
};

struct upload_lane {
	bool read_open, send_open; /* the entry at the cursor has begun */
	uint64_t read_index, send_index;
	size_t read_run, send_run;
	struct digest_list list; /* of the entry while send_open */
	uint64_t mark_serial, mark_index; /* furthest block ever sent */
};

struct upload_later {
	struct entry en; /* owned */
	bool is_held;
};

struct upload_failing {
	uint64_t serial;
	unsigned n;
};

struct upload {
	enum upload_state state;
	uint64_t assigned, released, durable, applied;
	uint64_t told_durable, told_applied;
	/* The nonce of one durable serial, so that a reconnect needs no catalog. */
	uint64_t known_serial, known_nonce;
	unsigned max_attempts;
	struct upload_failing failing[UPLOAD_FAILING];

	/* What the WELCOME said, until it is checked. */
	uint16_t version; /* agreed; 0: none yet */
	uint64_t there_durable, there_applied;
	struct early_one asked;	      /* whose nonce is to be the same here */
	/* Owned; of this link's beginning. The first n_fills are durable and only fill serials. */
	struct early_one *there_early;
	size_t n_there_early, n_fills;
	size_t ask_left; /* of there_early: so many may still be asked about */
	bool awaits_early, has_early; /* the receiver lets entries pass */
	bool is_single; /* it was BUSY: one behind the other until it is further */
	uint32_t partials_left;

	/* Acts that wait to be taken. */
	bool say_hello, ask_nonce, say_attempt, say_error, say_close, say_lost;
	uint64_t lost_beyond;
	struct upload_failing attempt;
	char attempt_text[SENTENCE_MAX + 1];
	uint64_t lost_serial;
	int lost_err;
	enum bye_why end_why;
	char end_text[SENTENCE_MAX + 1];

	/* upload_window.c */
	struct upload_run *runs; /* owned; NULL while there are none */
	size_t n_runs;
	uint64_t n_have;
	struct entry heads[UPLOAD_HEADS];
	uint64_t fetch_end, heads_end, read_serial, send_serial;
	struct upload_lane next, later; /* at read_serial, send_serial; at read_later, first_later */
	struct upload_later *laters; /* owned; a ring; NULL: none was put off yet */
	uint64_t first_later, read_later, end_later;
	uint64_t passed_bytes; /* read of `next` since one of `later` was */
	uint64_t n_early, early_bytes;
	struct upload_sent sent[UPLOAD_WINDOW_ENTRIES];
	uint64_t window_bytes; /* sent or being read, not durable */
	bool has_room;
	uint64_t ahead; /* of reads and done */
	struct upload_read reads[UPLOAD_READS];
	struct upload_done done[UPLOAD_READS];
	void *unused[UPLOAD_READS];
	unsigned n_reads, first_read, n_done, first_done, n_unused;

	/* upload_refer.c */
	bool is_held[UPLOAD_HEADS]; /* as upload_hold() said of the head */
	struct upload_ref refs[UPLOAD_REFS];
	struct msg_want *wants; /* owned; first_want to n_wants are to be read */
	size_t first_want, n_wants, cap_wants;
	struct upload_done wanted[UPLOAD_READS]; /* read; the oldest first */
	unsigned n_wanted;
	uint64_t n_referred, n_failed; /* entries of this link; of them with a miss */
	uint64_t resent_bytes;
};

/* From durable + 1, with the runs that were collected. */
void upload_window_start(struct upload *u);
/* Nothing is under way any more; reads still answer and are then stale. */
void upload_window_stop(struct upload *u);
void upload_window_durable(struct upload *u,
			   uint64_t serial); /* durable < serial <= sent */
void upload_window_partial(struct upload *u, const struct msg_partial *m);
int upload_window_next(struct upload *u, struct upload_act *act);

/* upload_lane.c */

/* Whether `en`, whose turn it is, is to be put off; -1: it has to wait. */
int upload_puts_off(const struct upload *u, const struct entry *en);
/* Takes what `en` owns. */
void upload_put_off(struct upload *u, struct entry *en, bool is_held);
void upload_lane_stop(struct upload *u);
/* The entry that is read, or sent, of those put off; NULL: none. */
struct upload_later *upload_later_read(struct upload *u);
struct upload_later *upload_later_sent(struct upload *u);
const struct upload_later *upload_later_at(const struct upload *u, uint64_t serial);
/* It is wholly sent. */
void upload_later_over(struct upload *u);
/* Whether every block of an entry up to `index` was sent. */
bool upload_block_was_sent(const struct upload *u, uint64_t serial, uint64_t index);

/* upload.c: WELCOME, and EARLY where there is one, are here. */
void upload_check_history(struct upload *u);

/* upload_early.c */

/* NULL: it is not among those that the receiver told of at the beginning. */
const struct early_one *upload_was_early(const struct upload *u, uint64_t serial);
/* The read cursor is at it: it is not sent. */
void upload_skip_early(struct upload *u, const struct entry *en);
/* DURABLE up to `serial` may be, or the receiver is mistaken. */
bool upload_may_be_durable(const struct upload *u, uint64_t serial);
/* It is: cursors that did not come so far are there. */
void upload_early_reach(struct upload *u, uint64_t serial);
void upload_early_passed(struct upload *u, struct upload_sent *sent);
void upload_early_stop(struct upload *u);

/* upload_refer.c */

/* The entry at the read cursor begins: 1 when its blocks may refer, 0 when not, -1 when it
 * has to wait for others. */
int upload_refer_begins(struct upload *u, const struct entry *en, bool is_held);
bool upload_refer_block(const struct upload *u, uint64_t serial);
void upload_refer_durable(struct upload *u);
void upload_refer_early(struct upload *u, uint64_t serial);
void upload_refer_stop(struct upload *u);
int upload_refer_read(struct upload *u, struct upload_act *act);
int upload_refer_send(struct upload *u, struct upload_act *act);
const struct entry *upload_refer_entry(const struct upload *u, uint64_t serial);
void upload_keep_unused(struct upload *u, void *data);
struct upload_read *upload_add_read(struct upload *u, const struct entry *en,
				    uint64_t index, struct upload_act *act);
unsigned upload_attempts(const struct upload *u, uint64_t serial);

static inline struct upload_sent *upload_sent_of(struct upload *u, uint64_t serial)
{
	return &u->sent[serial % UPLOAD_WINDOW_ENTRIES];
}

static inline uint64_t upload_sent_serial(const struct upload *u)
{
	return u->send_serial - 1;
}

/* The link is to be closed: for a reason of ours (0) or of the receiver's. */
void upload_leave(struct upload *u, enum bye_why why, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* One more attempt of `serial` failed, which the owner is told: how many there were. */
unsigned upload_failed(struct upload *u, uint64_t serial, const char *text);
/* Entry `serial` cannot be read any more; err: errno. */
void upload_lost(struct upload *u, uint64_t serial, int err, const char *fmt,
		 ...) PRINTF_LIKE(4, 5);
/* The pipe must stop. */
void upload_stop(struct upload *u, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
