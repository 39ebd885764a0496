/* Deletions that IoTDB makes after a file was captured (design, section 4,
 * "Deletions"; iotdb-formats, section 4; iotdb-observed, section 2).
 *
 * Reading is the scan's: once the candidates of a partition are listed, the deletion
 * files of what is captured are read as far as their records are whole, and what none of
 * the file's earlier deletions covers (coverage.h) becomes a DELETE. So a DELETE comes
 * behind every file that has it, and before every file whose rows were written after it.
 * Records that several files of the partition have alike become one DELETE, cut to the
 * times and the devices of those files. The deletion file of a captured file that is
 * gone is read to its end where the spool still has it linked.
 *
 * A deletion file is read when it is another than before (a stamp: inode, size, change
 * time), so that a partition at rest costs one stat(2) a deletion file. Memory: about
 * DELETION_READ_MAX of deletion files at a time; what is beyond waits for the next
 * listing, and candidates with it (`is_cut_short`).
 *
 * A record about the front of a file only (its offset) becomes a DELETE as well, and
 * the file follows again behind it.
 *
 * Writing is the catalog's thread's: deletions_write(), in one transaction with the rest
 * of the plan. Blocks on disks. */
#ifndef TSFERRY_DELETION_H
#define TSFERRY_DELETION_H

#include "domain/records.h"
#include "living.h"
#include "outbox.h"

#define DELETION_READ_MAX (32u << 20)  /* bytes of one listing */
#define DELETION_BODY_MAX (192u << 10) /* bytes of records in one entry */
#define DELETION_DEVICES_MAX 60000u    /* bytes of devices in one entry */

struct listing;
struct listing_pipe;

/* Records that the same files have, and these files' devices and times. */
struct deletion {
	enum mods_kind kind;
	struct buf records; /* owned */
	struct buf devices; /* owned: one a line; sorted when it is written */
	int64_t first, last;
	bool is_closed; /* takes no more files */
	bool is_late; /* found beside a product, not when it was written */
};

/* How far the deletions of a captured file were read. */
struct deletion_read {
	struct living f;
	uint64_t seen, stamp;
	bool has_covered;
	struct buf covered; /* owned */
};

struct deletions {
	struct deletion *v; /* owned */
	size_t n, cap;
	struct deletion_read *read; /* owned */
	size_t n_read, cap_read;
};

void deletions_release(struct deletions *d); /* safe on a zeroed one */
struct deletion *deletions_add(struct deletions *d); /* NULL: no memory */
struct deletion_read *deletions_add_read(struct deletions *d);

/* For one pipe of a listing, when its candidates and its compactions are judged, before
 * `fresh` is put into order: what follows again is added there. */
int deletion_judge(struct listing *l, struct listing_pipe *lp,
		   struct living_list *fresh,
		   const struct living_list *vanished) MUST_CHECK;

/* Lines sorted, each once. -ENOMEM. */
int deletion_sort_lines(struct buf *lines) MUST_CHECK;

/* Adds the entries and what was read. `key` names the partition; assigned and bytes are
 * those of the pipe, and are moved on. */
int deletions_write(struct deletions *d, struct outbox_writer *w, int64_t pipe,
		    const struct partition *key, uint64_t *assigned,
		    uint64_t *assigned_bytes, struct err *e) MUST_CHECK;

#endif
