#include "receive_owner.h"

static void test_dialogue(void)
{
	struct owner o CLEANUP(end);
	struct msg_hello m = a_hello();
	struct digest d;

	begin(&o);
	CHECK_STR(acts(&o), "");
	receive_hello(o.r, &m);
	CHECK(!receive_is_welcomed(o.r));
	CHECK_STR(acts(&o), "lookup:p ");
	known(&o, 5, 4, NULL, 0);
	CHECK_STR(acts(&o), "welcome ");
	CHECK(receive_is_welcomed(o.r) && receive_durable(o.r) == 5);
	CHECK(o.welcome.version == 1 && o.welcome.instance[0] == 7);
	CHECK(o.welcome.durable == 5 && o.welcome.durable_nonce == 1005);
	CHECK(o.welcome.applied == 4 && o.welcome.n_partials == 0);
	send_inline(&o, 6, 10);
	CHECK_STR(acts(&o), "stage:6 ");
	d = list_of(10);
	CHECK(o.last.len == 10 && o.last.data == payload &&
	      o.last.nonce == 1006);
	CHECK(digest_equal(&o.last.digest, &d));
	CHECK_STR(acts(&o), "");
	send_inline(&o, 7, 0);
	CHECK_STR(acts(&o), "stage:7 ");
	CHECK(o.last.len == 0 && o.last.data);
	receive_committed(o.r, 6);
	receive_applied(
		o.r, 7,
		2); /* the owner is ahead: 7 is not told before it is durable */
	CHECK_STR(acts(&o), "durable:6 ");
	receive_committed(o.r, 7);
	CHECK_STR(acts(&o), "durable:7 applied:7/2 ");
	receive_applied(o.r, 7, 1);
	CHECK_STR(acts(&o), "applied:7/1 ");
	receive_applied(o.r, 6, 1);
	CHECK_STR(acts(&o), "");
}

static void test_mismatches(void)
{
	struct owner o CLEANUP(end);
	const uint64_t len = BLOCK_LEN + 1;
	struct msg_entry m = {.entry = an_entry(1, 10), .is_inline = true};

	live(&o);
	m.data = payload;
	m.data_len = 10;
	receive_entry(o.r, &m); /* with a digest of zeros */
	CHECK_STR(acts(&o), "bye:5 ");
	CHECK(o.bye.serial == 1);
	send_inline(&o, 1, 10); /* nothing counts any more */
	CHECK_STR(acts(&o), "");
	end(&o);
	live(&o);
	send_entry(&o, 1, len);
	(void)acts(&o);
	receive_block(o.r, &(struct msg_block){.serial = 1,
					       .index = 1,
					       .data = payload,
					       .data_len = 1});
	CHECK_STR(acts(&o), "bye:5 ");
	end(&o);
	live(&o);
	send_entry(&o, 1, len);
	send_end(&o, 1, len); /* blocks are missing: what came stays */
	CHECK_STR(acts(&o), "open:1 bye:5 ");
	end(&o);
	live(&o);
	send_entry(&o, 1, len);
	(void)acts(&o);
	for (uint64_t i = 0; i < 2; i++) {
		send_block(&o, 1, i, len);
		(void)acts(&o);
	}
	send_end(&o, 1, len - 1); /* another list: nothing of it is of use */
	CHECK_STR(acts(&o), "discard:1-1001 bye:5 ");
}

static void expect_protocol(struct owner *o)
{
	CHECK_STR(acts(o), "bye:6 ");
	CHECK(o->bye.text[0]);
	end(o);
	live(o);
}

