/* The identity of a TsFile at the edge: all of (database, sequence or unsequence,
 * region, partition, T, V, I, C), because names alone repeat.
 *
 * Layout and names: iotdb-formats, sections 1 and 2.1; partitions may be negative
 * (iotdb-observed, section 1). No path ever comes from a peer: names are built here
 * from validated parts. */
#ifndef TSFERRY_FILEID_H
#define TSFERRY_FILEID_H

#include <stdbool.h>

#include "ground/bytes.h"
#include "ground/err.h"

#define DATABASE_MAX 255 /* bytes; it is one directory name */
#define FILEID_PATH_MAX (DATABASE_MAX + 160)

struct fileid {
	char database[DATABASE_MAX + 1];
	bool unsequence;
	uint32_t region;
	int64_t partition;
	uint64_t t, v, i, c; /* each below 2^63 */
};

/* Fit to be one directory: valid UTF-8 without control characters, "/", NUL; not
 * empty, not beginning with "."; at most DATABASE_MAX bytes. Databases, senders and
 * pipes are named so. */
bool name_is_plain(const char *name);

/* n bytes of anything as they may stand in a sentence: cut to `size`, what is no UTF-8
 * or steers a terminal is a question mark. Returns `to`. */
char *name_shown(char *to, size_t size, const char *p, size_t n);

/* name_is_plain() with a sentence (-EINVAL). Back-quotes belong to the name. */
int database_check(const char *database, struct err *e) MUST_CHECK;

/* One of the tree model: "root", or below it; others are of tables. */
bool database_is_tree(const char *database);

/* root.__system, root.__audit: IoTDB's own, never carried. */
bool database_is_internal(const char *database);

/* Numbers are read as IoTDB writes them: without leading zeros, "+" or "-0". Anything
 * else is -EINVAL, so that no two names have one identity.
 *
 * "T-V-I-C.tsfile", four decimal groups without sign; on failure `id` is as it was. */
int fileid_parse_name(struct fileid *id, const char *name) MUST_CHECK;

/* A partition directory's own name: -?[0-9]+, a region's: [0-9]+. */
int fileid_parse_partition(int64_t *partition, const char *name) MUST_CHECK;
int fileid_parse_region(uint32_t *region, const char *name) MUST_CHECK;

/* "(sequence|unsequence)/DB/REGION/PARTITION/T-V-I-C.tsfile" both ways. `to` holds
 * FILEID_PATH_MAX. */
int fileid_parse_path(struct fileid *id, const char *path) MUST_CHECK;
const char *fileid_path(const struct fileid *id, char *to);
const char *fileid_dir(const struct fileid *id, char *to); /* without the name */
const char *fileid_name(const struct fileid *id, char *to);
const char *fileid_space(const struct fileid *id); /* "sequence" or "unsequence" */

bool fileid_equal(const struct fileid *a, const struct fileid *b);

/* The identity on the wire, all but the database (protocol, section 3: u8 unsequence, u32
 * region, i64 partition, u64 T, V, I, C). False: out of bounds, or the message ended. */
void fileid_encode(const struct fileid *id, struct buf *out);
bool fileid_decode(struct fileid *id, struct rd *r);

#endif
