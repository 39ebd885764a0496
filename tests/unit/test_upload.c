#include "upload_owner.h"

static void test_dialogue(void)
{
	struct owner o CLEANUP(end);
	struct digest b = digest_block(block, 10),
		      d = digest_entry_single(&b, 10);

	begin(&o, 3, 0, 0);
	CHECK_STR(fresh(&o), "");
	upload_connected(o.u);
	CHECK_STR(fresh(&o), "hello:3/0 ");
	welcome(&o, 0, 0, 0);
	CHECK_STR(fresh(&o), "fetch:1+3 read:1.0 read:2.0 read:3.0 ");
	read_answers(&o, 0);
	CHECK_STR(fresh(&o), "entry:1i ");
	CHECK(digest_equal(&o.digest, &d));
	answer_all(&o);
	durable(&o, 2);
	durable(&o, 1);
	applied(&o, 1);
	CHECK_STR(fresh(&o), "durable:2 applied:1 ");
	upload_assigned(o.u, 4);
	CHECK_STR(fresh(&o), "fetch:4+1 read:4.0 ");
	CHECK(upload_durable_serial(o.u) == 2 &&
	      upload_applied_serial(o.u) == 1);
}

static void test_histories(void)
{
	static const struct {
		uint64_t assigned, released, durable, nonce, catalog;
		const char *log, *text;
	} cases[] = {
		{5, 0, 6, 1, 0, "hello:5/0 error ", "assigned only 5"},
		{5, 3, 2, 1002, 0, "hello:5/3 error ",
		 "up to 2, but entries up to 3"},
		{5, 3, 3, 1, 0, "hello:5/3 error ",
		 "entry 3 at the receiver is not"},
		{5, 3, 3, 1003, 0, "hello:5/3 fetch:4+2 read:4.0 read:5.0 ",
		 ""},
		{5, 3, 4, 1004, 1004,
		 "hello:5/3 nonce:4 durable:4 fetch:5+1 read:5.0 ", ""},
		{5, 3, 4, 1004, 9, "hello:5/3 nonce:4 error ",
		 "entry 4 at the receiver"},
		{5, 3, 4, 1004, 0, "hello:5/3 nonce:4 error ", "does not know"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct owner o CLEANUP(end);
		struct msg_welcome m = {.version = 1};

		begin(&o, cases[i].assigned, cases[i].released, 0);
		upload_connected(o.u);
		(void)acts(&o);
		m.durable = cases[i].durable;
		m.durable_nonce = cases[i].nonce;
		if (m.durable >= cases[i].released)
			m.applied = cases[i].released;
		upload_welcome(o.u, &m);
		(void)acts(&o);
		upload_nonce(o.u, 99,
			     cases[i].catalog); /* of nobody's question */
		upload_nonce(o.u, 4, cases[i].catalog);
		CHECK_STR(acts(&o), cases[i].log);
		CHECK(strstr(o.text, cases[i].text));
		if (cases[i].text[0])
			CHECK(strstr(o.text, "RESYNC PIPE"));
	}
}

/* What the receiver said before needs no catalog; below what was applied is an error,
 * between the two everything is sent again. */
static void test_comes_back(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	connect(&o, 0, 0);
	answer_all(&o);
	durable(&o, 3);
	applied(&o, 1);
	(void)acts(&o);
	connect(&o, 3, 1);
	CHECK_STR(fresh(&o), "fetch:4+1 read:4.0 ");
	connect(&o, 2, 1);
	CHECK_STR(fresh(&o), "nonce:2 ");
	answer_all(&o);
	upload_nonce(o.u, 2, nonce_of(2));
	CHECK_STR(fresh(&o), "fetch:3+2 read:3.0 read:4.0 ");
	answer_all(&o);
	CHECK(upload_resent_bytes(o.u) == 20);
	durable(&o, 4);
	CHECK_STR(fresh(&o), "durable:4 ");
	connect(&o, 0, 0);
	CHECK_STR(fresh(&o), "error ");
	CHECK(strstr(o.text, "restored from an older copy"));
}

/* Durable fits, applied went backwards: what lies between would be applied twice. */
static void test_applied_backwards(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	connect(&o, 0, 0);
	answer_all(&o);
	durable(&o, 4);
	applied(&o, 3);
	(void)acts(&o);
	connect(&o, 4, 3);
	CHECK_STR(fresh(&o), "");
	connect(&o, 4, 2);
	CHECK_STR(fresh(&o), "error ");
	CHECK(strstr(o.text, "up to 2 are applied, it had said so up to 3"));
	CHECK(strstr(o.text, "RESYNC PIPE"));
}

static void test_violations(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 3, 0, 0);
	connect(&o, 0, 0);
	(void)acts(&o);
	read_answers(&o, 0);
	(void)acts(&o);
	durable(&o, 2); /* only 1 was sent */
	CHECK_STR(fresh(&o), "close:0 ");
	durable(&o, 1); /* and nothing counts any more */
	bye(&o, BYE_REFUSED, 0);
	partial(&o, 1, nonce_of(1), 0, 1);
	welcome(&o, 0, 0, 0);
	applied(&o, 0);
	CHECK_STR(fresh(&o), "");
	connect(&o, 0, 0);
	applied(&o, 1);
	CHECK_STR(fresh(&o), "close:0 ");
	connect(&o, 0, 0);
	welcome(&o, 0, 0, 0);
	CHECK_STR(fresh(&o), "close:0 ");
	connect(&o, 0, 0);
	partial(&o, 1, nonce_of(1), 0, 1);
	CHECK_STR(fresh(&o), "close:0 ");
	connect(&o, 1, 2);
	CHECK_STR(fresh(&o), "close:0 ");
	upload_connected(o.u);
	(void)acts(&o);
	upload_welcome(o.u,
		       &(struct msg_welcome){.version = PROTO_VERSION_MAX + 1});
	CHECK_STR(fresh(&o), "close:0 ");
	upload_connected(o.u);
	(void)acts(&o);
	durable(&o, 0);
	CHECK_STR(fresh(&o), "close:0 ");
	bye(&o, (enum bye_why)99, 0);
	upload_connected(o.u);
	(void)acts(&o);
	bye(&o, (enum bye_why)99, 0);
	CHECK_STR(fresh(&o), "close:0 ");
}

