/* One pipe's uploading as a state machine: events in, actions out. It holds no
 * descriptor and reads no clock, so the simulator runs the same code.
 *
 * The owner (link.c, or tests/sim) calls the event functions and after each of them
 * takes actions with upload_next() until it answers UP_NONE. Serials are sent in
 * order; bytes of several entries may be under way together. Where the receiver says EARLY,
 * a long entry, and what belongs to its database, is put off (LATER), and what stands behind
 * it travels beside it. The machine keeps per
 * entry under way a head and its block digests' running list, never payload: what is
 * not yet acknowledged can be read again. Bounds: UPLOAD_WINDOW_ENTRIES entries and
 * UPLOAD_WINDOW_BYTES bytes sent and not durable (the oldest entry, however large, does
 * not count), UPLOAD_READS reads under way.
 *
 * Rules of histories (design, section 3): a WELCOME that names a durable serial beyond
 * the last assigned one, or another nonce for it, or one below what was released, or
 * whose applied serial lies below what it had said before, ends in UP_ERROR with the numbers
 * and the cure, and nothing is sent.
 *
 * An entry that cannot be read never ends in UP_ERROR: what its owner's disk refuses (EIO)
 * is tried again, an attempt each time, and then given up like one whose bytes are gone
 * (UP_LOST); what may pass by itself (EMFILE, ENOMEM) is tried for ever. */
#ifndef TSFERRY_UPLOAD_H
#define TSFERRY_UPLOAD_H

#include "domain/proto.h"

#ifndef UPLOAD_WINDOW_ENTRIES
#define UPLOAD_WINDOW_ENTRIES 4096u
#endif
#ifndef UPLOAD_WINDOW_BYTES
#define UPLOAD_WINDOW_BYTES (64u << 20)
#endif
#ifndef UPLOAD_READS
#define UPLOAD_READS 12u
#endif
/* Bytes between READ and SEND at most: one job of the reader's and what goes out meanwhile. */
#define UPLOAD_AHEAD_MAX (4u * BLOCK_LEN)

/* Blocks may travel as references to files that the receiver is believed to hold
 * (design, section 3, "Block diff"): of entries that upload_hold() named, at most so many at
 * once, and none that is shorter. Whether it really holds them only it knows: what it
 * asks for (upload_want) is read again and sent literally. */
#ifndef UPLOAD_REFS
#define UPLOAD_REFS 48u
#endif
#ifndef UPLOAD_REFER_MIN
#define UPLOAD_REFER_MIN 2048u
#endif
/* So many entries may be put off; the oldest of them travels. Longer payloads are. */
#ifndef UPLOAD_LATER
#define UPLOAD_LATER 256u
#endif
#ifndef UPLOAD_LATER_MIN
#define UPLOAD_LATER_MIN (1u << 20)
#endif
/* What is a row at the receiver refers when it is longer than this part of upload_ahead(): to
 * be named, found and read there costs an entry what the way carries in some 2.6 ms. */
#define UPLOAD_REFER_PART 256u

struct upload;

enum upload_act_kind {
	UP_NONE,
	UP_SEND_HELLO,	/* the owner fills the names; assigned and released are here */
	UP_FETCH,	/* heads of serials [serial, serial + n) from the catalog: upload_entry() each, in order */
	UP_NONCE,	/* ask the catalog for nonce(serial), an entry's or the last released one's:
			 * upload_nonce() */
	UP_READ,	/* block `index` of entry `serial`: upload_block(), in the order of the READs */
	UP_SEND_LATER,	/* the database is the entry's */
	UP_SEND_ENTRY,	/* head; `is_inline` with data, which is NULL for an empty payload;
			 * `may_refer`: HELD follows */
	UP_SEND_BLOCK,
	UP_SEND_END,
	UP_DURABLE,	/* progress: every serial up to `serial` is durable there */
	UP_APPLIED,	/* every serial up to `serial` is applied: the entries may be released */
	UP_ATTEMPT,	/* entry `serial` failed to verify there, or to be read here; `n`
			 * attempts so far; text */
	UP_LOST,	/* entry `serial` cannot be read any more: close the link, give the
			 * serial another entry, connect again; `n` is the errno; text; `beyond`: up to there the
			 * receiver may have what stands behind it; 0: nothing of it */
	UP_ERROR,	/* the pipe must stop: text */
	UP_CLOSE,	/* close the link; text says why; class of BYE in `why` (0 = ours) */
};

