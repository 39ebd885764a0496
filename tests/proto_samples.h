/* One message of each form, filled so that no field looks like another: for tests and
 * as the seeds of fuzzing. */
#ifndef TSFERRY_TESTS_PROTO_SAMPLES_H
#define TSFERRY_TESTS_PROTO_SAMPLES_H

#include "domain/proto.h"

static inline void fill(void *p, size_t n, uint8_t first)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)(first + i);
}

static inline struct msg_hello hello(void)
{
	struct msg_hello m = {
		.version_min = 1,
		.version_max = 3,
		.sender_name = "edge-07",
		.program = "0.1.0",
		.pipe = "p",
		.create_time_ms = -5,
		.assigned = 12,
		.released = 7,
	};

	fill(m.sender_id, sizeof m.sender_id, 1);
	fill(m.incarnation, sizeof m.incarnation, 100);
	return m;
}

static inline struct msg_welcome welcome(void)
{
	struct msg_welcome m = {.version = 1,
				.durable = 9,
				.durable_nonce = 77,
				.applied = 8,
				.n_partials = 2};

	fill(m.instance, sizeof m.instance, 50);
	return m;
}

static inline struct msg_partial partial(void)
{
	static uint8_t digests[3 * DIGEST_LEN];

	fill(digests, sizeof digests, 7);
	return (struct msg_partial){.serial = 4,
				    .nonce = 5,
				    .first = 1000,
				    .n = 3,
				    .digests = digests};
}

static inline struct msg_entry inline_entry(void)
{
	static const uint8_t data[] = "TsFile and records";
	struct msg_entry m = {
		.entry = {.serial = 4,
			  .nonce = 5,
			  .kind = ENTRY_FILE,
			  .file = {"root.sg", false, 3, 19723, 1795423680332, 1,
				   0, 0},
			  .body_len = 12,
			  .mods_len = 6,
			  .mods_kind = MODS_TEXT},
		.is_inline = true,
		.data = data,
		.data_len = 18,
	};

	fill(m.digest.b, DIGEST_LEN, 3);
	return m;
}

static inline struct msg_entry block_entry(void)
{
	struct msg_entry m = inline_entry();

	m.is_inline = false;
	m.entry.body_len = ENTRY_PAYLOAD_MAX - MODS_MAX;
	m.data = NULL;
	m.data_len = 0;
	return m;
}

static inline struct msg_entry restate_entry(void)
{
	static char devices[] = "root.sg.d1\nroot.sg.d2";

	return (struct msg_entry){
		.entry = {.serial = 9,
			  .nonce = 5,
			  .kind = ENTRY_RESTATE,
			  .file = {.database = "root.sg", .region = 2},
			  .time_min = -3,
			  .time_max = 4,
			  .devices = devices},
		.is_inline = true,
	};
}

static inline struct msg_block block(void)
{
	struct msg_block m = {.serial = 4,
			      .index = 3,
			      .data = (const uint8_t *)"block",
			      .data_len = 5};

	fill(m.digest.b, DIGEST_LEN, 9);
	return m;
}

static inline struct msg_quarantine quarantine(void)
{
	return (struct msg_quarantine){
		.id = 17, .serial = 4, .reason = "1100: type mismatch"};
}

static inline struct msg_status status(void)
{
	return (struct msg_status){.state = "RUNNING",
				   .message = "[WARN] 17 is quarantined",
				   .progress =
					   "remaining_entries 3\nretries 0\n",
				   .gaps = "root.sg\troot.sg.d1\n"};
}

static inline struct msg_bye bye(void)
{
	return (struct msg_bye){
		.why = BYE_MISMATCH, .serial = 4, .text = "did not verify"};
}

/* Serials 1 to 3 and 9. */
static const uint8_t kept_runs[32] = {[0] = 1, [8] = 3, [16] = 9, [24] = 9};

static inline struct msg_kept kept(void)
{
	return (struct msg_kept){.incarnation = {3, 2, 1},
				 .durable = 9,
				 .is_last = true,
				 .n = 2,
				 .runs = kept_runs};
}

