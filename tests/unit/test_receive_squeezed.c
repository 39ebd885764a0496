/* Payloads that come as zstd frames: the plain bytes are what is written and judged. */
#include "domain/squeeze.h"
#include "receive_owner.h"

#define LEN (BLOCK_LEN + 5000u)

/* Agreed on `version`. */
static void live_with(struct owner *o, uint16_t version)
{
	struct msg_hello m = a_hello();

	begin(o);
	m.version_max = version;
	receive_hello(o->r, &m);
	(void)acts(o);
	known(o, 0, 0, NULL, 0);
	(void)acts(o);
}

static uint32_t frame_of(uint64_t index, uint64_t len, uint8_t *to)
{
	struct squeezer *s = NULL;
	uint32_t n = block_len(len, index);

	memcpy(to, payload + index * BLOCK_LEN, n);
	n = squeeze(&s, to, n);
	squeezer_free(s);
	return n;
}

static struct msg_block squeezed(uint64_t index, uint8_t *to)
{
	struct msg_block m = {.serial = 1,
			      .index = index,
			      .how = BLOCK_SQUEEZED,
			      .data = to,
			      .data_len = frame_of(index, LEN, to)};

	m.digest = digest_block(payload + index * BLOCK_LEN,
				block_len(LEN, index));
	return m;
}

static struct msg_entry squeezed_entry(uint32_t len, uint8_t *to)
{
	return (struct msg_entry){
		.entry = an_entry(1, len),
		.is_inline = true,
		.is_squeezed = true,
		.digest = list_of(len),
		.data = to,
		.data_len = frame_of(0, len, to),
	};
}

static uint8_t room[BLOCK_LEN];

static void blocks_are_written_plain(void)
{
	struct owner o CLEANUP(end);
	struct msg_block m;

	live_with(&o, 2);
	send_entry(&o, 1, LEN);
	CHECK_STR(acts(&o), "open:1 ");
	for (uint64_t i = 0; i < 2; i++) {
		m = squeezed(i, room);
		CHECK(m.data_len > 0 && m.data_len < block_len(LEN, i));
		receive_block(o.r, &m);
		CHECK(strncmp(acts(&o), "write:1.", 8) == 0);
		CHECK(o.last.len == block_len(LEN, i));
		CHECK(memcmp(o.last.data, payload + i * BLOCK_LEN,
			     o.last.len) == 0);
		receive_written(o.r, 1, i);
	}
	send_end(&o, 1, LEN);
	CHECK_STR(acts(&o), "file:1 ");
}

static void small_entries_are_staged_plain(void)
{
	struct owner o CLEANUP(end);
	struct msg_entry m;

	live_with(&o, 2);
	m = squeezed_entry(9000, room);
	receive_entry(o.r, &m);
	CHECK_STR(acts(&o), "stage:1 ");
	CHECK(o.last.len == 9000 && memcmp(o.last.data, payload, 9000) == 0);
}

/* The wire damaged it: the entry may come again, it is no fault of the peer. */
static void a_damaged_frame_is_a_mismatch(void)
{
	struct owner o CLEANUP(end), p CLEANUP(end);
	struct msg_block m;
	struct msg_entry en;

	live_with(&o, 2);
	send_entry(&o, 1, LEN);
	(void)acts(&o);
	m = squeezed(0, room);
	room[0] ^= 1;
	receive_block(o.r, &m);
	CHECK_STR(acts(&o), "bye:5 ");
	live_with(&p, 2);
	en = squeezed_entry(9000, room);
	room[en.data_len / 2] ^= 1;
	receive_entry(p.r, &en);
	CHECK_STR(acts(&p), "bye:5 ");
}

static void another_digest_is_a_mismatch(void)
{
	struct owner o CLEANUP(end);
	struct msg_block m;

	live_with(&o, 2);
	send_entry(&o, 1, LEN);
	(void)acts(&o);
	m = squeezed(0, room);
	m.digest.b[3] ^= 1;
	receive_block(o.r, &m);
	CHECK_STR(acts(&o), "bye:5 ");
}

static void a_version_without_it_refuses(void)
{
	struct owner o CLEANUP(end), p CLEANUP(end);
	struct msg_block m;
	struct msg_entry en;

	live_with(&o, 1);
	send_entry(&o, 1, LEN);
	(void)acts(&o);
	m = squeezed(0, room);
	receive_block(o.r, &m);
	CHECK_STR(acts(&o), "bye:6 ");
	live_with(&p, 1);
	en = squeezed_entry(9000, room);
	receive_entry(p.r, &en);
	CHECK_STR(acts(&p), "bye:6 ");
}

static void what_is_no_shorter_is_no_frame(void)
{
	struct owner o CLEANUP(end);
	struct msg_block m;

	live_with(&o, 2);
	send_entry(&o, 1, LEN);
	(void)acts(&o);
	m = squeezed(1, room);
	m.data_len = block_len(LEN, 1);
	receive_block(o.r, &m);
	CHECK_STR(acts(&o), "bye:6 ");
}

int main(void)
{
	test_run("blocks are written plain", blocks_are_written_plain);
	test_run("small entries are staged plain",
		 small_entries_are_staged_plain);
	test_run("a damaged frame is a mismatch",
		 a_damaged_frame_is_a_mismatch);
	test_run("another digest is a mismatch", another_digest_is_a_mismatch);
	test_run("a version without it refuses", a_version_without_it_refuses);
	test_run("what is no shorter is no frame",
		 what_is_no_shorter_is_no_frame);
	return test_end();
}
