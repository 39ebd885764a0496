/* Files of a sender that are here already, so that blocks of a new entry need not travel
 * (design, section 3, "Block diff"): in the archive under their identity; durable and not
 * applied; retained. What an edge believes of them may be wrong at any time: whoever reads
 * compares digests, and nothing found is no error.
 *
 * A file is its payload: the TsFile, then the deletion records beside it. Belongs to one
 * thread; blocks on the disk. The last few files stay open until held_close_files(). No
 * path comes from a peer: names are built from numbers and a checked database, below
 * descriptors. */
#ifndef TSFERRY_HELD_H
#define TSFERRY_HELD_H

#include "catalog.h"
#include "stage.h"

#define HELD_OPEN 8u	  /* files that stay open */
#define HELD_CANDIDATES 3u /* places where one file is looked for */

struct held;

/* archive_dir "": there is none. Paths are copied, `stage` is borrowed. Opens nothing. */
struct held *held_new(const struct stage *stage, const char *archive_dir, const char *catalog);
void held_free(struct held *h); /* safe on NULL */

/* Whose files; what does not change while a session lives. */
struct held_owner {
	uint8_t id[SENDER_ID_LEN];
	char name[NAME_LEN_MAX + 1];
};

/* `n` bytes from `offset` of a held file, from the k-th place that has so many: 0, or
 * -ENOENT when there are not so many places, or another -errno. */
int held_read(struct held *h, const struct held_owner *of, const struct fileid *file, unsigned k,
	      uint64_t offset, void *to, size_t n) MUST_CHECK;

/* A block as a REFERENCE or a PREFIX of protocol version 2 makes it. */
struct held_block {
	enum block_how how;
	unsigned n_ranges;
	struct held_range ranges[HELD_RANGES_MAX];
	const struct fileid *files; /* of each range */
	const void *packed;	    /* PREFIX: the zstd frame */
	uint32_t packed_len;
	struct digest digest;
	uint32_t len; /* of the block */
};

/* Whether what is held makes the block: true, and it stands in `to`. A PREFIX takes the
 * bytes of its ranges and what zstd needs, 1.3 MB, until it returns. */
bool held_make(struct held *h, const struct held_owner *of, const struct held_block *b,
	       void *to) MUST_CHECK;

void held_close_files(struct held *h);

#endif
