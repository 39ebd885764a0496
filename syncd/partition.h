/* The time partitions of the edge IoTDB, as the scan knows them: one object for
 * (database, region, partition) over all data directories and both spaces.
 *
 * Loop only. A partition lives until it is busy no more and its directories are gone;
 * the database's name is owned here and borrowed by whatever is under way. */
#ifndef TSFERRY_PARTITION_H
#define TSFERRY_PARTITION_H

#include "domain/fileid.h"
#include "held.h"
#include "settings.h"

/* One file of a partition, small: there may be a hundred thousand. */
struct living {
	uint64_t t, v;
	uint32_t i, c;
	uint8_t volume; /* index of the data directory */
	bool unsequence;
	bool has_resource, is_target;
	bool is_judged; /* a product of known files only, and which is sent */
	bool is_rejoined; /* a product that is sent, of captured files too: the plan
			   * owes it (plan_owe_product) */
	bool is_explained; /* gone or new by a compaction that is understood */
	bool is_again;	   /* captured before; goes behind what came below it */
};

struct vanish_book;

/* Whether the schema was asked about files that vanished (vanish_drop.h). */
enum schema_look {
	SCHEMA_UNASKED,
	SCHEMA_AWAITED,
	SCHEMA_TOLD
};

struct partition {
	struct partition *next_in_bucket, *next_dirty;
	char *database; /* owned */
	uint32_t region;
	int64_t partition;
	/* Change times of its directories as of the last listing, in nanoseconds; 0 = no
	 * directory, or too young to be trusted. [volume][unsequence]. */
	int64_t stamps[DATA_DIRS_MAX][2];
	uint64_t mods_stamps[DATA_DIRS_MAX]
			    [2]; /* as a walk saw them; 0 = never */
	uint64_t walk;		 /* the last walk that saw it */
	unsigned n_dirs,
		n_dirs_before; /* directories that this walk saw, and the last */
	bool is_dirty;	       /* must be listed; in the queue */
	bool has_unread; /* captured files whose contents are to be surveyed */
	bool is_again;	 /* changed while it was listed */
	bool is_clean;	 /* what was sealed at the last listing is captured */
	bool has_journal; /* a compaction runs, so only a listing knows what is sealed */
	bool is_listing;
	bool is_leaving; /* its directories are gone: removed when nothing is under way */
	/* The highest by precedence of what is captured or about to be. */
	struct living top;
	bool has_top;
	struct held *held;	  /* journals; owned, NULL = none */
	struct vanish_book *book; /* vanish_ask.h; owned, NULL = none */
	unsigned n_questions;	  /* about it, under way */
	enum schema_look schema_look;
	unsigned n_lists;   /* capture lists under way */
	unsigned n_refused; /* files that are no TsFiles, as far as is known */
	unsigned n_refused_now;	    /* since the last listing */
	int64_t oldest_unsealed_ms; /* 0 = none */
};

struct partitions {
	struct partition *buckets[1024];
	size_t n;
};

/* NULL when there is none. */
struct partition *partition_find(const struct partitions *ps,
				 const char *database, uint32_t region,
				 int64_t partition);
struct partition *partition_make(struct partitions *ps, const char *database,
				 uint32_t region, int64_t partition);
void partition_remove(struct partitions *ps, struct partition *p);
void partitions_release(struct partitions *ps);

/* Calls fn for each; fn may remove the one it is given. */
void partitions_each(struct partitions *ps,
		     void (*fn)(void *arg, struct partition *p), void *arg);

void partition_file(const struct partition *p, const struct living *l,
		    struct fileid *out);

#endif
