/* Compactions of one partition as syncd saw them: what each journal named, and how much
 * of each source's deletions stood when the journal did (iotdb-formats, section 2.4).
 *
 * What IoTDB deletes after that look is written to the product's deletions as well, so
 * that look bounds what must have been read of a source. A compaction is kept in the
 * catalog from the moment that its journal is whole, so that its product is recognized
 * after a restart too; it is over when its journal is gone.
 *
 * The scan's thread; blocks on the disk. Whoever holds the list owns it. */
#ifndef TSFERRY_COMPACTION_H
#define TSFERRY_COMPACTION_H

#include "ground/buf.h"
#include "ground/db.h"
#include "journal.h"
#include "partition.h"

#define COMPACTION_BODY_MAX (8u << 20)
#define COMPACTION_FILES_MAX 8192u /* beyond, its products are sent */

struct compaction_file {
	struct living f;
	enum journal_role role;
	int64_t mods; /* of a source: bytes of its deletion file after the journal
		       * was read; -1: it was gone by then */
};

struct compaction {
	char journal[JOURNAL_NAME_LEN];
	struct compaction_file *v; /* owned */
	size_t n, cap;
	char *stored;  /* owned: as the catalog has it; NULL = it has not */
	bool is_there; /* its journal stands in a directory */
	bool is_too_long;
	bool is_decided;
};

struct compactions {
	struct compaction *v; /* owned */
	size_t n, cap;
};

void compactions_release(struct compactions *cs);

/* A journal was read: lines without their newline do not count. */
int compaction_read(struct compactions *cs, const char *journal, const void *p,
		    size_t n, bool is_there) MUST_CHECK;

/* Adds what the catalog has of this partition (statement: journal, body). */
int compactions_load(struct compactions *cs, struct db *db, sqlite3_stmt *st,
		     struct err *e) MUST_CHECK;

/* The catalog's form of it: lines, one a file. */
void compaction_print(const struct compaction *c, struct buf *out);

/* Its journal names sources, and behind them a target, or that there is none: all
 * sources are known. */
bool compaction_is_whole(const struct compaction *c);

#endif
