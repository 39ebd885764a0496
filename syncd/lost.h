/* Entries that cannot be sent any more: a loose one (bounds.h) whose file IoTDB removed, a
 * pinned one that is gone from the spool or that its disk does not give back. They must not
 * stop what stands behind them.
 *
 * Serials have no holes, so the serial gets another entry, with a nonce of its own: a
 * RESTATE of no device, which deletes and restores nothing. That is sound only while the
 * receiver cannot have the old one as durable: on a link whose WELCOME named a lower
 * serial, and which has not sent the frame that completes it; no link of the pipe connects
 * while that is under way (pipe->is_filling).
 *
 * Where a file stands in IoTDB's own directory under the same name and with the length that
 * was captured, it is read there (reader.h) and not lost at all. Where another stands there,
 * or its deletions are lost, it is forgotten and captured again as it is now. Where a product
 * was not sent because of it, that is sent. What else is lost is a line in the pipe's gaps and
 * a WARN. While its data directory is away nothing is lost: it is asked for again. */
#ifndef TSFERRY_LOST_H
#define TSFERRY_LOST_H

#include "pin.h"
#include "pipes.h"

/* The line for gaps of a file that is captured loose: database, times, devices, reason.
 * Blocks: the catalog's thread. */
void lost_line(const struct pin *p, const char *data_dir, struct buf *out);

/* The link is down; its entry `serial` could not be read (err: errno; why: in words). Fills
 * it, and those behind it that are gone too, unless the receiver may have entries behind it, up to
 * `beyond` (0: none), which then keep their nonces (the receiver's EARLY names what fills it); then
 * the link is asked to connect again. */
void lost_fill(struct edge *e, struct pipe *p, uint64_t serial, int err,
	       uint64_t beyond, const char *why);

/* The pipe's note about its gaps: set while there are any. */
void lost_note(struct edge *e, struct pipe *p);

#endif
