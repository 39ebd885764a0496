#include "proto.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto_wire.h"

#define BLOCKS_MAX (ENTRY_PAYLOAD_MAX / BLOCK_LEN)

#define TEXT_LEN(field) (2 + sizeof(field) - 1) /* u16 length and the bytes */

/* For sizes of fields only. */
#define FIELD(type, name) (((struct type *)NULL)->name)

static const struct {
	const char *name;
	uint32_t len_max;
} types[] = {
	[MSG_HELLO] = {"HELLO",
		       2 + 2 + 4 + SENDER_ID_LEN +
			       TEXT_LEN(FIELD(msg_hello, sender_name)) +
			       TEXT_LEN(FIELD(msg_hello, program)) +
			       TEXT_LEN(FIELD(msg_hello, pipe)) + ID_LEN +
			       3 * 8},
	[MSG_WELCOME] = {"WELCOME", 2 + ID_LEN + 3 * 8 + 4},
	[MSG_PARTIAL] = {"PARTIAL", 3 * 8 + 4 + PARTIAL_BLOCKS_MAX *DIGEST_LEN},
	[MSG_ENTRY] = {"ENTRY",
		       1 + ENTRY_HEAD_MAX + DIGEST_LEN + ENTRY_INLINE_MAX},
	[MSG_BLOCK] = {"BLOCK", 2 * 8 + 1 + DIGEST_LEN + BLOCK_RANGES_LEN +
					BLOCK_LEN},
	[MSG_END] = {"END", 8 + DIGEST_LEN},
	[MSG_DURABLE] = {"DURABLE", 8},
	[MSG_APPLIED] = {"APPLIED", 8 + 4},
	[MSG_QUARANTINE] = {"QUARANTINE",
			    2 * 8 + 1 +
				    TEXT_LEN(FIELD(msg_quarantine, reason))},
	[MSG_STATUS] = {"STATUS",
			TEXT_LEN(FIELD(msg_status, state)) +
				TEXT_LEN(FIELD(msg_status, message)) +
				TEXT_LEN(FIELD(msg_status, progress)) +
				TEXT_LEN(FIELD(msg_status, gaps))},
	[MSG_PONG] = {"PONG", 1},
	[MSG_DROP] = {"DROP", ID_LEN},
	[MSG_BYE] = {"BYE", 1 + 8 + TEXT_LEN(FIELD(msg_bye, text))},
	[MSG_ASK_KEPT] = {"ASK_KEPT", ID_LEN},
	[MSG_KEPT] = {"KEPT", ID_LEN + 8 + 1 + 4 + KEPT_RUNS_MAX * 16},
	[MSG_WAITS] = {"WAITS", TEXT_LEN(FIELD(msg_waits, reason))},
	[MSG_LATER] = {"LATER", 8 + 2 + DATABASE_MAX},
	[MSG_EARLY] = {"EARLY", 4 + EARLY_MAX * 16},
	[MSG_HELD] = {"HELD", 8 + 2 * 4 + HELD_FILES_MAX *HELD_FILE_LEN},
	[MSG_WANT] = {"WANT", 2 * 8},
};

uint32_t msg_len_max(uint16_t type)
{
	return type < ARRAY_LEN(types) ? types[type].len_max : 0;
}

const char *msg_name(uint16_t type)
{
	return type < ARRAY_LEN(types) && types[type].name ? types[type].name
							   : "?";
}

struct rd msg_open(const struct frame *f, enum msg_type type)
{
	struct rd r = rd_over(f->p, f->len);

	if (f->type != type)
		(void)rd_bytes(&r, SIZE_MAX);
	return r;
}

int msg_close(const struct rd *r, const struct frame *f, uint64_t serial,
	      bool is_good)
{
	if (!is_good || serial != f->serial)
		return -EBADMSG;
	return rd_end(r);
}

static bool is_text_byte(char c, enum text_form form)
{
	if (form == TEXT_LINES && (c == '\n' || c == '\t'))
		return true;
	return (unsigned char)c >= 0x20 && c != 0x7f;
}

