/* Pinning one sealed file into a spool, in the order that makes it safe (design,
 * section 4, "Capture"): link the TsFile and its mods, read the mods up to the last
 * whole record, look at the source's name again. What is pinned is not yet durable:
 * pin_sync() makes it so, and the catalog's commit makes it an entry.
 *
 * Everything here blocks on a disk: the catalog's thread. Whatever does not end in
 * PIN_DONE leaves nothing in the spool. */
#ifndef TSFERRY_PIN_H
#define TSFERRY_PIN_H

#include <sys/stat.h>

#include "domain/fileid.h"
#include "domain/mods.h"
#include "domain/tsfile_index.h"
#include "ground/err.h"

enum pin_result {
	PIN_DONE,
	PIN_OUTSIDE, /* all of its rows come before the start time */
	PIN_KNOWN,   /* captured before */
	PIN_GONE, /* the source vanished or is another file now: look again */
	PIN_REFUSED, /* no sealed TsFile, or its mods are malformed: sentence */
	PIN_BLOCKED, /* no file can be pinned as things are: sentence */
};

/* Why nothing can be pinned, for the right message. */
enum pin_block {
	PIN_BLOCK_NONE,
	PIN_BLOCK_LINK,
	PIN_BLOCK_SPACE,
	PIN_BLOCK_OTHER
};

struct pin_place {
	int64_t volume;
	const char *data_dir, *spool_dir; /* borrowed */
	dev_t dev;			  /* of the spool that was checked */
	ino_t ino;
	int spool_fd;  /* open for one batch; -1 = not */
	bool is_loose; /* no room for pins: in, or found out at opening */
};

/* The start time of a pipe, as rows that must not travel. A file with rows on both sides
 * travels with one record more, a file without rows behind it not at all. */
struct pin_cut {
	bool is_set;
	int64_t last_deleted; /* every row up to it, inclusive */
};

struct coverage;

struct pin {
	struct fileid file; /* in */
	/* In: these deletions travel, not those at the source; borrowed; NULL. */
	struct coverage *kept;
	enum pin_result result;
	enum pin_block block;
	uint64_t nonce; /* in: random, not 0 */
	/* In: told of its devices; borrowed; NULL: its times are read only where they are needed
	 * at once. */
	const struct tsfile_visit *visit;
	bool is_loose; /* only its deletions are in the spool */
	uint64_t body_len, mods_len;
	enum mods_kind mods_kind;
	uint64_t mods_seen; /* bytes of whole records read at the source */
	int64_t sealed_ms;  /* the source's last change */
	/* Of its rows, read with its devices, for a start time, a file with deletions, a loose
	 * one; any = false: not known, the survey will (survey.h). */
	struct tsfile_range range;
	int fd, mods_fd; /* until pin_sync(); -1 = not held */
};

/* Opens the spool; refuses one that is not the one that was checked (-ESTALE). Less free
 * room than `min_free` says ("10%", "2G"): what is pinned now would be loose. */
int pin_place_open(struct pin_place *pl, const char *min_free,
		   struct err *e) MUST_CHECK;
void pin_place_close(struct pin_place *pl);

/* p->file and p->nonce are in; everything else is set here. */
void pin_file(struct pin *p, struct pin_place *pl, const struct pin_cut *cut,
	      bool may_copy, struct err *e);
int pin_sync(struct pin *p,
	     struct err *e) MUST_CHECK; /* the files; closes them */
void pin_close(struct pin *p);
void pin_undo(struct pin *p, const struct pin_place *pl);

#endif
