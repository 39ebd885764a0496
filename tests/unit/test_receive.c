#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#include "recvd/receive.h"
#include "test.h"

/* The machine with an owner that writes every act as a word into `log` and answers
 * nothing by itself. */
struct owner {
	struct receive *r;
	char log[8192];
	struct msg_welcome welcome;
	struct msg_bye bye;
	struct receive_act last; /* of RX_WRITE or RX_STAGE */
	size_t n_staged;
	bool is_mute;
};

static uint8_t payload[5 * BLOCK_LEN];

static void word(struct owner *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void word(struct owner *o, const char *fmt, ...)
{
	size_t at = strlen(o->log);
	va_list ap;

	if (o->is_mute)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(o->log + at, sizeof(o->log) - at, fmt, ap);
	va_end(ap);
}

static void act_on(struct owner *o, const struct receive_act *a)
{
	switch (a->kind) {
	case RX_LOOKUP:
		word(o, "lookup:%s ", a->hello->pipe);
		return;
	case RX_WELCOME:
		o->welcome = a->welcome;
		word(o, "welcome ");
		return;
	case RX_PARTIAL:
		word(o, "partial:%" PRIu64 ".%" PRIu64 "+%u ",
		     a->partial.serial, a->partial.first, a->partial.n);
		return;
	case RX_OPEN:
		word(o, "open:%" PRIu64 " ", a->entry->serial);
		return;
	case RX_WRITE:
		o->last = *a;
		word(o, "write:%" PRIu64 ".%" PRIu64 " ", a->serial, a->index);
		return;
	case RX_STAGE:
	case RX_STAGE_FILE:
		o->last = *a;
		o->n_staged++;
		word(o, "%s:%" PRIu64 " ",
		     a->kind == RX_STAGE ? "stage" : "file", a->entry->serial);
		return;
	case RX_DURABLE:
		word(o, "durable:%" PRIu64 " ", a->serial);
		return;
	case RX_APPLIED:
		word(o, "applied:%" PRIu64 "/%u ", a->applied.serial,
		     a->applied.n_quarantined);
		return;
	case RX_DISCARD:
		word(o, "discard:%" PRIu64 "-%" PRIu64 " ", a->serial,
		     a->nonce);
		return;
	case RX_DROP:
		word(o, "drop ");
		return;
	case RX_BYE:
		o->bye = a->bye;
		word(o, "bye:%d ", (int)a->bye.why);
		return;
	case RX_NONE:
		word(o, "NONE ");
		return;
	}
}

static const char *acts(struct owner *o)
{
	struct receive_act a;

	o->log[0] = '\0';
	while (receive_next(o->r, &a))
		act_on(o, &a);
	return o->log;
}

static void begin(struct owner *o)
{
	memset(o, 0, sizeof(*o));
	o->r = receive_new();
	for (size_t i = 0; i < sizeof(payload); i += 97)
		payload[i] = (uint8_t)(i / 97);
}

static void end(struct owner *o)
{
	receive_free(o->r);
}

static struct msg_hello a_hello(void)
{
	return (struct msg_hello){
		.version_min = 1,
		.version_max = 1,
		.sender_name = "edge",
		.pipe = "p",
		.incarnation = {1},
		.assigned = 100,
	};
}

static void hello(struct owner *o)
{
	struct msg_hello m = a_hello();

	receive_hello(o->r, &m);
	(void)acts(o);
}

static void known(struct owner *o, uint64_t durable, uint64_t applied,
		  struct receive_partial *p, size_t n)
{
	struct receive_known k = {
		.instance = {7},
		.durable = durable,
		.durable_nonce = durable ? durable + 1000 : 0,
		.applied = applied,
		.partials = p,
		.n_partials = n,
	};

	receive_known(o->r, &k);
}

static void live(struct owner *o)
{
	begin(o);
	hello(o);
	known(o, 0, 0, NULL, 0);
	(void)acts(o);
}

static struct entry an_entry(uint64_t serial, uint64_t len)
{
	struct entry en = {
		.serial = serial, .nonce = serial + 1000, .kind = ENTRY_FILE};

	(void)snprintf(en.file.database, sizeof(en.file.database), "root.a");
	en.body_len = len;
	return en;
}

static struct digest list_of(uint64_t len)
{
	struct digest_list list;
	struct digest d;

	digest_list_init(&list);
	for (uint64_t i = 0; i < block_count(len); i++) {
		d = digest_block(payload + i * BLOCK_LEN, block_len(len, i));
		digest_list_add(&list, block_len(len, i), &d);
	}
	return digest_list_end(&list);
}

static void send_inline(struct owner *o, uint64_t serial, uint32_t len)
{
	struct msg_entry m = {
		.entry = an_entry(serial, len),
		.is_inline = true,
		.digest = list_of(len),
		.data = payload,
		.data_len = len,
	};

	receive_entry(o->r, &m);
}

static void send_entry(struct owner *o, uint64_t serial, uint64_t len)
{
	struct msg_entry m = {.entry = an_entry(serial, len)};

	receive_entry(o->r, &m);
}

static void send_block(struct owner *o, uint64_t serial, uint64_t index,
		       uint64_t len)
{
	struct msg_block m = {
		.serial = serial,
		.index = index,
		.data = payload + index * BLOCK_LEN,
		.data_len = block_len(len, index),
	};

	m.digest = digest_block(m.data, m.data_len);
	receive_block(o->r, &m);
}

static void send_end(struct owner *o, uint64_t serial, uint64_t len)
{
	receive_end(o->r, &(struct msg_end){serial, list_of(len)});
}

static struct receive_partial a_partial(uint64_t serial, uint64_t len,
					const char *present)
{
	struct receive_partial p = {.entry = an_entry(serial, len)};

	p.n_blocks = block_count(len);
	p.present = xcalloc(p.n_blocks, 1);
	p.digests = xcalloc(p.n_blocks, sizeof(*p.digests));
	for (uint64_t i = 0; i < p.n_blocks; i++) {
		p.present[i] = present[i] == '1';
		p.digests[i] = digest_block(payload + i * BLOCK_LEN,
					    block_len(len, i));
	}
	return p;
}

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

static void test_blocks(void)
{
	struct owner o CLEANUP(end);
	const uint64_t len = 2 * BLOCK_LEN + 9;

	live(&o);
	send_entry(&o, 1, len);
	CHECK_STR(acts(&o), "open:1 ");
	send_block(&o, 1, 2, len);
	CHECK_STR(acts(&o), "write:1.2 ");
	CHECK(o.last.offset == 2 * BLOCK_LEN && o.last.len == 9);
	send_block(&o, 1, 2, len); /* once more: ignored */
	CHECK_STR(acts(&o), "");
	send_block(&o, 1, 0, len);
	CHECK_STR(acts(&o), "write:1.0 ");
	send_block(&o, 1, 1, len);
	(void)acts(&o);
	send_end(&o, 1, len);
	receive_written(o.r, 1, 2);
	receive_written(o.r, 1, 0);
	CHECK_STR(acts(&o), ""); /* one write is still under way */
	receive_written(o.r, 1, 1);
	CHECK_STR(acts(&o), "file:1 ");
	receive_written(o.r, 9, 1); /* of nothing here */
	CHECK_STR(acts(&o), "");
}

static void test_serial_order(void)
{
	struct owner o CLEANUP(end);
	const uint64_t len = BLOCK_LEN + 1;

	live(&o);
	send_entry(&o, 1, len);
	(void)acts(&o);
	send_inline(&o, 2, 10); /* in memory */
	CHECK_STR(acts(&o), "");
	send_inline(&o, 3, ENTRY_ROW_MAX + 1); /* would become a file anyway */
	CHECK_STR(acts(&o), "open:3 write:3.0 ");
	send_inline(&o, 4, 0);
	CHECK_STR(acts(&o), "");
	send_entry(&o, 5, len);
	CHECK_STR(acts(&o), "open:5 ");
	for (uint64_t i = 0; i < 2; i++) {
		send_block(&o, 5, i, len);
		(void)acts(&o);
		receive_written(o.r, 5, i);
	}
	send_end(&o, 5, len);
	CHECK_STR(acts(&o), "");
	for (uint64_t i = 0; i < 2; i++) {
		send_block(&o, 1, i, len);
		(void)acts(&o);
		receive_written(o.r, 1, i);
	}
	CHECK_STR(acts(&o), "");
	send_end(&o, 1, len);
	CHECK_STR(acts(&o), "file:1 stage:2 ");
	CHECK(o.last.len == 10 && memcmp(o.last.data, payload, 10) == 0);
	receive_written(o.r, 3, 0);
	CHECK_STR(acts(&o), "file:3 stage:4 file:5 ");
	send_inline(&o, 6, 10);
	CHECK_STR(acts(&o), "stage:6 ");
	receive_committed(o.r, 6);
	CHECK_STR(acts(&o), "durable:6 ");
}

/* What waits in memory is bounded: then small ones become files too. */
static void test_kept_is_bounded(void)
{
	struct owner o CLEANUP(end);
	unsigned n_memory = 0;
	uint64_t serial = 2;

	live(&o);
	send_entry(&o, 1, BLOCK_LEN + 1);
	(void)acts(&o);
	for (; serial < 60; serial++) {
		send_inline(&o, serial, ENTRY_ROW_MAX);
		if (acts(&o)[0])
			break;
		n_memory++;
	}
	CHECK(n_memory * ENTRY_ROW_MAX <= 4u << 20 && n_memory >= 4);
	CHECK(strncmp(o.log, "open:", 5) == 0 && strstr(o.log, "write:"));
}

static void test_heads_are_bounded(void)
{
	struct owner o CLEANUP(end);
	char *devices = xcalloc(1, ENTRY_DEVICES_MAX);
	uint64_t serial = 2;

	live(&o);
	memset(devices, 'd', ENTRY_DEVICES_MAX - 1);
	send_entry(&o, 1, BLOCK_LEN + 1);
	for (; serial < 400 && !strstr(acts(&o), "bye"); serial++) {
		struct msg_entry m = {.entry = an_entry(serial, 0),
				      .is_inline = true};

		m.entry.kind = ENTRY_RESTATE;
		m.entry.devices = xstrdup(devices);
		m.digest = list_of(0);
		receive_entry(o.r, &m);
		CHECK(m.entry.devices == NULL);
	}
	free(devices);
	CHECK_STR(o.log, "bye:2 ");
	CHECK(serial > 60 && serial < 300);
}

static void test_partials(void)
{
	struct owner o CLEANUP(end);
	const uint64_t len = 5 * BLOCK_LEN;
	struct receive_partial p[] = {
		a_partial(4, len, "11011"), a_partial(3, len, "11111"),
		a_partial(5, len, "00000"), a_partial(101, len, "10000"),
		a_partial(6, len, "10000"), a_partial(6, len, "01000"),
		a_partial(7, len, "10000"),
	};

	begin(&o);
	hello(&o);
	p[5].entry.nonce = 1;
	p[6].n_blocks = 4; /* does not fit its head */
	known(&o, 3, 0, p, ARRAY_LEN(p));
	CHECK_STR(acts(&o), "welcome partial:4.0+2 partial:4.3+2 partial:6.0+1 "
			    "partial:6.1+1 discard:3-1003 discard:101-1101 "
			    "discard:7-1007 ");
	CHECK(o.welcome.n_partials == 4);
	send_entry(&o, 4, len);
	CHECK_STR(acts(&o), "open:4 ");
	send_block(&o, 4, 2, len);
	CHECK_STR(acts(&o), "write:4.2 ");
	receive_written(o.r, 4, 2);
	send_end(&o, 4, len);
	CHECK_STR(acts(&o), "file:4 ");
	send_inline(&o, 5, 10); /* another entry than was found */
	CHECK_STR(acts(&o), "discard:5-1005 stage:5 ");
	send_entry(&o, 6, len);
	CHECK_STR(acts(&o), "discard:6-1 open:6 ");
	send_block(&o, 6, 0, len);
	CHECK_STR(acts(&o), "");
}

/* Same serial and nonce, another head: nothing of it counts. */
static void test_partial_of_another_head(void)
{
	struct owner o CLEANUP(end);
	struct receive_partial p = a_partial(1, 2 * BLOCK_LEN, "11");

	begin(&o);
	hello(&o);
	known(&o, 0, 0, &p, 1);
	(void)acts(&o);
	send_entry(&o, 1, 2 * BLOCK_LEN - 1);
	CHECK_STR(acts(&o), "discard:1-1001 open:1 ");
	send_block(&o, 1, 0, 2 * BLOCK_LEN - 1);
	CHECK_STR(acts(&o), "write:1.0 ");
}

static void test_long_partial(void)
{
	struct owner o CLEANUP(end);
	const uint64_t n = 2 * PARTIAL_BLOCKS_MAX + 5;
	struct receive_partial p = {.entry = an_entry(1, n * BLOCK_LEN),
				    .n_blocks = n};

	p.present = xcalloc(n, 1);
	p.digests = xcalloc(n, sizeof(*p.digests));
	memset(p.present, 1, n);
	begin(&o);
	hello(&o);
	known(&o, 0, 0, &p, 1);
	CHECK_STR(acts(&o), "welcome partial:1.0+4096 partial:1.4096+4096 "
			    "partial:1.8192+5 ");
	CHECK(o.welcome.n_partials == 3);
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
	CHECK_STR(acts(&o), "welcome ");
	CHECK(o.welcome.version == PROTO_VERSION_MAX);
}

static void test_open_is_bounded(void)
{
	struct owner o CLEANUP(end);
	uint64_t serial;

	live(&o);
	for (serial = 1; serial <= RECEIVE_OPEN_MAX; serial++) {
		send_entry(&o, serial, BLOCK_LEN + 1);
		CHECK(strncmp(acts(&o), "open", 4) == 0);
	}
	send_entry(&o, serial, BLOCK_LEN + 1);
	CHECK_STR(acts(&o), "bye:6 ");
}

static void test_uncommitted_is_bounded(void)
{
	struct owner o CLEANUP(end);

	live(&o);
	for (uint64_t i = 1; i <= RECEIVE_UNCOMMITTED_MAX; i++) {
		send_inline(&o, i, 1);
		CHECK(strncmp(acts(&o), "stage", 5) == 0);
	}
	send_inline(&o, RECEIVE_UNCOMMITTED_MAX + 1, 1);
	CHECK_STR(acts(&o), "bye:6 ");
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

static void test_many_small(void)
{
	struct owner o CLEANUP(end);
	struct timespec a, b;
	uint64_t n = 100000;

	live(&o);
	o.is_mute = true;
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	for (uint64_t i = 1; i <= n; i++) {
		send_inline(&o, i, 100);
		(void)acts(&o);
		if (i % 500 == 0)
			receive_committed(o.r, i);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	printf("# %.0f ns per entry, the owner and both digests included\n",
	       ((double)(b.tv_sec - a.tv_sec) * 1e9 +
		(double)(b.tv_nsec - a.tv_nsec)) /
		       (double)n);
	CHECK(o.n_staged == n && receive_durable(o.r) == n);
}

int main(void)
{
	test_run("HELLO, WELCOME, inline entries, progress", test_dialogue);
	test_run("blocks in any order, staged when written", test_blocks);
	test_run("entries are staged in serial order", test_serial_order);
	test_run("what waits in memory is bounded", test_kept_is_bounded);
	test_run("heads that wait are bounded", test_heads_are_bounded);
	test_run("partial files are told, reused, discarded", test_partials);
	test_run("a partial file of another head is discarded",
		 test_partial_of_another_head);
	test_run("a long partial file takes several messages",
		 test_long_partial);
	test_run("what does not verify ends the connection", test_mismatches);
	test_run("what breaks the protocol ends the connection",
		 test_violations);
	test_run("versions are agreed on", test_versions);
	test_run("open entries are bounded", test_open_is_bounded);
	test_run("uncommitted entries are bounded",
		 test_uncommitted_is_bounded);
	test_run("a probe is welcomed and no more", test_probe);
	test_run("refused, failed, dropped", test_endings);
	test_run("100000 small entries", test_many_small);
	return test_end();
}
