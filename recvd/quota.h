/* What a stranger and a sender may take of the receiver, and why somebody was sent away.
 *
 * A stranger is a connection without a WELCOME: few of them in all and from one address, with
 * one deadline for the greeting and the handshake (stream.h) and one for the HELLO. A sender has
 * one connection; how often it may come again, how many pipes it may begin, how many
 * databases it may name, and its share of the buffers are constants, because nobody tunes them;
 * how much it may stage and how fast it may send are settings (sender_max_bytes,
 * sender_max_rate). Everything is looked at before memory is taken for it.
 *
 * Buckets hold thousandths of a piece, so that slow rates need no fractions. Pure. */
#ifndef TSFERRY_RECVD_QUOTA_H
#define TSFERRY_RECVD_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#define QUOTA_STRANGERS 256u	       /* connections without a WELCOME */
#define QUOTA_STRANGERS_OF_ADDRESS 64u /* of them, a site behind one address */
#define QUOTA_SENDERS 4096u   /* keys that are known; more need FORGET SENDER */
#define QUOTA_DATABASES 4096u /* of one pipe */
#define QUOTA_HELLO_MS 10000u /* from the handshake to a whole HELLO */
#define QUOTA_FRAME_MS 60000u /* for one frame, whose first bytes are here */
#define QUOTA_STALL_MS 600000u /* an entry was begun, and no block comes */
#define QUOTA_UNREAD_BYTES (1u << 20) /* answers that a peer does not read */
#define QUOTA_FLIGHT_LEAST \
	(512u << 10) /* a share of the buffers is never less */

/* So many at once, then so many a thousand seconds. */
#define QUOTA_HELLOS 64u
#define QUOTA_HELLOS_PER_1000S 2000u
#define QUOTA_INCARNATIONS 32u
#define QUOTA_INCARNATIONS_PER_1000S 100u

struct quota_bucket {
	uint64_t taken_milli; /* what is missing in it */
	uint64_t at_ms;
};

/* Takes one piece, when there is one. `burst`: how many it holds when full. */
bool quota_take(struct quota_bucket *b, uint64_t now_ms, uint64_t burst,
		uint64_t per_1000s);
/* How long until the next piece, 0 when there is one. */
uint64_t quota_wait_ms(struct quota_bucket *b, uint64_t now_ms, uint64_t burst,
		       uint64_t per_1000s);

/* Why a connection was refused or closed; counted in `metrics` under these names. */
enum refused_for {
	REFUSED_WHITE_LIST,
	REFUSED_OFF,   /* PIPESERVER is off */
	REFUSED_CROWD, /* connections: in all, of strangers, of an address */
	REFUSED_GREETING, /* it ended before it was a tsferry: greeting, handshake, deadline */
	REFUSED_HELLO, /* no HELLO in time */
	REFUSED_SLOW,  /* a frame, or an entry that was begun, did not come */
	REFUSED_SILENT,
	REFUSED_UNREAD, /* answers were not read */
	REFUSED_QUOTA,	/* HELLOs, pipes, databases, bytes of one sender */
	REFUSED_BUSY,	/* no room, a write that failed */
	REFUSED_KEY,	/* key, name, not admitted */
	REFUSED_TAKEN_OVER,
	REFUSED_MISMATCH,
	REFUSED_PROTOCOL,
	REFUSED_VERSION,
	REFUSED_HISTORY,
	N_REFUSALS
};

const char *refusal_name(enum refused_for r);

#endif
