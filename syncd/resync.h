/* RESYNC PIPE in the catalog: the new incarnation takes over what the old one knew to be
 * gone at the edge, because that cannot be sent again (design, section 4: gaps).
 *
 * What is gone: files that vanished and that nothing explained (reconcile.h), and those that
 * the old incarnation knew and that do not stand there now. A compaction that no listing saw
 * yet is not taken for that: where a product stands that was not looked at, nothing of its
 * partition is added. Whether the receiver retained what is gone is asked on the next
 * link (kept.h). */
#ifndef TSFERRY_RESYNC_H
#define TSFERRY_RESYNC_H

#include "outbox.h"
#include "spool.h"

/* In the transaction that adds the new pipe's row. Of `s` only what never changes is
 * read. Blocks: the catalog's thread. */
int resync_carry(struct outbox_writer *w, const struct spool *s,
		 const struct pipe_row *old, int64_t to,
		 struct err *e) MUST_CHECK;

/* Whether a file stands in one of the configured data directories. */
bool resync_stands(const struct spool *s, const struct fileid *file);

#endif
