/* Which data types the series of a server have, for files whose types the server would not
 * tell of, or would convert in silence:
 *
 *	before 1.3.3	a refusal does not say why; 1.0 refuses an encoding that differs
 *	from 1.3.4 on	what comes over the network is converted, and then its deletion
 *			records are not looked at (iotdb-observed, section 3); of what LOAD
 *			takes 2.0.6 says "200", and the rows are nowhere
 *
 * The connection speaks of tables when the database is one of tables (rpc.h); a series is a
 * column then. A database is asked for once a connection; what files bring after that is added. A type
 * that differs is asked for again before it is told. Series are kept as hashes of their
 * paths, 16 bytes each, TYPES_MAX at most: of those beyond nothing is said. Blocks on the
 * server and on the disk. */
#ifndef TSFERRY_LOAD_TYPES_H
#define TSFERRY_LOAD_TYPES_H

#include "iotdb/rpc.h"
#include "load_job.h"

#define TYPES_MAX (1u << 20)

struct types {
	uint64_t *keys;	 /* owned; 0 = free */
	uint8_t *values; /* owned */
	size_t n, room;	 /* a power of two */
	char **learned;	 /* owned; databases */
	size_t n_learned, learned_room;
};

void types_forget(struct types *t); /* everything */

/* 1: a series differs; its path is in `series`, the sentence in `e`. 0: none does. -errno of
 * the file, or of the server as rpc.h has it. */
int types_check(struct types *t, struct rpc *c, const struct load_job *j,
		char *series, size_t size, struct rpc_reply *reply,
		struct err *e) MUST_CHECK;

/* ---- for its tests ---- */

/* The data type of a series, or -1: not known. */
int types_find(const struct types *t, const char *path, size_t n);
void types_add(struct types *t, const char *path, size_t n, uint8_t type);
/* "INT32" to 1 (tsfile-format, section 3.4); -1. */
int types_code(const char *name);
const char *types_name(int code);

#endif
