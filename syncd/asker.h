/* syncd-ask, the child of syncd that speaks with the edge IoTDB. It is started as
 *
 *	syncd-ask HOST:PORT[,...] USER PASSWORD_FILE
 *
 * and says `ready`. Then a request is one line on its standard input, fields between tabs,
 * and its answer one line on its standard output:
 *
 *	hello			ok VERSION PRECISION ADDRESS
 *	list FILE		ok SERIES IDENTITY ALL|SOME DIGEST
 *	flush			ok
 *	rows FIRST LAST N	ok gone|there|expired|mixed
 *	(any)			no CODE SENTENCE	the server's refusal
 *	(any)			away SENTENCE		no answer from it
 *
 * list puts the schema into FILE (schema_line.h), which is there whole or as before. IDENTITY
 * is that of the cluster, "" where the version tells none (before 1.3.2); SOME: the user may
 * not see all series. rows is followed by N lines, a device each, and asks whether rows of
 * them are left from FIRST to LAST: of none of them, of each, or an end by a TTL.
 *
 * It logs in at the first request and keeps the connection; one that was lost is made anew
 * once for a request. All requests may be asked again. It ends with its input. Memory follows
 * the largest database. The password is read at each log-in and never said. */
#ifndef TSFERRY_ASKER_H
#define TSFERRY_ASKER_H

#include "ground/buf.h"
#include "iotdb/rpc.h"

#define ASKER_LINE_MAX 65536u
#define ASKER_SERIES_MAX 5000000u /* of one database */

struct asker {
	struct rpc_addresses addresses;
	const char *user, *password_file; /* borrowed */
	unsigned at;			  /* of addresses */
	struct rpc *rpc;		  /* owned; NULL = not logged in */
};

/* Each does one request with a connection that stands, and adds the fields behind `ok`. Returns
 * as rpc.h has it. */
int asker_list(struct asker *a, const char *path, struct buf *out,
	       struct rpc_reply *reply, struct err *e) MUST_CHECK;

struct asker_rows {
	int64_t first, last;
	const char *devices; /* n of them, each with its NUL */
	unsigned n;
};

int asker_rows(struct asker *a, const struct asker_rows *q, struct buf *out,
	       struct rpc_reply *reply, struct err *e) MUST_CHECK;

#endif
