/* Decodes a frame by its type and encodes what came out: for tests and fuzzing, where
 * both must be the same bytes. */
#ifndef TSFERRY_TESTS_PROTO_AGAIN_H
#define TSFERRY_TESTS_PROTO_AGAIN_H

#include <errno.h>

#include "domain/proto.h"

#define PROTO_AGAIN(name)                                                      \
	static inline int name##_again(const struct frame *f, struct buf *out) \
	{                                                                      \
		struct msg_##name m;                                           \
		int r = msg_##name##_decode(&m, f);                            \
                                                                               \
		if (r == 0)                                                    \
			msg_##name##_encode(&m, out);                          \
		return r;                                                      \
	}

PROTO_AGAIN(hello)
PROTO_AGAIN(welcome)
PROTO_AGAIN(partial)
PROTO_AGAIN(block)
PROTO_AGAIN(end)
PROTO_AGAIN(durable)
PROTO_AGAIN(applied)
PROTO_AGAIN(quarantine)
PROTO_AGAIN(waits)
PROTO_AGAIN(status)
PROTO_AGAIN(drop)
PROTO_AGAIN(bye)
PROTO_AGAIN(ask_kept)
PROTO_AGAIN(kept)
PROTO_AGAIN(later)
PROTO_AGAIN(early)
PROTO_AGAIN(held)
PROTO_AGAIN(want)

static inline int entry_again(const struct frame *f, struct buf *out)
{
	struct msg_entry m;
	int r = msg_entry_decode(&m, f);

	if (r == 0) {
		msg_entry_encode(&m, out);
		entry_release(&m.entry);
	}
	return r;
}

static inline int pong_again(const struct frame *f, struct buf *out)
{
	int r = msg_pong_decode(f);

	if (r == 0)
		msg_pong_encode(out);
	return r;
}

/* 0, or what the decoder of the frame's type answered; -ENOENT for no type of ours. */
static inline int proto_again(const struct frame *f, struct buf *out)
{
	static int (*const again[])(const struct frame *, struct buf *) = {
		[MSG_HELLO] = hello_again,
		[MSG_WELCOME] = welcome_again,
		[MSG_PARTIAL] = partial_again,
		[MSG_ENTRY] = entry_again,
		[MSG_BLOCK] = block_again,
		[MSG_END] = end_again,
		[MSG_DURABLE] = durable_again,
		[MSG_APPLIED] = applied_again,
		[MSG_STATUS] = status_again,
		[MSG_QUARANTINE] = quarantine_again,
		[MSG_PONG] = pong_again,
		[MSG_DROP] = drop_again,
		[MSG_BYE] = bye_again,
		[MSG_ASK_KEPT] = ask_kept_again,
		[MSG_KEPT] = kept_again,
		[MSG_WAITS] = waits_again,
		[MSG_LATER] = later_again,
		[MSG_EARLY] = early_again,
		[MSG_HELD] = held_again,
		[MSG_WANT] = want_again,
	};

	if (f->type >= ARRAY_LEN(again) || !again[f->type])
		return -ENOENT;
	return again[f->type](f, out);
}

#endif