static void test_violations(void)
{
	struct owner o CLEANUP(end);
	struct msg_hello m = a_hello();

	live(&o);
	receive_hello(o.r, &m);
	expect_protocol(&o);
	send_inline(&o, 2, 10); /* 1 is next */
	expect_protocol(&o);
	send_block(&o, 1, 0, 10);
	expect_protocol(&o);
	send_end(&o, 1, 10);
	expect_protocol(&o);
	send_entry(&o, 1, BLOCK_LEN + 1);
	(void)acts(&o);
	send_block(&o, 1, 0, 10); /* not the length of a block */
	expect_protocol(&o);
	send_entry(&o, 1, BLOCK_LEN + 1);
	(void)acts(&o);
	receive_block(o.r, &(struct msg_block){
				   .serial = 1, .index = 2, .data_len = 1});
	expect_protocol(&o);
	receive_drop(o.r, &(struct msg_drop){.incarnation = {9}});
	expect_protocol(&o);
	receive_bad(o.r, "no frame");
	expect_protocol(&o);
	end(&o);
	begin(&o);
	send_inline(&o, 1, 10); /* before HELLO */
	expect_protocol(&o);
	end(&o);
	begin(&o);
	m.released = m.assigned + 1;
	receive_hello(o.r, &m);
	expect_protocol(&o);
}

static void test_versions(void)
{
	struct owner o CLEANUP(end);
	struct msg_hello m = a_hello();

	begin(&o);
	m.version_min = m.version_max = PROTO_VERSION_MAX + 1;
	receive_hello(o.r, &m);
	CHECK_STR(acts(&o), "bye:7 ");
	end(&o);
	begin(&o);
	m.version_min = 1;
	receive_hello(o.r, &m);
	CHECK_STR(acts(&o), "lookup:p ");
	known(&o, 0, 0, NULL, 0);
	CHECK_STR(acts(&o), "welcome early:0 ");
	CHECK(o.welcome.version == PROTO_VERSION_MAX);
}

static void test_probe(void)
{
	struct owner o CLEANUP(end);
	struct receive_partial p = a_partial(4, BLOCK_LEN + 1, "11");
	struct msg_hello m = a_hello();

	begin(&o);
	m.flags = HELLO_PROBE;
	receive_hello(o.r, &m);
	(void)acts(&o);
	known(&o, 3, 3, &p, 1);
	CHECK_STR(acts(&o), "welcome ");
	CHECK(o.welcome.n_partials == 0 && !receive_is_welcomed(o.r));
	receive_applied(o.r, 4, 0);
	CHECK_STR(acts(&o), "");
	send_inline(&o, 4, 10);
	CHECK_STR(acts(&o), "bye:6 ");
}

static void test_endings(void)
{
	struct owner o CLEANUP(end);
	struct receive_partial p = a_partial(4, BLOCK_LEN + 1, "11");

	begin(&o);
	hello(&o);
	receive_refuse(o.r, BYE_REFUSED, "not in ip_white_list");
	CHECK_STR(acts(&o), "bye:3 ");
	CHECK_STR(o.bye.text, "not in ip_white_list");
	known(&o, 3, 3, &p, 1); /* too late; its contents are freed */
	CHECK_STR(acts(&o), "");
	end(&o);
	live(&o);
	send_inline(&o, 1, 10);
	(void)acts(&o);
	receive_failed(o.r, "no space left");
	receive_failed(o.r, "again");
	CHECK_STR(acts(&o), "bye:2 ");
	CHECK_STR(o.bye.text, "no space left");
	receive_committed(
		o.r, 1); /* of a group that went on: told at the next HELLO */
	CHECK_STR(acts(&o), "");
	end(&o);
	live(&o);
	receive_drop(o.r, &(struct msg_drop){.incarnation = {1}});
	CHECK_STR(acts(&o), "drop ");
	receive_drop(o.r, &(struct msg_drop){.incarnation = {1}});
	CHECK_STR(acts(&o), "");
}

int main(void)
{
	test_run("HELLO, WELCOME, inline entries, progress", test_dialogue);
	test_run("what does not verify ends the connection", test_mismatches);
	test_run("what breaks the protocol ends the connection",
		 test_violations);
	test_run("versions are agreed on", test_versions);
	test_run("a probe is welcomed and no more", test_probe);
	test_run("refused, failed, dropped", test_endings);
	return test_end();
}
