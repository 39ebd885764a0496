#include <errno.h>

#include "domain/proto.h"
#include "test.h"
#include "tests/proto_again.h"
#include "tests/proto_samples.h"

#define OUT_MAX (4u << 20)

static int take(struct frame *f, const struct buf *b)
{
	return frame_take(f, buf_data(b), b->len, msg_len_max);
}

static void round_trips(void)
{
	for (unsigned form = 0; form < N_FORMS; form++) {
		CLEANUP(buf_release) struct buf b, again;
		struct frame f;

		buf_init(&b, OUT_MAX);
		buf_init(&again, OUT_MAX);
		make(form, &b);
		CHECK(buf_end(&b) == 0);
		CHECK(take(&f, &b) == (int)b.len);
		CHECK(f.flags == (f.type >= MSG_ASK_KEPT ? FRAME_OPTIONAL : 0));
		CHECK(f.len <= msg_len_max(f.type));
		CHECK(proto_again(&f, &again) == 0);
		CHECK(again.len == b.len);
		CHECK(memcmp(buf_data(&again), buf_data(&b), b.len) == 0);
	}
}

/* Every truncation, and every message with a byte too many, from memory of the exact
 * size. */
static void truncations(void)
{
	for (unsigned form = 0; form < N_FORMS; form++) {
		CLEANUP(buf_release) struct buf b, again;
		struct frame f;

		buf_init(&b, OUT_MAX);
		buf_init(&again, OUT_MAX);
		make(form, &b);
		CHECK(take(&f, &b) > 0);
		buf_adds(&b, "\1");
		for (uint32_t n = 0; n <= f.len + 1; n++) {
			CLEANUP_FREE uint8_t *copy = calloc(1, n ? n : 1);
			struct frame cut = f;
			int r;

			memcpy(copy, buf_data(&b) + FRAME_HEAD_LEN, n);
			cut.p = copy;
			cut.len = n;
			r = proto_again(&cut, &again);
			/* The last bytes of a BLOCK are data of any length. */
			if (f.type == MSG_BLOCK && form != 19 &&
			    n >= (form == 6 ? 34 : 61))
				CHECK(r == 0);
			else
				CHECK(r == (n == f.len ? 0 : -EBADMSG));
		}
	}
}

static void fields_of_hello(void)
{
	CLEANUP(buf_release) struct buf b;
	struct msg_hello want = hello(), m;
	struct frame f;

	buf_init(&b, OUT_MAX);
	make(0, &b);
	CHECK(take(&f, &b) > 0);
	CHECK(f.type == MSG_HELLO && f.serial == 0);
	CHECK(msg_hello_decode(&m, &f) == 0);
	CHECK(m.version_min == 1 && m.version_max == 3 && m.flags == 0);
	CHECK(memcmp(m.sender_id, want.sender_id, SENDER_ID_LEN) == 0);
	CHECK(memcmp(m.incarnation, want.incarnation, ID_LEN) == 0);
	CHECK_STR(m.sender_name, "edge-07");
	CHECK_STR(m.program, "0.1.0");
	CHECK_STR(m.pipe, "p");
	CHECK(m.create_time_ms == -5 && m.assigned == 12 && m.released == 7);
}

static void fields_of_entry(void)
{
	CLEANUP(buf_release) struct buf b;
	struct msg_entry m;
	struct frame f;

	buf_init(&b, OUT_MAX);
	make(3, &b);
	CHECK(take(&f, &b) > 0);
	CHECK(f.type == MSG_ENTRY && f.serial == 4);
	CHECK(msg_entry_decode(&m, &f) == 0);
	CHECK(m.is_inline && m.data_len == 18);
	CHECK(memcmp(m.data, "TsFile and records", 18) == 0);
	CHECK(m.data > f.p && m.data + m.data_len == f.p + f.len);
	CHECK(m.digest.b[0] == 3 && m.digest.b[15] == 18);
	CHECK_STR(m.entry.file.database, "root.sg");
	entry_release(&m.entry);
}

