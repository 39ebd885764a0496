/* Messages of the connection itself: HELLO, WELCOME, STATUS, PONG, DROP, BYE. */

#include "proto.h"
#include "proto_wire.h"

void msg_hello_offer(struct msg_hello *m)
{
	m->version_min = PROTO_VERSION_MIN;
	m->version_max = PROTO_VERSION_MAX;
}

void msg_hello_encode(const struct msg_hello *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_HELLO, 0, 0);

	wr_u16(b, m->version_min);
	wr_u16(b, m->version_max);
	wr_u32(b, m->flags);
	buf_add(b, m->sender_id, SENDER_ID_LEN);
	wr_str(b, m->sender_name);
	wr_text(b, m->program, TEXT_SENTENCE);
	wr_str(b, m->pipe);
	buf_add(b, m->incarnation, ID_LEN);
	wr_i64(b, m->create_time_ms);
	wr_u64(b, m->assigned);
	wr_u64(b, m->released);
	frame_finish(b, at);
}

/* A probe may come before there is a pipe. */
static bool is_hello_good(const struct msg_hello *m)
{
	if (m->version_min == 0 || m->version_min > m->version_max)
		return false;
	if (m->flags & ~(HELLO_PROBE | HELLO_RESYNC) ||
	    m->flags == (HELLO_PROBE | HELLO_RESYNC))
		return false;
	if (!name_is_plain(m->sender_name))
		return false;
	if (!name_is_plain(m->pipe) &&
	    (m->pipe[0] || !(m->flags & HELLO_PROBE)))
		return false;
	return m->released <= m->assigned && m->assigned <= ENTRY_SERIAL_MAX;
}

int msg_hello_decode(struct msg_hello *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_HELLO);

	m->version_min = rd_u16(&r);
	m->version_max = rd_u16(&r);
	m->flags = rd_u32(&r);
	rd_copy(&r, m->sender_id, SENDER_ID_LEN);
	rd_str(&r, m->sender_name, sizeof m->sender_name);
	rd_text(&r, m->program, sizeof m->program, TEXT_SENTENCE);
	rd_str(&r, m->pipe, sizeof m->pipe);
	rd_copy(&r, m->incarnation, ID_LEN);
	m->create_time_ms = rd_i64(&r);
	m->assigned = rd_u64(&r);
	m->released = rd_u64(&r);
	return msg_close(&r, f, 0, is_hello_good(m));
}

void msg_welcome_encode(const struct msg_welcome *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_WELCOME, 0, 0);

	wr_u16(b, m->version);
	buf_add(b, m->instance, ID_LEN);
	wr_u64(b, m->durable);
	wr_u64(b, m->durable_nonce);
	wr_u64(b, m->applied);
	wr_u32(b, m->n_partials);
	frame_finish(b, at);
}

static bool is_welcome_good(const struct msg_welcome *m)
{
	if (m->version == 0)
		return false; /* whether it was offered, the machine judges */
	if (m->durable > ENTRY_SERIAL_MAX || m->applied > m->durable)
		return false;
	if ((m->durable == 0) != (m->durable_nonce == 0))
		return false;
	return m->n_partials <= PROTO_PARTIALS_MAX;
}

int msg_welcome_decode(struct msg_welcome *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_WELCOME);

	m->version = rd_u16(&r);
	rd_copy(&r, m->instance, ID_LEN);
	m->durable = rd_u64(&r);
	m->durable_nonce = rd_u64(&r);
	m->applied = rd_u64(&r);
	m->n_partials = rd_u32(&r);
	return msg_close(&r, f, 0, is_welcome_good(m));
}

void msg_status_encode(const struct msg_status *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_STATUS, 0, 0);

	wr_text(b, m->state, TEXT_SENTENCE);
	wr_text(b, m->message, TEXT_SENTENCE);
	wr_text(b, m->progress, TEXT_LINES);
	wr_text(b, m->gaps, TEXT_LINES);
	frame_finish(b, at);
}

int msg_status_decode(struct msg_status *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_STATUS);

	rd_text(&r, m->state, sizeof m->state, TEXT_SENTENCE);
	rd_text(&r, m->message, sizeof m->message, TEXT_SENTENCE);
	rd_text(&r, m->progress, sizeof m->progress, TEXT_LINES);
	rd_text(&r, m->gaps, sizeof m->gaps, TEXT_LINES);
	return msg_close(&r, f, 0, true);
}

/* One byte, because no frame is empty. */
void msg_pong_encode(struct buf *b)
{
	size_t at = frame_begin(b, MSG_PONG, 0, 0);

	wr_u8(b, 0);
	frame_finish(b, at);
}

int msg_pong_decode(const struct frame *f)
{
	struct rd r = msg_open(f, MSG_PONG);
	uint8_t zero = rd_u8(&r);

	return msg_close(&r, f, 0, zero == 0);
}

void msg_drop_encode(const struct msg_drop *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_DROP, 0, 0);

	buf_add(b, m->incarnation, ID_LEN);
	frame_finish(b, at);
}

int msg_drop_decode(struct msg_drop *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_DROP);

	rd_copy(&r, m->incarnation, ID_LEN);
	return msg_close(&r, f, 0, true);
}

void msg_bye_encode(const struct msg_bye *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_BYE, 0, m->serial);

	wr_u8(b, (uint8_t)m->why);
	wr_u64(b, m->serial);
	wr_text(b, m->text, TEXT_SENTENCE);
	frame_finish(b, at);
}

int msg_bye_decode(struct msg_bye *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_BYE);

	m->why = (enum bye_why)rd_u8(&r);
	m->serial = rd_u64(&r);
	rd_text(&r, m->text, sizeof m->text, TEXT_SENTENCE);
	return msg_close(&r, f, m->serial,
			 m->why >= BYE_STOPPING && m->why <= BYE_HISTORY &&
				 m->serial <= ENTRY_SERIAL_MAX);
}
