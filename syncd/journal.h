/* Compaction journals, as bytes: which files of a partition are being written
 * (iotdb-formats, section 2.4; iotdb-observed, section 1).
 *
 * A journal stands in the partition directory as `*-compaction.log` while its
 * compaction runs, with lines "target SPACE DATABASE REGION PARTITION NAME". NAME is
 * the target's temporary name (T-V-I-C.inner, .cross, .settle) or its final one. The
 * journal is written in pieces: a line counts once its newline is there. */
#ifndef TSFERRY_JOURNAL_H
#define TSFERRY_JOURNAL_H

#include "domain/fileid.h"

#define JOURNAL_MAX (4u << 20) /* bytes that are looked at */

bool journal_is_one(const char *name);

/* Calls fn for each target: T, V, I, C and `unsequence` of `id` are set. Lines that are
 * no target are passed over. */
void journal_targets(const void *p, size_t n,
		     void (*fn)(void *arg, const struct fileid *id), void *arg);

#endif