/* Layouts are for ever: here byte by byte, as in tsferry-proto(5). */
static void bytes_on_the_wire(void)
{
	static const uint8_t applied[] =
		"\14\0\0\0"
		"\10\0"
		"\0\0"
		"\5\1\0\0\0\0\0\0" /* length, type, flags, serial */
		"\0\0\0\0"
		"\x5a\xa4\x66\xff" /* bulk, sum */
		"\5\1\0\0\0\0\0\0"
		"\2\0\0\0";
	static const uint8_t bye_bytes[] = "\15\0\0\0"
					   "\15\0"
					   "\0\0"
					   "\0\0\0\0\0\0\0\0"
					   "\0\0\0\0"
					   "\xc3\x66\x30\x3c"
					   "\2"
					   "\0\0\0\0\0\0\0\0"
					   "\2\0no";
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, OUT_MAX);
	msg_applied_encode(
		&(struct msg_applied){.serial = 261, .n_quarantined = 2}, &b);
	CHECK(b.len == sizeof applied - 1);
	CHECK(memcmp(buf_data(&b), applied, b.len) == 0);
	buf_clear(&b);
	msg_bye_encode(&(struct msg_bye){.why = BYE_BUSY, .text = "no"}, &b);
	CHECK(b.len == sizeof bye_bytes - 1);
	CHECK(memcmp(buf_data(&b), bye_bytes, b.len) == 0);
}

