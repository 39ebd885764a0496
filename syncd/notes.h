/* What is wrong right now, one sentence per cause: the [WARN] lines of `message`. A
 * note stands until its cause is gone; setting the same sentence again keeps the
 * time at which it began. Loop only. */
#ifndef TSFERRY_NOTES_H
#define TSFERRY_NOTES_H

#include <stdbool.h>

#include "ground/buf.h"

enum note_cause {
	/* of one pipe */
	NOTE_QUARANTINE,
	NOTE_WAITS, /* the receiver cannot apply at present */
	NOTE_ATTEMPT,
	NOTE_GAPS, /* what the cloud lacks and will not get by itself */
	/* of the edge */
	NOTE_LINK,  /* files cannot be linked */
	NOTE_SPACE, /* no room */
	NOTE_FULL,  /* spool_max_bytes, spool_min_free: files are captured loose */
	NOTE_CATALOG,
	NOTE_RELEASE, /* what is applied or dropped keeps its room */
	NOTE_FILE, /* single files that are no TsFiles, or whose mods are malformed */
	NOTE_DATA_DIR,
	NOTE_SPOOL,
	NOTE_LIST,  /* directories that cannot be read */
	NOTE_WATCH, /* the limit of inotify watches */
	NOTE_ASK, /* the edge IoTDB gives no answers */
	NOTE_FLUSH, /* it refuses to FLUSH */
	N_NOTES
};

struct notes {
	struct note {
		int64_t since_ms;
		char *text; /* owned; NULL = nothing wrong */
	} v[N_NOTES];
};

/* True when something changed. */
bool notes_set(struct notes *n, enum note_cause cause, const char *text);
bool notes_clear(struct notes *n, enum note_cause cause);
void notes_release(struct notes *n);

/* "[WARN] [time] text" lines. */
void notes_print(const struct notes *n, struct buf *out);

#endif
