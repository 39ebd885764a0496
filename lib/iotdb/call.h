/* One call of the generated client over frames: what it writes is caught in memory and sent
 * as one frame, what comes is checked and given to it. The only header with GLib in it; for
 * rpc.c and transfer.c. */
#ifndef TSFERRY_IOTDB_CALL_H
#define TSFERRY_IOTDB_CALL_H

#include <thrift/c_glib/protocol/thrift_protocol.h>
#include <thrift/c_glib/transport/thrift_memory_buffer.h>

#include "rpc.h"
#include "wire_client.h"

struct rpc {
	int fd; /* owned */
	unsigned connect_ms, reply_ms;
	int64_t session, statement;
	bool is_lost; /* the connection cannot be used any more */
	bool is_open; /* logged in */
	unsigned number;
	char version[32], precision[8], address[300];
};

/* Connects and asks what the server is; without a log-in. rpc_close() it. */
int rpc_connect(struct rpc **out, const struct rpc_login *login,
		struct err *e) MUST_CHECK;

struct call {
	struct rpc *c;
	const char *method;
	ThriftMemoryBuffer *out, *in;
	ThriftProtocol *out_protocol, *in_protocol;
	WireClientIf *client;
	GError *why; /* of the generated code */
};

void call_begin(struct call *k, struct rpc *c, const char *method);
void call_end(struct call *k);

/* After the generated send_..., whose answer is `is_sent`: sends it and has the answer ready
 * for recv_... . */
int call_exchange(struct call *k, gboolean is_sent, unsigned limit_ms,
		  struct err *e) MUST_CHECK;
/* The two halves of it, for several calls under way: answers come in the order of calls. */
int call_send(struct call *k, gboolean is_sent, uint64_t deadline_ms,
	      struct err *e) MUST_CHECK;
int call_receive(struct call *k, uint64_t deadline_ms,
		 struct err *e) MUST_CHECK;
/* After recv_..., whose answer is `is_read`. -EOPNOTSUPP: the server has no such call. */
int call_read(struct call *k, gboolean is_read, struct err *e) MUST_CHECK;

/* A status as a return value and a reply (may be NULL). */
int call_status(const struct rpc *c, const WireStatus *s,
		struct rpc_reply *reply, struct err *e) MUST_CHECK;

#endif
