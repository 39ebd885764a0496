/* Version 1 of the protocol, frozen: both directions, written out from the document of its
 * day. It must not be mended to follow lib/domain; README.md. Only tests use it. */
#ifndef TSFERRY_TESTS_PROTO_V1_H
#define TSFERRY_TESTS_PROTO_V1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define V1_HEAD 24
#define V1_BLOCK 262144u
#define V1_ROOM (4u << 20)

enum {
	V1_HELLO = 1,
	V1_WELCOME,
	V1_PARTIAL,
	V1_ENTRY,
	V1_BLOCK_MSG,
	V1_END,
	V1_DURABLE,
	V1_APPLIED,
	V1_QUARANTINE,
	V1_STATUS,
	V1_PONG,
	V1_DROP,
	V1_BYE
};

/* Bytes that are being put together; `b` has V1_ROOM. */
struct v1_out {
	uint8_t *b;
	size_t n;
};

struct v1_frame {
	uint16_t type;
	uint64_t serial;
	const uint8_t *p;
	uint32_t len, bulk;
};

/* A head of an entry, of every kind: what a kind does not have is 0. */
struct v1_entry {
	uint64_t serial, nonce;
	uint8_t kind; /* 1 FILE, 2 DELETE, 3 SCHEMA, 4 RESTATE */
	char database[256];
	uint8_t unsequence;
	uint32_t region;
	int64_t partition;
	uint64_t t, v, i, c;
	uint64_t body_len;
	uint8_t mods_form;
	uint64_t mods_len;
	int64_t first, last;
	char devices[256];
	uint8_t held;
};

/* Any message, decoded: the fields of its type. */
struct v1_msg {
	uint16_t type;
	uint64_t serial;
	uint16_t version_min, version_max, version;
	uint32_t flags;
	uint8_t sender_id[32], incarnation[16], instance[16];
	char sender[256], program[64], pipe[256];
	int64_t create_ms;
	uint64_t assigned, released;
	uint64_t durable, nonce, applied;
	uint32_t n; /* PARTIALs, blocks, quarantined entries */
	uint64_t first, id;
	bool is_inline, is_over;
	struct v1_entry entry;
	uint8_t how, why;
	uint8_t digest[16];
	const uint8_t *data;
	uint32_t data_len;
	char text[1001], state[16], progress[2048], gaps[4096];
};

void v1_digest(const void *p, size_t n, uint8_t to[16]);
/* Of an entry whose payload is p. */
void v1_entry_digest(const uint8_t *p, size_t n, uint8_t to[16]);

/* What an edge says. `assigned` and `released` of m, names fixed. */
void v1_hello(struct v1_out *o, uint64_t assigned, uint64_t released);
void v1_entry_inline(struct v1_out *o, const struct v1_entry *en,
		     const uint8_t *payload, size_t n);
void v1_entry_begin(struct v1_out *o, const struct v1_entry *en);
void v1_block(struct v1_out *o, uint64_t serial, uint64_t index,
	      const uint8_t *p, size_t n);
void v1_end(struct v1_out *o, uint64_t serial, const uint8_t digest[16]);
void v1_status(struct v1_out *o, const char *state, const char *progress);
void v1_drop(struct v1_out *o);

/* What a receiver says. */
void v1_welcome(struct v1_out *o, uint64_t durable, uint64_t nonce,
		uint64_t applied, uint32_t n_partials);
void v1_partial(struct v1_out *o, uint64_t serial, uint64_t nonce,
		uint64_t first, uint32_t n, const uint8_t *digests);
void v1_durable(struct v1_out *o, uint64_t serial);
void v1_applied(struct v1_out *o, uint64_t serial, uint32_t n_quarantined);
void v1_quarantine(struct v1_out *o, uint64_t id, uint64_t serial, bool is_over,
		   const char *reason);
void v1_pong(struct v1_out *o);
void v1_bye(struct v1_out *o, uint8_t why, uint64_t serial, const char *text);

/* One frame of n bytes: its whole length, 0 when it is not yet there, -1 when version 1
 * would end the connection. */
int v1_take(struct v1_frame *f, const uint8_t *p, size_t n);
/* A message as a decoder of version 1 takes it, every byte of it; false: refused. */
bool v1_read(struct v1_msg *m, const struct v1_frame *f);

#endif
