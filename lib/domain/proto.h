/* The messages between syncd (edge) and recvd (cloud): one struct each, encode
 * beside decode in proto.c. Specified in tsferry-proto(5) and docs/protocol.md.
 *
 *	edge				cloud
 *	HELLO ------------------------->
 *	      <------------------------- WELCOME, EARLY (version 3), n_partials PARTIAL
 *	ENTRY (payload inline) -------->
 *	ENTRY, BLOCK ..., END --------->
 *	LATER instead of an ENTRY -----> (version 3)
 *	HELD before BLOCKs that refer -> (version 2)
 *	      <------------------------- WANT a block literally (version 2)
 *	      <------------------------- DURABLE n   (cumulative, after the commit)
 *	      <------------------------- EARLY n ... (version 3: before their turn)
 *	      <------------------------- APPLIED n   (cumulative), QUARANTINE, WAITS
 *	STATUS ------------------------>
 *	      <------------------------- PONG
 *	ASK_KEPT ---------------------->	(optional, after a RESYNC)
 *	      <------------------------- KEPT
 *	DROP -------------------------->
 *	      <------------------------- BYE reason  (then the end of the stream)
 *
 * Nothing waits for an answer but the first ENTRY for the WELCOME. Decoders bound
 * every length, consume everything and answer -EBADMSG otherwise; decoded strings are
 * copies, decoded payloads are borrowed from the frame. Names of senders and pipes are
 * plain (fileid.h); sentences come without control characters (encoders make blanks
 * of them), since they end on terminals. A message whose decoding failed owns
 * nothing and means nothing. */
#ifndef TSFERRY_PROTO_H
#define TSFERRY_PROTO_H

#include "entry.h"
#include "frame.h"
#include "version.h"

enum msg_type {
	MSG_HELLO = 1,
	MSG_WELCOME = 2,
	MSG_PARTIAL = 3,
	MSG_ENTRY = 4,
	MSG_BLOCK = 5,
	MSG_END = 6,
	MSG_DURABLE = 7,
	MSG_APPLIED = 8,
	MSG_QUARANTINE = 9,
	MSG_STATUS = 10,
	MSG_PONG = 11,
	MSG_DROP = 12,
	MSG_BYE = 13,
	/* Optional ones: who does not know them drops them. */
	MSG_ASK_KEPT = 20,
	MSG_KEPT = 21,
	MSG_WAITS = 22,
	MSG_HELD = 14, /* version 2 */
	MSG_WANT = 15, /* version 2 */
	MSG_LATER = 16, /* version 3 */
	MSG_EARLY = 17, /* version 3 */
};

#define ID_LEN 16	    /* instances, incarnations */
#define SENDER_ID_LEN 32    /* a key's SHA-256 */
#define NAME_LEN_MAX 255    /* pipe and sender names, bytes */
#define SENTENCE_MAX 1000
#ifndef PARTIAL_BLOCKS_MAX
#define PARTIAL_BLOCKS_MAX 4096u /* digests in one PARTIAL message */
#endif
#define PROTO_PARTIALS_MAX 262144u /* PARTIAL messages behind one WELCOME */

#define HELLO_RESYNC 2u /* this incarnation began as RESYNC: what is retained goes first */
#define HELLO_PROBE 1u /* CREATE PIPE only asks whether it would be let in */

struct msg_hello {
	uint16_t version_min, version_max;
	uint32_t flags;
	uint8_t sender_id[SENDER_ID_LEN]; /* the key's own under TLS, checked there */
	char sender_name[NAME_LEN_MAX + 1];
	char program[64]; /* "0.1.0" */
	char pipe[NAME_LEN_MAX + 1];
	uint8_t incarnation[ID_LEN];
	int64_t create_time_ms; /* for people only */
	uint64_t assigned; /* last serial the edge gave out */
	uint64_t released; /* last serial whose entry the edge no longer has */
};

struct msg_welcome {
	uint16_t version;
	uint8_t instance[ID_LEN]; /* of the receiver's catalog */
	uint64_t durable, durable_nonce; /* 0, 0 when none */
	uint64_t applied; /* every serial up to it is applied or skipped */
	uint32_t n_partials; /* PARTIAL messages that follow */
};

/* Blocks [first, first + n) of an entry that the receiver holds, with the digests that
 * the edge gave them. Several runs and several messages may tell of one entry. */
struct msg_partial {
	uint64_t serial, nonce;
	uint64_t first;
	uint32_t n;
	const uint8_t *digests; /* n * DIGEST_LEN, borrowed */
};

