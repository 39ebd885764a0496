/* A listing of the edge's schema (schema_line.h) against what the catalog has of it for one
 * pipe: both sorted, walked side by side, in pieces of bounded size.
 *
 * A piece is the statements of one SCHEMA entry, all of one database, and the rows of the
 * catalog that become true with it; schema_write() commits both together, and the walk goes on
 * behind it. So a kill between two pieces costs nothing, and a walk of what was committed
 * finds nothing.
 *
 * What is taken away waits for a second listing (`before` is the first): a series that is in
 * neither of two, and one that is another under the same name in both. Nothing is taken away
 * by a listing that may not show all, or when the
 * server is another one than before: then the catalog forgets, and the cloud keeps. A server
 * that tells no identity counts as another one when most of its series are gone at once.
 *
 * A database that is gone is dropped in the cloud, with one statement, only when the server tells
 * by its identity that it is the same; else it is kept with all that was in it. Its row stays in the
 * catalog, as SCHEMA_DROPPED: that its files vanished is explained then (vanish.h).
 *
 * schema_pass_run() is a job and blocks on the disk; it reads the catalog with a connection of
 * its own. */
#ifndef TSFERRY_SCHEMA_PASS_H
#define TSFERRY_SCHEMA_PASS_H

#include "ground/worker.h"
#include "outbox.h"

#define SCHEMA_PIECE_MAX (192u << 10)
#define SCHEMA_ROWS_MAX (1u << 20)
#define SCHEMA_MASS 16u /* fewer that are gone are never most */
#define SCHEMA_IDENTITY_LEN 64
#define SCHEMA_DIGEST_LEN 32

struct schema_counts {
	uint64_t created, changed, removed,
		kept;	  /* kept: gone here, not there */
	uint64_t dropped; /* databases */
	uint64_t missing; /* waits for a second listing */
	uint64_t known;	  /* rows that the catalog had */
};

struct schema_pass {
	struct job job;
	void *arg; /* the owner's */

	/* in */
	int64_t pipe;
	const char *listing,
		*before;     /* paths, borrowed; NULL: the first look */
	const char *catalog; /* path, borrowed */
	char identity[SCHEMA_IDENTITY_LEN], digest[SCHEMA_DIGEST_LEN];
	bool sees_all;
	bool may_remove;   /* SyncDelOp */
	bool is_most_gone; /* the first look found so */

	/* The walk: where the next piece begins. */
	int64_t at, before_at;
	char *database, *path; /* owned; NULL: at the beginning */
	char *listed;  /* owned: the last database whose own line was listed */
	char *dropped; /* owned: the last one that is dropped in the cloud */
	bool is_begun;
	bool is_known_server, is_another_server; /* than at the last listing */

	/* out: one piece */
	struct buf statements;
	char of[DATABASE_MAX + 1]; /* the database that they are about */
	struct buf rows; /* '+' or '-', database NUL path NUL rest NUL */
	bool is_end;	 /* nothing is left */
	struct schema_counts counts; /* of the whole walk so far */
	int result;
	struct err err;
};

void schema_pass_init(struct schema_pass *p);
void schema_pass_run(struct job *j);
/* The piece is committed. */
void schema_pass_next(struct schema_pass *p);
void schema_pass_release(struct schema_pass *p);

/* One piece, inside a transaction of the catalog's thread: 0 or -errno; -ENOENT: the pipe is
 * dropped. *has_entry: the numbers are set. */
int schema_write(const struct schema_pass *p, struct outbox_writer *w,
		 bool *has_entry, uint64_t *assigned, uint64_t *assigned_bytes,
		 struct err *e) MUST_CHECK;

#endif
