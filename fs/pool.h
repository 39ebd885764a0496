/* Connections to the daemons of this host, kept and used again.
 *
 * One pool for both daemons; each has three lanes, so that a hundred parked WAITs keep
 * neither `ls` nor STOP PIPE waiting: questions about the tree, statements, and those
 * that wait. What finds no free
 * connection waits in line; its time counts from pool_ask(). Nothing is remembered of a
 * daemon that is not there: the next question tries to connect again, so that one that
 * appears is seen at once. One that let a question about the tree run into its time
 * limit is not asked again for a second (-ETIMEDOUT at once), so that a listing pays for
 * a hung daemon once.
 *
 * A question about the tree is put again, once, when a kept connection turns out to be
 * dead. A statement is not unless it certainly was not read. */
#ifndef TSFERRY_POOL_H
#define TSFERRY_POOL_H

#include "domain/control.h"
#include "ground/loop.h"

#define POOL_DAEMONS 2
#define POOL_SYNCD 0u
#define POOL_RECVD 1u

enum pool_lane { LANE_TREE, LANE_STATEMENT, LANE_WAIT };
#define POOL_LANES 3

struct pool;

struct pool_question {
	unsigned daemon;
	enum pool_lane lane;
	const char *as; /* the request that says for whom (".as 1000 1000"); "" = ourselves */
	const char *request;
	unsigned timeout_ms;
	/* Gets the reply (borrowed) or NULL with -errno: -ENOENT or -ECONNREFUSED nobody is
	 * there, -ETIMEDOUT, -ECANCELED by pool_close(). Once; from inside pool_ask() only
	 * when the pool is closed. */
	void (*done)(void *arg, const struct reply *r, int err);
	void *arg;
};

struct pool *pool_new(struct loop *l, const char *const sockets[POOL_DAEMONS]);

/* Copies what it needs. */
void pool_ask(struct pool *p, const struct pool_question *q);

/* Every question that is under way, or put from now on, ends with -ECANCELED. */
void pool_close(struct pool *p);
void pool_free(struct pool *p); /* closes first */

/* That nobody is there, as opposed to trouble on the way. */
bool pool_is_absent(int err);

#endif
