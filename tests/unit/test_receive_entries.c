#include <time.h>

#include "receive_owner.h"

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

/* What was given out does not count any more, round after round. */
static void test_rounds(void)
{
	struct owner o CLEANUP(end);
	const uint64_t len = BLOCK_LEN + 1;

	live(&o);
	for (uint64_t serial = 1; serial < 600; serial += 3) {
		struct msg_entry m = {.entry = an_entry(serial + 2, 0),
				      .is_inline = true};

		send_entry(&o, serial, len);
		(void)acts(&o);
		send_inline(&o, serial + 1, ENTRY_ROW_MAX);
		m.entry.kind = ENTRY_RESTATE;
		m.entry.devices = xcalloc(1, ENTRY_DEVICES_MAX);
		memset(m.entry.devices, 'd', ENTRY_DEVICES_MAX - 1);
		m.digest = list_of(0);
		receive_entry(o.r, &m);
		CHECK_STR(acts(&o), "");
		for (uint64_t i = 0; i < 2; i++) {
			send_block(&o, serial, i, len);
			(void)acts(&o);
			receive_written(o.r, serial, i);
		}
		send_end(&o, serial, len);
		(void)acts(&o);
		receive_committed(o.r, serial + 2);
		(void)acts(&o);
		CHECK(o.n_staged == serial + 2);
	}
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
			    "partial:6.1+1 discard:101-1101 "
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

/* All of it is here: it is staged when its file is open, not before. */
static void test_complete_partial(void)
{
	struct owner o CLEANUP(end);
	struct receive_partial p = a_partial(1, 2 * BLOCK_LEN, "11");

	begin(&o);
	hello(&o);
	known(&o, 0, 0, &p, 1);
	(void)acts(&o);
	send_entry(&o, 1, 2 * BLOCK_LEN);
	send_end(&o, 1, 2 * BLOCK_LEN);
	CHECK_STR(acts(&o), "open:1 ");
	receive_opened(o.r, 7); /* of nothing here */
	CHECK_STR(acts(&o), "");
	receive_opened(o.r, 1);
	CHECK_STR(acts(&o), "file:1 ");
	receive_opened(o.r, 1);
	CHECK_STR(acts(&o), "");
}

/* A payload that would become a file when it is committed: not while the file of its
 * serial may still be removed. */
static void test_inline_behind_discard(void)
{
	struct owner o CLEANUP(end);
	const uint32_t len = ENTRY_ROW_MAX + 1;
	struct receive_partial p[] = {a_partial(1, len, "0"),
				      a_partial(2, len, "1"),
				      a_partial(3, len, "1"),
				      a_partial(101, len, "1")};

	begin(&o);
	hello(&o);
	p[1].digests[0].b[0] ^= 1; /* of other bytes */
	p[2].entry.nonce = 1;
	known(&o, 0, 0, p, ARRAY_LEN(p));
	(void)acts(&o);
	send_inline(&o, 1, len); /* its own file, still empty */
	CHECK_STR(acts(&o), "open:1 write:1.0 ");
	receive_written(o.r, 1, 0);
	CHECK_STR(acts(&o), "file:1 ");
	send_inline(&o, 2, len);
	CHECK_STR(acts(&o), "open:2 write:2.0 ");
	receive_written(o.r, 2, 0);
	CHECK_STR(acts(&o), "file:2 ");
	send_inline(&o, 3, len);
	CHECK_STR(acts(&o), "discard:3-1 open:3 write:3.0 ");
	receive_written(o.r, 3, 0);
	CHECK_STR(acts(&o), "file:3 ");
	for (uint64_t serial = 4; serial <= 100; serial++) {
		send_inline(&o, serial, len);
		CHECK(strncmp(acts(&o), "stage", 5) == 0);
	}
	send_inline(&o, 101, len); /* discarded behind the WELCOME */
	CHECK_STR(acts(&o), "open:101 write:101.0 ");
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
	test_run("blocks in any order, staged when written", test_blocks);
	test_run("entries are staged in serial order", test_serial_order);
	test_run("what waits in memory is bounded", test_kept_is_bounded);
	test_run("heads that wait are bounded", test_heads_are_bounded);
	test_run("what was given out does not count any more", test_rounds);
	test_run("partial files are told, reused, discarded", test_partials);
	test_run("a partial file of another head is discarded",
		 test_partial_of_another_head);
	test_run("a complete partial file is staged when it is open",
		 test_complete_partial);
	test_run("a large inline payload goes behind a removal",
		 test_inline_behind_discard);
	test_run("a long partial file takes several messages",
		 test_long_partial);
	test_run("open entries are bounded", test_open_is_bounded);
	test_run("uncommitted entries are bounded",
		 test_uncommitted_is_bounded);
	test_run("100000 small entries", test_many_small);
	return test_end();
}
