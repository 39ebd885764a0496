/* Order among the replicas of a cluster. An IoTDB that keeps rows on several data nodes gives a
 * file to all of them before it says yes, but takes a DELETE at one and passes it on to the
 * others later: at once as a rule, up to 20 seconds after a node came back (IoTConsensus,
 * its longest back-off). A file that comes in between would lose its rows there. 2.x turns a
 * file that did not reach a replica into inserts, which go that way too.
 *
 * So a file waits behind such things until every data node runs, and PASS_ON_MS longer when
 * one was away: seen by SHOW CLUSTER, by a connection to each address of iotdb_rpc that
 * breaks when its node ends, or by a refusal. It waits for nothing where there is one
 * data node, or one replica, and when all nodes run. A user who may not ask for nodes
 * (1.3: privilege MAINTAIN; 2.0: root) has the connections alone.
 *
 * Asks once a connection, and before a file when something is to be passed on; one
 * thread. */
#ifndef TSFERRY_LOAD_REPLICAS_H
#define TSFERRY_LOAD_REPLICAS_H

#include <stdbool.h>

#include "iotdb/rpc.h"

#define PASS_ON_MS 25000u
#define NODES_ASKED_MS 1000u /* 2.x: no more often than this */

struct replicas {
	bool is_asked;	 /* of this connection: is_cluster is known */
	bool is_many;	 /* data nodes */
	bool is_cluster; /* rows are kept on several of them */
	bool has_passed; /* something may still be on its way among the nodes */
	uint64_t away_ms;	      /* a node was away then; 0 = none was */
	uint64_t asked_ms;	      /* for the nodes' states */
	int watch[RPC_ADDRESSES_MAX]; /* owned; -1 = none */
};

void replicas_init(struct replicas *s);
void replicas_close(struct replicas *s);

/* A statement was said that is passed on. */
void replicas_note_passed(struct replicas *s);
/* A node was away, or is: the connection broke, or a refusal says so. */
void replicas_note_away(struct replicas *s);
/* Whether the records beside a file have to be said as statements too: a file that a node
 * of several did not get becomes inserts, which know no records (1.3.4 on, seen on 2.0.6). */
bool replicas_forget_records(const struct replicas *s, unsigned version);

/* The connection is another one now. */
void replicas_forget(struct replicas *s);

/* 0: a file may go. 1: not yet, and `e` says why. -errno and `reply` as rpc.h has them: the
 * connection is lost, or nobody may log in. */
int replicas_may_load(struct replicas *s, struct rpc *c,
		      const struct rpc_addresses *addresses,
		      struct rpc_reply *reply, struct err *e) MUST_CHECK;

#endif
