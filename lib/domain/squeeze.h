/* Payloads made smaller for a slow way: one zstd frame for each block, or for the payload of
 * a small entry. A frame needs nothing but itself, so that resuming stays a matter of blocks.
 *
 * One thread at a time uses a squeezer. Its memory is bounded by the level and the longest
 * block: about 1 MB for squeezing, 200 KB for unsqueezing, from the first use on.
 *
 * Source: zstd.h ("Simple API", "Explicit context"); RFC 8878. */
#ifndef TSFERRY_SQUEEZE_H
#define TSFERRY_SQUEEZE_H

#include "ground/base.h"
#include "proto.h"

#define SQUEEZE_LEVEL 3

struct squeezer; /* either direction; NULL until its first use */

void squeezer_free(struct squeezer *s);

/* The frame of data[0..len) takes its place in `data`, when it is shorter by at least a
 * sixteenth: its length. Otherwise, and without memory: 0, and `data` is as it was.
 * len <= BLOCK_LEN. */
uint32_t squeeze(struct squeezer **s, void *data, uint32_t len);

/* The plain bytes, which have to be just `len` (at most BLOCK_LEN), in a buffer of the
 * squeezer that is good until the next call; NULL when the frame is none or says something
 * else, or without memory. Nothing is allocated by what a frame says. */
const uint8_t *unsqueeze(struct squeezer **s, const void *frame,
			 uint32_t frame_len, uint32_t len);

/* The plain bytes of a frame that was made behind `prefix`, in to[0..len): whether they are
 * just so many. What the frame says allocates nothing; other bytes in the prefix give other bytes
 * or false, so the caller compares a digest. About 160 KB while it runs. */
bool unsqueeze_behind(const void *prefix, size_t prefix_len, const void *frame,
		      uint32_t frame_len, void *to, uint32_t len) MUST_CHECK;

#endif
