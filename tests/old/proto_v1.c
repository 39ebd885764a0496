#include "proto_v1.h"

#include <string.h>
#include <xxhash.h>

/* ---- bytes ---- */

static void put(struct v1_out *o, const void *p, size_t n)
{
	if (n)
		memcpy(o->b + o->n, p, n);
	o->n += n;
}

static void put_int(struct v1_out *o, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		o->b[o->n++] = (uint8_t)(v >> (8 * i));
}

static void put_str(struct v1_out *o, const char *s)
{
	put_int(o, strlen(s), 2);
	put(o, s, strlen(s));
}

static void set_u32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t sum_of(const uint8_t *head, const uint8_t *message, size_t n)
{
	return (uint32_t)XXH3_64bits_withSeed(message, n,
					      XXH3_64bits(head, 20));
}

static size_t begin(struct v1_out *o, uint16_t type, uint64_t serial)
{
	size_t at = o->n;

	put_int(o, 0, 4);
	put_int(o, type, 2);
	put_int(o, 0, 2);
	put_int(o, serial, 8);
	put_int(o, 0, 8);
	return at;
}

static void finish(struct v1_out *o, size_t at, size_t bulk)
{
	uint8_t *head = o->b + at;
	size_t len = o->n - at - V1_HEAD;

	set_u32(head, (uint32_t)len);
	set_u32(head + 16, (uint32_t)bulk);
	set_u32(head + 20, sum_of(head, head + V1_HEAD, len - bulk));
}

/* ---- digests ---- */

void v1_digest(const void *p, size_t n, uint8_t to[16])
{
	XXH128_hash_t h = XXH3_128bits(p, n);

	for (unsigned i = 0; i < 8; i++) {
		to[i] = (uint8_t)(h.high64 >> (56 - 8 * i));
		to[8 + i] = (uint8_t)(h.low64 >> (56 - 8 * i));
	}
}

void v1_entry_digest(const uint8_t *p, size_t n, uint8_t to[16])
{
	uint8_t list[24 * 64] = {0};
	struct v1_out o = {list, 0};

	for (size_t at = 0; at < n; at += V1_BLOCK) {
		size_t len = n - at < V1_BLOCK ? n - at : V1_BLOCK;

		put_int(&o, len, 8);
		v1_digest(p + at, len, list + o.n);
		o.n += 16;
	}
	v1_digest(list, o.n, to);
}

/* ---- what an edge says ---- */

void v1_hello(struct v1_out *o, uint64_t assigned, uint64_t released)
{
	size_t at = begin(o, V1_HELLO, 0);
	uint8_t id[32] = {0xa1}, incarnation[16] = {0xb2};

	put_int(o, 1, 2);
	put_int(o, 1, 2);
	put_int(o, 0, 4);
	put(o, id, 32);
	put_str(o, "edge-old");
	put_str(o, "0.1.0");
	put_str(o, "p");
	put(o, incarnation, 16);
	put_int(o, (uint64_t)-5, 8);
	put_int(o, assigned, 8);
	put_int(o, released, 8);
	finish(o, at, 0);
}

static void put_file(struct v1_out *o, const struct v1_entry *en)
{
	put_int(o, en->unsequence, 1);
	put_int(o, en->region, 4);
	put_int(o, (uint64_t)en->partition, 8);
	put_int(o, en->t, 8);
	put_int(o, en->v, 8);
	put_int(o, en->i, 8);
	put_int(o, en->c, 8);
	put_int(o, en->body_len, 8);
	put_int(o, en->mods_form, 1);
	put_int(o, en->mods_len, 8);
}

static void put_range(struct v1_out *o, const struct v1_entry *en)
{
	put_int(o, en->region, 4);
	put_int(o, (uint64_t)en->first, 8);
	put_int(o, (uint64_t)en->last, 8);
	put_int(o, strlen(en->devices), 4);
	put(o, en->devices, strlen(en->devices));
}

static void put_head(struct v1_out *o, const struct v1_entry *en)
{
	put_int(o, en->serial, 8);
	put_int(o, en->nonce, 8);
	put_int(o, en->kind, 1);
	put_str(o, en->database);
	if (en->kind == 1) {
		put_file(o, en);
	} else if (en->kind == 2) {
		put_range(o, en);
		put_int(o, en->mods_form, 1);
		put_int(o, en->body_len, 8);
	} else if (en->kind == 3) {
		put_int(o, en->body_len, 8);
	} else {
		put_range(o, en);
		put_int(o, en->held, 1);
	}
}

