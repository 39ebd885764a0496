/* The inside of reading deletions, shared by deletion.c (which records are news) and
 * deletion_clip.c (whom they touch, and what a product inherits). Nobody else includes
 * this. */
#ifndef TSFERRY_DELETION_INSIDE_H
#define TSFERRY_DELETION_INSIDE_H

#include "coverage.h"
#include "listing.h"
#include "spool.h"

struct deletion_judging {
	struct listing *l;
	struct listing_pipe *lp;
	struct living_list *fresh;
	const struct living_list *vanished; /* sorted by identity */
	struct living_list gone;	    /* owned; the same */
	size_t n_bytes;			    /* of deletion files, so far */
};

/* A captured file with its deletion file: where it stands, or in the spool. */
struct deletion_source {
	struct living f;
	struct known_file k;
	const struct living
		*made_of;      /* of a product that is derived just now */
	const char *spool_dir; /* NULL: in its directory */
	uint64_t nonce;
	enum mods_kind kind;
	uint64_t seen; /* bytes of whole records */
};

struct deletion_piece {
	struct record rec; /* borrows from the bytes that were read */
	int64_t first, last;
};

/* What of a deletion file is news. */
struct deletion_pieces {
	struct deletion_piece *v; /* owned */
	size_t n, cap;
	uint64_t body_len; /* of the TsFile */
	bool is_partial;   /* one of them is about the front of the file */
};

/* What the cloud has of a file's deletions: as read just now, else of the catalog. */
int deletion_load(const struct deletion_judging *j, const struct living *f,
		  struct coverage *out) MUST_CHECK;
/* 1 and what the catalog says of a captured file, or 0. */
int deletion_find_known(const struct deletion_judging *j,
			const struct living *f,
			struct known_file *out) MUST_CHECK;
int deletion_piece(struct deletion_pieces *p,
		   const struct record *rec) MUST_CHECK;

/* Adds the pieces to the plan's deletions, cut to the times and devices of the TsFile
 * `fd`; nothing when they touch none of its rows. */
int deletion_emit(struct deletion_judging *j, const struct deletion_source *s,
		  int fd, const struct deletion_pieces *p) MUST_CHECK;

/* Whether they may be about rows of a device. */
bool deletion_is_touched(const struct deletion_pieces *p,
			 const struct tsfile_device *d);

/* Captured files that have rows which the plan's deletions are not about, though these
 * would take them: they follow again (deletion_behind.c). */
int deletion_follow_behind(struct deletion_judging *j) MUST_CHECK;

/* A record beside a product: news when one of the product's sources that may have such
 * rows lacks it, or when none has it. Where no journal names them: of all that is gone. */
int deletion_inherited(struct deletion_judging *j,
		       const struct deletion_source *s,
		       const struct record *rec,
		       struct deletion_pieces *out) MUST_CHECK;

#endif
