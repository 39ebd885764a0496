/* Compaction journals, as bytes: which files of a partition are being written
 * (iotdb-formats, section 2.4; iotdb-observed, section 1).
 *
 * A journal stands in the partition directory as `*-compaction.log` while its
 * compaction runs, with lines "target SPACE DATABASE REGION PARTITION NAME", before
 * them "source ..." likewise. NAME of a target is its temporary name (T-V-I-C.inner, .cross, .settle) or its final one. The
 * journal is written in pieces: a line counts once its newline is there. */
#ifndef TSFERRY_JOURNAL_H
#define TSFERRY_JOURNAL_H

#include "domain/fileid.h"

#define JOURNAL_NAME_LEN 160
#define JOURNAL_MAX (4u << 20) /* bytes that are looked at */

bool journal_is_one(const char *name);

/* What a line says of a file: it is read, it is written, or it was to be written and had
 * no rows left. */
enum journal_role {
	JOURNAL_SOURCE,
	JOURNAL_TARGET,
	JOURNAL_EMPTY
};

/* Calls fn for each line: T, V, I, C and `unsequence` of `id` are set. Other lines are
 * passed over. */
void journal_lines(const void *p, size_t n,
		   void (*fn)(void *arg, enum journal_role role,
			      const struct fileid *id),
		   void *arg);

/* Only the targets. */
void journal_targets(const void *p, size_t n,
		     void (*fn)(void *arg, const struct fileid *id), void *arg);

/* A compaction's output under its temporary name, T-V-I-C.inner and the like: once it
 * is there, its journal is whole. */
bool journal_is_output(const char *name);

#endif
