/* A connection that hands TsFiles to an IoTDB which does not see our files: one on another
 * host, in a container, a node of a cluster. It speaks pipeTransfer, what the servers' own
 * pipes speak among themselves (1.2 and later; iotdb-formats, section 10.3): a handshake,
 * pieces, and a seal, upon which the server loads the file and answers.
 *
 * For child programs only, as rpc.h: every call blocks, at most as long as its limit says.
 * Answers are those of rpc.h. After a refusal the server may keep what was sent: close the
 * connection, and open another for the next file. When an answer to the seal was lost, the
 * file may have been loaded, or may be loaded yet, and nothing on this side can stop it.
 *
 * Some pieces are on their way at a time, so that a link of long round trips is filled; memory
 * stays below three pieces of TRANSFER_PIECE_BYTES. */
#ifndef TSFERRY_TRANSFER_H
#define TSFERRY_TRANSFER_H

#include "rpc.h"

#define TRANSFER_PIECE_BYTES (1u << 20)

struct transfer; /* owned by the caller */

/* Connects and shakes hands. -EOPNOTSUPP: the server is too old for it. */
int transfer_open(struct transfer **out, const struct rpc_login *login,
		  struct rpc_reply *reply, struct err *e) MUST_CHECK;
void transfer_close(struct transfer *t); /* NULL is nothing */

/* Whether deletion records may go with a file. */
#define TRANSFER_MODS_FROM 10300u
bool transfer_takes_mods(const struct transfer *t);

struct transfer_part {
	const char *
		name; /* T-V-I-C.tsfile, and the same with .mods or .mods2 behind */
	int fd;	      /* borrowed; read with pread */
	uint64_t length; /* never 0 */
};

struct transfer_file {
	struct transfer_part file;
	const struct transfer_part *mods; /* NULL = none */
	const char *tables; /* the database, when it is one of tables; 2.0 on */
	unsigned load_ms;   /* how long the server may take to load it */
	void (*sent)(void *arg); /* behind each piece; NULL = nobody asks */
	void *arg;
};

/* Hands one file over and has it loaded. A file shorter than its length is -EIO. */
int transfer_file(struct transfer *t, const struct transfer_file *f,
		  struct rpc_reply *reply, struct err *e) MUST_CHECK;

#endif
