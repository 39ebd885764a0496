#include "fuzz_session.h"

#include <errno.h>
#include <string.h>

/* A peer of the receiver: arbitrary bytes, messages of arbitrary content and sound ones in
 * any order, while the disk answers when it likes. The session's own parser and the
 * machine are the daemon's; disk, commit and everything else are a model that checks
 * each act (fuzz_session_owner.c). One byte of the input chooses what happens. */

enum op {
	OP_VERBATIM,
	OP_MESSAGE,
	OP_HELLO,
	OP_KNOWN, /* the catalog answers a HELLO */
	OP_ENTRY,
	OP_BLOCK,
	OP_END,
	OP_STATUS,
	OP_DROP,
	OP_DISK, /* jobs come back */
	OP_COMMIT,
	OP_APPLY,
	OP_FAIL,
	OP_ROOM,
	OP_SLOW,
	N_OPS
};

#define OP_HOLD 0x80 /* the bytes wait for those of the next piece */

static void put_hello(struct cloud *c, struct rd *in)
{
	struct msg_hello m = {.version_min = 1, .version_max = 1};
	uint8_t how = rd_u8(in);

	m.version_max = how & 32 ? PROTO_VERSION_MAX : 1;
	if (how & 1)
		m.version_max = rd_u16(in);
	if (how & 2)
		m.version_min = rd_u16(in);
	m.flags = how & 4 ? HELLO_PROBE : 0;
	m.assigned = how & 8 ? rd_u64(in) : 40;
	m.released = how & 16 ? rd_u64(in) : 0;
	memcpy(m.sender_name, "edge", 5);
	memcpy(m.program, "0.1", 4);
	memcpy(m.pipe, "p", 2);
	m.incarnation[0] = 1;
	msg_hello_encode(&m, &c->stream);
}

/* A sound head; its serial is near the one that is due. */
static struct entry some_entry(struct cloud *c, struct rd *in)
{
	static const uint64_t lens[] = {
		1,	   100,		  ENTRY_ROW_MAX, ENTRY_ROW_MAX + 1,
		BLOCK_LEN, BLOCK_LEN + 1, 3 * BLOCK_LEN, 1u << 30};
	uint8_t what = rd_u8(in);
	struct entry en = {
		.serial = c->next + (uint64_t)(int64_t)(int8_t)rd_u8(in),
		.nonce = 1 + rd_u8(in) % 4u,
		.kind = (enum entry_kind)(1 + (what & 3)),
		.file = {.database = "root.a"},
	};

	if (what & 32)
		memcpy(en.file.database, "root.b", 7);
	if (en.serial == 0 || en.serial > ENTRY_SERIAL_MAX)
		en.serial = 1;
	if (en.kind != ENTRY_RESTATE)
		en.body_len = lens[(what >> 2) % ARRAY_LEN(lens)];
	if (en.kind == ENTRY_DELETE)
		en.mods_kind = MODS_TEXT;
	if (en.body_len > ENTRY_STATEMENTS_MAX && en.kind != ENTRY_FILE)
		en.body_len = 1;
	if (en.kind == ENTRY_DELETE || en.kind == ENTRY_RESTATE)
		en.devices = c->devices;
	return en;
}

/* The frame of it, right or damaged, in place of the bytes; false: it does not give way. */
static bool squeeze_some(struct cloud *c, const uint8_t **data, uint32_t *len,
			 uint8_t how)
{
	uint32_t n;

	memcpy(c->packed, *data, *len);
	n = squeeze(&c->squeezer, c->packed, *len);
	if (!n)
		return false;
	if (how & 128)
		c->packed[how % n] ^= 0x20;
	*data = c->packed;
	*len = n;
	return true;
}

static void put_entry(struct cloud *c, struct rd *in)
{
	struct msg_entry m = {.entry = some_entry(c, in)};
	uint64_t len = entry_payload_len(&m.entry);
	uint8_t how = rd_u8(in);

	m.is_inline = len == 0 || (len <= ENTRY_INLINE_MAX && how & 1);
	if (m.is_inline) {
		m.data = c->payload;
		m.data_len = (uint32_t)len;
		m.digest = model_digest(c, len);
		if (how & 2)
			m.digest.b[0] ^= 1;
		if (how & 4 && len > 1)
			m.is_squeezed =
				squeeze_some(c, &m.data, &m.data_len, how);
	}
	msg_entry_encode(&m, &c->stream);
	if (m.entry.serial == c->next)
		c->next++;
}

