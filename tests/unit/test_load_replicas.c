#include "fake_iotdb.h"
#include "recvd/load_replicas.h"
#include "test.h"

/* When a file may go to a cluster; nodes are servers of paper. */

#define VARIABLES(factor)                                              \
	"{\"match\": \"SHOW VARIABLES\", \"columns\": [\"Variable\", " \
	"\"Value\"], \"rows\": [[\"ClusterName\", \"c\"], "            \
	"[\"DataReplicationFactor\", \"" factor "\"]]}\n"
#define NODES(two)                                                             \
	"{\"match\": \"SHOW CLUSTER\", \"columns\": [\"NodeID\", "             \
	"\"NodeType\", \"Status\", \"InternalAddress\", \"InternalPort\"], "   \
	"\"rows\": [[\"0\", \"ConfigNode\", \"Unknown\", \"cn\", \"10710\"], " \
	"[\"1\", \"DataNode\", \"Running\", \"dn1\", \"10730\"], "             \
	"[\"2\", \"DataNode\", \"" two "\", \"dn2\", \"10730\"]]}\n"
#define OF(version) "{\"version\": \"" version "\"}\n"

struct cluster {
	struct fake_iotdb one, two;
	struct rpc_addresses addresses;
	struct rpc *c;
	struct replicas s;
	struct err e;
};

static void begin(struct cluster *k, const char *name, const char *script)
{
	struct rpc_login login = {.host = "127.0.0.1"};
	char text[64];

	*k = (struct cluster){0};
	(void)snprintf(text, sizeof text, "%s-1", name);
	fake_iotdb_start(&k->one, text, script);
	(void)snprintf(text, sizeof text, "%s-2", name);
	fake_iotdb_start(&k->two, text, script);
	(void)snprintf(text, sizeof text, "127.0.0.1:%u,127.0.0.1:%u",
		       k->one.port, k->two.port);
	CHECK(rpc_addresses_parse(&k->addresses, text, &k->e) == 0);
	login.port = k->one.port;
	CHECK(rpc_open(&k->c, &login, NULL, &k->e) == 0);
	replicas_init(&k->s);
}

static int may_load(struct cluster *k)
{
	struct rpc_reply reply = {0};

	err_clear(&k->e);
	return replicas_may_load(&k->s, k->c, &k->addresses, &reply, &k->e);
}

static void end(struct cluster *k)
{
	replicas_close(&k->s);
	rpc_close(k->c);
	fake_iotdb_stop(&k->one);
	fake_iotdb_stop(&k->two);
}

static void one_replica(void)
{
	struct cluster k;

	begin(&k, "one_replica", OF("2.0.6") VARIABLES("1") NODES("Unknown"));
	replicas_note_away(&k.s);
	CHECK(may_load(&k) == 0 && k.s.watch[0] < 0);
	end(&k);
}

static void all_run(void)
{
	struct cluster k;

	begin(&k, "all_run", OF("1.3.3") VARIABLES("2") NODES("Running"));
	CHECK(may_load(&k) == 0 && !k.s.has_passed);
	replicas_note_passed(&k.s);
	CHECK(may_load(&k) == 0 && !k.s.has_passed);
	end(&k);
}

static void one_is_away(void)
{
	struct cluster k;

	begin(&k, "one_is_away", OF("1.3.3") VARIABLES("2") NODES("Unknown"));
	CHECK(may_load(&k) == 1 && k.s.has_passed);
	CHECK(strstr(k.e.text, "dn2:10730 is Unknown") != NULL);
	fake_iotdb_script(&k.one, OF("1.3.3") VARIABLES("2") NODES("Running"));
	/* It is back, and has to hear of everything first. */
	CHECK(may_load(&k) == 1);
	CHECK(strstr(k.e.text, "wait") && !strstr(k.e.text, "Unknown"));
	k.s.away_ms -= PASS_ON_MS;
	CHECK(may_load(&k) == 0 && !k.s.has_passed);
	end(&k);
}

static void one_ends(void)
{
	struct cluster k;

	begin(&k, "one_ends", OF("1.3.3") VARIABLES("2") NODES("Running"));
	CHECK(may_load(&k) == 0);
	fake_iotdb_stop(&k.two);
	/* 1.x gives files to all replicas: nothing is on its way. */
	CHECK(may_load(&k) == 0);
	replicas_note_passed(&k.s);
	CHECK(may_load(&k) == 1);
	CHECK(strstr(k.e.text, "does not answer") != NULL);
	end(&k);
}

static void one_ends_2(void)
{
	struct cluster k;

	begin(&k, "one_ends_2", OF("2.0.6") VARIABLES("2") NODES("Running"));
	CHECK(may_load(&k) == 0);
	fake_iotdb_stop(&k.two);
	CHECK(may_load(&k) == 1);
	end(&k);
}

static void nobody_tells(void)
{
	struct cluster k;

	begin(&k, "nobody_tells",
	      OF("1.3.3") "{\"match\": \"SHOW .*\", \"code\": 803, "
			  "\"text\": \"No permissions\"}\n");
	CHECK(may_load(&k) == 0);
	fake_iotdb_stop(&k.two);
	replicas_note_passed(&k.s);
	CHECK(may_load(&k) == 1);
	end(&k);
}

int main(void)
{
	test_run("one replica waits for nothing", one_replica);
	test_run("a cluster that runs waits for nothing", all_run);
	test_run("behind a deletion files wait for a node that is away, and "
		 "until it heard of it",
		 one_is_away);
	test_run("a node that ends is noticed at once", one_ends);
	test_run("2.x: no file goes while a node is away", one_ends_2);
	test_run("a user who may not ask has the connections", nobody_tells);
	return test_end();
}