#define BAD(name, change)                                          \
	do {                                                       \
		CLEANUP(buf_release) struct buf b;                 \
		struct msg_##name m = name(), back;                \
		struct frame f;                                    \
                                                                   \
		change;                                            \
		buf_init(&b, OUT_MAX);                             \
		msg_##name##_encode(&m, &b);                       \
		CHECK(take(&f, &b) > 0);                           \
		CHECK(msg_##name##_decode(&back, &f) == -EBADMSG); \
	} while (0)

static void hello_bounds(void)
{
	BAD(hello, m.version_min = 0);
	BAD(hello, m.version_min = 4);
	BAD(hello, m.flags = 3);
	BAD(hello, m.flags = 4);
	BAD(hello, m.flags = 0x80000000);
	BAD(hello, m.sender_name[0] = '\0');
	BAD(hello, strcpy(m.sender_name, ".."));
	BAD(hello, strcpy(m.sender_name, "a/b"));
	BAD(hello, strcpy(m.sender_name, "\xff"));
	BAD(hello, m.pipe[0] = '\0');
	BAD(hello, strcpy(m.pipe, ".p"));
	BAD(hello, m.released = 13);
	BAD(hello, m.assigned = UINT64_MAX);
}

static void welcome_bounds(void)
{
	BAD(welcome, m.version = 0);
	BAD(welcome, m.applied = 10);
	BAD(welcome, m.durable_nonce = 0);
	BAD(welcome, (m.durable = 0, m.applied = 0));
	BAD(welcome, m.durable = UINT64_MAX);
	BAD(welcome, m.n_partials = PROTO_PARTIALS_MAX + 1);
}

static const uint8_t runs_back[32] = {[0] = 2, [8] = 1, [16] = 9, [24] = 9};
static const uint8_t runs_touching[32] = {[0] = 1, [8] = 3, [16] = 3, [24] = 9};
static const uint8_t runs_of_zero[32] = {[8] = 3, [16] = 4, [24] = 9};

static const uint8_t ones_back[32] = {[0] = 9, [8] = 1, [16] = 5, [24] = 1};
static const uint8_t ones_of_zero[32] = {[8] = 1, [16] = 5, [24] = 1};
static const uint8_t ones_without_nonce[32] = {[0] = 1, [16] = 5, [24] = 1};

static void entry_bounds(void)
{
	BAD(partial, m.serial = 0);
	BAD(partial, m.nonce = 0);
	BAD(partial, m.first = ENTRY_PAYLOAD_MAX / BLOCK_LEN - 2);
	BAD(partial, m.first = UINT64_MAX - 1);
	BAD(block, m.serial = 0);
	BAD(block, m.index = ENTRY_PAYLOAD_MAX / BLOCK_LEN);
	BAD(block, m.how = (enum block_how)4);
	BAD(quarantine, m.id = 0);
	BAD(quarantine, m.serial = 0);
	BAD(bye, m.why = (enum bye_why)0);
	BAD(bye, m.why = (enum bye_why)(BYE_HISTORY + 1));
	BAD(bye, m.serial = UINT64_MAX);
	BAD(kept, m.durable = UINT64_MAX);
	BAD(kept, m.runs = runs_back);
	BAD(kept, m.runs = runs_touching);
	BAD(kept, m.runs = runs_of_zero);
	BAD(later, m.serial = 0);
	BAD(later, memcpy(m.database, "a/b", 4));
	BAD(early, m.ones = ones_back);
	BAD(early, m.ones = ones_of_zero);
	BAD(early, m.ones = ones_without_nonce);
}

/* Patches one byte of a message that was good, behind the check of the sum. */
static int patched(unsigned form, size_t at, uint8_t v)
{
	CLEANUP(buf_release) struct buf b, again;
	struct frame f;

	buf_init(&b, OUT_MAX);
	buf_init(&again, OUT_MAX);
	make(form, &b);
	if (take(&f, &b) != (int)b.len)
		return -EIO;
	buf_data(&b)[FRAME_HEAD_LEN + at] = v;
	return proto_again(&f, &again);
}

static void patched_bytes(void)
{
	CHECK(patched(0, 0, 1) == 0);
	CHECK(patched(2, 24, 0) == -EBADMSG);  /* n = 0 */
	CHECK(patched(2, 26, 1) == -EBADMSG);  /* n = 65539 */
	CHECK(patched(3, 0, 3) == -EBADMSG);   /* is_inline */
	CHECK(patched(3, 0, 2) == -EBADMSG);   /* squeezed, and no shorter */
	CHECK(patched(3, 0, 0) == -EBADMSG);   /* payload without leave */
	CHECK(patched(4, 0, 1) == -EBADMSG);   /* and none with it */
	CHECK(patched(5, 0, 0) == -EBADMSG);   /* no payload in no block */
	CHECK(patched(10, 16, 2) == -EBADMSG); /* is_over */
	CHECK(patched(12, 0, 1) == -EBADMSG);  /* PONG */
	CHECK(patched(14, 11, '\n') == -EBADMSG);
	CHECK(patched(14, 11, 0x1b) == -EBADMSG);
	CHECK(patched(14, 11, 0) == -EBADMSG);
	CHECK(patched(11, 2, '\n') == -EBADMSG); /* the state of a STATUS */
}

static void serial_of_the_head(void)
{
	for (unsigned form = 0; form < N_FORMS; form++) {
		CLEANUP(buf_release) struct buf b, again;
		struct frame f;

		buf_init(&b, OUT_MAX);
		buf_init(&again, OUT_MAX);
		make(form, &b);
		CHECK(take(&f, &b) > 0);
		f.serial++;
		CHECK(proto_again(&f, &again) == -EBADMSG);
	}
}

static void serial_of_zero(void)
{
	CLEANUP(buf_release) struct buf b, again;
	struct frame f;

	buf_init(&b, OUT_MAX);
	buf_init(&again, OUT_MAX);
	msg_durable_encode(&(struct msg_durable){.serial = 0}, &b);
	CHECK(take(&f, &b) > 0 && proto_again(&f, &again) == -EBADMSG);
	buf_clear(&b);
	msg_end_encode(&(struct msg_end){.serial = 0}, &b);
	CHECK(take(&f, &b) > 0 && proto_again(&f, &again) == -EBADMSG);
	buf_clear(&b);
	msg_applied_encode(&(struct msg_applied){.serial = UINT64_MAX}, &b);
	CHECK(take(&f, &b) > 0 && proto_again(&f, &again) == -EBADMSG);
}

/* What a server said in several lines becomes one line, not a refused message. */
static void controls_become_blanks(void)
{
	CLEANUP(buf_release) struct buf b;
	struct msg_bye m = bye(), back;
	struct msg_status st = status(), st_back;
	struct frame f;

	buf_init(&b, OUT_MAX);
	strcpy(m.text, "first\nsecond\x1b[31m\x7f");
	msg_bye_encode(&m, &b);
	CHECK(take(&f, &b) > 0 && msg_bye_decode(&back, &f) == 0);
	CHECK_STR(back.text, "first second [31m ");
	buf_clear(&b);
	strcpy(st.message, "a\tb");
	strcpy(st.gaps, "a\tb\nc\r\n");
	msg_status_encode(&st, &b);
	CHECK(take(&f, &b) > 0 && msg_status_decode(&st_back, &f) == 0);
	CHECK_STR(st_back.message, "a b");
	CHECK_STR(st_back.gaps, "a\tb\nc \n");
}

static void longest_messages(void)
{
	static uint8_t bytes[PARTIAL_BLOCKS_MAX * DIGEST_LEN > BLOCK_LEN
				     ? PARTIAL_BLOCKS_MAX * DIGEST_LEN
				     : BLOCK_LEN];
	CLEANUP(buf_release) struct buf b, again;
	struct msg_hello h = hello();
	struct msg_status st;
	struct msg_entry en = inline_entry();
	struct msg_block bl = block();
	struct msg_partial p = partial();
	struct frame f;
	size_t at = 0;
	int n_frames = 0;

	memset(h.sender_name, 'n', NAME_LEN_MAX);
	memset(h.pipe, 'p', NAME_LEN_MAX);
	memset(h.program, '1', sizeof h.program - 1);
	memset(&st, 'x', sizeof st);
	st.state[sizeof st.state - 1] = st.message[sizeof st.message - 1] =
		'\0';
	st.progress[sizeof st.progress - 1] = st.gaps[sizeof st.gaps - 1] =
		'\0';
	en.entry.body_len = BLOCK_LEN - 6;
	en.data = bl.data = p.digests = bytes;
	en.data_len = bl.data_len = BLOCK_LEN;
	p.n = PARTIAL_BLOCKS_MAX;

	buf_init(&b, OUT_MAX);
	buf_init(&again, OUT_MAX);
	msg_hello_encode(&h, &b);
	CHECK(b.len == FRAME_HEAD_LEN + msg_len_max(MSG_HELLO));
	msg_status_encode(&st, &b);
	msg_entry_encode(&en, &b);
	msg_block_encode(&bl, &b);
	bl.how = BLOCK_PREFIX;
	bl.n_ranges = HELD_RANGES_MAX;
	for (size_t i = 0; i < HELD_RANGES_MAX; i++)
		bl.ranges[i].len = HELD_PREFIX_MAX / HELD_RANGES_MAX;
	at = b.len;
	msg_block_encode(&bl, &b);
	CHECK(b.len - at == FRAME_HEAD_LEN + msg_len_max(MSG_BLOCK));
	at = 0;
	msg_partial_encode(&p, &b);
	CHECK(buf_end(&b) == 0);
	while (at < b.len) {
		int n = frame_take(&f, buf_data(&b) + at, b.len - at,
				   msg_len_max);

		CHECK(n > 0);
		CHECK(proto_again(&f, &again) == 0);
		at += (size_t)n;
		n_frames++;
	}
	CHECK(n_frames == 6);
	CHECK(again.len == b.len &&
	      memcmp(buf_data(&again), buf_data(&b), b.len) == 0);
}

static void too_long_inline(void)
{
	static const uint8_t bytes[BLOCK_LEN + 1];
	CLEANUP(buf_release) struct buf b;
	struct msg_entry en = inline_entry(), back;
	struct frame f;
	size_t at;

	buf_init(&b, OUT_MAX);
	at = frame_begin(&b, MSG_ENTRY, 0, en.entry.serial);
	en.entry.body_len = sizeof bytes - 6;
	wr_u8(&b, 1);
	entry_encode(&en.entry, &b);
	buf_add(&b, en.digest.b, DIGEST_LEN);
	buf_add(&b, bytes, sizeof bytes);
	frame_finish(&b, at);
	CHECK(take(&f, &b) > 0);
	CHECK(msg_entry_decode(&back, &f) == -EBADMSG);
}

static void wrong_decoder(void)
{
	CLEANUP(buf_release) struct buf b;
	struct msg_durable m;
	struct msg_applied a;
	struct frame f;

	buf_init(&b, OUT_MAX);
	make(8, &b);
	CHECK(take(&f, &b) > 0);
	CHECK(msg_durable_decode(&m, &f) == 0);
	CHECK(msg_applied_decode(&a, &f) == -EBADMSG);
	f.type = MSG_APPLIED;
	CHECK(msg_durable_decode(&m, &f) == -EBADMSG);
}

/* An output buffer that is full reports it, and nothing is written beyond it. */
static void full_buffer(void)
{
	for (size_t max = 0; max < 200; max++) {
		CLEANUP(buf_release) struct buf b;

		buf_init(&b, max);
		make(3, &b);
		CHECK(buf_end(&b) == (b.failed ? -E2BIG : 0));
		CHECK(b.len <= max);
	}
}

/* As docs/protocol.md and tsferry-proto(5) have them. */
static void maxima(void)
{
	static const uint32_t max[] = {0,      659, 46, 65564, 393233,
				       262594, 24,  8,	12,    1019,
				       7165,   1,   16, 1011,  19344,
				       16,     265, 65540, 0};

	for (uint16_t type = 0; type < ARRAY_LEN(max); type++)
		CHECK(msg_len_max(type) == max[type]);
	CHECK(msg_len_max(MSG_ASK_KEPT) == 16);
	CHECK(msg_len_max(MSG_KEPT) == 65565);
	CHECK(msg_len_max(UINT16_MAX) == 0);
}

static void names(void)
{
	CHECK_STR(msg_name(MSG_HELLO), "HELLO");
	CHECK_STR(msg_name(MSG_BYE), "BYE");
	CHECK_STR(msg_name(0), "?");
	CHECK_STR(msg_name(999), "?");
}

int main(void)
{
	test_run("each message comes back as the same bytes", round_trips);
	test_run("every truncation and every trailing byte is refused",
		 truncations);
	test_run("the fields of a HELLO", fields_of_hello);
	test_run("the fields of an ENTRY; its payload is borrowed",
		 fields_of_entry);
	test_run("bytes on the wire", bytes_on_the_wire);
	test_run("HELLO is bounded", hello_bounds);
	test_run("WELCOME is bounded", welcome_bounds);
	test_run("what tells of entries is bounded", entry_bounds);
	test_run("bytes that no encoder writes are refused", patched_bytes);
	test_run("the head repeats the serial", serial_of_the_head);
	test_run("serial 0 and beyond the last", serial_of_zero);
	test_run("control characters become blanks, not refusals",
		 controls_become_blanks);
	test_run("the longest messages pass", longest_messages);
	test_run("a payload longer than a block is not inline",
		 too_long_inline);
	test_run("a decoder refuses another type", wrong_decoder);
	test_run("a full buffer is reported", full_buffer);
	test_run("maxima as they are documented", maxima);
	test_run("names of messages", names);
	return test_end();
}
