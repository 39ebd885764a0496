/* One connection to an Apache IoTDB's client RPC, 0.13 to 2.0 (iotdb-formats, section 7).
 *
 * For child programs only: every call blocks, at most as long as its limit says (but for the
 * resolver, whose limits are in resolv.conf(5)), and one thread uses a connection. A
 * connection is a session; it speaks the tree dialect, or that of tables when the login
 * says so (2.0 on). What the server is comes from getProperties before the log-in, so that
 * one client suits all.
 *
 * Answers: 0 the server said yes (a hint to another node is a yes); -EREMOTEIO the server
 * said no, `reply` holds its code and its sentence word for word, and the connection may be
 * used on; every other -errno: the connection is useless, rpc_close() it (a statement whose
 * answer was lost may have been done, or be done later). `e` always gets a sentence, which
 * never holds the password.
 *
 * What a server sends is bounded before it is believed: RPC_FRAME_MAX bytes a message, the
 * rows as the caller says. Memory stays below a few times the message. */
#ifndef TSFERRY_RPC_H
#define TSFERRY_RPC_H

#include <stdbool.h>

#include "ground/err.h"

#define RPC_FRAME_MAX (64u << 20)
#define RPC_COLUMNS_MAX 4096u
#define RPC_CONNECT_MS 5000u
#define RPC_REPLY_MS 60000u

struct rpc; /* owned by the caller */

struct rpc_login {
	const char *host; /* a name or an address */
	unsigned port;
	const char *user;     /* NULL = root */
	const char *password; /* NULL = root, what a fresh IoTDB has */
	const char *zone;     /* NULL = UTC; as java.time.ZoneId has it */
	bool speaks_tables;   /* statements are of the table model; 2.0 on */
	unsigned
		connect_ms; /* 0 = RPC_CONNECT_MS; for connecting and for logging in, each */
	unsigned reply_ms; /* 0 = RPC_REPLY_MS; of one statement */
};

/* The server's answer to the last call. code 0: it gave none. */
struct rpc_reply {
	int code;
	bool may_retry; /* the server's own flag (1.3.2 on) */
	char text[640]; /* its sentence, never empty; of a long one the middle is cut out */
};

/* Logs in. A wrong password is -EREMOTEIO too, with the server's code in `reply` (may be
 * NULL), and nothing is held. */
int rpc_open(struct rpc **out, const struct rpc_login *login,
	     struct rpc_reply *reply, struct err *e) MUST_CHECK;
/* Says farewell when that costs no wait worth mentioning. NULL is nothing. */
void rpc_close(struct rpc *c);

const char *rpc_version(const struct rpc *c);	  /* "1.3.3" */
unsigned rpc_version_number(const struct rpc *c); /* 10303; 0 when it is none */
const char *rpc_precision(
	const struct rpc *c); /* "ms", "us", "ns"; "" = not told */
const char *rpc_address(
	const struct rpc *c); /* "10.0.0.5:6667", for sentences */
void rpc_set_limit(struct rpc *c, unsigned reply_ms);
/* Asks: 1 when it is (told by 1.2 and later), 0 or -errno. Needs no privilege. */
int rpc_is_read_only(struct rpc *c, struct err *e) MUST_CHECK;

/* A bare connection, over which nothing is said, that tells when the server's process ends: a
 * descriptor of the caller's. -errno. */
int rpc_watch(const char *host, unsigned port, unsigned limit_ms) MUST_CHECK;
bool rpc_watch_broke(int fd); /* does not block */

/* A statement without rows (rows are thrown away). */
int rpc_execute(struct rpc *c, const char *statement, struct rpc_reply *reply,
		struct err *e) MUST_CHECK;

/* One row; all of it is borrowed until the callback returns. Cells are text as IoTDB's
 * own command line prints them, BLOB as 0x..; NULL is null. A text may hold any byte but
 * NUL, which ends it. */
struct rpc_row {
	bool has_time;
	int64_t time; /* in the server's precision */
	unsigned n;
	const char *const *names, *const *cells;
};

/* The cell of a column, whose name is compared without regard to case: servers differ. NULL
 * for null, and when there is no such column. */
const char *rpc_cell(const struct rpc_row *row, const char *name);

struct rpc_visit {
	int (*row)(void *arg,
		   const struct rpc_row *row); /* other than 0 ends the query */
	void *arg;
	uint64_t
		max_rows; /* 0 = 1 000 000; more is -E2BIG, after the callback had so many */
	unsigned limit_ms; /* of all rows together, beside each call's; 0 = none */
};

/* A statement with rows. Returns what the callback answered, when it ended the query. */
int rpc_query(struct rpc *c, const char *statement,
	      const struct rpc_visit *visit, struct rpc_reply *reply,
	      struct err *e) MUST_CHECK;

/* ---- addresses and passwords, as configuration files have them ---- */

#define RPC_ADDRESSES_MAX 32u

struct rpc_addresses {
	unsigned n;

	struct {
		char host[256];
		unsigned port;
	} at[RPC_ADDRESSES_MAX];
};

/* "host:port[,host:port...]"; IPv6 as [::1]:6667; without a port 6667. -EINVAL. */
int rpc_addresses_parse(struct rpc_addresses *a, const char *text,
			struct err *e) MUST_CHECK;

/* The first line of a file that others can neither read nor write: mode & 027 is refused
 * (-EACCES), and so is an owner other than us or root. An empty path gives "root". */
int rpc_password_read(const char *path, char *to, size_t size,
		      struct err *e) MUST_CHECK;

#endif