/* Entries 5 and 9. */
static const uint8_t early_ones[32] = {
	[0] = 5, [8] = 77, [16] = 9, [24] = 78};

static inline struct msg_early early(void)
{
	return (struct msg_early){.n = 2, .ones = early_ones};
}

static inline struct msg_later later(void)
{
	return (struct msg_later){.serial = 4, .database = "root.a"};
}

static inline struct msg_block reference(void)
{
	struct msg_block m = block();

	m.how = BLOCK_REFERENCE;
	m.n_ranges = 2;
	m.ranges[0] = (struct held_range){.file = 0, .offset = 786432, .len = 3};
	m.ranges[1] = (struct held_range){.file = 1, .offset = 9, .len = 2};
	m.data_len = 0;
	return m;
}

static inline struct msg_block prefixed(void)
{
	struct msg_block m = reference();

	m.how = BLOCK_PREFIX;
	m.data_len = 5;
	return m;
}

static inline struct msg_held held(void)
{
	return (struct msg_held){
		.serial = 4,
		.n = 2,
		.files = {{.database = "root.sg", .t = 1, .v = 2},
			  {.database = "root.sg",
			   .unsequence = true,
			   .region = 3,
			   .partition = -4,
			   .t = 5,
			   .v = 6,
			   .i = 7,
			   .c = 8}},
	};
}

/* make() adds one frame, of form 0 to N_FORMS - 1. */
enum {
	N_FORMS = 25
};

static inline void make(unsigned form, struct buf *b)
{
	struct msg_hello h = hello();
	struct msg_welcome w = welcome();
	struct msg_partial p = partial();
	struct msg_entry en[] = {inline_entry(), block_entry(),
				 restate_entry()};
	struct msg_block bl = block();
	struct msg_quarantine q = quarantine();
	struct msg_status st = status();
	struct msg_bye by = bye();
	struct msg_kept ke = kept();
	struct msg_block re = reference(), pre = prefixed();
	struct msg_held he = held();
	struct msg_later la = later();
	struct msg_early ea = early();

	switch (form) {
	case 0:
		msg_hello_encode(&h, b);
		return;
	case 1:
		msg_welcome_encode(&w, b);
		return;
	case 2:
		msg_partial_encode(&p, b);
		return;
	case 3:
	case 4:
	case 5:
		msg_entry_encode(&en[form - 3], b);
		return;
	case 6:
		msg_block_encode(&bl, b);
		return;
	case 7:
		msg_end_encode(
			&(struct msg_end){.serial = 4, .digest = bl.digest}, b);
		return;
	case 8:
		msg_durable_encode(&(struct msg_durable){.serial = 9}, b);
		return;
	case 9:
		msg_applied_encode(&(struct msg_applied){.serial = 0,
							 .n_quarantined = 2},
				   b);
		return;
	case 10:
		msg_quarantine_encode(&q, b);
		return;
	case 11:
		msg_status_encode(&st, b);
		return;
	case 12:
		msg_pong_encode(b);
		return;
	case 13:
		msg_drop_encode(&(struct msg_drop){.incarnation = {1, 2, 3}},
				b);
		return;
	case 14:
		msg_bye_encode(&by, b);
		return;
	case 15:
		h.flags = HELLO_PROBE; /* before there is a pipe */
		h.pipe[0] = '\0';
		msg_hello_encode(&h, b);
		return;
	case 16:
		msg_ask_kept_encode(
			&(struct msg_ask_kept){.incarnation = {3, 2, 1}}, b);
		return;
	case 17:
		msg_kept_encode(&ke, b);
		return;
	case 18:
		msg_waits_encode(&(struct msg_waits){.reason = "600: read-only"},
				 b);
		return;
	case 19:
		msg_block_encode(&re, b);
		return;
	case 20:
		msg_block_encode(&pre, b);
		return;
	case 21:
		msg_held_encode(&he, b);
		return;
	case 22:
		msg_want_encode(&(struct msg_want){.serial = 4, .index = 3}, b);
		return;
	case 23:
		msg_later_encode(&la, b);
		return;
	case 24:
		msg_early_encode(&ea, b);
		return;
	}
}

#endif
