#include <errno.h>
#include <time.h>

#define N_MAX 20000u

#include "upload_owner.h"

static void test_blocks(void)
{
	struct owner o CLEANUP(end);
	struct digest_list list;
	struct digest d;

	begin(&o, 2, 0, 0);
	o.len[1] = 2 * BLOCK_LEN + 5;
	o.len[2] = 0;
	connect(&o, 0, 0);
	CHECK_STR(fresh(&o), "fetch:1+2 read:1.0 read:1.1 read:1.2 entry:1 ");
	CHECK(o.reads[2].offset == 2 * BLOCK_LEN && o.reads[2].len == 5);
	o.log[0] = '\0';
	answer_all(&o);
	/* An empty payload needs no read. */
	CHECK_STR(o.log, "block:1.0 block:1.1 block:1.2 end:1 entry:2i ");
	CHECK(o.n_back == 3);
	d = digest_entry_single(NULL, 0);
	CHECK(digest_equal(&o.digest, &d));
	upload_cut(o.u);
	connect(&o, 0, 0);
	o.len[2] = 1;
	digest_list_init(&list);
	for (uint64_t i = 0; i < 3; i++) {
		d = digest_block(block, block_len(o.len[1], i));
		digest_list_add(&list, block_len(o.len[1], i), &d);
	}
	d = digest_list_end(&list);
	(void)acts(&o);
	for (int i = 0; i < 3; i++) {
		read_answers(&o, 0);
		(void)acts(&o);
	}
	CHECK(digest_equal(&o.digest, &d));
	CHECK(upload_resent_bytes(o.u) == o.len[1]);
}

static void test_held_blocks(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 3, 0, 0);
	o.len[1] = 5 * BLOCK_LEN;
	o.len[2] = 2 * BLOCK_LEN;
	o.len[3] = BLOCK_LEN;
	connect(&o, 0, 0);
	(void)acts(&o);
	upload_connected(o.u);
	answer_all(&o); /* reads of the old link */
	welcome(&o, 0, 0, 5);
	CHECK_STR(fresh(&o), "");
	partial(&o, 1, nonce_of(1), 3, 1);
	partial(&o, 2, 77, 0, 2); /* another entry of that serial */
	partial(&o, 3, nonce_of(3), 0, 1);
	partial(&o, 1, nonce_of(1), 0, 2);
	partial(&o, 9, nonce_of(9), 0, 1); /* never assigned */
	CHECK_STR(fresh(&o),
		  "fetch:1+3 read:1.2 read:1.4 read:2.0 read:2.1 entry:1 ");
	read_answers(&o, 0);
	read_answers(&o, 0);
	CHECK_STR(fresh(&o), "block:1.2 block:1.4 end:1 entry:2 ");
	o.log[0] = '\0';
	answer_all(&o);
	CHECK_STR(o.log, "block:2.0 block:2.1 end:2 entry:3 end:3 ");
}

/* A receiver that claims to hold blocks of an entry without any is not believed: a head
 * that announces blocks of nothing would be no message. */
static void test_held_nothing(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 1, 0, 0);
	o.len[1] = 0;
	connect(&o, 0, 0);
	upload_connected(o.u);
	(void)acts(&o);
	welcome(&o, 0, 0, 1);
	partial(&o, 1, nonce_of(1), 0, 1);
	CHECK_STR(fresh(&o), "fetch:1+1 entry:1i ");
}

/* The list of an entry is the same, whoever read the blocks. */
static void test_held_digest(void)
{
	struct owner o CLEANUP(end);
	struct digest whole;

	begin(&o, 1, 0, 0);
	o.len[1] = 3 * BLOCK_LEN;
	connect(&o, 0, 0);
	answer_all(&o);
	whole = o.digest;
	upload_connected(o.u);
	(void)acts(&o);
	welcome(&o, 0, 0, 1);
	partial(&o, 1, nonce_of(1), 1, 1);
	o.digest = (struct digest){{0}};
	answer_all(&o);
	CHECK(digest_equal(&o.digest, &whole));
}

static void test_reads_are_bounded(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 40, 0, 0);
	connect(&o, 0, 0);
	(void)acts(&o);
	CHECK(o.n_reads == UPLOAD_READS);
	upload_room(o.u, false);
	read_answers(&o, 0);
	CHECK_STR(fresh(&o), "entry:1i ");
	upload_room(o.u, true);
	CHECK_STR(fresh(&o), "read:13.0 ");
}

