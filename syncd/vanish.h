/* Captured files that are gone at the edge and whose going no journal explains: TTL, a
 * dropped database, a person's rm, or a deletion that covered them wholly, for which IoTDB
 * writes no record (design, section 4; iotdb-observed, section 2).
 *
 * Where the schema told that the database was dropped (schema_pass.h), nothing is to be asked. So where a
 * schema is known its next listing is waited for first (vanish_drop.h): a database that is dropped goes
 * file by file, and its directories last.
 *
 * Inference never deletes by itself. The edge server is asked whether the files' series
 * still have rows there, or a TTL explains their end (vanish_ask.h); until it answers the files
 * are known as before, and the partition is listed again then. Where it says that the rows are
 * deleted, or cannot say, a RESTATE of the files' devices and times goes before the living
 * files that overlap it; it is held: the receiver keeps it until an operator says RETRY.
 * `inferred_deletes=send` sends it as not held where the server said deleted; ignore sends
 * none, and tells so. Without iotdb_rpc there is nobody to ask: the files are forgotten, told in
 * `events`, and `limits` says so. Files that never reached the cloud are not looked at.
 *
 * The scan's thread; never blocks on the server. */
#ifndef TSFERRY_VANISH_H
#define TSFERRY_VANISH_H

#include "listing.h"
#include "living.h"

enum vanish_answer {
	VANISH_LATER,	/* it is asked */
	VANISH_UNKNOWN, /* nobody could be asked, or the answer does not tell */
	VANISH_EXPLAINED, /* their rows are there in other files, or fell to a TTL */
	VANISH_DELETED, /* no rows are left, and no TTL explains it */
};

/* A partition's vanished files together: are there still rows of these devices? Without
 * devices, and is_ttl: may a TTL of the database have removed rows from `first` on
 * (EXPLAINED), or can none have (DELETED)? */
struct vanish_question {
	bool is_ttl;
	const char *database;
	uint32_t region;
	int64_t first, last;
	const char *devices; /* one a line; "" = not known which */
};

/* For one pipe of a listing, behind what explains files that are gone: what becomes a
 * RESTATE leaves `vanished` for the plan's `gone`, and what follows is added to `fresh`. */
int vanish_judge(struct listing *l, struct listing_pipe *lp,
		 struct living_list *fresh,
		 struct living_list *vanished) MUST_CHECK;

#endif
