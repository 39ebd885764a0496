/* What the encoders and decoders of proto*.c share: opening a message, and texts.
 *
 * Texts that a person will read arrive without control characters, because they are
 * shown on terminals: the encoder makes blanks of them, the decoder refuses them.
 * Lines may have newlines and tabs. */
#ifndef TSFERRY_PROTO_WIRE_H
#define TSFERRY_PROTO_WIRE_H

#include "ground/bytes.h"
#include "proto.h"

enum text_form { TEXT_SENTENCE, TEXT_LINES };

/* A cursor over the message; bad from the start when the frame is of another type. */
struct rd msg_open(const struct frame *f, enum msg_type type);

/* The end of a decoder: everything is consumed, the head repeats `serial`, and what
 * was checked meanwhile held. */
int msg_close(const struct rd *r, const struct frame *f, uint64_t serial, bool is_good) MUST_CHECK;

void wr_text(struct buf *b, const char *s, enum text_form form);
void rd_text(struct rd *r, char *to, size_t size, enum text_form form);

/* ---- ranges of a BLOCK, proto_held.c ---- */

#define HELD_FILE_LEN (2 + DATABASE_MAX + 1 + 4 + 5 * 8) /* at most */
#define BLOCK_RANGES_LEN (1 + HELD_RANGES_MAX * (1 + 8 + 4))

void wr_ranges(struct buf *b, const struct msg_block *m);
void rd_ranges(struct rd *r, struct msg_block *m); /* bad when they can not be */

#endif
