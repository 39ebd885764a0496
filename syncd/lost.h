/* Loose entries (bounds.h) whose file IoTDB removed before it was sent.
 *
 * Serials have no holes, so the serial gets another entry, with a nonce of its own: a
 * RESTATE of no device, which deletes and restores nothing. That is sound only while the
 * receiver cannot have the old one as durable: on a link whose WELCOME named a lower
 * serial, and which has not sent the frame that completes it. What is lost is a line in
 * the pipe's gaps and a WARN. */
#ifndef TSFERRY_LOST_H
#define TSFERRY_LOST_H

#include "pin.h"
#include "pipes.h"

/* The line for gaps of a file that is captured loose: database, times, devices, reason.
 * Blocks: the catalog's thread. */
void lost_line(const struct pin *p, const char *data_dir, struct buf *out);

/* The link is down; its entry `serial` could not be read. Fills it, and all loose ones
 * behind it that are gone too; then the link is asked to connect again. */
void lost_fill(struct edge *e, struct pipe *p, uint64_t serial);

/* The pipe's note about its gaps: set while there are any. */
void lost_note(struct edge *e, struct pipe *p);

#endif