void wr_text(struct buf *b, const char *s, enum text_form form)
{
	size_t n = strlen(s);

	assert(n <= UINT16_MAX);
	wr_u16(b, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		wr_u8(b, is_text_byte(s[i], form) ? (uint8_t)s[i] : ' ');
}

void rd_text(struct rd *r, char *to, size_t size, enum text_form form)
{
	rd_str(r, to, size);
	for (const char *p = to; *p; p++) {
		if (is_text_byte(*p, form))
			continue;
		(void)rd_bytes(r, SIZE_MAX);
		return;
	}
}

static bool is_serial(uint64_t serial)
{
	return serial > 0 && serial <= ENTRY_SERIAL_MAX;
}

void msg_partial_encode(const struct msg_partial *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_PARTIAL, 0, m->serial);

	assert(m->n > 0 && m->n <= PARTIAL_BLOCKS_MAX);
	wr_u64(b, m->serial);
	wr_u64(b, m->nonce);
	wr_u64(b, m->first);
	wr_u32(b, m->n);
	buf_add(b, m->digests, (size_t)m->n * DIGEST_LEN);
	frame_finish(b, at);
}

int msg_partial_decode(struct msg_partial *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_PARTIAL);

	m->serial = rd_u64(&r);
	m->nonce = rd_u64(&r);
	m->first = rd_u64(&r);
	m->n = rd_u32(&r);
	if (m->n == 0 || m->n > PARTIAL_BLOCKS_MAX ||
	    m->first > BLOCKS_MAX - m->n)
		return -EBADMSG;
	m->digests = rd_bytes(&r, (size_t)m->n * DIGEST_LEN);
	return msg_close(&r, f, m->serial, is_serial(m->serial) && m->nonce);
}

void msg_entry_encode(const struct msg_entry *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_ENTRY, 0, m->entry.serial);

	wr_u8(b, (uint8_t)(m->is_inline + (m->is_inline && m->is_squeezed)));
	entry_encode(&m->entry, b);
	if (m->is_inline) {
		assert(m->is_squeezed
			       ? m->data_len < entry_payload_len(&m->entry)
			       : m->data_len == entry_payload_len(&m->entry));
		assert(m->data_len <= ENTRY_INLINE_MAX);
		buf_add(b, m->digest.b, DIGEST_LEN);
		if (m->data_len)
			buf_add(b, m->data, m->data_len);
	}
	frame_finish_bulk(b, at, m->is_inline ? m->data_len : 0);
}

/* What follows the head: digest and payload when inline, nothing otherwise, which
 * only a payload with at least one block may have. */
static bool decode_payload(struct msg_entry *m, struct rd *r)
{
	uint64_t len = entry_payload_len(&m->entry);

	if (!m->is_inline)
		return len > 0;
	if (len > ENTRY_INLINE_MAX)
		return false;
	rd_copy(r, m->digest.b, DIGEST_LEN);
	m->data_len = (uint32_t)(m->is_squeezed ? rd_left(r) : len);
	m->data = rd_bytes(r, m->data_len);
	return !m->is_squeezed || (m->data_len > 0 && m->data_len < len);
}

int msg_entry_decode(struct msg_entry *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_ENTRY);
	uint8_t is_inline = rd_u8(&r);
	int err;

	memset(m, 0, sizeof *m);
	m->is_inline = is_inline == 1 || is_inline == 2;
	m->is_squeezed = is_inline == 2;
	if (entry_decode(&m->entry, &r) < 0)
		return -EBADMSG;
	err = msg_close(&r, f, m->entry.serial,
			decode_payload(m, &r) && is_inline <= 2);
	if (err < 0)
		entry_release(&m->entry);
	return err;
}

