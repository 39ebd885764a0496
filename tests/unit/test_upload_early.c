#include <errno.h>

#include "upload_owner.h"

static void early(struct owner *o, const uint64_t *serials, uint32_t n,
		  uint64_t wrong)
{
	struct msg_early m = {.n = n};
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 4096);
	for (uint32_t i = 0; i < n; i++) {
		struct early_one one = {serials[i], nonce_of(serials[i])};

		if (serials[i] == wrong)
			one.nonce++;
		early_one_add(&one, &b);
	}
	m.ones = buf_data(&b);
	upload_early(o->u, &m);
}

#define EARLY(o, ...)                             \
	early(o, (const uint64_t[]){__VA_ARGS__}, \
	      ARRAY_LEN(((const uint64_t[]){__VA_ARGS__})), 0)

static void welcome_newest(struct owner *o, uint64_t durable)
{
	struct msg_welcome m = {.version = PROTO_VERSION_MAX,
				.durable = durable,
				.durable_nonce =
					durable ? nonce_of(durable) : 0};

	upload_welcome(o->u, &m);
}

/* A link whose receiver lets entries pass, and has some of them. */
static void opens(struct owner *o, const uint64_t *serials, uint32_t n,
		  uint64_t wrong)
{
	upload_connected(o->u);
	(void)acts(o);
	welcome_newest(o, 0);
	early(o, serials, n, wrong);
	o->log[0] = '\0';
}

#define LONG (5 * BLOCK_LEN) /* more than a MiB */

static bool comes(const struct owner *o, const char *first, const char *second)
{
	const char *at = strstr(o->log, first);

	return at && strstr(at, second);
}

static void test_passes(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	o.len[1] = LONG;
	opens(&o, NULL, 0, 0);
	names_databases(&o, "abab");
	answer_all(&o);
	/* 1 and 3, of one database, behind each other; 2 and 4 pass */
	CHECK(comes(&o, "later:1 ", "entry:2i "));
	CHECK(comes(&o, "entry:2i ", "later:3 "));
	CHECK(comes(&o, "later:3 ", "entry:4i "));
	CHECK(comes(&o, "later:1 ", "entry:1 "));
	CHECK(comes(&o, "entry:2i ", "block:1.2 "));
	CHECK(comes(&o, "entry:4i ", "end:1 "));
	CHECK(comes(&o, "end:1 ", "entry:3i "));
	EARLY(&o, 2, 4);
	CHECK_STR(fresh(&o), "");
	CHECK(upload_early_entries(o.u) == 2 && upload_early_bytes(o.u) == 20);
	CHECK(upload_is_early(o.u, 2) && !upload_is_early(o.u, 3));
	durable(&o, 2);
	CHECK(upload_early_entries(o.u) == 1);
	durable(&o, 4);
	CHECK_STR(fresh(&o), "durable:4 ");
	CHECK(upload_early_entries(o.u) == 0 && upload_early_bytes(o.u) == 0);
	CHECK(upload_resent_bytes(o.u) == 0);
}

/* A receiver that does not say EARLY gets one behind the other. */
static void test_without(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 2, 0, 0);
	o.len[1] = LONG;
	connect(&o, 0, 0);
	names_databases(&o, "ab");
	answer_all(&o);
	CHECK(strstr(o.log, "end:1 entry:2i "));
	CHECK(!strstr(o.log, "later"));
}

/* BUSY: one behind the other, until the receiver is further. */
static void test_busy(void)
{
	static const uint64_t none[1];
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	o.len[1] = o.len[3] = LONG;
	opens(&o, none, 0, 0);
	names_databases(&o, "abab");
	(void)acts(&o);
	bye(&o, BYE_BUSY, 0);
	(void)acts(&o);
	opens(&o, none, 0, 0);
	answer_all(&o);
	CHECK(!strstr(o.log, "later"));
	durable(&o, 2);
	(void)acts(&o);
	bye(&o, BYE_TAKEN_OVER, 0);
	upload_connected(o.u);
	(void)acts(&o);
	welcome_newest(&o, 2);
	early(&o, none, 0, 0);
	o.log[0] = '\0';
	answer_all(&o);
	CHECK(strstr(o.log, "later:3 "));
}

