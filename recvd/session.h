/* One accepted connection: a stream, the receive machine, and what the machine asks for.
 *
 * session.c is its life, session_msg.c turns bytes into events, session_act.c actions
 * into frames and jobs, session_fetch.c blocks that do not travel; session_hello.c answers "who is this, and what do we have of
 * it"; the machine (receive.h) decides everything in between. A session ends once, for one reason, and is freed when its last
 * job came back. session_look.c reads what was found half received. Nothing here blocks. */
#ifndef TSFERRY_SESSION_H
#define TSFERRY_SESSION_H

#include "commit.h"
#include "ground/stream.h"
#include "quota.h"
#include "receive.h"
#include "recvd.h"

#define SESSION_SILENCE_MS 25000 /* nothing for so long: the link is dead */
#define SESSIONS_MAX 1024u
#define FRAME_BUF_MAX (FRAME_LEN_MAX + FRAME_HEAD_LEN)

enum session_state {
	SESSION_GREETING, /* no HELLO yet */
	SESSION_LOOKUP,	  /* HELLO is being answered */
	SESSION_LIVE,
	SESSION_ENDED,
};

struct session {
	struct session *next, *prev; /* of recvd */
	struct recvd *d;
	struct stream *stream; /* owned; NULL when ended */
	struct receive *rx;    /* owned; NULL when ended */
	enum session_state state;
	bool is_open;	 /* greeting and handshake are done */
	bool is_pumping; /* actions are being taken further up the stack */
	struct net_addr from;
	char address[NET_TEXT_LEN];
	struct sender *sender;		 /* from HELLO on */
	struct incarnation *incarnation; /* from HELLO on, not of a probe */
	struct loop_timer silence;
	struct loop_timer frame; /* one is half here */
	struct loop_timer slow;	 /* until the next entry may come */
	bool is_timed;		 /* the HELLO's deadline runs */
	bool is_slowed, is_unread;
	bool is_crowded; /* the next ENTRY has no room before what is under way is durable */
	uint64_t acked; /* of our bytes, while they are unread */
	bool is_live;	      /* counted in n_live */
	enum refused_for refusal; /* why it is closed, when that is not its BYE's class */
	unsigned n_asks;      /* ASK_KEPT */
	uint64_t moved_ms;    /* when a block or an entry came last */
	struct loop_task finish; /* says goodbye outside of the stream's own call */
	struct session_file *files;	 /* begun and not complete */
	size_t n_jobs;			 /* which still point here */
	int64_t since_ms;
	char *waits; /* owned; what session_waits() said last; NULL = nothing */
	/* while the HELLO is being answered */
	struct commit_wait wait;
	bool is_waiting;
	struct sender *known_sender; /* of an incarnation that is being added */
	struct stage_partial *partials; /* owned; also what RX_OPEN may use again */
	size_t n_partials;
	struct look *look; /* owned; they are being read; NULL: they were */
};

/* A half-received entry of a session: what the loop knows of the writer's object. */
struct session_file {
	struct session_file *next;
	struct stage_file *file; /* owned; the writer's while jobs are under way */
	uint64_t serial, nonce, len, n_blocks, n_written;
};

/* Takes fd. The peer was checked against the white list. */
int session_new(struct recvd *d, int fd, const struct net_addr *from, struct err *e) MUST_CHECK;

/* Says BYE with a reason and ends. Safe on one that has ended. */
void session_bye(struct session *s, enum bye_why why, const char *sentence);

/* From the commit and the applier. */
void session_committed(struct session *s, uint64_t serial);
/* In front of it: an entry that passed one that is not committed. */
void session_early(struct session *s, const struct early_one *one);
void session_failed(struct session *s, const char *sentence);
void session_applied(struct session *s);
/* Why nothing is applied; said when it is not what the edge heard last. "": it is. */
void session_waits(struct session *s, const char *reason);
void session_quarantine(struct session *s, const struct quarantine_row *row, bool is_over);

void sessions_bye(struct recvd *d, enum bye_why why, const char *sentence);
/* Those whose peer is not in the white list any more. */
void sessions_check_peers(struct recvd *d, const struct net_list *allowed);
/* A sync failed: ends every session and removes every half-received file, whether a
 * session has it open or not. Nothing may be on its way to a commit. */
