/* Which ranges of held files a block of a compaction's product looks like: the chunks of the
 * same series in the same times, as the indexes of the files tell (design, section 3, "Block
 * diff"). They are the prefix behind which zstd finds what a chunk was made of, also where
 * compaction decoded and wrote it anew.
 *
 * Only a guess that saves bytes: wrong ranges cost, they never harm. Blocks on the disk. Memory:
 * 40 bytes for each chunk of the product and, for a while, of one source; PREFIX_CHUNKS_MAX of
 * each at most, beyond it a file takes no part. */
#ifndef TSFERRY_PREFIX_H
#define TSFERRY_PREFIX_H

#include "proto.h"

#define PREFIX_CHUNKS_MAX (1u << 18)
#define PREFIX_SOURCES_MAX HELD_RANGES_MAX

struct prefix;

/* Reads the index of the product, `len` bytes. -EBADMSG: it is no TsFile; -E2BIG. */
int prefix_new(struct prefix **out, int fd, uint64_t len, struct err *e) MUST_CHECK;
void prefix_free(struct prefix *p);

/* One more held file; they are numbered 0, 1 ... in this order. */
int prefix_add_source(struct prefix *p, int fd, uint64_t len, struct err *e) MUST_CHECK;

/* The ranges for a block, together at most HELD_PREFIX_MAX: how many; 0 = none. */
unsigned prefix_ranges(const struct prefix *p, uint64_t block,
		       struct held_range out[HELD_RANGES_MAX]);

#endif
