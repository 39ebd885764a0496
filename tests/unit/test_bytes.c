#include <errno.h>

#include "ground/bytes.h"
#include "test.h"

/* --- the buffer ------------------------------------------------------------ */

static void buf_grows_to_its_maximum(void)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 1000);
	CHECK_STR(buf_str(&b), "");
	CHECK(buf_data(&b) == NULL);
	for (int i = 0; i < 100; i++)
		buf_add(&b, "0123456789", 10);
	CHECK(b.len == 1000 && buf_end(&b) == 0);
	CHECK(strlen(buf_str(&b)) == 1000);
	buf_add(&b, "", 0);
	CHECK(buf_end(&b) == 0);
	buf_add(&b, "x", 1);
	CHECK(b.len == 1000 && buf_end(&b) == -E2BIG);
}

static void buf_takes_nothing_once_failed(void)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 4);
	buf_adds(&b, "abc");
	buf_adds(&b, "de");
	buf_adds(&b, "f");
	CHECK_STR(buf_str(&b), "abc");
	CHECK(buf_room(&b, 0) == NULL);
	CHECK(buf_end(&b) == -E2BIG);
	buf_clear(&b);
	buf_adds(&b, "wxyz");
	CHECK_STR(buf_str(&b), "wxyz");
	CHECK(buf_end(&b) == 0);
}

static void buf_survives_absurd_sizes(void)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_adds(&b, "a");
	CHECK(buf_room(&b, SIZE_MAX) == NULL);
	CHECK(buf_end(&b) == -E2BIG);
	CHECK_STR(buf_str(&b), "a");
}

static void buf_room_and_fill(void)
{
	CLEANUP(buf_release) struct buf b;
	uint8_t *to;

	buf_init(&b, 300);
	to = buf_room(&b, 300);
	CHECK(to);
	memset(to, 'z', 300);
	buf_fill(&b, 299);
	CHECK(b.len == 299 && strlen(buf_str(&b)) == 299);
	CHECK(buf_room(&b, 1));
	CHECK(!buf_room(&b, 2));
}

static void buf_formats_at_every_length(void)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 200);
	for (int width = 1; width <= 200; width++) {
		buf_release(&b);
		buf_addf(&b, "%*d", width, 7);
		CHECK(b.len == (size_t)width && buf_end(&b) == 0);
		CHECK(buf_str(&b)[width - 1] == '7');
		CHECK(strlen(buf_str(&b)) == (size_t)width);
	}
	buf_clear(&b);
	buf_addf(&b, "%201d", 7);
	CHECK(b.len == 0 && buf_end(&b) == -E2BIG);
	buf_clear(&b);
	buf_adds(&b, "keep");
	buf_addf(&b, "%197d", 7);
	CHECK_STR(buf_str(&b), "keep");
	CHECK(buf_end(&b) == -E2BIG);
}

/* Against a model: what goes in comes out in order, whatever is consumed when. */
static void buf_is_a_queue(void)
{
	CLEANUP(buf_release) struct buf b;
	unsigned seed = 1, in = 0, out = 0;

	buf_init(&b, 5000);
	for (int turn = 0; turn < 20000; turn++) {
		size_t n;

		seed = seed * 1103515245u + 12345u;
		n = (seed >> 16) % 700;
		if ((seed >> 8) & 1 && n <= b.max - b.len) {
			for (size_t i = 0; i < n; i++)
				wr_u8(&b, (uint8_t)(in++ % 251));
		} else {
			n = n < b.len ? n : b.len;
			for (size_t i = 0; i < n; i++)
				CHECK(buf_data(&b)[i] == out++ % 251);
			buf_consume(&b, n);
		}
		CHECK(b.len == in - out && buf_end(&b) == 0);
		CHECK(b.cap <= 2 * (b.max + 1));
	}
}

static void buf_full_queue_keeps_its_maximum(void)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 64);
	for (int i = 0; i < 64; i++)
		wr_u8(&b, (uint8_t)i);
	for (int i = 64; i < 1000; i++) {
		CHECK(buf_data(&b)[0] == (uint8_t)(i - 64));
		buf_consume(&b, 1);
		wr_u8(&b, (uint8_t)i);
		CHECK(b.len == 64 && buf_end(&b) == 0);
	}
	wr_u8(&b, 0);
	CHECK(buf_end(&b) == -E2BIG);
}

/* --- numbers --------------------------------------------------------------- */

