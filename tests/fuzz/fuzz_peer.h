/* What the targets that play a peer share: the bytes of a stream, made of pieces of the
 * input. A mutation of a frame would never survive its sum, so messages of any content
 * are framed here; verbatim bytes are one of the pieces. */
#ifndef TSFERRY_FUZZ_PEER_H
#define TSFERRY_FUZZ_PEER_H

#include "domain/proto.h"
#include "fuzz.h"
#include "ground/bytes.h"

#define PEER_MAX (8u << 20)

/* u8 length and so many bytes of the stream. */
static inline void peer_verbatim(struct rd *in, struct buf *to)
{
	size_t n = rd_u8(in);
	const void *p;

	if (n > rd_left(in))
		n = rd_left(in);
	p = rd_bytes(in, n);
	if (n)
		buf_add(to, p, n);
}

/* The place of the serial in a message, which the head must repeat; -1: it has none. */
static inline int peer_serial_at(uint16_t type)
{
	switch (type) {
	case MSG_ENTRY:
	case MSG_BYE:
		return 1;
	case MSG_QUARANTINE:
		return 8;
	case MSG_PARTIAL:
	case MSG_BLOCK:
	case MSG_END:
	case MSG_DURABLE:
	case MSG_APPLIED:
		return 0;
	}
	return -1;
}

/* u8 type, u8 flags, u8 length, the message: framed with what belongs in a head. */
static inline void peer_message(struct rd *in, struct buf *to)
{
	uint16_t type = rd_u8(in), flags = rd_u8(in) & FRAME_OPTIONAL;
	size_t n = rd_u8(in);
	int serial_at = peer_serial_at(type);
	uint64_t serial = 0;
	const uint8_t *p;
	size_t at;

	if (n > rd_left(in))
		n = rd_left(in);
	p = rd_bytes(in, n);
	if (n == 0)
		return;
	if (serial_at >= 0 && n >= (size_t)serial_at + 8) {
		struct rd r = rd_over(p + serial_at, 8);

		serial = rd_u64(&r);
	}
	at = frame_begin(to, type, flags, serial);
	buf_add(to, p, n);
	frame_finish(to, at);
}

#endif