struct msg_entry {
	struct entry entry; /* decode: owned by the message, entry_release() */
	bool is_inline;
	bool is_squeezed;     /* when inline: data is a zstd frame of it, and shorter */
	struct digest digest; /* of the entry, when inline */
	const uint8_t *data;  /* the payload, when inline; borrowed */
	uint32_t data_len;
};

/* How a block travels. Further values are further features (version.h): a decoder takes
 * every value that this program knows, the receive machine those of the agreed version. */
enum block_how {
	BLOCK_LITERAL = 0,
	BLOCK_SQUEEZED = 1, /* a zstd frame of the plain bytes, and shorter (version 2) */
	BLOCK_REFERENCE = 2, /* the ranges, one behind the other, are the block; no data */
	BLOCK_PREFIX = 3,    /* a zstd frame whose prefix is the ranges */
};

#define HELD_FILES_MAX 64u  /* of one entry */
#define HELD_RANGES_MAX 32u /* of one block */
#define HELD_PREFIX_MAX (1u << 20) /* bytes of the ranges of a prefix */

/* Bytes of a file that the receiver holds; `file`: its number in the entry's HELD. Offsets
 * are those of a payload: the TsFile, then its deletion records. */
struct held_range {
	uint8_t file;
	uint64_t offset;
	uint32_t len;
};

struct msg_block {
	uint64_t serial, index;
	enum block_how how;
	struct digest digest; /* of the block's plain bytes */
	uint8_t n_ranges;     /* of a REFERENCE and a PREFIX */
	struct held_range ranges[HELD_RANGES_MAX];
	const uint8_t *data;
	uint32_t data_len;
};

bool block_has_ranges(enum block_how how);

/* Names files that blocks of an entry refer to, behind its ENTRY: [first, first + n). */
struct msg_held {
	uint64_t serial;
	uint32_t first, n;
	struct fileid files[HELD_FILES_MAX];
};

/* A block that referred to what is not held, or not as it was said: it shall come literally. */
struct msg_want {
	uint64_t serial, index;
};

struct msg_end {
	uint64_t serial;
	struct digest digest;
};

struct msg_durable {
	uint64_t serial;
};

struct msg_applied {
	uint64_t serial;
	uint32_t n_quarantined; /* of this incarnation, now */
};

struct msg_quarantine {
	uint64_t id, serial;
	bool is_over; /* applied after all, or skipped */
	char reason[SENTENCE_MAX + 1];
};

/* Why what is durable is not applied at present, although it will be tried again: the words
 * of the loader or of its server. "" when that is over. */
struct msg_waits {
	char reason[SENTENCE_MAX + 1];
};

/* The heartbeat: the edge's own words, mirrored under server/senders. Each is answered
 * by a PONG, so that either side notices a dead link. */
struct msg_status {
	char state[16]; /* RUNNING, STOP */
	char message[SENTENCE_MAX + 1];
	char progress[2048]; /* KEY VALUE lines */
	char gaps[4096];
};

struct msg_drop {
	uint8_t incarnation[ID_LEN];
};

enum bye_why {
	BYE_STOPPING = 1,  /* PIPESERVER stops, the program ends: come again */
	BYE_BUSY = 2,	   /* no room, quota: come again later; never an attempt */
	BYE_REFUSED = 3,   /* white list, key, forgotten: the pipe is in ERROR */
	BYE_TAKEN_OVER = 4,
	BYE_MISMATCH = 5,  /* entry `serial` did not verify: one attempt of it failed */
	BYE_PROTOCOL = 6,  /* what came is no message of the agreed version */
	BYE_VERSION = 7,   /* no common version */
	BYE_HISTORY = 8,   /* the receiver knows that histories do not fit */
};

struct msg_bye {
	enum bye_why why;
	uint64_t serial;
	char text[SENTENCE_MAX + 1];
};

/* After a RESYNC the edge asks which entries of an incarnation that is over the receiver
 * still has, waiting or retained (retain_max_bytes): what is gone at the edge and not among
 * them will not come by itself. */
struct msg_ask_kept {
	uint8_t incarnation[ID_LEN];
};

#define KEPT_RUNS_MAX 4096u /* of one message */

/* The answer, in as many messages as it takes; the last says so. Runs of serials ascend and
 * do not touch, also from one message to the next. */
struct msg_kept {
	uint8_t incarnation[ID_LEN];
	uint64_t durable; /* its last serial there without a hole; 0: none is known */
	bool is_last;
	uint32_t n;
	const uint8_t *runs; /* n * 16: first and last serial; borrowed */
};

void msg_kept_run(const struct msg_kept *m, uint32_t i, uint64_t *first, uint64_t *last);

/* Instead of an ENTRY whose turn it is: it comes when there is time, and what belongs to other
 * databases may pass it. */
