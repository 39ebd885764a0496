/* Where pinned files stand: one spool per data directory, on the same file system,
 * flat, each payload under its entry's nonce.
 *
 *	<16 hex digits>.tsfile [.mods | .mods2]		and `instance`
 *
 * Nothing here is held open: directories are named by their paths at every use, so a
 * data directory may go away and come back (IoTDB's disk was mounted late, say). A
 * spool counts as ready once spool_check() found it, on this device and inode, to
 * belong to this state directory. Functions marked so block on a disk. */
#ifndef TSFERRY_SPOOL_H
#define TSFERRY_SPOOL_H

#include <sys/stat.h>

#include "domain/statedir.h"
#include "outbox.h"
#include "settings.h"

#define VOLUMES_MAX \
	64 /* configured ones, and old ones that still hold entries */
#define SPOOL_DIR_LEN 420
#define SPOOL_PATH_LEN (SPOOL_DIR_LEN + 40)

struct volume {
	int64_t id;
	char data_dir[DATA_DIR_LEN]; /* these two never change */
	char spool_dir[SPOOL_DIR_LEN];
	bool is_configured; /* false: only what is pinned there counts */
	bool is_ready;
	bool is_used; /* it was seen to be a data directory, or files are known */
	dev_t dev;    /* of the spool, when ready */
	ino_t ino;
	uint64_t
		alone_bytes; /* what only the spool still holds, at the last look */
	uint64_t over_bytes; /* beyond the bounds then; 0 = within */
	bool is_full;	     /* so still, with all given up that can be */
};

struct spool {
	struct volume volumes[VOLUMES_MAX];
	size_t n; /* configured ones first */
	size_t n_configured;
};

/* The volumes of the settings and of the catalog. At start; a data directory that does
 * not exist then is refused, because it is misspelt or its disk is not mounted. */
int spool_load(struct spool *s, const struct settings *set, struct outbox *o,
	       struct err *e) MUST_CHECK;
const struct volume *spool_volume(const struct spool *s, int64_t id);

/* Blocks. A data directory has `sequence` or `unsequence`; the place for a disk that is not mounted
 * has neither. */
bool spool_is_data_dir(const struct volume *v);

/* Blocks. Makes the spool when its data directory is there, checks whose it is; dev and
 * ino of `v` (a copy) are set. -ENOENT: the data directory is away; -ESTALE: another
 * instance's. */
int spool_check(struct volume *v, const struct statedir *state,
		struct err *e) MUST_CHECK;

/* Blocks. Adds up what only the spool still holds (files with one name) into `v`, and by
 * how much that is more than spool_max_bytes, or the free room less than spool_min_free
 * (shares or bytes): -EDQUOT, -ENOSPC with a sentence. */
int spool_measure(struct volume *v, const char *max_bytes, const char *min_free,
		  struct err *e) MUST_CHECK;

/* At start: a spool that belongs to another instance is refused (-ESTALE): what it holds
 * would be taken for rubbish. What else is wrong with one is the walk's to tell. */
int spool_check_all(const struct spool *s, const struct statedir *state,
		    struct err *e) MUST_CHECK;

/* "<dir>/<nonce>.tsfile", and with the suffix of `kind` behind it. */
const char *spool_path(const char *dir, uint64_t nonce, enum mods_kind kind,
		       char *to);
const char *spool_name(uint64_t nonce, enum mods_kind kind, char to[48]);

/* Blocks. Removes what is pinned for an entry; what is not there is no error. */
void spool_unpin(const char *dir, uint64_t nonce);

/* What a look through all spools found; catalog's thread, in a bare job, before the
 * first capture of these spools. Files without an entry are removed, unless they are
 * not named as ours. */
struct spool_sweep {
	uint64_t n_removed, n_missing;
	struct outbox_gone first_missing;
	int64_t first_missing_pipe;
};

int spool_sweep(const struct spool *s, struct outbox_writer *w,
		struct spool_sweep *out, struct err *e) MUST_CHECK;

#endif
