#include "load_replicas.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ground/clock.h"
#include "iotdb/path.h"

#define WATCH_MS 500u /* a node that does not answer by then is away */

void replicas_init(struct replicas *s)
{
	/* What the loader before this one said is not known. */
	*s = (struct replicas){.has_passed = true};
	for (unsigned i = 0; i < RPC_ADDRESSES_MAX; i++)
		s->watch[i] = -1;
}

void replicas_forget(struct replicas *s)
{
	s->is_asked = false;
	s->asked_ms = 0;
}

void replicas_close(struct replicas *s)
{
	for (unsigned i = 0; i < RPC_ADDRESSES_MAX; i++)
		cleanup_close(&s->watch[i]);
}

void replicas_note_passed(struct replicas *s)
{
	s->has_passed = true;
}

void replicas_note_away(struct replicas *s)
{
	s->away_ms = clock_mono_ms();
}

bool replicas_forget_records(const struct replicas *s, unsigned version)
{
	return s->is_many && version >= IOTDB_1_3_4;
}

/* ---- what the cluster says of itself ---- */

static int take_factor(void *arg, const struct rpc_row *row)
{
	const char *name = rpc_cell(row, "Variable");
	const char *value = rpc_cell(row, "Value");
	bool *is_single = arg;

	if (name && value && strcasecmp(name, "DataReplicationFactor") == 0)
		*is_single = strcmp(value, "1") == 0;
	return 0;
}

struct nodes {
	unsigned n;
	char away[160]; /* the first that does not run; "" = all do */
};

static int take_node(void *arg, const struct rpc_row *row)
{
	const char *type = rpc_cell(row, "NodeType");
	const char *status = rpc_cell(row, "Status");
	const char *host = rpc_cell(row, "InternalAddress");
	const char *port = rpc_cell(row, "InternalPort");
	struct nodes *nodes = arg;

	if (!type || strcasecmp(type, "DataNode") != 0)
		return 0;
	nodes->n++;
	if (status && strcasecmp(status, "Running") != 0 && !nodes->away[0])
		(void)snprintf(nodes->away, sizeof nodes->away,
			       "%.100s:%.10s is %.30s", host ? host : "?",
			       port ? port : "?", status);
	return 0;
}

/* A refusal is no answer, and no harm. */
static int ask(struct rpc *c, const char *sql, const struct rpc_visit *visit,
	       struct rpc_reply *reply, struct err *e)
{
	int r;

	rpc_set_limit(c, RPC_REPLY_MS);
	r = rpc_query(c, sql, visit, reply, e);
	if (r != -EREMOTEIO)
		return r < 0 ? r : 0;
	err_clear(e);
	return 0;
}

static int ask_cluster(struct replicas *s, struct rpc *c,
		       const struct rpc_addresses *addresses,
		       struct rpc_reply *reply, struct err *e)
{
	struct nodes nodes = {0};
	bool is_single = false;
	struct rpc_visit factor = {.row = take_factor, .arg = &is_single};
	struct rpc_visit all = {.row = take_node, .arg = &nodes};
	int r = ask(c, "SHOW VARIABLES", &factor, reply, e);

	if (r >= 0)
		r = ask(c, "SHOW CLUSTER", &all, reply, e);
	s->is_many = nodes.n > 1 || (!nodes.n && addresses->n > 1);
	s->is_cluster = s->is_many && !is_single;
	s->is_asked = r >= 0;
	return r;
}

/* ---- who is there ---- */

/* Whether a node ended since the last look, or does not answer. */
static bool is_any_broken(struct replicas *s,
			  const struct rpc_addresses *addresses, char away[160])
{
	bool is_broken = false;

	for (unsigned i = 0; i < addresses->n; i++) {
		const char *host = addresses->at[i].host;
		unsigned port = addresses->at[i].port;
		int *fd = &s->watch[i];

		if (*fd >= 0 && !rpc_watch_broke(*fd))
			continue;
		is_broken = is_broken || *fd >= 0;
		cleanup_close(fd);
		*fd = rpc_watch(host, port, WATCH_MS);
		if (*fd >= 0)
			continue;
		is_broken = true;
		(void)snprintf(away, 160, "%.100s:%u does not answer", host,
			       port);
	}
	return is_broken;
}

static int look(struct replicas *s, struct rpc *c,
		const struct rpc_addresses *addresses, struct nodes *nodes,
		struct rpc_reply *reply, struct err *e)
{
	struct rpc_visit visit = {.row = take_node, .arg = nodes};
	bool is_broken = is_any_broken(s, addresses, nodes->away);
	uint64_t now = clock_mono_ms();
	int r = 0;

	if (s->has_passed || !s->asked_ms ||
	    now - s->asked_ms > NODES_ASKED_MS) {
		r = ask(c, "SHOW CLUSTER", &visit, reply, e);
		s->asked_ms = now;
	}
	if (is_broken || nodes->away[0])
		replicas_note_away(s);
	return r;
}

static int wait_for(const struct nodes *nodes, uint64_t left_ms, struct err *e)
{
	if (nodes->away[0])
		(void)err_set(
			e, EAGAIN,
			"data node %s: files behind a deletion wait until "
			"every "
			"node runs, or is removed (from the cluster, and from "
			"iotdb_rpc)",
			nodes->away);
	else
		(void)err_set(e, EAGAIN,
			      "a data node was away: files behind a deletion "
			      "wait %u s, in which it hears of it",
			      (unsigned)(left_ms / 1000 + 1));
	return 1;
}

int replicas_may_load(struct replicas *s, struct rpc *c,
		      const struct rpc_addresses *addresses,
		      struct rpc_reply *reply, struct err *e)
{
	bool always = rpc_version_number(c) >= IOTDB_2_0;
	struct nodes nodes = {0};
	uint64_t since;
	int r = s->is_asked ? 0 : ask_cluster(s, c, addresses, reply, e);

	if (r < 0 || !s->is_cluster || (!s->has_passed && !always))
		return r;
	r = look(s, c, addresses, &nodes, reply, e);
	if (r < 0)
		return r;
	since = clock_mono_ms() - s->away_ms;
	if (s->away_ms && since < PASS_ON_MS)
		return wait_for(&nodes, PASS_ON_MS - since, e);
	s->away_ms = 0;
	s->has_passed = false;
	return 0;
}
