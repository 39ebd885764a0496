#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#include "syncd/upload.h"
#include "test.h"

#define N_MAX 20000u

/* The machine with the simplest owner: a catalog that answers at once, reads that
 * answer when told, and every act as a word in `log`. */
struct owner {
	struct upload *u;
	uint64_t len[64]; /* payload by serial; beyond: 1 */
	struct upload_act reads[UPLOAD_READS];
	unsigned n_reads;
	char log[4096], text[SENTENCE_MAX + 1];
	struct digest digest; /* of the last entry or END */
	size_t n_entries, n_back;
	uint64_t max_fetch;
	bool is_mute, holds_fetch;
};

static uint8_t block[BLOCK_LEN];

static uint64_t nonce_of(uint64_t serial)
{
	return 1000 + serial;
}

static uint64_t len_of(const struct owner *o, uint64_t serial)
{
	return serial < ARRAY_LEN(o->len) ? o->len[serial] : 1;
}

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

static void answer_fetch(struct owner *o, uint64_t serial, uint64_t n)
{
	for (uint64_t i = serial; i < serial + n; i++) {
		struct entry en = {
			.serial = i, .nonce = nonce_of(i), .kind = ENTRY_FILE};

		en.body_len = len_of(o, i);
		if (en.body_len == 0) {
			en.kind = ENTRY_RESTATE;
			en.devices = xstrdup("root.a.b");
		}
		upload_entry(o->u, &en);
	}
}

static void sent(struct owner *o, const struct upload_act *a)
{
	if (a->kind == UP_SEND_ENTRY) {
		o->n_entries++;
		word(o, "entry:%" PRIu64 "%s ", a->serial,
		     a->is_inline ? "i" : "");
	} else if (a->kind == UP_SEND_BLOCK) {
		word(o, "block:%" PRIu64 ".%" PRIu64 " ", a->serial, a->index);
	} else {
		word(o, "end:%" PRIu64 " ", a->serial);
	}
	o->n_back += a->data != NULL;
	o->digest = a->digest;
}

static void act_on(struct owner *o, const struct upload_act *a)
{
	if (a->text[0])
		(void)snprintf(o->text, sizeof(o->text), "%s", a->text);
	switch (a->kind) {
	case UP_SEND_HELLO:
		word(o, "hello:%" PRIu64 "/%" PRIu64 " ", a->n, a->serial);
		return;
	case UP_FETCH:
		word(o, "fetch:%" PRIu64 "+%" PRIu64 " ", a->serial, a->n);
		if (a->n > o->max_fetch)
			o->max_fetch = a->n;
		if (!o->holds_fetch)
			answer_fetch(o, a->serial, a->n);
		return;
	case UP_READ:
		word(o, "read:%" PRIu64 ".%" PRIu64 " ", a->serial, a->index);
		if (o->n_reads < UPLOAD_READS)
			o->reads[o->n_reads++] = *a;
		else
			word(o, "TOO-MANY-READS ");
		return;
	case UP_SEND_ENTRY:
	case UP_SEND_BLOCK:
	case UP_SEND_END:
		sent(o, a);
		return;
	case UP_NONCE:
		word(o, "nonce:%" PRIu64 " ", a->serial);
		return;
	case UP_DURABLE:
		word(o, "durable:%" PRIu64 " ", a->serial);
		return;
	case UP_APPLIED:
		word(o, "applied:%" PRIu64 " ", a->serial);
		return;
	case UP_ATTEMPT:
		word(o, "attempt:%" PRIu64 "x%" PRIu64 " ", a->serial, a->n);
		return;
	case UP_ERROR:
		word(o, "error ");
		return;
	case UP_CLOSE:
		word(o, "close:%d ", (int)a->why);
		return;
	case UP_NONE:
		word(o, "NONE ");
		return;
	}
}

/* Acts are taken; what they were since the last time, as words. */
static const char *acts(struct owner *o)
{
	struct upload_act a;

	while (upload_next(o->u, &a))
		act_on(o, &a);
	while (upload_take_unused(o->u))
		o->n_back++;
	return o->log;
}

static const char *fresh(struct owner *o)
{
	o->log[0] = '\0';
	return acts(o);
}

static void read_answers(struct owner *o, int err)
{
	struct upload_act a = o->reads[0];

	o->n_reads--;
	memmove(o->reads, o->reads + 1, o->n_reads * sizeof(a));
	upload_block(o->u, a.serial, a.index, digest_block(block, a.len), block,
		     a.len, err);
}

