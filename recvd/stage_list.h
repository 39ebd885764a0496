/* The .blocks file of a half-received entry, and the names in staging. For stage.c and
 * stage_scan.c only; the format is in stage.h. Blocks. */
#ifndef TSFERRY_STAGE_LIST_H
#define TSFERRY_STAGE_LIST_H

#include "stage.h"

#define STAGE_LIST_SUFFIX ".blocks"

int stage_list_begin(int fd, const struct entry *en) MUST_CHECK;
int stage_list_add(int fd, uint64_t index, const struct digest *d) MUST_CHECK;

/* Reads a list; what the records say last stands in `digests` with present = 1. A torn
 * tail is cut off, so that records can be appended. -EBADMSG: no list of ours. */
int stage_list_read(int fd, struct stage_partial *p) MUST_CHECK;

void stage_name(uint64_t serial, const char *suffix, char to[STAGE_NAME_MAX]);
int stage_open_in(struct stage *s, const char *dir, const char *name, int flags) MUST_CHECK;
void stage_unlink_in(struct stage *s, const char *dir, const char *name);

#endif
