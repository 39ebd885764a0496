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
 *	ttl DATABASE FIRST	ok none|some
 *	(any)			no CODE SENTENCE	the server's refusal
 *	(any)			away SENTENCE		no answer from it
 *
 * list puts the schema into FILE (schema_line.h), which is there whole or as before. IDENTITY
 * is that of the cluster, "" where the version tells none (before 1.3.2); SOME: the user may
 * not see all series. rows is followed by N lines, a device each, and asks whether rows of
 * them are left from FIRST to LAST: of none of them, of each, or an end by a TTL. ttl: whether
 * a TTL of the database, or of anything above or below it, may have removed rows from FIRST on;
 * some as well when the user may not see all.
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

struct asker_ttl;

struct asker_ttls {
	struct asker_ttl *v; /* owned */
	size_t n;
};

/* Of all paths; released by the caller in any case. */
int asker_ttls_read(struct asker *a, struct asker_ttls *out,
		    struct rpc_reply *reply, struct err *e) MUST_CHECK;
void asker_ttls_release(struct asker_ttls *t);
/* The first time that lives of a device; of several the longest TTL counts: what it leaves
 * may not be said to have expired. False: no TTL covers it. */
bool asker_ttls_longest(const struct asker_ttls *t, const char *device,
			int64_t *cutoff);

int asker_ttl(struct asker *a, const char *database, int64_t first,
	      struct buf *out, struct rpc_reply *reply,
	      struct err *e) MUST_CHECK;

/* Who is not root sees what is granted, and that may change. */
bool asker_sees_all(const struct asker *a);

#endif
