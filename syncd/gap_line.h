/* The lines of a pipe's `gaps` (design, section 4): database, region, times and devices of
 * what the cloud lacks and will not get by itself, and why.
 *
 *	root.sg region 1 times 1..3 devices root.sg.d1: IoTDB removed ...
 *
 * Devices come from the index of a file that can still be read; where none can, they are
 * those that the region was seen to have ("devices among ..."). What is not known is not
 * there. At most OUTBOX_GAP_LEN bytes, whatever devices are named. Blocks: the catalog's
 * thread. */
#ifndef TSFERRY_GAP_LINE_H
#define TSFERRY_GAP_LINE_H

#include "domain/fileid.h"
#include "domain/tsfile_index.h"
#include "outbox.h"

struct gap {
	const struct fileid *file;
	struct tsfile_range range; /* any = false: not known */
	const char *path;	   /* of its bytes, should they be readable; NULL */
	/* Where `path` cannot be read, for the region's devices; NULL: none are named. */
	struct outbox_writer *w;
};

/* `fmt`: the reason. */
void gap_line(const struct gap *g, struct buf *out, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
