/* The inside of the upload machine, shared by its two halves: upload.c holds the
 * dialogue (greeting, histories, progress, farewell), upload_window.c what is under way
 * (heads, reads, sends), upload_refer.c what the receiver may hold. Nobody else includes this.
 *
 * Serials under way, in order:
 *
 *	durable < send_serial <= read_serial <= heads_end <= fetch_end <= assigned + 1
 *
 * send_serial is the entry whose frames are next, read_serial the one whose blocks are
 * read next, heads_end the first head not yet here, fetch_end the first not asked for.
 * Everything is a ring over the serial, so that an event costs no search. */
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
	uint64_t nonce, bytes;
	bool may_refer;
};

/* An entry of which blocks may be asked for: sent, or being sent, and not durable. */
struct upload_ref {
	uint64_t serial; /* 0: free */
	struct entry en; /* a FILE: owns nothing */
	unsigned n_missed;
};

#define UPLOAD_REF_SPAN 512u   /* entries that are sent behind the oldest of them */
#define UPLOAD_REF_MISSES 4u   /* of an entry, then the rest of it is literal */
#define UPLOAD_REF_FAILURES 8u /* entries with a miss, when they are more than half */
#define UPLOAD_WANTS_MAX (1u << 16)

/* Blocks that the receiver holds already; sorted by serial and first. */
struct upload_run {
	uint64_t serial, nonce, first;
	uint32_t n;
	struct digest *digests; /* owned */
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
	uint64_t there_durable, there_nonce, there_applied;
	uint32_t partials_left;

	/* Acts that wait to be taken. */
	bool say_hello, ask_nonce, say_attempt, say_error, say_close, say_lost;
	struct upload_failing attempt;
	char attempt_text[SENTENCE_MAX + 1];
	uint64_t lost_serial;
	int lost_err;
	enum bye_why end_why;
	char end_text[SENTENCE_MAX + 1];

	/* upload_window.c */
	struct upload_run *runs; /* owned; NULL while there are none */
	size_t n_runs, read_run, send_run;
	uint64_t n_have;
	struct entry heads[UPLOAD_HEADS];
	uint64_t fetch_end, heads_end, read_serial, send_serial;
	uint64_t read_index, send_index;
	bool read_open, send_open; /* the entry at the cursor has begun */
	struct digest_list list;   /* of send_serial while send_open */
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
	uint64_t mark_serial, mark_index; /* furthest block ever sent */
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

/* upload_refer.c */

/* The entry at the read cursor begins: 1 when its blocks may refer, 0 when not, -1 when it
 * has to wait for others. */
int upload_refer_begins(struct upload *u, const struct entry *en);
bool upload_refer_block(const struct upload *u, uint64_t serial);
void upload_refer_durable(struct upload *u);
void upload_refer_stop(struct upload *u);
int upload_refer_read(struct upload *u, struct upload_act *act);
int upload_refer_send(struct upload *u, struct upload_act *act);
const struct entry *upload_refer_entry(const struct upload *u, uint64_t serial);
void upload_keep_unused(struct upload *u, void *data);
struct upload_read *upload_add_read(struct upload *u, const struct entry *en,
				    uint64_t index, struct upload_act *act);
unsigned upload_attempts(const struct upload *u, uint64_t serial);

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
