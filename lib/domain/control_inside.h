/* The parts of the control socket's server: connections (control.c), what request lines
 * mean (control_serve.c), and the tree (control_tree.c). Private to them and their tests.
 *
 * A connection answers one request at a time. While its request waits for an answer,
 * or more than OUT_HIGH bytes of answers are not yet read, it reads nothing more, so a
 * client costs at most one statement of input and one reply of output. */
#ifndef TSFERRY_CONTROL_INSIDE_H
#define TSFERRY_CONTROL_INSIDE_H

#include <sys/stat.h>

#include "control.h"

/* Rows beyond this make the reply a failure that says so; what is left up to
 * CONTROL_REPLY_MAX is for the sentence. */
#define REPLY_ROWS_MAX (CONTROL_REPLY_MAX - 8192u)

struct control {
	struct loop *loop;
	char *path; /* owned */
	struct control_ops ops;
	struct loop_io listen;
	struct loop_timer accept_again;
	struct stat made; /* the socket file, as we made it */

	struct conn *conns;
	size_t n_conns;
	size_t queued; /* bytes of answers that nobody read yet */

	uid_t own_uid;
	gid_t group; /* tsferry's, when the host has it */
	bool has_group;
	struct refusal last;
};

enum right {
	RIGHT_UNKNOWN,
	RIGHT_NO,
	RIGHT_YES
};

struct conn {
	struct control *control;
	struct conn *prev, *next;
	struct loop_io io;
	struct loop_task task;
	struct loop_timer stuck;
	struct buf in, out;
	size_t scanned; /* bytes of `in` known to hold no newline */
	size_t counted; /* bytes of `out` that are in control->queued */

	uid_t peer_uid;
	uid_t uid;	  /* for whom it speaks: .as */
	enum right right; /* of `uid`; found out when first needed */

	struct pending *pending; /* the request being answered */
	bool in_turn;		 /* the task need not be deferred */
	bool is_eof;		 /* the client will send no more */
	bool is_closing;	 /* say what is in `out`, then close */
};

/* A request and where its answer goes. Owned by itself until it is ended. */
struct pending {
	struct request rq;
	struct conn *conn; /* NULL: the client is gone */
	char *text;	   /* owned; rq.text */
	size_t n_bytes;	   /* of rows so far */
	size_t n_left_out; /* rows that did not fit */
};

/* One request line without its newline; it may be changed. */
void control_line(struct conn *c, char *line, size_t n);

/* The last line of an answer that is done. */
void conn_end(struct conn *c, const char *text);

/* A whole failure; not noted as a refusal. */
void conn_fail(struct conn *c, int code, int sys, const char *text);

/* .stat, .ls and .cat; `path` is as it came. */
void control_stat(struct conn *c, char *path);
void control_ls(struct conn *c, char *path);
void control_cat(struct conn *c, char *path);

/* The client of this request went away. */
void control_gone(struct pending *p);

/* Called when a request of c has ended. */
void conn_resume(struct conn *c);

/* Names of errno values as they travel; "EIO" for what has none there. */
const char *reply_errno_name(int sys);

/* A cell's or sentence's escapes undone, in place. */
void reply_unescape(char *text);

/* `text` as the rest of one line: newlines and backslashes escaped as in cells, other
 * control bytes, which would steer a terminal, as "?". */
void reply_sentence(struct buf *out, const char *text);

#endif
