#include "ground/bytes.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

struct rd rd_over(const void *p, size_t n)
{
	const uint8_t *first = n ? p : (const uint8_t *)"";

	return (struct rd){.p = first, .end = first + n};
}

size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

/* A bad cursor stands at its end: every later read is short as well. */
static void spoil(struct rd *r)
{
	r->bad = true;
	r->p = r->end;
}

static inline const uint8_t *take(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (__builtin_expect((size_t)(r->end - p) < n, 0)) {
		spoil(r);
		return NULL;
	}
	r->p = p + n;
	return p;
}

uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

uint16_t rd_u16(struct rd *r)
{
	const uint8_t *p = take(r, 2);
	uint16_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return le16toh(v);
}

uint32_t rd_u32(struct rd *r)
{
	const uint8_t *p = take(r, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return le32toh(v);
}

uint64_t rd_u64(struct rd *r)
{
	const uint8_t *p = take(r, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return le64toh(v);
}

int64_t rd_i64(struct rd *r)
{
	return (int64_t)rd_u64(r);
}

uint32_t rd_be32(struct rd *r)
{
	const uint8_t *p = take(r, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return be32toh(v);
}

uint64_t rd_be64(struct rd *r)
{
	const uint8_t *p = take(r, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return be64toh(v);
}

const void *rd_bytes(struct rd *r, size_t n)
{
	return take(r, n);
}

void rd_copy(struct rd *r, void *to, size_t n)
{
	const uint8_t *p = take(r, n);

	if (n == 0)
		return;
	if (p)
		memcpy(to, p, n);
	else
		memset(to, 0, n);
}

void rd_str(struct rd *r, char *to, size_t size)
{
	size_t n = rd_u16(r);
	const uint8_t *p = take(r, n);

	to[0] = '\0';
	if (!p)
		return;
	if (n > size - 1 || memchr(p, '\0', n)) {
		spoil(r);
		return;
	}
	memcpy(to, p, n);
	to[n] = '\0';
}

uint32_t rd_uvarint(struct rd *r)
{
	uint32_t v = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t c = rd_u8(r);

		if (shift == 28 && c > 0x0f)
			break;
		v |= (uint32_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return r->bad ? 0 : v;
	}
	spoil(r);
	return 0;
}

int32_t rd_svarint(struct rd *r)
{
	uint32_t v = rd_uvarint(r);

	return (int32_t)((v >> 1) ^ (0 - (v & 1)));
}

int rd_end(const struct rd *r)
{
	return r->bad || r->p != r->end ? -EBADMSG : 0;
}

/* For n of at most eight: one comparison when there is room. */
static inline void put(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_room(b, n);

	if (!to)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void wr_u8(struct buf *b, uint8_t v)
{
	put(b, &v, sizeof v);
}

void wr_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	put(b, &v, sizeof v);
}

void wr_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	put(b, &v, sizeof v);
}

void wr_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	put(b, &v, sizeof v);
}

void wr_i64(struct buf *b, int64_t v)
{
	wr_u64(b, (uint64_t)v);
}

void wr_be32(struct buf *b, uint32_t v)
{
	uint8_t p[4];

	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
	buf_add(b, p, sizeof p);
}

void wr_be64(struct buf *b, uint64_t v)
{
	v = htobe64(v);
	put(b, &v, sizeof v);
}

void wr_str(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	if (n > UINT16_MAX) {
		b->failed = true;
		return;
	}
	wr_u16(b, (uint16_t)n);
	buf_add(b, s, n);
}

void wr_svarint(struct buf *b, int32_t v)
{
	uint32_t z = ((uint32_t)v << 1) ^ (v < 0 ? UINT32_MAX : 0);
	uint8_t out[5];
	size_t n = 0;

	for (; z >= 0x80; z >>= 7)
		out[n++] = (uint8_t)(z | 0x80);
	out[n++] = (uint8_t)z;
	put(b, out, n);
}