static void test_known(void)
{
	static const uint64_t has[] = {2, 3};
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	opens(&o, has, 2, 0);
	CHECK_STR(acts(&o), "nonce:3 ");
	upload_nonce(o.u, 3, nonce_of(3));
	CHECK_STR(acts(&o), "nonce:3 nonce:2 ");
	upload_nonce(o.u, 2, nonce_of(2));
	answer_all(&o);
	CHECK_STR(o.log, "nonce:3 nonce:2 fetch:1+4 read:1.0 read:4.0 entry:1i "
			 "entry:4i ");
	CHECK(upload_early_entries(o.u) == 2);
	durable(&o, 3);
	CHECK_STR(fresh(&o), "durable:3 ");
	CHECK(upload_early_entries(o.u) == 0);
}

/* The hole is closed before the heads behind it are here. */
static void test_jump(void)
{
	static const uint64_t has[] = {2, 3};
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	opens(&o, has, 2, 0);
	(void)acts(&o);
	upload_nonce(o.u, 3, nonce_of(3));
	(void)acts(&o);
	upload_nonce(o.u, 2, nonce_of(2));
	o.holds_fetch = true;
	(void)acts(&o);
	answer_fetch(&o, 1, 1);
	answer_all(&o);
	durable(&o, 3);
	CHECK(strstr(fresh(&o), "durable:3 "));
	answer_fetch(&o, 2, 3);
	answer_all(&o);
	CHECK_STR(o.log, "durable:3 read:4.0 entry:4i ");
	durable(&o, 4);
	CHECK_STR(fresh(&o), "durable:4 ");
}

/* Answers come while nothing may be read: the read cursor stands where it was. */
static void test_no_room(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	opens(&o, NULL, 0, 0);
	answer_all(&o);
	upload_room(o.u, false);
	durable(&o, 4);
	CHECK(strstr(fresh(&o), "durable:4 "));
	upload_assigned(o.u, 5);
	upload_room(o.u, true);
	answer_all(&o);
	CHECK(strstr(o.log, "entry:5i "));
	durable(&o, 5);
	CHECK(strstr(fresh(&o), "durable:5 "));
}

static void test_histories(void)
{
	static const uint64_t beyond[] = {2, 9}, has[] = {2, 3};
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	opens(&o, beyond, 2, 0);
	CHECK_STR(acts(&o), "error ");
	CHECK(strstr(o.text, "up to 9") && strstr(o.text, "RESYNC PIPE"));
	opens(&o, has, 2, 3);
	CHECK_STR(acts(&o), "nonce:3 ");
	upload_nonce(o.u, 3, nonce_of(3));
	CHECK_STR(fresh(&o), "error ");
	opens(&o, has, 2, 2); /* only 2 shows it: nothing is sent before */
	CHECK_STR(acts(&o), "nonce:3 ");
	upload_nonce(o.u, 3, nonce_of(3));
	CHECK_STR(fresh(&o), "nonce:2 ");
	upload_nonce(o.u, 2, nonce_of(2));
	CHECK_STR(fresh(&o), "error ");
	CHECK(strstr(o.text, "entry 2 at the receiver"));
}

/* What the receiver has in the place of a lost entry: another one in an older copy of this edge;
 * nothing in one that released it. */
static void opens_released(struct owner *o, const uint64_t *serials, uint32_t n,
			   uint64_t wrong)
{
	struct msg_welcome m = {.version = PROTO_VERSION_MAX,
				.durable = 5,
				.durable_nonce = nonce_of(5),
				.applied = 2};

	upload_connected(o->u);
	(void)acts(o);
	upload_welcome(o->u, &m);
	early(o, serials, n, wrong);
	o->log[0] = '\0';
}

