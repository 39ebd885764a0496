/* One partition looked at: which of its files are sealed, which of those a pipe does
 * not know yet, which known ones are gone (design, section 4).
 *
 * Sealed is decided here, and once decided it lasts: a file whose `.resource` stands
 * and that no compaction journal names as its target. The directories are read three
 * times, in this order: files, resources, journals. A target's journal is made before
 * and removed after its resource appears, so a resource that was seen while its
 * compaction ran has its journal seen in the last pass.
 *
 * A listing is a job of the scan's thread and blocks; it uses that thread's own reader
 * of the catalog. */
#ifndef TSFERRY_LISTING_H
#define TSFERRY_LISTING_H

#include "domain/precedence.h"
#include "ground/db.h"
#include "ground/worker.h"
#include "living.h"
#include "partition.h"
#include "plan.h"
#include "seen.h"

#define LISTING_PIPES_MAX 32

struct vanish_question;
struct vanish_book;
struct vanish_wanted;
struct listing;

/* The scan thread's own. */
struct listing_db {
	struct db db;
	sqlite3_stmt *known, *unread, *compactions, *pin, *devices, *later;
	struct seen seen;
	sqlite3_stmt *known_one, *covered, *pinned; /* deletion.c */
	sqlite3_stmt *dropped;			    /* vanish.c */
};

int listing_db_open(struct listing_db *ld, const char *catalog_path,
		    struct err *e) MUST_CHECK;
void listing_db_close(struct listing_db *ld);

struct listing_pipe {
	int64_t pipe;	  /* in */
	bool sync_del_op; /* in: deletions travel */
	int64_t floor;	  /* in: rows before it do not travel */
	/* Not all deletion files were read: nothing is captured this time. */
	bool is_cut_short;
	/* What it decides depends on an answer of the edge IoTDB: nothing is captured and nothing
	 * forgotten until it is there (vanish_ask.h lists the partition again). */
	bool is_waiting;
	char refused[900]; /* a deletion file that cannot be read; "" = none */
	struct living *
		files; /* owned: what it does not know, in order of precedence */
	size_t n_files;
	struct living *vanished; /* owned: what it knows and is gone */
	size_t n_vanished;
	struct plan plan; /* owned */
};

struct listing {
	struct job job;
	struct listing_db *db; /* NULL: nothing is known */
	bool keeps_all;	       /* in `all` */
	bool is_survey; /* survey.h, instead of a look at the directories */
	void *arg;	/* the owner's */
	struct partition *of; /* not looked at by the job */

	/* in; copies, or what never changes */
	const char *database;
	uint32_t region;
	int64_t partition;
	const char *data_dirs[DATA_DIRS_MAX];
	const struct spool *spool; /* what of it never changes */
	size_t n_data_dirs;
	enum precedence precedence;
	bool may_ask;	     /* the edge IoTDB can be asked (iotdb_rpc) */
	bool is_schema_told; /* what the schema tells of its database is known */
	int inferred_deletes; /* enum inferred_deletes */
	/* An enum vanish_answer (vanish.h). */
	int (*ask)(struct listing *l, const struct vanish_question *q);
	struct vanish_book *book; /* owned: what was asked so far; or NULL */
	bool may_forget; /* every data directory is there, so gone means gone */
	struct held *held; /* owned: journals that may be gone */
	struct listing_pipe pipes[LISTING_PIPES_MAX];
	size_t n_pipes;

	/* out */
	int result;
	struct err err;
	int64_t stamps[DATA_DIRS_MAX][2];
	bool has_journal;
	bool has_unread;	/* a survey has something to do */
	bool wants_schema;	/* is_schema_told is to be true the next time */
	struct living_list all; /* owned: every file, by identity */
	struct living_list
		with_mods; /* owned: files with deletions, by identity */
	struct compactions compactions; /* owned */
	struct vanish_wanted *wanted;	/* owned: what is to be asked */
	int64_t oldest_unsealed_ms;
	struct living top; /* of all pipes: what is known, or in files */
	bool has_top;
};

void listing_run(struct job *j);
/* One of its files, named in full. */
void listing_file(const struct listing *l, const struct living *f,
		  struct fileid *out);

void listing_release(struct listing *l); /* what it owns */

#endif
