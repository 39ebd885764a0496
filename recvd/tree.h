/* recvd's part of /pipes (statement reference, section 3):
 *
 *	/metrics /log /last_error
 *	/server/{ctl,status,port,key,ip_white_list,loader,quarantine}
 *	/server/senders/<sender>/{key,address,first_seen,last_seen,version}
 *	/server/senders/<sender>/<pipe>/{status,message,progress,durable,applied,partial,
 *		quarantine,gaps}
 *
 * Rendered when read, from memory; only quarantines come from the catalog. */
#ifndef TSFERRY_RECVD_TREE_H
#define TSFERRY_RECVD_TREE_H

#include "recvd.h"

struct tree_ops tree_ops_of(struct recvd *d);

/* ---- between tree.c and tree_files.c ---- */

/* A file below one of the directories; `x` and `i` as far as the path names them. */
struct tree_at {
	struct recvd *d;
	struct sender *x;
	struct incarnation *i;
};

struct tree_file {
	const char *name;
	unsigned mode;
	void (*render)(const struct tree_at *at, struct buf *out);
};

extern const struct tree_file tree_root_files[], tree_server_files[], tree_sender_files[],
	tree_pipe_files[]; /* each ends with a NULL name */

#endif
