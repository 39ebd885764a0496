/* Which of two overlapping files of one partition wins at the edge, by version.
 *
 * Up to 1.3.2 the higher V; from 1.3.3 on any unsequence file over any sequence
 * file, then V, then T (iotdb-formats, section 5). History is captured in ascending
 * precedence, because in the cloud the last loaded wins. */
#ifndef TSFERRY_PRECEDENCE_H
#define TSFERRY_PRECEDENCE_H

#include "fileid.h"

enum precedence { PRECEDENCE_BY_VERSION, PRECEDENCE_UNSEQUENCE_WINS };

/* From a version as "1.3.2" or "2.0.6-SNAPSHOT"; -EINVAL for what is none. */
int precedence_of_version(const char *version, enum precedence *out) MUST_CHECK;

/* Below, equal, above zero, as qsort wants it, for files of one partition. */
int precedence_compare(enum precedence rule, const struct fileid *a, const struct fileid *b);

#endif
