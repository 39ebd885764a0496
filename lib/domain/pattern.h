/* Path patterns of deletion records against devices: whether a pattern may match a
 * series of a device (iotdb-formats, section 4: `*` is one node or a part of one, `**`
 * any number of them; a node in back-quotes may hold dots).
 *
 * In doubt the answer is yes: what is asked for is which devices a deletion must be
 * told about. Nothing here allocates or blocks. */
#ifndef TSFERRY_PATTERN_H
#define TSFERRY_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* `device` is a whole path without its series. */
bool pattern_may_touch(const char *pattern, size_t n, const char *device,
		       size_t len);

#endif
