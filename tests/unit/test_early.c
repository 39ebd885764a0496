#include <time.h>

#include "receive_owner.h"

static struct early_one one(uint64_t serial)
{
	return (struct early_one){serial, serial + 1000};
}

static void test_set(void)
{
	static const uint64_t serials[] = {7, 3, 9, 3, 8, 40, 5};
	struct early e = {0}, copy;

	for (size_t i = 0; i < ARRAY_LEN(serials); i++) {
		struct early_one o = one(serials[i]);

		early_add(&e, &o);
	}
	CHECK(e.n == 6 && e.ones[0].serial == 3 && e.ones[5].serial == 40);
	CHECK(early_find(&e, 8) && early_find(&e, 8)->nonce == 1008);
	CHECK(!early_find(&e, 6) && !early_find(&e, 41));
	early_copy(&copy, &e);
	early_pass(&e, 7);
	CHECK(e.n == 3 && e.ones[0].serial == 8);
	early_pass(&e, 1);
	CHECK(e.n == 3);
	CHECK(copy.n == 6 && early_find(&copy, 3));
	early_release(&e);
	early_copy(&e, &e);
	CHECK(e.n == 0 && !early_find(&e, 1));
	early_release(&copy);
	for (uint64_t s = EARLY_MAX; s > 0; s--) {
		struct early_one o = one(s);

		early_add(&e, &o);
	}
	CHECK(e.n == EARLY_MAX && e.ones[EARLY_MAX - 1].serial == EARLY_MAX);
	early_release(&e);
}

static struct entry of(uint64_t serial, uint64_t len, const char *database)
{
	struct entry en = an_entry(serial, len);

	(void)snprintf(en.file.database, sizeof(en.file.database), "%s",
		       database);
	return en;
}

static void send_of(struct owner *o, uint64_t serial, const char *database)
{
	struct msg_entry m = {
		.entry = of(serial, 10, database),
		.is_inline = true,
		.digest = list_of(10),
		.data = payload,
		.data_len = 10,
	};

	receive_entry(o->r, &m);
}

static void later(struct owner *o, uint64_t serial, const char *database)
{
	struct msg_later m = {.serial = serial};

	(void)snprintf(m.database, sizeof(m.database), "%s", database);
	receive_later(o->r, &m);
}

static void early(struct owner *o, uint64_t serial)
{
	struct early_one e = one(serial);

	receive_early(o->r, &e);
}

/* A living connection of the newest version, which knows EARLY. */
static void live_early(struct owner *o, uint64_t durable,
		       const struct early *known)
{
	struct msg_hello m = a_hello();
	struct receive_known k = {.durable = durable,
				  .durable_nonce = durable ? 1 : 0,
				  .early = known};

	begin(o);
	m.version_max = PROTO_VERSION_MAX;
	receive_hello(o->r, &m);
	(void)acts(o);
	receive_known(o->r, &k);
}

static void test_passes(void)
{
	struct owner o CLEANUP(end);

	live_early(&o, 0, NULL);
	CHECK_STR(acts(&o), "welcome early:0 ");
	later(&o, 1, "root.a");
	send_of(&o, 2, "root.b");
	send_of(&o, 3, "root.a"); /* behind its own */
	send_of(&o, 4, "root.b");
	CHECK_STR(acts(&o), "stage:2 stage:4 ");
	CHECK(receive_uncommitted(o.r) == 2);
	early(&o, 2);
	early(&o, 4);
	CHECK(receive_uncommitted(o.r) == 0);
	CHECK_STR(acts(&o), "early:2,2,4 ");
	CHECK_STR(acts(&o), "");
	send_of(&o, 1, "root.a");
	CHECK_STR(acts(&o), "stage:1 stage:3 ");
	receive_committed(o.r, 2);
	CHECK_STR(acts(&o), "durable:2 ");
	CHECK(receive_uncommitted(o.r) == 1);
	receive_committed(o.r, 4);
	CHECK_STR(acts(&o), "durable:4 ");
	CHECK(receive_uncommitted(o.r) == 0);
	send_of(&o, 5, "root.a");
	CHECK_STR(acts(&o), "stage:5 ");
}

/* Also one that came in blocks and is not whole; and none for an edge that says no LATER. */
static void test_own_database_waits(void)
{
	struct owner o CLEANUP(end);

	live_early(&o, 0, NULL);
	(void)acts(&o);
	send_entry(&o, 1, 3 * BLOCK_LEN); /* root.a */
	send_of(&o, 2, "root.b");
	CHECK_STR(acts(&o), "open:1 ");
	later(&o, 3, "root.c");
	CHECK_STR(acts(&o), "stage:2 ");
	send_of(&o, 4, "root.a");
	send_of(&o, 5, "root.c");
	send_of(&o, 6, "root.b");
	CHECK_STR(acts(&o), "stage:6 ");
}