static void answer_all(struct owner *o)
{
	(void)acts(o);
	while (o->n_reads) {
		read_answers(o, 0);
		(void)acts(o);
	}
}

static void begin(struct owner *o, uint64_t assigned, uint64_t released,
		  uint64_t durable)
{
	memset(o, 0, sizeof(*o));
	for (size_t i = 0; i < ARRAY_LEN(o->len); i++)
		o->len[i] = 10;
	o->u = upload_new(assigned, released, released ? nonce_of(released) : 0,
			  durable, 3);
}

static void end(struct owner *o)
{
	upload_cut(o->u);
	while (upload_take_unused(o->u))
		o->n_back++;
	upload_free(o->u);
}

static void welcome(struct owner *o, uint64_t durable, uint64_t applied,
		    uint32_t n)
{
	struct msg_welcome m = {
		.version = 1,
		.durable = durable,
		.durable_nonce = durable ? nonce_of(durable) : 0,
		.applied = applied,
		.n_partials = n,
	};

	upload_welcome(o->u, &m);
}

static void connect(struct owner *o, uint64_t durable, uint64_t applied)
{
	upload_connected(o->u);
	(void)acts(o);
	welcome(o, durable, applied, 0);
	o->log[0] = '\0';
}

static void durable(struct owner *o, uint64_t serial)
{
	upload_durable(o->u, &(struct msg_durable){serial});
}

static void applied(struct owner *o, uint64_t serial)
{
	upload_applied(o->u, &(struct msg_applied){.serial = serial});
}

static void bye(struct owner *o, enum bye_why why, uint64_t serial)
{
	struct msg_bye m = {.why = why, .serial = serial, .text = "because"};

	upload_bye(o->u, &m);
}

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

static void partial(struct owner *o, uint64_t serial, uint64_t nonce,
		    uint64_t first, uint32_t n)
{
	uint8_t digests[8 * DIGEST_LEN];
	struct digest d = digest_block(block, BLOCK_LEN);

	for (uint32_t i = 0; i < n; i++)
		memcpy(digests + i * DIGEST_LEN, d.b, DIGEST_LEN);
	upload_partial(o->u,
		       &(struct msg_partial){serial, nonce, first, n, digests});
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
		{-ENOENT, "error ", "can not be read any more"},
		{EIO, "error ", "RESYNC PIPE"},
		{-EMFILE, "close:0 ", "can not be read now"},
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

static void test_short_read(void)
{
	struct owner o CLEANUP(end);

	begin(&o, 1, 0, 0);
	connect(&o, 0, 0);
	(void)acts(&o);
	upload_block(o.u, 1, 0, digest_block(block, 9), block, 9, 0);
	CHECK_STR(fresh(&o), "error ");
	o.n_reads = 0;
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
	o.len[17] =
		100u
		<< 20; /* larger than the window: passes when it is the oldest */
	connect(&o, 0, 0);
	answer_all(&o);
	CHECK(o.n_entries == 16 && o.n_back == 16 * 16);
	durable(&o, 15);
	answer_all(&o);
	CHECK(o.n_entries == 17 && o.n_back == 16 * 16 + 15 * 16);
	durable(&o, 16);
	answer_all(&o);
	CHECK(o.n_entries == 17 && o.n_back == 16 * 16 + 400);
	durable(&o, 17);
	answer_all(&o);
	CHECK(o.n_entries == 17 + 16);
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
	test_run("HELLO, heads, reads, entries, progress", test_dialogue);
	test_run("large payloads travel in blocks, empty ones without a read",
		 test_blocks);
	test_run("held blocks are not read", test_held_blocks);
	test_run("held blocks count in the digest", test_held_digest);
	test_run("histories that do not fit stop the pipe", test_histories);
	test_run("a link comes back", test_comes_back);
	test_run("a receiver that breaks the protocol is left",
		 test_violations);
	test_run("APPLIED before the history is proved waits",
		 test_early_applied);
	test_run("each BYE is answered as its reason asks", test_byes);
	test_run("attempts are counted by serial", test_attempts);
	test_run("reads are bounded and wait for room", test_reads_are_bounded);
	test_run("reads of an old link are stale", test_stale_reads);
	test_run("heads of an old link are harmless", test_stale_heads);
	test_run("what can not be read stops or closes", test_read_errors);
	test_run("a payload that became shorter is lost", test_short_read);
	test_run("the window bounds entries", test_window_entries);
	test_run("the window bounds bytes", test_window_bytes);
	test_run("100000 small entries", test_many_small);
	return test_end();
}
