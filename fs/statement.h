/* One statement on its way: parsed to know where it belongs, put to that daemon (or
 * both), the answers joined. And refusals that are made here, told to a daemon so that
 * they stand in last_error like its own.
 *
 * Every call ends in `done` exactly once, never from inside the call unless the pool is
 * closed. Nothing here decides rights: the daemon does, by `as`. */
#ifndef TSFERRY_STATEMENT_H
#define TSFERRY_STATEMENT_H

#include "fs.h"

#define STATEMENT_MS 60000
#define STATEMENT_MARGIN_MS 5000 /* beyond the seconds of a WAIT */

/* Who makes it. */
struct caller {
	unsigned uid;
	char *as; /* owned; the request that says so, "" when it is who we are */
};

typedef void statement_fn(void *arg, const struct reply *r);

/* `text`: one line, complete. A refusal has r->code, and r->sys for the write. */
void statement_run(struct fs *fs, const struct caller *who, const char *text, statement_fn *done,
		   void *arg);

/* Refuses `text` in our own words. */
void statement_refuse(struct fs *fs, const struct caller *who, const char *text,
		      const struct err *why, statement_fn *done, void *arg);

#endif