static void numbers_have_their_byte_order(void)
{
	static const uint8_t want[] = {
		0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 8,	7,
		6,    5,    4,	  3,	2,    1,    0xfe, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 1,    2,	  3,	4,
		5,    6,    7,	  8,	2,    0,    'h',  'i',
	};
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 100);
	wr_u8(&b, 1);
	wr_u16(&b, 0x0203);
	wr_u32(&b, 0x04050607);
	wr_u64(&b, UINT64_C(0x0102030405060708));
	wr_i64(&b, -2);
	wr_be64(&b, UINT64_C(0x0102030405060708));
	wr_str(&b, "hi");
	CHECK(b.len == sizeof want && !memcmp(buf_data(&b), want, b.len));
}

static void numbers_come_back(void)
{
	CLEANUP(buf_release) struct buf b;
	char text[8];
	struct rd r;

	buf_init(&b, 1000);
	wr_u8(&b, UINT8_MAX);
	wr_u16(&b, UINT16_MAX);
	wr_u32(&b, UINT32_MAX);
	wr_u64(&b, UINT64_MAX);
	wr_i64(&b, INT64_MIN);
	wr_be64(&b, 77);
	wr_str(&b, "");
	wr_str(&b, "seven..");
	r = rd_over(buf_data(&b), b.len);
	CHECK(rd_u8(&r) == UINT8_MAX && rd_u16(&r) == UINT16_MAX);
	CHECK(rd_u32(&r) == UINT32_MAX && rd_u64(&r) == UINT64_MAX);
	CHECK(rd_i64(&r) == INT64_MIN && rd_be64(&r) == 77);
	rd_str(&r, text, sizeof text);
	CHECK_STR(text, "");
	CHECK(rd_end(&r) == -EBADMSG); /* something is left */
	CHECK(rd_left(&r) == 9);
	rd_str(&r, text, sizeof text);
	CHECK_STR(text, "seven..");
	CHECK(rd_end(&r) == 0);
}

static void big_endian_reads(void)
{
	static const uint8_t bytes[] = {0x80, 1, 2, 3, 0xff, 0,
					0,    0, 0, 0, 0,    1};
	struct rd r = rd_over(bytes, sizeof bytes);

	CHECK(rd_be32(&r) == 0x80010203);
	CHECK(rd_be64(&r) == UINT64_C(0xff00000000000001));
	CHECK(rd_end(&r) == 0);
}

static void short_reads_spoil_the_cursor(void)
{
	static const uint8_t bytes[3] = {1, 2, 3};
	uint8_t to[4] = {9, 9, 9, 9};
	struct rd r = rd_over(bytes, 3);

	CHECK(rd_u32(&r) == 0 && rd_end(&r) == -EBADMSG);
	CHECK(rd_u8(&r) == 0 && rd_left(&r) == 0); /* and nothing comes after */
	r = rd_over(bytes, 3);
	CHECK(rd_u64(&r) == 0 && rd_be32(&r) == 0 && rd_be64(&r) == 0);
	CHECK(rd_u16(&r) == 0 && rd_i64(&r) == 0);
	r = rd_over(bytes, 3);
	rd_copy(&r, to, 4);
	CHECK(!to[0] && !to[1] && !to[2] && !to[3] && rd_end(&r) == -EBADMSG);
	r = rd_over(bytes, 3);
	CHECK(rd_bytes(&r, 4) == NULL && rd_end(&r) == -EBADMSG);
	r = rd_over(bytes, 3);
	CHECK(rd_bytes(&r, SIZE_MAX) == NULL);
	r = rd_over(bytes, 3);
	CHECK(rd_bytes(&r, 3) == bytes && rd_end(&r) == 0);
}

static void nothing_is_a_good_message(void)
{
	struct rd r = rd_over(NULL, 0);

	CHECK(rd_end(&r) == 0 && rd_left(&r) == 0);
	CHECK(rd_bytes(&r, 0) != NULL);
	rd_copy(&r, NULL, 0);
	CHECK(rd_end(&r) == 0);
	CHECK(rd_u8(&r) == 0 && rd_end(&r) == -EBADMSG);
}

