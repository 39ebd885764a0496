/* Staged files under names that a server on this host can LOAD, a run of them at a time:
 *
 *	<load_dir>/<pipe>/<database>/<first>-<last>/<serial>-<serial>-0-0.tsfile
 *		and its .mods or .mods2
 *
 * <pipe> is the staging directory of the files, <first> and <last> the serials of the run.
 *		list	the serials of the run
 *
 * The directory appears under its name when it is complete, and goes, its list first, when the server's
 * answer was heard; so one that is found tells of a LOAD whose answer was lost, which may
 * still be going on in the server. Taking its name away (".late") ends that: what the
 * server had not taken by then it does not find any more. Then a file that is missing was
 * loaded, if the server takes files away at success (sql_load_consumes()).
 *
 * The directories have the mode and the group of load_dir, and the files can be read through
 * them: a server of another user needs a load_dir that it may write to (2770 and its group).
 * Never two runs of a domain at a time. Blocks on the disk. */
#ifndef TSFERRY_LOAD_HANDOVER_H
#define TSFERRY_LOAD_HANDOVER_H

#include <sys/stat.h>

#include "domain/tsfile_reorder.h"
#include "load_job.h"

#define HANDOVER_PATH_MAX 1400
#define HANDOVER_NAME_MAX 112
#define HANDOVER_DOMAIN_MAX 500
#define HANDOVER_MARKS "applied" /* of a domain (load_marks.h) */

struct handover_root {
	int fd; /* owned; -1 = none */
	struct stat st;
	char path[700];
};

int handover_open(struct handover_root *root, const char *path,
		  struct err *e) MUST_CHECK;
void handover_close(struct handover_root *root);

/* Removes runs of pipes whose staging directory is gone. */
void handover_sweep(struct handover_root *root, const struct load_job *any);

#define HANDOVER_ONE_BY_ONE 3u

struct handover {
	const struct handover_root *root;
	int fd;		      /* owned; of the run's directory; -1 = none */
	uint64_t first, last; /* of what was added */
	bool wants_mods;      /* every file gets one (sql_load_wants_mods()) */
	int dirty[HANDOVER_ONE_BY_ONE]; /* owned; the first that are not synced, */
	unsigned n_dirty;		/* of so many */
	struct buf list;      /* owned; its serials, one a line */
	char domain[HANDOVER_DOMAIN_MAX]; /* <pipe>/<database>, below the root */
	char name[64];	      /* of the run */
	char path[HANDOVER_PATH_MAX - 128]; /* absolute, of the run */
};

/* A run that was begun and whose answer is not known: 1 and `h`, whose name it has lost
 * already; 0: none. */
int handover_find(const struct handover_root *root, const struct load_job *any,
		  struct handover *h, struct err *e) MUST_CHECK;

/* A new one, in three steps; what is handed over is synced at the third. */
int handover_begin(const struct handover_root *root, const struct load_job *any,
		   struct handover *h, struct err *e) MUST_CHECK;

/* What is not handed over as it is staged. */
struct handover_change {
	const struct buf *
		mods; /* these deletion records, of the form `kind`; NULL = its own */
	enum mods_kind kind;
	tsfile_compare *order; /* devices in this order; NULL = as they stand */
};

/* `change` may be NULL. */
int handover_add(struct handover *h, const struct load_job *j,
		 const struct handover_change *change,
		 struct err *e) MUST_CHECK;
int handover_show(struct handover *h, struct err *e) MUST_CHECK;

/* The path of one file, for a LOAD of its own. */
const char *handover_file(const struct handover *h, const struct load_job *j,
			  char to[HANDOVER_PATH_MAX]);
bool handover_has(const struct handover *h, const struct load_job *j);
/* It was part of the run, and its file is gone. */
bool handover_is_taken(const struct handover *h, const struct load_job *j);
/* Nothing is left in it: all of it was loaded, and nothing is under way. */
bool handover_is_empty(const struct handover *h);
/* The last serial of the run, also of one that was found; 0: it names none. */
uint64_t handover_last(const struct handover *h);
/* Deletion records that stand there although their file was taken. */
bool handover_has_mods(const struct handover *h, const struct load_job *j);

/* For a server that does not see the directory: opens what was handed over of a file (owned by
 * the caller), its deletion records if `is_mods`, under the name that goes with it. -ENOENT:
 * there is none. */
int handover_open_part(const struct handover *h, const struct load_job *j,
		       bool is_mods, char name[HANDOVER_NAME_MAX]) MUST_CHECK;
/* Takes it away, as a server that sees it does when it loaded it: records first. */
int handover_take(struct handover *h, const struct load_job *j,
		  struct err *e) MUST_CHECK;

/* Makes durable that files went. */
int handover_sync(struct handover *h, struct err *e) MUST_CHECK;
/* Removes what is left, and the directory. */
int handover_remove(struct handover *h, struct err *e) MUST_CHECK;
/* Both. */
int handover_end(struct handover *h, struct err *e) MUST_CHECK;
void handover_release(struct handover *h); /* leaves the directory */

#endif