/* To a file that was named, or to none; of the right length, or not. */
static void refer(struct cloud *c, struct msg_block *m, uint8_t how)
{
	CLEANUP_FREE struct msg_held *h = xcalloc(1, sizeof *h);

	h->serial = m->serial;
	h->first = how >> 5;
	h->n = 1;
	memcpy(h->files[0].database, "root.a", 7);
	if (how & 8)
		msg_held_encode(h, &c->stream);
	m->how = how & 16 ? BLOCK_PREFIX : BLOCK_REFERENCE;
	m->n_ranges = 1;
	m->ranges[0] =
		(struct held_range){.offset = m->index, .len = m->data_len};
	m->data_len = how & 16 ? 9 : 0;
}

/* A block of an entry that is open, or of none; right or wrong. */
static void put_block(struct cloud *c, struct rd *in)
{
	uint8_t which = rd_u8(in), how = rd_u8(in);
	const struct model_entry *x = &c->entries[which % MODEL_ENTRIES];
	struct msg_block m = {.serial = x->serial ? x->serial : 1,
			      .index = rd_u8(in),
			      .data = c->payload};

	m.data_len =
		m.index < block_count(x->len) ? block_len(x->len, m.index) : 17;
	if (how & 1)
		m.data_len = 1 + rd_u16(in);
	m.digest = digest_block(m.data, m.data_len);
	if (how & 2)
		m.digest.b[0] ^= 1;
	if (how & 4)
		refer(c, &m, how);
	else if (how & 64 && m.data_len <= BLOCK_LEN &&
		 squeeze_some(c, &m.data, &m.data_len, how))
		m.how = BLOCK_SQUEEZED;
	msg_block_encode(&m, &c->stream);
}

static void put_end(struct cloud *c, struct rd *in)
{
	const struct model_entry *x = &c->entries[rd_u8(in) % MODEL_ENTRIES];
	struct msg_end m = {.serial = x->serial ? x->serial : 1};

	m.digest = model_digest(c, x->len);
	if (rd_u8(in) & 1)
		m.digest.b[1] ^= 1;
	msg_end_encode(&m, &c->stream);
}

/* The next one, or one near it, comes when there is time. */
static void put_later(struct cloud *c, uint8_t how)
{
	struct msg_later m = {.serial = c->next + (how >> 4 & 1),
			      .database = "root.a"};

	if (how & 4)
		memcpy(m.database, "root.b", 7);
	msg_later_encode(&m, &c->stream);
	if (m.serial == c->next)
		c->next++;
}

static void put_status(struct cloud *c)
{
	struct msg_status m = {.state = "RUNNING", .progress = "a 1\n"};

	msg_status_encode(&m, &c->stream);
}

static void put_drop(struct cloud *c, struct rd *in)
{
	struct msg_drop m = {.incarnation = {rd_u8(in) & 1}};

	msg_drop_encode(&m, &c->stream);
}

static void step(struct cloud *c, enum op op, struct rd *in)
{
	uint8_t how;

	switch (op) {
	case OP_VERBATIM:
		peer_verbatim(in, &c->stream);
		break;
	case OP_MESSAGE:
		peer_message(in, &c->stream);
		break;
	case OP_HELLO:
		put_hello(c, in);
		break;
	case OP_KNOWN:
		owner_known(c, in);
		break;
	case OP_ENTRY:
		put_entry(c, in);
		break;
	case OP_BLOCK:
		put_block(c, in);
		break;
	case OP_END:
		put_end(c, in);
		break;
	case OP_STATUS:
		put_status(c);
		break;
	case OP_DROP:
		put_drop(c, in);
		break;
	case OP_DISK:
		owner_disk(c, rd_u8(in));
		break;
	case OP_COMMIT:
		owner_commit(c);
		break;
	case OP_APPLY:
		owner_apply(c, rd_u8(in));
		break;
	case OP_FAIL:
		owner_fail(c);
		break;
	case OP_ROOM:
		how = rd_u8(in);
		c->d.settings.staging_max_bytes = how & 1;
		if (how & 2)
			put_later(c, how);
		break;
	case OP_SLOW:
		c->is_slow = !c->is_slow;
		break;
	case N_OPS:
		break;
	}
}

/* What the stream would do: bytes that were not consumed come again. */
static void deliver(struct cloud *c)
{
	size_t used;

	if (buf_end(&c->stream) != 0 || c->stream.len == 0)
		return;
	used = session_data(&c->s, buf_data(&c->stream), c->stream.len);
	FUZZ_MUST(used <= c->stream.len);
	FUZZ_MUST(c->s.state != SESSION_ENDED || used == c->stream.len);
	buf_consume(&c->stream, used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_over(data, size);
	struct cloud *c = owner_new();

	while (rd_left(&in)) {
		uint8_t op = rd_u8(&in);

		step(c, (enum op)((op & ~OP_HOLD) % N_OPS), &in);
		if (!(op & OP_HOLD))
			deliver(c);
		if (c->s.state == SESSION_ENDED || c->stream.failed)
			break;
	}
	owner_free(c);
	return 0;
}
