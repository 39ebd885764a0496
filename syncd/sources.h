/* Files that the receiver got and the edge keeps for a while, so that a product of
 * compaction which must travel is squeezed behind what it was made from (design, section 3,
 * "Block diff"; domain/prefix.h). Off unless diff_max_bytes says how much.
 *
 *	<spool>/sources/{s|u},REGION,PARTITION,T-V-I-C,DATABASE
 *
 * A pin becomes such a file when its entry is released: a rename, no copy; while IoTDB has
 * the file too it takes no room. Nothing depends on them: whoever removes one costs
 * bytes on the wire. Everything here blocks on the disk. */
#ifndef TSFERRY_SOURCES_H
#define TSFERRY_SOURCES_H

#include "domain/proto.h"

#define SOURCES_MAX 16u /* of one product */

/* The pin of a released entry is kept under its identity, or removed when that cannot be. */
void sources_keep(const char *spool_dir, uint64_t nonce, const struct fileid *file);
/* Removes the oldest (by T) beyond so many bytes. */
void sources_trim(const char *spool_dir, uint64_t max_bytes);

/* What a product, open at `fd`, was made from, as far as it is kept. NULL: nothing of it.
 * Takes 2 MB until it is closed, and what prefix.h says. */
struct sources *sources_open(const char *spool_dir, const struct fileid *product, int fd,
			     uint64_t len);
void sources_close(struct sources *s); /* safe on NULL */

/* A frame of block `index` behind ranges of them, in place of its bytes, when that saves a
 * tenth at least: its length and the ranges, whose numbers are those of `files`; else 0. */
uint32_t sources_squeeze(struct sources *s, uint64_t index, void *data, uint32_t len,
			 struct held_range ranges[SOURCES_MAX], struct fileid files[SOURCES_MAX],
			 uint8_t *n_ranges);

#endif
