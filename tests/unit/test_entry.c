#include <errno.h>

#include "domain/entry.h"
#include "test.h"

static struct entry file_entry(void)
{
	return (struct entry){
		.serial = 7,
		.nonce = 0xfeedfacecafebeef,
		.kind = ENTRY_FILE,
		.file = {"root.sg", true, 3, -2, 1795423680332, 4, 1, 2},
		.body_len = 10240,
		.mods_len = 75,
		.mods_kind = MODS_TEXT,
	};
}

static struct entry delete_entry(void)
{
	static char devices[] = "root.sg.d1\nroot.sg.d2";

	return (struct entry){
		.serial = 8,
		.nonce = 1,
		.kind = ENTRY_DELETE,
		.file = {.database = "root.sg", .region = 3},
		.body_len = 40,
		.mods_kind = MODS_BINARY,
		.time_min = INT64_MIN,
		.time_max = 5,
		.devices = devices,
	};
}

static struct entry schema_entry(void)
{
	return (struct entry){
		.serial = ENTRY_SERIAL_MAX,
		.nonce = UINT64_MAX,
		.kind = ENTRY_SCHEMA,
		.file = {.database = "root.\xe6\xb0\xb4"},
		.body_len = 30,
	};
}

static struct entry restate_entry(void)
{
	return (struct entry){
		.serial = 1,
		.nonce = 2,
		.kind = ENTRY_RESTATE,
		.file = {.database = "root.sg", .region = UINT32_MAX},
		.time_min = -10,
		.time_max = -10,
		.held = true,
	};
}

/* Decodes from a copy of the exact size; the number of bytes left behind the head. */
static int decode(struct entry *en, const void *p, size_t n, size_t *left)
{
	CLEANUP_FREE void *copy = calloc(1, n ? n : 1);
	struct rd r = rd_over(copy, n);
	int err;

	if (n)
		memcpy(copy, p, n);
	err = entry_decode(en, &r);
	*left = rd_left(&r);
	return err;
}

static int decode_again(struct entry *en, const struct entry *from)
{
	CLEANUP(buf_release) struct buf b;
	size_t left;

	buf_init(&b, ENTRY_HEAD_MAX);
	entry_encode(from, &b);
	return decode(en, buf_data(&b), b.len, &left);
}

static void check_same(const struct entry *a, const struct entry *b)
{
	CHECK(a->serial == b->serial && a->nonce == b->nonce &&
	      a->kind == b->kind);
	CHECK(fileid_equal(&a->file, &b->file));
	CHECK(a->body_len == b->body_len && a->mods_len == b->mods_len);
	CHECK(a->mods_kind == b->mods_kind && a->held == b->held);
	CHECK(a->time_min == b->time_min && a->time_max == b->time_max);
	CHECK((a->devices == NULL) == (b->devices == NULL));
	if (b->devices)
		CHECK_STR(a->devices, b->devices);
}

static void round_trips(void)
{
	const struct entry all[] = {file_entry(), delete_entry(),
				    schema_entry(), restate_entry()};

	for (size_t k = 0; k < ARRAY_LEN(all); k++) {
		CLEANUP(buf_release) struct buf b;
		CLEANUP(entry_release) struct entry en;
		size_t left;

		buf_init(&b, ENTRY_HEAD_MAX + 10);
		entry_encode(&all[k], &b);
		for (size_t n = 0; n < b.len; n++) {
			CHECK(decode(&en, buf_data(&b), n, &left) == -EBADMSG);
			CHECK(en.serial == 0 && !en.devices);
		}
		buf_adds(&b, "more");
		CHECK(decode(&en, buf_data(&b), b.len, &left) == 0);
		CHECK(left == 4);
		check_same(&en, &all[k]);
	}
}

static void longest(void)
{
	static char devices[ENTRY_DEVICES_MAX + 1];
	CLEANUP(buf_release) struct buf b;
	struct entry en = delete_entry(), again;
	size_t left;

	memset(devices, 'd', sizeof devices - 1);
	memset(en.file.database, 'x', DATABASE_MAX);
	en.devices = devices;
	buf_init(&b, ENTRY_HEAD_MAX);
	entry_encode(&en, &b);
	CHECK(buf_end(&b) == 0);
	CHECK(decode(&again, buf_data(&b), b.len, &left) == 0);
	CHECK_STR(again.devices, devices);
	entry_release(&again);
	CHECK(again.devices == NULL && again.kind == 0);
}

#define BAD(make, change)                                    \
	do {                                                 \
		struct entry en = make(), back;              \
		change;                                      \
		CHECK(decode_again(&back, &en) == -EBADMSG); \
		CHECK(back.devices == NULL);                 \
	} while (0)