void v1_entry_inline(struct v1_out *o, const struct v1_entry *en,
		     const uint8_t *payload, size_t n)
{
	size_t at = begin(o, V1_ENTRY, en->serial);
	uint8_t digest[16];

	put_int(o, 1, 1);
	put_head(o, en);
	v1_entry_digest(payload, n, digest);
	put(o, digest, 16);
	put(o, payload, n);
	finish(o, at, n);
}

void v1_entry_begin(struct v1_out *o, const struct v1_entry *en)
{
	size_t at = begin(o, V1_ENTRY, en->serial);

	put_int(o, 0, 1);
	put_head(o, en);
	finish(o, at, 0);
}

void v1_block(struct v1_out *o, uint64_t serial, uint64_t index,
	      const uint8_t *p, size_t n)
{
	size_t at = begin(o, V1_BLOCK_MSG, serial);
	uint8_t digest[16];

	put_int(o, serial, 8);
	put_int(o, index, 8);
	put_int(o, 0, 1);
	v1_digest(p, n, digest);
	put(o, digest, 16);
	put(o, p, n);
	finish(o, at, n);
}

void v1_end(struct v1_out *o, uint64_t serial, const uint8_t digest[16])
{
	size_t at = begin(o, V1_END, serial);

	put_int(o, serial, 8);
	put(o, digest, 16);
	finish(o, at, 0);
}

void v1_status(struct v1_out *o, const char *state, const char *progress)
{
	size_t at = begin(o, V1_STATUS, 0);

	put_str(o, state);
	put_str(o, "");
	put_str(o, progress);
	put_str(o, "");
	finish(o, at, 0);
}

void v1_drop(struct v1_out *o)
{
	size_t at = begin(o, V1_DROP, 0);
	uint8_t incarnation[16] = {0xb2};

	put(o, incarnation, 16);
	finish(o, at, 0);
}

/* ---- what a receiver says ---- */

void v1_welcome(struct v1_out *o, uint64_t durable, uint64_t nonce,
		uint64_t applied, uint32_t n_partials)
{
	size_t at = begin(o, V1_WELCOME, 0);
	uint8_t instance[16] = {0xc3};

	put_int(o, 1, 2);
	put(o, instance, 16);
	put_int(o, durable, 8);
	put_int(o, nonce, 8);
	put_int(o, applied, 8);
	put_int(o, n_partials, 4);
	finish(o, at, 0);
}

void v1_partial(struct v1_out *o, uint64_t serial, uint64_t nonce,
		uint64_t first, uint32_t n, const uint8_t *digests)
{
	size_t at = begin(o, V1_PARTIAL, serial);

	put_int(o, serial, 8);
	put_int(o, nonce, 8);
	put_int(o, first, 8);
	put_int(o, n, 4);
	put(o, digests, 16 * (size_t)n);
	finish(o, at, 0);
}

void v1_durable(struct v1_out *o, uint64_t serial)
{
	size_t at = begin(o, V1_DURABLE, serial);

	put_int(o, serial, 8);
	finish(o, at, 0);
}

void v1_applied(struct v1_out *o, uint64_t serial, uint32_t n_quarantined)
{
	size_t at = begin(o, V1_APPLIED, serial);

	put_int(o, serial, 8);
	put_int(o, n_quarantined, 4);
	finish(o, at, 0);
}

void v1_quarantine(struct v1_out *o, uint64_t id, uint64_t serial, bool is_over,
		   const char *reason)
{
	size_t at = begin(o, V1_QUARANTINE, serial);

	put_int(o, id, 8);
	put_int(o, serial, 8);
	put_int(o, is_over, 1);
	put_str(o, reason);
	finish(o, at, 0);
}

void v1_pong(struct v1_out *o)
{
	size_t at = begin(o, V1_PONG, 0);

	put_int(o, 0, 1);
	finish(o, at, 0);
}

void v1_bye(struct v1_out *o, uint8_t why, uint64_t serial, const char *text)
{
	size_t at = begin(o, V1_BYE, serial);

	put_int(o, why, 1);
	put_int(o, serial, 8);
	put_str(o, text);
	finish(o, at, 0);
}