/* What is known since before is not expected, and not taken when it comes all the same. */
static void test_known(void)
{
	struct owner o CLEANUP(end);
	struct early known = {0};
	struct early_one some[] = {one(3), one(4), one(6)};

	for (size_t i = 0; i < ARRAY_LEN(some); i++)
		early_add(&known, &some[i]);
	live_early(&o, 1, &known);
	CHECK_STR(acts(&o), "welcome early:3,3,4,6 ");
	send_of(&o, 2, "root.a");
	CHECK_STR(acts(&o), "stage:2 ");
	send_of(&o, 5, "root.a"); /* 3 and 4 are here */
	CHECK_STR(acts(&o), "stage:5 ");
	receive_committed(o.r, 4);
	CHECK_STR(acts(&o), "durable:4 ");
	CHECK(receive_uncommitted(o.r) == 1);
	send_of(&o, 6, "root.b"); /* of an edge that does not know it */
	send_entry(&o, 3, 3 * BLOCK_LEN);
	send_block(&o, 3, 0, 3 * BLOCK_LEN);
	send_end(&o, 3, 3 * BLOCK_LEN);
	CHECK_STR(acts(&o), "");
	receive_committed(o.r, 6);
	send_of(&o, 7, "root.a");
	CHECK_STR(acts(&o), "stage:7 durable:6 ");
	early_release(&known);
}

/* What only filled a serial up to the durable one stands in front, for older copies of the edge. */
static void test_fills(void)
{
	struct owner o CLEANUP(end);
	struct early known = {0}, fills = {0};
	struct msg_hello m = a_hello();
	struct receive_known k = {.durable = 5,
				  .durable_nonce = 1,
				  .early = &known,
				  .fills = &fills};

	early_add(&known, &(struct early_one){7, 1007});
	early_add(&known, &(struct early_one){8, 1008});
	for (uint64_t s = 3; s <= 8; s += 5) {
		struct early_one o1 = one(s); /* 8 is early, too */

		early_add_fill(&fills, &o1);
	}
	begin(&o);
	m.version_max = PROTO_VERSION_MAX;
	receive_hello(o.r, &m);
	(void)acts(&o);
	receive_known(o.r, &k);
	CHECK_STR(acts(&o), "welcome early:3,3,7,8 ");
	send_of(&o, 6, "root.a");
	CHECK_STR(acts(&o), "stage:6 ");
	send_of(&o, 9, "root.a");
	CHECK_STR(acts(&o), "stage:9 ");
	early_release(&known);
	early_release(&fills);
}

static void test_fills_are_bounded(void)
{
	struct early fills = {0};

	for (uint64_t s = 1; s <= 2 * FILLS_MAX; s++) {
		struct early_one o = one(s);

		early_add_fill(&fills, &o);
	}
	CHECK(fills.n == FILLS_MAX && fills.ones[0].serial == FILLS_MAX + 1);
	early_release(&fills);
}

static void test_known_is_another(void)
{
	struct owner o CLEANUP(end);
	struct early known = {0};

	early_add(&known, &(struct early_one){2, 5});
	live_early(&o, 0, &known);
	(void)acts(&o);
	send_of(&o, 1, "root.a");
	CHECK_STR(acts(&o), "stage:1 ");
	send_of(&o, 2, "root.b");
	CHECK_STR(acts(&o), "bye:8 ");
	CHECK(strstr(o.bye.text, "RESYNC PIPE"));
	early_release(&known);
}

static void test_bounds(void)
{
	struct owner o CLEANUP(end);

	live_early(&o, 0, NULL);
	(void)acts(&o);
	later(&o, 1, "root.a");
	o.is_mute = true;
	for (uint64_t s = 2; s <= EARLY_MAX + 5; s++) {
		send_of(&o, s, "root.b");
		(void)acts(&o);
	}
	/* Up to the bound; the rest wait for the one in front. */
	CHECK(receive_uncommitted(o.r) == EARLY_MAX - 2);
}

/* Whoever fills the window with what may not pass must not make every event of the loop, which all
 * senders share, walk through it. */
static void test_little_work(void)
{
	struct owner o CLEANUP(end);
	uint64_t serial = 1;
	char name[180];
	clock_t began;

	live_early(&o, 0, NULL);
	(void)acts(&o);
	memset(name, 'a', sizeof(name));
	for (; serial <= 31; serial++) {
		(void)snprintf(name + 100, sizeof(name) - 100, "%03u",
			       (unsigned)serial);
		later(&o, serial, name);
	}
	for (; serial < EARLY_MAX; serial++)
		send_of(&o, serial, name);
	CHECK_STR(acts(&o), "");
	began = clock();
	for (size_t i = 0; i < 20000; i++) {
		struct receive_act act;

		CHECK(!receive_next(o.r, &act));
	}
	CHECK(clock() - began < 2 * CLOCKS_PER_SEC);
}

static void test_violations(void)
{
	static const struct {
		uint64_t serial, entry;
		const char *database;
	} cases[] = {
		{2, 0, "root.a"}, /* not its turn */
		{1, 1, "root.b"}, /* of another database than it was said */
		{1, 3, "root.a"}, /* a hole */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct owner o CLEANUP(end);

		live_early(&o, 0, NULL);
		(void)acts(&o);
		later(&o, cases[i].serial, "root.a");
		if (cases[i].entry)
			send_of(&o, cases[i].entry, cases[i].database);
		CHECK_STR(acts(&o), "bye:6 ");
	}
}

int main(void)
{
	test_run("a set of serials", test_set);
	test_run("other databases pass, once each", test_passes);
	test_run("its own database waits behind what is not whole",
		 test_own_database_waits);
	test_run("what passed before is left out, or swallowed", test_known);
	test_run("what only filled a serial is told", test_fills);
	test_run("so many of them", test_fills_are_bounded);
	test_run("what passed before and is another one ends the link",
		 test_known_is_another);
	test_run("so many may pass", test_bounds);
	test_run("what waits is not walked through at every event",
		 test_little_work);
	test_run("LATER in its turn, and of its database", test_violations);
	return test_end();
}