static void bad_common(void)
{
	BAD(file_entry, en.serial = 0);
	BAD(file_entry, en.serial = ENTRY_SERIAL_MAX + 1);
	BAD(file_entry, en.nonce = 0);
	BAD(file_entry, strcpy(en.file.database, ".."));
	BAD(file_entry, strcpy(en.file.database, "a/b"));
	BAD(file_entry, en.file.database[0] = '\0');
	BAD(delete_entry, strcpy(en.file.database, "root.__system"));
}

static void bad_file(void)
{
	BAD(file_entry, en.body_len = 0);
	BAD(file_entry, en.body_len = ENTRY_PAYLOAD_MAX);
	BAD(file_entry, en.body_len = UINT64_MAX);
	BAD(file_entry, en.mods_len = (uint64_t)MODS_MAX + 1);
	BAD(file_entry, en.mods_kind = MODS_NONE);
	BAD(file_entry, en.file.t = 1ull << 63);
	BAD(file_entry, en.file.v = 1ull << 63);
	BAD(file_entry, en.file.i = UINT64_MAX);
	BAD(file_entry, en.file.c = UINT64_MAX);
}

static void bad_others(void)
{
	BAD(delete_entry, en.body_len = 0);
	BAD(delete_entry, en.body_len = (uint64_t)MODS_MAX + 1);
	BAD(delete_entry, en.mods_kind = MODS_NONE);
	BAD(delete_entry, en.time_min = 6);
	BAD(delete_entry, en.devices = (char[]){"a\x1b[2J"});
	BAD(schema_entry, en.body_len = 0);
	BAD(schema_entry, en.body_len = (uint64_t)ENTRY_STATEMENTS_MAX + 1);
	BAD(restate_entry, en.time_max = -11);
}

/* Bytes that no encoder of ours writes. */
static void bad_bytes(void)
{
	CLEANUP(buf_release) struct buf b;
	struct entry en = file_entry(), back;
	size_t left;
	uint8_t *p;

	buf_init(&b, ENTRY_HEAD_MAX);
	entry_encode(&en, &b);
	p = buf_data(&b);
	for (int kind = 0; kind < 256; kind++) {
		p[16] = (uint8_t)kind;
		if (kind != ENTRY_FILE)
			CHECK(decode(&back, p, b.len, &left) < 0 ||
			      kind == ENTRY_SCHEMA);
	}
	p[16] = ENTRY_FILE;
	p[26] = 2; /* unsequence */
	CHECK(decode(&back, p, b.len, &left) == -EBADMSG);
	p[26] = 1;
	CHECK(p[b.len - 9] == MODS_TEXT);
	p[b.len - 9] = 3;
	CHECK(decode(&back, p, b.len, &left) == -EBADMSG);
	p[b.len - 9] = MODS_TEXT;
	p[17] = 6; /* the length of the database */
	p[18] = 1;
	CHECK(decode(&back, p, b.len, &left) == -EBADMSG);
}

static void texts(void)
{
	char to[400];
	struct entry en = file_entry();

	CHECK_STR(entry_text(&en, to, sizeof to),
		  "FILE root.sg unsequence/3/-2/1795423680332-4-1-2.tsfile");
	CHECK_STR(entry_text(&en, to, 13), "FILE root.sg");
	en = delete_entry();
	CHECK_STR(entry_text(&en, to, sizeof to),
		  "DELETE root.sg region 3 times -9223372036854775808..5");
	en = restate_entry();
	CHECK_STR(entry_text(&en, to, sizeof to),
		  "RESTATE root.sg region 4294967295 times -10..-10 (held)");
	en = schema_entry();
	CHECK_STR(entry_text(&en, to, sizeof to), "SCHEMA root.\xe6\xb0\xb4");
	CHECK_STR(entry_kind_text(ENTRY_FILE), "FILE");
	CHECK_STR(entry_kind_text(ENTRY_DELETE), "DELETE");
	CHECK_STR(entry_kind_text(ENTRY_SCHEMA), "SCHEMA");
	CHECK_STR(entry_kind_text(ENTRY_RESTATE), "RESTATE");
}

static void payload(void)
{
	struct entry en = file_entry();

	CHECK(entry_payload_len(&en) == 10315);
	en = restate_entry();
	CHECK(entry_payload_len(&en) == 0);
}

int main(void)
{
	test_run("each kind comes back; every truncation is refused",
		 round_trips);
	test_run("the longest head fits", longest);
	test_run("serial, nonce and database are checked", bad_common);
	test_run("lengths and numbers of a FILE are bounded", bad_file);
	test_run("lengths, ranges and devices of the others are bounded",
		 bad_others);
	test_run("unknown values in a byte are refused", bad_bytes);
	test_run("an entry as a person reads it", texts);
	test_run("the payload is the body and its deletions", payload);
	return test_end();
}