void msg_block_encode(const struct msg_block *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_BLOCK, 0, m->serial);

	assert(m->data_len <= BLOCK_LEN);
	wr_u64(b, m->serial);
	wr_u64(b, m->index);
	wr_u8(b, (uint8_t)m->how);
	buf_add(b, m->digest.b, DIGEST_LEN);
	if (block_has_ranges(m->how))
		wr_ranges(b, m);
	if (m->data_len)
		buf_add(b, m->data, m->data_len);
	frame_finish_bulk(b, at, m->data_len);
}

static bool is_how(enum block_how how)
{
	switch (how) {
	case BLOCK_LITERAL:
	case BLOCK_SQUEEZED:
	case BLOCK_REFERENCE:
	case BLOCK_PREFIX:
		return true;
	}
	return false;
}

int msg_block_decode(struct msg_block *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_BLOCK);

	m->serial = rd_u64(&r);
	m->index = rd_u64(&r);
	m->how = (enum block_how)rd_u8(&r);
	rd_copy(&r, m->digest.b, DIGEST_LEN);
	m->n_ranges = 0;
	if (!r.bad && block_has_ranges(m->how))
		rd_ranges(&r, m);
	if (r.bad || rd_left(&r) > BLOCK_LEN ||
	    (rd_left(&r) == 0) != (m->how == BLOCK_REFERENCE))
		return -EBADMSG;
	m->data_len = (uint32_t)rd_left(&r);
	m->data = m->data_len ? rd_bytes(&r, m->data_len) : NULL;
	return msg_close(&r, f, m->serial,
			 is_serial(m->serial) && m->index < BLOCKS_MAX &&
				 is_how(m->how));
}

void msg_end_encode(const struct msg_end *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_END, 0, m->serial);

	wr_u64(b, m->serial);
	buf_add(b, m->digest.b, DIGEST_LEN);
	frame_finish(b, at);
}

int msg_end_decode(struct msg_end *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_END);

	m->serial = rd_u64(&r);
	rd_copy(&r, m->digest.b, DIGEST_LEN);
	return msg_close(&r, f, m->serial, is_serial(m->serial));
}

void msg_durable_encode(const struct msg_durable *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_DURABLE, 0, m->serial);

	wr_u64(b, m->serial);
	frame_finish(b, at);
}

int msg_durable_decode(struct msg_durable *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_DURABLE);

	m->serial = rd_u64(&r);
	return msg_close(&r, f, m->serial, is_serial(m->serial));
}

void msg_applied_encode(const struct msg_applied *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_APPLIED, 0, m->serial);

	wr_u64(b, m->serial);
	wr_u32(b, m->n_quarantined);
	frame_finish(b, at);
}

int msg_applied_decode(struct msg_applied *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_APPLIED);

	m->serial = rd_u64(
		&r); /* 0: nothing yet, but something may be quarantined */
	m->n_quarantined = rd_u32(&r);
	return msg_close(&r, f, m->serial, m->serial <= ENTRY_SERIAL_MAX);
}

void msg_quarantine_encode(const struct msg_quarantine *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_QUARANTINE, 0, m->serial);

	wr_u64(b, m->id);
	wr_u64(b, m->serial);
	wr_u8(b, m->is_over);
	wr_text(b, m->reason, TEXT_SENTENCE);
	frame_finish(b, at);
}

int msg_quarantine_decode(struct msg_quarantine *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_QUARANTINE);
	uint8_t is_over;

	m->id = rd_u64(&r);
	m->serial = rd_u64(&r);
	is_over = rd_u8(&r);
	m->is_over = is_over == 1;
	rd_text(&r, m->reason, sizeof m->reason, TEXT_SENTENCE);
	return msg_close(&r, f, m->serial,
			 is_serial(m->serial) && m->id && is_over <= 1);
}

void msg_waits_encode(const struct msg_waits *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_WAITS, FRAME_OPTIONAL, 0);

	wr_text(b, m->reason, TEXT_SENTENCE);
	frame_finish(b, at);
}

int msg_waits_decode(struct msg_waits *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_WAITS);

	rd_text(&r, m->reason, sizeof m->reason, TEXT_SENTENCE);
	return msg_close(&r, f, 0, true);
}