static void strings_are_bounded(void)
{
	static const uint8_t bytes[] = {3, 0, 'a', 'b', 'c'};
	static const uint8_t with_nul[] = {3, 0, 'a', 0, 'c'};
	static const uint8_t cut[] = {4, 0, 'a', 'b', 'c'};
	char to[4] = "old";
	struct rd r = rd_over(bytes, sizeof bytes);

	rd_str(&r, to, 3);
	CHECK_STR(to, "");
	CHECK(rd_end(&r) == -EBADMSG);
	r = rd_over(bytes, sizeof bytes);
	rd_str(&r, to, 4);
	CHECK_STR(to, "abc");
	CHECK(rd_end(&r) == 0);
	r = rd_over(with_nul, sizeof with_nul);
	rd_str(&r, to, 4);
	CHECK_STR(to, "");
	CHECK(rd_end(&r) == -EBADMSG);
	memcpy(to, "old", 4);
	r = rd_over(cut, sizeof cut);
	rd_str(&r, to, 4);
	CHECK_STR(to, "");
	CHECK(rd_end(&r) == -EBADMSG);
}

static void long_strings_are_refused(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP_FREE char *s = xcalloc(65537, 1);

	memset(s, 'a', 65536);
	buf_init(&b, 1 << 20);
	wr_str(&b, s);
	CHECK(buf_end(&b) == -E2BIG && b.len == 0);
	buf_clear(&b);
	s[65535] = '\0';
	wr_str(&b, s);
	CHECK(buf_end(&b) == 0 && b.len == 65537);
}

/* --- variable length ------------------------------------------------------- */

static uint32_t uvarint_of(const char *bytes, size_t n, int *r)
{
	struct rd rd = rd_over(bytes, n);
	uint32_t v = rd_uvarint(&rd);

	*r = rd_end(&rd);
	return v;
}

static void varints_have_32_bits(void)
{
	int r;

	CHECK(uvarint_of("\x00", 1, &r) == 0 && r == 0);
	CHECK(uvarint_of("\x7f", 1, &r) == 127 && r == 0);
	CHECK(uvarint_of("\x80\x01", 2, &r) == 128 && r == 0);
	CHECK(uvarint_of("\xac\x02", 2, &r) == 300 && r == 0);
	CHECK(uvarint_of("\xff\xff\xff\xff\x0f", 5, &r) == UINT32_MAX && !r);
	CHECK(uvarint_of("\xff\xff\xff\xff\x10", 5, &r) == 0 && r == -EBADMSG);
	CHECK(uvarint_of("\xff\xff\xff\xff\x1f", 5, &r) == 0 && r == -EBADMSG);
	CHECK(uvarint_of("\x80\x80\x80\x80\x80\x00", 6, &r) == 0 && r);
	CHECK(uvarint_of("\x80", 1, &r) == 0 && r == -EBADMSG);
	CHECK(uvarint_of("", 0, &r) == 0 && r == -EBADMSG);
	CHECK(uvarint_of("\x01\x01", 2, &r) == 1 && r == -EBADMSG);
}

static void signed_varints_zig_zag(void)
{
	static const int32_t values[] = {
		0, 1, -1, 63, -64, 64, -65, 1000000, INT32_MAX, INT32_MIN};
	CLEANUP(buf_release) struct buf b;
	struct rd r;

	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		wr_svarint(&b, values[i]);
	CHECK(buf_data(&b)[0] == 0 && buf_data(&b)[1] == 2);
	CHECK(buf_data(&b)[2] == 1 && buf_data(&b)[3] == 0x7e);
	r = rd_over(buf_data(&b), b.len);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		CHECK(rd_svarint(&r) == values[i]);
	CHECK(rd_end(&r) == 0);
}

int main(void)
{
	test_run("a buffer grows to its maximum", buf_grows_to_its_maximum);
	test_run("a failed buffer takes nothing",
		 buf_takes_nothing_once_failed);
	test_run("absurd sizes do not wrap", buf_survives_absurd_sizes);
	test_run("room and fill", buf_room_and_fill);
	test_run("formatting at every length", buf_formats_at_every_length);
	test_run("a buffer is a queue", buf_is_a_queue);
	test_run("a full queue goes on", buf_full_queue_keeps_its_maximum);
	test_run("byte order on the wire", numbers_have_their_byte_order);
	test_run("what is written comes back", numbers_come_back);
	test_run("big endian", big_endian_reads);
	test_run("short reads spoil the cursor", short_reads_spoil_the_cursor);
	test_run("an empty message is fine", nothing_is_a_good_message);
	test_run("strings are bounded", strings_are_bounded);
	test_run("strings of 64 KiB are refused", long_strings_are_refused);
	test_run("varints have 32 bits", varints_have_32_bits);
	test_run("signed varints", signed_varints_zig_zag);
	return test_end();
}
