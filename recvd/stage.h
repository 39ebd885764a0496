/* The staging directory: bytes that are not applied yet, as files.
 *
 *	staging/<sender key, first 16 digits>/<incarnation>/
 *		<serial>-<serial>-0-0.tsfile	a FILE's body
 *		<serial>-<serial>-0-0.tsfile.mods (.mods2)	its deletion records
 *		<serial>-<serial>-0-0.records	a large payload of another kind
 *		<serial>-<serial>-0-0.blocks	while it is half received: which blocks are here
 *
 * A .blocks file is a head (magic, version, the encoded entry, XXH3-128 over that) and
 * records of 24 bytes {u64 index, digest of the block}, appended after each block's
 * bytes were written. Nothing of it is synced: after a restart a block counts only if
 * its bytes hash to the digest recorded last, so neither a torn tail nor lost pages can
 * do more than cost a block.
 *
 * Files of applied entries that are retained (retain.h) stay where they are, under the same
 * names, explained by the catalog's rows of them.
 *
 * Whether an entry is durable is the catalog's business alone: a file here that
 * neither the catalog nor a valid .blocks explains is removed at the next start.
 *
 * Everything in this header blocks on the disk and is for the writer thread (jobs in
 * order) or for the start. A stage_file belongs to one job after another. */
#ifndef TSFERRY_STAGE_H
#define TSFERRY_STAGE_H

#include "domain/entry.h"
#include "early.h"

#define STAGE_DIR_MAX 64
#define STAGE_NAME_MAX 96
/* More than an edge has under way: one that was not reported would be in the way of a
 * fresh file of its serial. */
#define STAGE_PARTIALS_MAX 4608u

struct stage {
	int fd; /* owned; -1 = none */
	char path[600];
};

/* "<16 digits>/<32 digits>" below the staging directory. */
const char *stage_dir_name(const uint8_t sender[SENDER_ID_LEN], const uint8_t incarnation[ID_LEN],
			   char to[STAGE_DIR_MAX]);

/* The staged names of an entry, below its directory. "" when there is no such file. */
void stage_body_name(const struct entry *en, char to[STAGE_NAME_MAX]);
void stage_mods_name(const struct entry *en, char to[STAGE_NAME_MAX]);

/* An entry's files while they are being written. */
struct stage_file {
	struct entry entry; /* owned */
	char dir[STAGE_DIR_MAX];
	int body_fd, mods_fd, list_fd; /* owned; -1 = closed or none */
	int failed; /* -errno of the first write that failed: the files are worthless */
};

/* Takes what `en` owns. */
struct stage_file *stage_file_new(const char *dir, struct entry *en);
void stage_file_free(struct stage_file *f); /* closes; leaves the files. Safe on NULL */

/* Empty files and a fresh list of blocks, or (reuse) those that stage_scan() reported. */
int stage_file_open(struct stage *s, struct stage_file *f, bool reuse, struct err *e) MUST_CHECK;
/* One block, then its record. */
int stage_file_write(struct stage_file *f, uint64_t index, const void *p, uint32_t len,
		     const struct digest *d, struct err *e) MUST_CHECK;
/* A whole payload at once, without a list: for what the catalog will explain at once. */
int stage_file_whole(struct stage *s, struct stage_file *f, const void *p, uint32_t len,
		     struct err *e) MUST_CHECK;
int stage_file_sync(struct stage_file *f, struct err *e) MUST_CHECK; /* once only */
void stage_file_done(struct stage *s, struct stage_file *f); /* durable: the list goes */

/* What is half received and stands the test of reading it again, from the disk and not from a
 * cache in which a failed sync may have left bytes that no disk has. An array of
 * stage_partial, at most STAGE_PARTIALS_MAX; owned by the caller. What does not decode
 * is removed; of serials up to `durable` and of early ones (NULL: none), whose files are the
 * catalog's, only the list is. So these must be what is committed, with no commit under way. */
struct stage_partial {
	struct entry entry;
	uint64_t n_blocks;
	uint8_t *present;
	struct digest *digests;
};

int stage_scan(struct stage *s, const char *dir, uint64_t durable, const struct early *early,
	       struct stage_partial **out, size_t *n, struct err *e) MUST_CHECK;
/* The same as the lists say it, in no more time than they take; nothing of it may become
 * durable before stage_look() read it. */
int stage_lists(struct stage *s, const char *dir, uint64_t durable, const struct early *early,
		struct stage_partial **out, size_t *n, struct err *e) MUST_CHECK;
/* Reads blocks [from, end) of those that `p` says are there; what they are not is not present
 * in `p` any more. How many these were; -errno when nothing can be read. from_disk: not from
 * a cache that an earlier process left; to be said with the first blocks. */
int stage_look(struct stage *s, const char *dir, struct stage_partial *p, uint64_t from,
	       uint64_t end, bool from_disk) MUST_CHECK;
/* Removes what is half received, without a look; the same about `durable`. */
int stage_sweep(struct stage *s, const char *dir, uint64_t durable, const struct early *early,
		struct err *e) MUST_CHECK;
void stage_partials_free(struct stage_partial *p, size_t n);

/* Names of a serial, whatever its kind; nothing there is no error. */
void stage_remove(struct stage *s, const char *dir, uint64_t serial);

/* The same without guessing: only the files that an entry has. */
struct stage_parts {
	uint64_t serial;
	enum entry_kind kind;
	bool has_body;
	enum mods_kind mods_kind; /* of a FILE that has mods; MODS_NONE otherwise */
};

void stage_remove_parts(struct stage *s, const char *dir, const struct stage_parts *p);

/* Makes the directory of an incarnation, durably. */
int stage_make_dir(struct stage *s, const char *dir, struct err *e) MUST_CHECK;
int stage_sync_dir(struct stage *s, const char *dir, struct err *e) MUST_CHECK;

/* At a start, before any stage_lists(): removes what neither the catalog nor a list of blocks
 * explains. keep_partials: of an
 * incarnation that is not dropped. `files`: ascending serials that the catalog has as
 * files. Returns how many names went. */
int stage_clean(struct stage *s, const char *dir, bool keep_partials, uint64_t durable,
		const struct early *early, const uint64_t *files, size_t n_files, struct err *e) MUST_CHECK;
/* Removes every directory that is not in `known` (n names, sorted with strcmp). */
int stage_clean_unknown(struct stage *s, const char *const *known, size_t n, struct err *e)
	MUST_CHECK;

#endif
