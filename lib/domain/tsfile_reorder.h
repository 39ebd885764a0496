/* A copy of a TsFile of version 3 whose devices stand in another order in its index: for
 * readers that look for them by halving, in an order of their own.
 *
 * Data, series and statistics stay as they are, byte for byte. Behind them the roots of
 * the devices' series are written once more, one behind the other, with new nodes over them
 * (tsfile-format, section 2.3: a child ends where the next one begins, so offsets alone
 * cannot be exchanged). What stood there before stays, and nothing refers to it.
 *
 * Blocks on the disk; the copy is not synced. Memory: the names of the devices. */
#ifndef TSFERRY_TSFILE_REORDER_H
#define TSFERRY_TSFILE_REORDER_H

#include <stddef.h>

#include "ground/err.h"

#define TSFILE_REORDER_NAMES_MAX (64u << 20)

/* <0, 0, >0; of what it is given an order must come. */
typedef int tsfile_compare(const char *a, size_t a_len, const char *b,
			   size_t b_len);

/* `to_fd` is empty. -EBADMSG; -ENOTSUP: another version; -E2BIG: too many names; -errno. */
int tsfile_reorder(int fd, tsfile_compare *compare, int to_fd,
		   struct err *e) MUST_CHECK;

#endif
