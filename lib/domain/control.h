/* The control socket of a daemon: one request line in, coded reply lines out.
 *
 * A request is one line (at most 64 KiB): a statement, or
 *	.as UID GID,GID,...	the next requests are made for this user (accepted from
 *				root and from the daemon's own user only)
 *	.ls PATH  .cat PATH  .stat PATH		the daemon's part of /pipes
 *	.note STATEMENT<tab>CODE<tab>TEXT	a refusal made elsewhere, for last_error
 * Replies, one or more lines:
 *	NNNN-text	more follows		NNNN text	the last one
 * Class 0 done, 1 row, 2 heading, 8 failed (last three digits: IoTDB's code), 9 not
 * understood (9401). A failure is two lines: NNNN-ERRNO (its name, as EEXIST), then
 * NNNN sentence. Rows and headings are tab-separated cells (table.h); sentences are
 * escaped as cells are. Rows beyond CONTROL_REPLY_MAX are left out, and the reply is
 * then a failure (E2BIG) that says how many. A request that is too long, or has no
 * newline before the end, is answered and the connection closed.
 *	.stat	1000-KIND MODE SIZE MTIME_MS		(d, f or l; octal; bytes)
 *	.ls	1000-KIND MODE SIZE MTIME_MS NAME	one line each
 *	.cat	1001-LINE	one per line of the content, which always ends in a newline
 *		or is empty; for a link its target
 * Requests of a connection are answered in order. Mode of the socket 0666: rights are
 * per statement, from SO_PEERCRED or .as. */
#ifndef TSFERRY_CONTROL_H
#define TSFERRY_CONTROL_H

#include "ground/loop.h"
#include "sql.h"
#include "table.h"
#include "tree.h"

#define SENTENCE_LEN_MAX 1024

struct control;

/* The last refusal, for /pipes/last_error. */
struct refusal {
	int64_t wall_ms;
	unsigned uid;
	int code;
	char statement[256];
	char text[SENTENCE_LEN_MAX];
};

/* One statement being answered. It lives until control_done() or control_fail(); the
 * handler may keep it and answer later. When its client goes away before that, `gone`
 * is called (if set) and the request must still be ended. */
struct request {
	struct control *control;
	const char *text; /* owned by the request */
	struct stmt stmt;
	unsigned uid;
	bool is_privileged; /* root, the daemon's user, or in group tsferry */
	void (*gone)(struct request *rq);
	void *arg; /* the handler's own */
};

struct control_ops {
	/* A statement that parsed and that its user may make. */
	void (*statement)(void *arg, struct request *rq);
	struct sql_setting (*setting)(void *arg); /* for parsing */
	struct tree_ops tree;
	void *arg;
	enum stmt_home home; /* HOME_SYNCD or HOME_RECVD: what it answers */
};

/* Replaces the socket file of a dead daemon; that of a living one is -EADDRINUSE. Looks
 * up the group tsferry once (may ask a name service). */
int control_new(struct control **out, struct loop *l, const char *path,
		const struct control_ops *ops, struct err *e) MUST_CHECK;
void control_free(struct control *c); /* ends every connection; removes the socket */
const struct refusal *control_last_refusal(const struct control *c);

/* `cells` is a NULL-terminated list. */
void control_heading(struct request *rq, const char *const *cells);
void control_row(struct request *rq, const char *const *cells);
void control_done(struct request *rq); /* "The statement is executed successfully." */
void control_fail(struct request *rq, const struct err *e);

/* ---- the other side ---- */

#define CONTROL_REPLY_MAX (4u << 20)

/* A whole reply, as it came in. */
struct reply {
	int code; /* of the last line: 0, 8411 ... */
	int sys;  /* errno of a failure, positive */
	char text[SENTENCE_LEN_MAX]; /* of the last line */
	char *heading; /* owned; NULL = none */
	char **rows;   /* owned; tab-separated, escaped */
	size_t n_rows;
};

void reply_release(struct reply *r);

/* Takes one whole reply from the front of b: 1; 0: more bytes are needed; -EBADMSG. */
int reply_take(struct reply *r, struct buf *b) MUST_CHECK;

/* What a person reads after a statement: the table, if there is one, and
 * "Msg: The statement is executed successfully." or "Msg: 411: text". */
void reply_print(const struct reply *r, enum table_form form, struct buf *out);

/* Requests may have several lines: they are sent as sql_flatten() writes them. Longer
 * than SQL_STATEMENT_MAX is -E2BIG.
 *
 * One request, waiting for its answer for at most timeout_ms (blocks; -ETIMEDOUT).
 * -ECONNREFUSED or -ENOENT: no daemon is there. */
int control_ask(const char *socket_path, const char *request, int timeout_ms, struct reply *r)
	MUST_CHECK;

/* The same inside a loop: a connection that asks one thing at a time. `done` gets the
 * reply (borrowed) or NULL with -errno; never called from inside client_ask(), and free
 * to end the client. The connection is made when first needed and again after it broke
 * or a reply came too late. A request whose answer is -ECONNRESET or -ETIMEDOUT may
 * have been done. */
struct client;

int client_new(struct client **out, struct loop *l, const char *socket_path) MUST_CHECK;
void client_ask(struct client *c, const char *request, int timeout_ms,
		void (*done)(void *arg, const struct reply *r, int err), void *arg);
bool client_is_idle(const struct client *c);

/* Keeps to one connection: once it broke, every request is -EPIPE, and of a request that
 * is answered -EPIPE nothing was read. For who has said .as on it, which another
 * connection would not know. */
void client_stay(struct client *c);
void client_free(struct client *c);

#endif