static void test_fills(void)
{
	static const uint64_t has[] = {2, 3, 5, 7};
	struct owner o CLEANUP(end);

	begin(&o, 8, 2, 2);
	opens_released(&o, has, 4, 0);
	CHECK_STR(fresh(&o), "nonce:5 ");
	upload_nonce(o.u, 5, nonce_of(5));
	CHECK_STR(fresh(&o), "nonce:7 ");
	upload_nonce(o.u, 7, nonce_of(7));
	CHECK_STR(fresh(&o), "nonce:5 ");
	upload_nonce(o.u, 5, nonce_of(5));
	CHECK_STR(fresh(&o), "nonce:3 ");
	upload_nonce(o.u, 3, nonce_of(3));
	CHECK_STR(fresh(&o), "nonce:2 ");
	upload_nonce(o.u, 2, 0); /* released */
	answer_all(&o);
	CHECK(strstr(o.log, "entry:6i entry:8i "));

	opens_released(&o, has, 2, 0);
	(void)acts(&o);
	upload_nonce(o.u, 3, 0); /* above the floor everything is known */
	CHECK(strstr(fresh(&o), "error "));
	CHECK(strstr(o.text, "RESYNC PIPE"));
}

static void test_older_copy_of_a_fill(void)
{
	static const uint64_t has[] = {3};
	struct owner o CLEANUP(end);

	begin(&o, 8, 2, 2);
	opens_released(&o, has, 1, 3);
	CHECK_STR(fresh(&o), "nonce:5 ");
	upload_nonce(o.u, 5, nonce_of(5));
	CHECK_STR(fresh(&o), "nonce:3 ");
	upload_nonce(o.u, 3, nonce_of(3));
	CHECK_STR(fresh(&o), "error ");
	CHECK(strstr(o.text, "entry 3 at the receiver"));
}

static void test_violations(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	o.len[1] = LONG;
	opens(&o, NULL, 0, 0);
	names_databases(&o, "abab");
	answer_all(&o);
	EARLY(&o, 7); /* never sent */
	CHECK(strstr(fresh(&o), "close:0 "));
	opens(&o, NULL, 0, 0);
	(void)acts(&o);
	EARLY(&o, 1); /* put off */
	CHECK(strstr(fresh(&o), "close:0 "));
	opens(&o, NULL, 0, 0);
	(void)acts(&o);
	durable(&o, 2); /* 1 is put off */
	CHECK(strstr(fresh(&o), "close:0 "));
}

/* What passed may be there: only the entry that is lost is given up. */
static void test_lost_alone(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	o.len[1] = LONG;
	opens(&o, NULL, 0, 0);
	names_databases(&o, "abbb");
	(void)acts(&o);
	while (o.n_reads && o.reads[0].serial != 1) {
		read_answers(&o, 0);
		(void)acts(&o);
	}
	read_answers(&o, ENOENT);
	CHECK(strstr(acts(&o), "lost:1"));
	CHECK(o.beyond >= 2);
}

int main(void)
{
	test_run("other databases pass a long entry", test_passes);
	test_run("one behind the other without EARLY", test_without);
	test_run("a receiver without room gets one behind the other",
		 test_busy);
	test_run("what passed before is not sent again", test_known);
	test_run("DURABLE past heads that are not here", test_jump);
	test_run("DURABLE while there is no room", test_no_room);
	test_run("histories are judged by what passed, too", test_histories);
	test_run("EARLY of what was not sent", test_violations);
	test_run("a lost entry that others passed is lost alone",
		 test_lost_alone);
	test_run("what only fills a serial is asked about", test_fills);
	test_run("an older copy is found out by what fills",
		 test_older_copy_of_a_fill);
	return test_end();
}
