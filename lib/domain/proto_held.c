/* What version 2 says of files that the receiver holds: HELD, WANT, and the ranges in a
 * BLOCK. */
#include <assert.h>
#include <errno.h>

#include "proto_wire.h"

bool block_has_ranges(enum block_how how)
{
	return how == BLOCK_REFERENCE || how == BLOCK_PREFIX;
}

void wr_ranges(struct buf *b, const struct msg_block *m)
{
	assert(m->n_ranges > 0 && m->n_ranges <= HELD_RANGES_MAX);
	wr_u8(b, m->n_ranges);
	for (unsigned i = 0; i < m->n_ranges; i++) {
		wr_u8(b, m->ranges[i].file);
		wr_u64(b, m->ranges[i].offset);
		wr_u32(b, m->ranges[i].len);
	}
}

static uint32_t ranges_max(enum block_how how)
{
	return how == BLOCK_REFERENCE ? BLOCK_LEN : HELD_PREFIX_MAX;
}

void rd_ranges(struct rd *r, struct msg_block *m)
{
	uint64_t sum = 0;

	m->n_ranges = rd_u8(r);
	if (m->n_ranges == 0 || m->n_ranges > HELD_RANGES_MAX)
		(void)rd_bytes(r, SIZE_MAX);
	for (unsigned i = 0; i < m->n_ranges && !r->bad; i++) {
		struct held_range *x = &m->ranges[i];

		x->file = rd_u8(r);
		x->offset = rd_u64(r);
		x->len = rd_u32(r);
		sum += x->len;
		if (x->file >= HELD_FILES_MAX || x->len == 0 ||
		    x->offset >= ENTRY_PAYLOAD_MAX || sum > ranges_max(m->how))
			(void)rd_bytes(r, SIZE_MAX);
	}
	if (r->bad)
		m->n_ranges = 0;
}

static void wr_file(struct buf *b, const struct fileid *f)
{
	wr_str(b, f->database);
	fileid_encode(f, b);
}

static bool rd_file(struct rd *r, struct fileid *f)
{
	rd_str(r, f->database, sizeof f->database);
	return fileid_decode(f, r) && name_is_plain(f->database) &&
	       !database_is_internal(f->database);
}

void msg_held_encode(const struct msg_held *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_HELD, 0, m->serial);

	assert(m->n > 0 && m->first + m->n <= HELD_FILES_MAX);
	wr_u64(b, m->serial);
	wr_u32(b, m->first);
	wr_u32(b, m->n);
	for (uint32_t i = 0; i < m->n; i++)
		wr_file(b, &m->files[i]);
	frame_finish(b, at);
}

static bool is_serial(uint64_t serial)
{
	return serial > 0 && serial <= ENTRY_SERIAL_MAX;
}

int msg_held_decode(struct msg_held *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_HELD);

	m->serial = rd_u64(&r);
	m->first = rd_u32(&r);
	m->n = rd_u32(&r);
	if (r.bad || m->first >= HELD_FILES_MAX || m->n == 0 ||
	    m->n > HELD_FILES_MAX - m->first)
		return -EBADMSG;
	for (uint32_t i = 0; i < m->n; i++)
		if (!rd_file(&r, &m->files[i]))
			return -EBADMSG;
	return msg_close(&r, f, m->serial, is_serial(m->serial));
}

void msg_want_encode(const struct msg_want *m, struct buf *b)
{
	size_t at = frame_begin(b, MSG_WANT, 0, m->serial);

	wr_u64(b, m->serial);
	wr_u64(b, m->index);
	frame_finish(b, at);
}

int msg_want_decode(struct msg_want *m, const struct frame *f)
{
	struct rd r = msg_open(f, MSG_WANT);

	m->serial = rd_u64(&r);
	m->index = rd_u64(&r);
	return msg_close(&r, f, m->serial,
			 is_serial(m->serial) &&
				 m->index < ENTRY_PAYLOAD_MAX / BLOCK_LEN);
}