/* On a thin link fewer blocks are on their way, and never none. */
static void test_ahead_is_bounded(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 1, 0, 0);
	o.len[1] = 9 * BLOCK_LEN;
	connect(&o, 0, 0);
	upload_ahead(o.u, 3 * BLOCK_LEN);
	(void)acts(&o);
	CHECK(o.n_reads == 3);
	upload_ahead(o.u, 1);
	read_answers(&o, 0);
	read_answers(&o, 0);
	(void)acts(&o);
	CHECK(o.n_reads == 1);
}

/* Reads of a link that is gone come back unused, and are not taken for new ones. */
static void test_stale_reads(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 20, 0, 0);
	connect(&o, 0, 0);
	(void)acts(&o);
	connect(&o, 0, 0);
	CHECK_STR(fresh(&o), "fetch:1+20 "); /* twelve are still under way */
	read_answers(&o, 0);
	CHECK(o.n_back == 0);
	CHECK_STR(fresh(&o), ""); /* its buffer is not yet taken */
	CHECK(o.n_back == 1);
	CHECK_STR(fresh(&o), "read:1.0 ");
	read_answers(&o, -EIO); /* whatever they say */
	(void)fresh(&o);
	while (o.n_reads) {
		read_answers(&o, 0);
		(void)acts(&o);
	}
	CHECK(o.n_entries == 20 && o.n_back == 20 + UPLOAD_READS);
	CHECK(upload_resent_bytes(o.u) == 0);
}

static void test_stale_heads(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 4, 0, 0);
	o.holds_fetch = true;
	connect(&o, 0, 0);
	CHECK_STR(fresh(&o), "fetch:1+4 ");
	upload_cut(o.u);
	answer_fetch(&o, 1, 2); /* nobody listens */
	connect(&o, 0, 0);
	CHECK_STR(fresh(&o), "fetch:1+4 ");
	answer_fetch(&o, 3, 2); /* the rest of the old answer */
	CHECK_STR(fresh(&o), "");
	answer_fetch(&o, 1, 4);
	CHECK_STR(fresh(&o), "read:1.0 read:2.0 read:3.0 read:4.0 ");
	answer_fetch(&o, 5, 1); /* not asked for */
	CHECK_STR(fresh(&o), "");
}

static void test_read_errors(void)
{
	static const struct {
		int err;
		const char *log, *text;
	} cases[] = {
		{-ENOENT, "lost:1/2 ", "No such file"},
		{ESTALE, "lost:1/116 ", "entry 1 ("},
		{EIO, "attempt:1x1 close:0 ", "cannot be read, block 0"},
		{-EMFILE, "close:0 ", "cannot be read, block 0"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct owner o CLEANUP(end);

		begin(&o, 3, 0, 0);
		connect(&o, 0, 0);
		(void)acts(&o);
		read_answers(&o, cases[i].err);
		CHECK_STR(fresh(&o), cases[i].log);
		CHECK(strstr(o.text, cases[i].text));
		CHECK(o.n_back == 1);
		read_answers(&o, cases[i].err);
		CHECK_STR(fresh(&o), "");
	}
}

/* Attempts of one entry, over several links; then it is lost. */
static void test_read_attempts(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 3, 0, 0);
	for (int i = 1; i <= 3; i++) {
		connect(&o, 0, 0);
		(void)acts(&o);
		read_answers(&o, -EIO);
		CHECK_STR(fresh(&o), i == 1   ? "attempt:1x1 close:0 "
				     : i == 2 ? "attempt:1x2 close:0 "
					      : "attempt:1x3 lost:1/5 ");
		while (o.n_reads)
			read_answers(&o, -EIO);
		(void)fresh(&o);
		upload_cut(o.u);
	}
}

static void test_short_read(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 1, 0, 0);
	connect(&o, 0, 0);
	(void)acts(&o);
	upload_block(o.u, 1, 0, digest_block(block, 9), block, 9, 0);
	CHECK_STR(fresh(&o), "lost:1/61 ");
	o.n_reads = 0;
}

/* The owner need not squeeze what will travel as a reference; a block that the receiver
 * asks for is read for what it is. */