/* APPLIED may come while the catalog still looks for the nonce. */
static void test_early_applied(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 3, 0, 0);
	connect(&o, 3, 1);
	CHECK_STR(fresh(&o), "nonce:3 ");
	applied(&o, 2);
	CHECK_STR(fresh(&o), "");
	upload_nonce(o.u, 3, nonce_of(3));
	CHECK_STR(fresh(&o), "durable:3 applied:2 ");
}

static void test_byes(void)
{
	static const struct {
		enum bye_why why;
		const char *log;
	} cases[] = {
		{BYE_STOPPING, "close:1 "}, {BYE_BUSY, "close:2 "},
		{BYE_REFUSED, "error "},    {BYE_TAKEN_OVER, "close:4 "},
		{BYE_PROTOCOL, "close:6 "}, {BYE_VERSION, "error "},
		{BYE_HISTORY, "error "},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct owner o CLEANUP(end);

		begin(&o, 3, 0, 0);
		upload_connected(o.u);
		(void)acts(&o);
		bye(&o, cases[i].why, 0);
		CHECK_STR(fresh(&o), cases[i].log);
		CHECK_STR(o.text, "because");
	}
}

static void test_attempts(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 3, 0, 0);
	for (int i = 0; i < 2; i++) {
		connect(&o, 0, 0);
		answer_all(&o);
		bye(&o, BYE_MISMATCH, 1);
		CHECK_STR(fresh(&o),
			  i ? "attempt:1x2 close:5 " : "attempt:1x1 close:5 ");
	}
	connect(&o, 0, 0);
	answer_all(&o);
	bye(&o, BYE_MISMATCH, 2); /* counted for itself */
	CHECK_STR(fresh(&o), "attempt:2x1 close:5 ");
	connect(&o, 0, 0);
	answer_all(&o);
	bye(&o, BYE_MISMATCH, 1);
	CHECK_STR(fresh(&o), "attempt:1x3 error ");
	CHECK_STR(o.text,
		  "entry 1 failed to verify at the receiver 3 times: because");
	connect(&o, 0, 0);
	bye(&o, BYE_MISMATCH, 3); /* not under way */
	CHECK_STR(fresh(&o), "close:0 ");
}

int main(void)
{
	test_run("HELLO, heads, reads, entries, progress", test_dialogue);
	test_run("histories that do not fit stop the pipe", test_histories);
	test_run("a link comes back", test_comes_back);
	test_run("applied never goes backwards", test_applied_backwards);
	test_run("a receiver that breaks the protocol is left",
		 test_violations);
	test_run("APPLIED before the history is proved waits",
		 test_early_applied);
	test_run("each BYE is answered as its reason asks", test_byes);
	test_run("attempts are counted by serial", test_attempts);
	return test_end();
}
