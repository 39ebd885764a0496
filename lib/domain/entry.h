/* One thing to deliver, as both ends know it: FILE, DELETE, SCHEMA or RESTATE
 * (design, sections 2 and 4).
 *
 * The payload is bytes beside this head. FILE: the TsFile, then its deletion records.
 * DELETE: deletion records in one of the two forms. SCHEMA: statements, one a line.
 * RESTATE: nothing; the living files follow as FILE entries. The head is what stands
 * in the receiver's catalog, in a partial file's list of blocks and on the wire, in
 * one encoding (entry_encode). */
#ifndef TSFERRY_ENTRY_H
#define TSFERRY_ENTRY_H

#include "digest.h"
#include "fileid.h"
#include "ground/bytes.h"
#include "mods.h"

enum entry_kind { ENTRY_FILE = 1, ENTRY_DELETE = 2, ENTRY_SCHEMA = 3, ENTRY_RESTATE = 4 };

#define ENTRY_HEAD_MAX 131072u /* encoded, devices included */
#define ENTRY_DEVICES_MAX 65536u /* bytes of the list of devices */
#define ENTRY_PAYLOAD_MAX (1ull << 40)
#define ENTRY_STATEMENTS_MAX (64u << 20) /* bytes of a SCHEMA */
#define ENTRY_SERIAL_MAX ((uint64_t)INT64_MAX)
#define ENTRY_INLINE_MAX BLOCK_LEN /* payloads up to this travel with the head */
#ifndef ENTRY_ROW_MAX
#define ENTRY_ROW_MAX 65536u	   /* payloads up to this are staged as rows */
#endif

struct entry {
	uint64_t serial; /* 1, 2, 3 ... per incarnation */
	uint64_t nonce;	 /* random, not 0; with the serial it names the entry for ever */
	enum entry_kind kind;
	struct fileid file; /* database always; region of DELETE and RESTATE; all of FILE */
	uint64_t body_len;  /* FILE: the TsFile; DELETE, SCHEMA: all of the payload */
	uint64_t mods_len;  /* FILE: records behind the TsFile */
	enum mods_kind mods_kind; /* FILE with mods, and DELETE */
	int64_t time_min, time_max; /* DELETE, RESTATE: the clipped range, inclusive */
	char *devices; /* DELETE, RESTATE: one a line, owned; NULL = none: a
			  * RESTATE that only fills its serial */
	bool held;     /* RESTATE that waits for an operator at the receiver */
};

uint64_t entry_payload_len(const struct entry *en);
/* A RESTATE of no device: it does nothing but take the serial of an entry that was lost. */
bool entry_only_fills(const struct entry *en);
const char *entry_kind_text(enum entry_kind kind); /* "FILE" ... */

void entry_release(struct entry *en);

/* Encoding writes what the kind has; `devices` must not pass ENTRY_DEVICES_MAX. Decoding
 * takes one head off the front of `r`, bounds and validates everything (serial, nonce,
 * database, also that it is none of IoTDB's own; kinds, lengths, zero-length FILE);
 * -EBADMSG otherwise, and `en` is empty. */
void entry_encode(const struct entry *en, struct buf *out);
int entry_decode(struct entry *en, struct rd *r) MUST_CHECK;

/* "FILE root.sg sequence/3/19723/1-1-0-0.tsfile", for queues and reasons. */
const char *entry_text(const struct entry *en, char *to, size_t size);

#endif