static void test_reads_say_refer(void)
{
	struct owner o CLEANUP(end);
	struct msg_welcome m = {.version = 2};
	struct upload_act a;
	struct entry en = {
		.serial = 1, .nonce = 7, .kind = ENTRY_FILE, .body_len = 9000};

	begin(&o, 1, 0, 0);
	o.holds_fetch = true;
	upload_connected(o.u);
	(void)acts(&o);
	upload_welcome(o.u, &m);
	(void)acts(&o);
	upload_ahead(o.u, UPLOAD_REFER_MIN * UPLOAD_REFER_PART);
	upload_entry(o.u, &en);
	upload_hold(o.u, 1);
	(void)acts(&o);
	CHECK(o.n_reads == 1 && o.reads[0].may_refer);
	read_answers(&o, 0);
	while (upload_next(o.u, &a))
		CHECK(a.kind == UP_SEND_END || a.may_refer);
	upload_want(o.u, &(struct msg_want){.serial = 1});
	(void)acts(&o);
	CHECK(o.n_reads == 1 && !o.reads[0].may_refer);
	read_answers(&o, 0);
	CHECK_STR(fresh(&o), "block:1.0 ");
	/* Asked for twice; by the time it is read the entry is durable, and may be gone. */
	upload_want(o.u, &(struct msg_want){.serial = 1});
	(void)acts(&o);
	CHECK(o.n_reads == 1);
	durable(&o, 1);
	(void)fresh(&o);
	read_answers(&o, -ENOENT);
	CHECK_STR(fresh(&o), "");
}

static void test_window_entries(void)
{
	struct owner o CLEANUP(end);

	begin(&o, N_MAX, 0, 0);
	o.is_mute = true;
	connect(&o, 0, 0);
	answer_all(&o);
	CHECK(o.n_entries == UPLOAD_WINDOW_ENTRIES);
	CHECK(o.max_fetch <= 256);
	durable(&o, 1000);
	answer_all(&o);
	CHECK(o.n_entries == UPLOAD_WINDOW_ENTRIES + 1000);
	for (uint64_t n = 0; n < N_MAX; n += 4000) {
		durable(&o, n);
		answer_all(&o);
	}
	durable(&o, N_MAX);
	CHECK(o.n_entries == N_MAX && upload_durable_serial(o.u) == N_MAX);
}

static void test_window_bytes(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 60, 0, 0);
	o.is_mute = true;
	for (size_t i = 0; i < ARRAY_LEN(o.len); i++)
		o.len[i] = 4 << 20;
	/* Larger than the window: passes when it is the oldest. */
	o.len[17] = 100u << 20;
	connect(&o, 0, 0);
	answer_all(&o);
	CHECK(o.n_entries == 17 && o.n_back == 16 * 16 + 16);
	durable(&o, 15);
	answer_all(&o);
	CHECK(o.n_entries == 17 && o.n_back == 16 * 16 + 256);
	/* What stands behind it does not wait until it is durable. */
	durable(&o, 16);
	answer_all(&o);
	CHECK(o.n_entries == 17 + 16 && o.n_back == 16 * 16 + 400 + 256);
	durable(&o, 17);
	answer_all(&o);
	CHECK(o.n_entries == 17 + 17 && o.n_back == 16 * 16 + 400 + 272);
}

static void test_many_small(void)
{
	struct owner o CLEANUP(end);
	struct timespec a, b;
	uint64_t n = 100000;

	begin(&o, n, 0, 0);
	o.is_mute = true;
	connect(&o, 0, 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	while (upload_durable_serial(o.u) < n) {
		answer_all(&o);
		durable(&o, o.n_entries);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	printf("# %.0f ns per entry, the owner included\n",
	       ((double)(b.tv_sec - a.tv_sec) * 1e9 +
		(double)(b.tv_nsec - a.tv_nsec)) /
		       (double)n);
	CHECK(o.n_entries == n && o.n_back == n);
}

int main(void)
{
	test_run("large payloads travel in blocks, empty ones without a read",
		 test_blocks);
	test_run("held blocks are not read", test_held_blocks);
	test_run("held blocks of nothing are none", test_held_nothing);
	test_run("held blocks count in the digest", test_held_digest);
	test_run("reads are bounded and wait for room", test_reads_are_bounded);
	test_run("a thin link reads less far ahead", test_ahead_is_bounded);
	test_run("reads of an old link are stale", test_stale_reads);
	test_run("heads of an old link are harmless", test_stale_heads);
	test_run("what cannot be read is lost, or tried again",
		 test_read_errors);
	test_run("EIO is tried as often as attempts are allowed",
		 test_read_attempts);
	test_run("a payload that became shorter is lost", test_short_read);
	test_run("a read says that its block will refer", test_reads_say_refer);
	test_run("the window bounds entries", test_window_entries);
	test_run("the window bounds bytes", test_window_bytes);
	test_run("100000 small entries", test_many_small);
	return test_end();
}