struct msg_later {
	uint64_t serial;
	char database[DATABASE_MAX + 1];
};

#ifndef EARLY_MAX
#define EARLY_MAX 4096u /* entries above the durable serial that are durable */
#endif

struct early_one {
	uint64_t serial, nonce;
};

/* Entries that are durable although one of a lower serial is not, ascending. Directly behind
 * the WELCOME, always: all of them, or none, and in front of them the last that only filled a
 * serial, up to the durable one; later those that became early. */
struct msg_early {
	uint32_t n;
	const uint8_t *ones; /* n * 16; borrowed */
};

struct early_one msg_early_one(const struct msg_early *m, uint32_t i);
/* Of n ascending ones: how many lie below a serial. */
size_t early_ones_below(const struct early_one *ones, size_t n, uint64_t serial);
/* Adds one to what becomes `ones`. */
void early_one_add(const struct early_one *one, struct buf *b);

/* The maximum length of a type's message, 0 for an unknown type (for frame_take). */
uint32_t msg_len_max(uint16_t type);
const char *msg_name(uint16_t type);

/* Fills in the versions that this program speaks. */
void msg_hello_offer(struct msg_hello *m);

/* Each adds one whole frame to b (with FRAME_HEAD_LEN in front). */
void msg_hello_encode(const struct msg_hello *m, struct buf *b);
void msg_welcome_encode(const struct msg_welcome *m, struct buf *b);
void msg_partial_encode(const struct msg_partial *m, struct buf *b);
void msg_entry_encode(const struct msg_entry *m, struct buf *b);
void msg_block_encode(const struct msg_block *m, struct buf *b);
void msg_end_encode(const struct msg_end *m, struct buf *b);
void msg_durable_encode(const struct msg_durable *m, struct buf *b);
void msg_applied_encode(const struct msg_applied *m, struct buf *b);
void msg_quarantine_encode(const struct msg_quarantine *m, struct buf *b);
void msg_waits_encode(const struct msg_waits *m, struct buf *b);
void msg_status_encode(const struct msg_status *m, struct buf *b);
void msg_pong_encode(struct buf *b);
void msg_drop_encode(const struct msg_drop *m, struct buf *b);
void msg_bye_encode(const struct msg_bye *m, struct buf *b);
void msg_ask_kept_encode(const struct msg_ask_kept *m, struct buf *b);
void msg_kept_encode(const struct msg_kept *m, struct buf *b);
void msg_later_encode(const struct msg_later *m, struct buf *b);
void msg_early_encode(const struct msg_early *m, struct buf *b);
void msg_held_encode(const struct msg_held *m, struct buf *b);
void msg_want_encode(const struct msg_want *m, struct buf *b);

int msg_hello_decode(struct msg_hello *m, const struct frame *f) MUST_CHECK;
int msg_welcome_decode(struct msg_welcome *m, const struct frame *f) MUST_CHECK;
int msg_partial_decode(struct msg_partial *m, const struct frame *f) MUST_CHECK;
int msg_entry_decode(struct msg_entry *m, const struct frame *f) MUST_CHECK;
int msg_block_decode(struct msg_block *m, const struct frame *f) MUST_CHECK;
int msg_end_decode(struct msg_end *m, const struct frame *f) MUST_CHECK;
int msg_durable_decode(struct msg_durable *m, const struct frame *f) MUST_CHECK;
int msg_applied_decode(struct msg_applied *m, const struct frame *f) MUST_CHECK;
int msg_quarantine_decode(struct msg_quarantine *m, const struct frame *f) MUST_CHECK;
int msg_waits_decode(struct msg_waits *m, const struct frame *f) MUST_CHECK;
int msg_status_decode(struct msg_status *m, const struct frame *f) MUST_CHECK;
int msg_pong_decode(const struct frame *f) MUST_CHECK;
int msg_drop_decode(struct msg_drop *m, const struct frame *f) MUST_CHECK;
int msg_bye_decode(struct msg_bye *m, const struct frame *f) MUST_CHECK;
int msg_ask_kept_decode(struct msg_ask_kept *m, const struct frame *f) MUST_CHECK;
int msg_kept_decode(struct msg_kept *m, const struct frame *f) MUST_CHECK;
int msg_later_decode(struct msg_later *m, const struct frame *f) MUST_CHECK;
int msg_early_decode(struct msg_early *m, const struct frame *f) MUST_CHECK;
int msg_held_decode(struct msg_held *m, const struct frame *f) MUST_CHECK;
int msg_want_decode(struct msg_want *m, const struct frame *f) MUST_CHECK;

#endif