void sessions_distrust(struct recvd *d, const char *sentence);
void session_discard(struct recvd *d, const struct incarnation *i, uint64_t serial);
void sessions_free(struct recvd *d); /* at the end; the workers are through */

void sessions_reap(struct loop_task *t); /* frees those that ended */

/* Ends an incarnation for good: its half-received files go, its durable entries stay.
 * `told` (may be NULL) gets a BYE when that is kept, and ends. */
void session_drop_incarnation(struct recvd *d, struct incarnation *i, struct session *told);

/* ---- between the parts of session ---- */

/* Takes bytes of the stream; how many. */
size_t session_data(struct session *s, const uint8_t *p, size_t n);
/* Sends what is encoded in b, and releases it. */
void session_send(struct session *s, struct buf *b);
/* Takes `f` (may be NULL): closes it behind its last write; removes its files or not. */
void session_close_file(struct recvd *d, const struct incarnation *i, uint64_t serial,
			struct stage_file *f, bool remove);

/* ---- session_hold.c: who is read, and how long one may take ---- */

/* Not read, and what reads it again:
 *
 *	LOOKUP		answer(), or the session's end
 *	room.is_full	room_sub(): a block is written, a commit is through
 *	is_unread	the stream is drained
 *	is_slowed	its timer
 *	is_crowded	a job came back, a commit was told; one is under way, or it ends
 *	share		session_flight(): there is flight, and all of it ends
 *
 * Each of them calls session_breathe(), which offers again what was left unread, provided
 * that the stream was paused. So whoever finds a session held, and leaves bytes, pauses it:
 * a share also shrinks because of another session. */
bool session_is_held(const struct session *s);
void session_breathe(struct session *s);   /* is read, or not, as things are now */
void sessions_breathe(struct recvd *d);
/* Bytes in buffers of a sender: so many more, so many less. */
void session_flight(struct recvd *d, struct sender *x, uint64_t more, uint64_t less);
/* There is no room for an entry: whether to ask again when something of this session has
 * moved, because what is under way still may; it is not read until then. */
bool session_crowds(struct session *s);
void session_crowd_moved(struct session *s);
bool session_may_take(struct session *s, const struct frame *f); /* its entries a second */
void session_drained(void *arg);
void session_check_unread(struct session *s);
void session_check_stall(struct session *s);
void session_time_frame(struct session *s, bool is_begun);
void session_time_silence(struct session *s);
void session_count(struct session *s); /* its refusal */

void session_ask_kept(struct session *s, const struct frame *f); /* session_kept.c */

void session_lookup(struct session *s, const struct msg_hello *m);
void session_lookup_stop(struct session *s);
/* The same for a file that is begun, or only found; takes it out of the session. */
void session_drop_file(struct session *s, uint64_t serial, bool remove);
/* The disk is full: half-received entries behind `serial` are removed. */
void session_make_room(struct session *s, uint64_t serial);
/* What was found of an entry at HELLO and is not begun; NULL. n_blocks: how many. */
const struct stage_partial *session_found(const struct session *s, uint64_t serial,
					  uint64_t nonce);
/* What jobs of the writer that bring a block share: its buffer and the room it takes, until
 * done; that it is written; that its write failed. */
uint8_t *session_block_begins(struct session *s); /* NULL: no memory */
void session_block_done(struct session *s, struct sender *x, uint8_t *data);
void session_block_written(struct session *s, uint64_t serial);
void session_write_failed(struct session *s, const struct err *why);
void session_job_returned(struct session *s);
struct session_file *session_find_file(struct session *s, uint64_t serial);
/* session_look.c: what was found is told as its lists have it, and read from now on, beside what
 * comes: then it is believed, or the session ends. The lists are copied. */
void session_look(struct session *s);
void session_look_stop(struct session *s);
/* session_fetch.c: a block that is made from held files. */
void session_fetch(struct session *s, const struct receive_act *act);
/* Takes the machine's actions until there is none. */
void session_pump(struct session *s);
void session_end(struct session *s);

#endif