struct upload_act {
	enum upload_act_kind kind;
	uint64_t serial, n, index;
	uint64_t offset; /* UP_READ: in the payload */
	uint32_t len;	 /* UP_READ, UP_SEND_BLOCK, inline data */
	bool is_inline; /* UP_SEND_ENTRY: the payload travels with it */
	uint64_t beyond;
	bool is_wanted; /* UP_SEND_BLOCK: the receiver asked for it */
	bool may_refer; /* UP_SEND_ENTRY, UP_SEND_BLOCK: it need not travel literally; UP_READ:
			 * so it will be, as far as is known */
	const struct entry *entry; /* UP_READ, UP_SEND_ENTRY: borrowed until the next event */
	struct digest digest;	   /* UP_SEND_*: of the block, or of the entry */
	void *data;	/* the buffer that upload_block() brought; the owner's again with this act */
	enum bye_why why;
	char text[SENTENCE_MAX + 1];
};

/* `assigned`, `released` and `durable` as the outbox knows them, and the nonce of
 * `released` (0 when 0). max_attempts: retries + 1 per entry. */
struct upload *upload_new(uint64_t assigned, uint64_t released, uint64_t released_nonce,
			  uint64_t durable, unsigned max_attempts);
/* Buffers that are still inside are the owner's: upload_cut(), then take the unused. */
void upload_free(struct upload *u);

void upload_connected(struct upload *u); /* the link is open: HELLO is next */
void upload_cut(struct upload *u);	 /* the link is gone; reads under way still answer */
void upload_assigned(struct upload *u, uint64_t last); /* committed entries up to `last` */

void upload_welcome(struct upload *u, const struct msg_welcome *m);
void upload_partial(struct upload *u, const struct msg_partial *m);
void upload_early(struct upload *u, const struct msg_early *m);
/* The WELCOME came, and the EARLY that belongs to it did not yet. */
bool upload_awaits_early(const struct upload *u);
void upload_durable(struct upload *u, const struct msg_durable *m);
void upload_applied(struct upload *u, const struct msg_applied *m);
void upload_want(struct upload *u, const struct msg_want *m);
void upload_bye(struct upload *u, const struct msg_bye *m);

void upload_nonce(struct upload *u, uint64_t serial, uint64_t nonce); /* 0 = unknown */
/* Takes what `en` owns. */
void upload_entry(struct upload *u, struct entry *en);
/* Right behind it: the receiver may hold what the FILE at `serial` consists of. */
void upload_hold(struct upload *u, uint64_t serial);
/* The answer to an UP_READ. `data` (the owner's buffer, `len` bytes) comes back in an
 * UP_SEND_*, or through upload_take_unused(), which is to be asked after each event.
 * err != 0 (errno, of either sign) or a short `len`: the entry can not be read. The
 * machine answers UP_LOST when that says that its bytes are gone (ENOENT, ESTALE,
 * ENODATA, EBADMSG) or EIO came max_attempts times, UP_CLOSE otherwise. */
void upload_block(struct upload *u, uint64_t serial, uint64_t index, struct digest digest,
		  void *data, uint32_t len, int err);

/* The owner's send queue has room again or not: no UP_READ while it has none. */
void upload_room(struct upload *u, bool has_room);
/* So many bytes may be on their way from UP_READ to UP_SEND together, at least one block and
 * no more than UPLOAD_AHEAD_MAX; UINT64_MAX at first. */
void upload_ahead(struct upload *u, uint64_t bytes);

/* 1 and the next act; 0 when there is none. */
int upload_next(struct upload *u, struct upload_act *act);
/* Buffers that came back unused (the link was cut meanwhile): NULL when none. While
 * they are not taken they count as reads under way. */
void *upload_take_unused(struct upload *u);

/* What is agreed; 0: nothing yet on this link. Only what it has may be sent (version.h). */
uint16_t upload_version(const struct upload *u);

/* For status and tests. */
uint64_t upload_durable_serial(const struct upload *u);
/* What is durable there above the durable serial, as far as is known. */
uint64_t upload_early_entries(const struct upload *u);
uint64_t upload_early_bytes(const struct upload *u);
bool upload_is_early(const struct upload *u, uint64_t serial);
uint64_t upload_applied_serial(const struct upload *u);
uint64_t upload_resent_bytes(const struct upload *u);

#endif
