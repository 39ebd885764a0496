/* Frames on the wire between syncd and recvd: 24 bytes of head, then the message.
 *
 *	u32 length of the message   u16 type   u16 flags   u64 serial   u32 bulk   u32 sum
 *
 * `sum` guards what no digest covers (TCP's own sum lets one damaged segment in 65536
 * pass, and a wrong DURABLE or a wrong database would be a silent loss): the low half
 * of XXH3-64 over the message without its last `bulk` bytes, seeded with XXH3-64 over
 * the 20 bytes of head before it. Bulk bytes are payload, which has a digest.
 *
 * Little endian. Each type has a maximum length (proto.c); zero where a message is
 * expected is hostile. Of the flags only FRAME_OPTIONAL is known: a frame of an
 * unknown type that carries it is skipped, any other unknown flag or type is
 * -EBADMSG; frame_take() hands a skipped frame out like any other, and whoever
 * dispatches on the type drops what it does not know. The serial repeats the one that
 * the message is about, 0 if there is none. The full description is tsferry-proto(5). */
#ifndef TSFERRY_FRAME_H
#define TSFERRY_FRAME_H

#include <stdbool.h>

#include "ground/buf.h"

#define FRAME_HEAD_LEN 24
#define FRAME_OPTIONAL 1u
#define FRAME_LEN_MAX (1u << 20)

struct frame {
	uint16_t type, flags;
	uint64_t serial;
	const uint8_t *p; /* borrowed from the input */
	uint32_t len;
};

/* One frame from the front of n bytes: its whole length (> 0); 0: more bytes are
 * needed; -EBADMSG: never a frame, or a damaged one. `max_len` answers the maximum of a type, 0 for an
 * unknown one. */
int frame_take(struct frame *f, const uint8_t *p, size_t n, uint32_t (*max_len)(uint16_t type))
	MUST_CHECK;

/* Begins a frame at the end of b; the message is then added behind it, and
 * frame_finish() writes its length. `at` is what frame_begin() returned. */
size_t frame_begin(struct buf *b, uint16_t type, uint16_t flags, uint64_t serial);
void frame_finish(struct buf *b, size_t at);
/* The same when the last `bulk` bytes are payload with a digest of its own. */
void frame_finish_bulk(struct buf *b, size_t at, size_t bulk);

#endif
