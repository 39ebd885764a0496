/* TsFiles without data, whose index a test makes byte by byte (tsfile-format, sections
 * 2 and 3). The index begins at byte 8; what is put stands behind what was put before. */
#ifndef TSFERRY_TSFILE_MADE_H
#define TSFERRY_TSFILE_MADE_H

#include <string.h>

#include "ground/bytes.h"

#define MADE_MAX (32u << 20)
#define INT32 1
#define TEXT 5
#define VECTOR 6
#define BLOB 10
#define UNKNOWN 7

struct made {
	struct buf b;
	unsigned version;
	uint64_t metadata;
};

static inline void made_release(struct made *m)
{
	buf_release(&m->b);
}

static inline struct made made_begin(unsigned version)
{
	struct made m = {.version = version};

	buf_init(&m.b, MADE_MAX);
	buf_adds(&m.b, "TsFile");
	wr_u8(&m.b, (uint8_t)version);
	wr_u8(&m.b, 2);
	return m;
}

static inline void put_uvarint(struct made *m, uint32_t v)
{
	for (; v > 0x7f; v >>= 7)
		wr_u8(&m->b, (uint8_t)(v | 0x80));
	wr_u8(&m->b, (uint8_t)v);
}

static inline void put_name(struct made *m, const char *name)
{
	wr_svarint(&m->b, (int32_t)strlen(name));
	buf_adds(&m->b, name);
}

/* A device's key: of version 4 the table "t" and the name. */
static inline void put_device(struct made *m, const char *name)
{
	if (m->version == 4) {
		put_uvarint(m, 2);
		put_name(m, "t");
	}
	put_name(m, name);
}

static inline void put_zeros(struct made *m, size_t n)
{
	for (size_t k = 0; k < n; k++)
		wr_u8(&m->b, 0);
}

static inline void put_be32(struct made *m, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		wr_u8(&m->b, (uint8_t)(v >> shift));
}

/* One series with one chunk; `extra` bytes of its statistics are zeros. */
static inline void put_series(struct made *m, unsigned flags, const char *name,
			      unsigned type, uint32_t count, int64_t first,
			      int64_t last, size_t extra)
{
	wr_u8(&m->b, (uint8_t)flags);
	put_name(m, name);
	wr_u8(&m->b, (uint8_t)type);
	put_uvarint(m, 8);
	put_uvarint(m, count);
	wr_be64(&m->b, (uint64_t)first);
	wr_be64(&m->b, (uint64_t)last);
	put_zeros(m, extra + 8);
}

static inline void put_blob(struct made *m, const char *name, int64_t first,
			    int64_t last)
{
	put_series(m, 0, name, BLOB, 2, first, last, 0);
}

static inline void put_child(struct made *m, const char *series, uint64_t at)
{
	put_name(m, series);
	wr_be64(&m->b, at);
}

static inline void put_end(struct made *m, uint64_t end, unsigned type)
{
	wr_be64(&m->b, end);
	wr_u8(&m->b, (uint8_t)type);
}

/* A node with one child, of series. Where it begins. */
static inline uint64_t put_node(struct made *m, const char *series, uint64_t at,
				uint64_t end, unsigned type)
{
	uint64_t here = m->b.len;

	put_uvarint(m, 1);
	put_child(m, series, at);
	put_end(m, end, type);
	return here;
}

static inline void begin_metadata(struct made *m)
{
	m->metadata = m->b.len;
	if (m->version == 4) {
		put_uvarint(m, 1);
		put_name(m, "t");
	}
}

static inline void put_offset(struct made *m)
{
	if (m->version == 4)
		put_uvarint(m, 0); /* no schemas */
	wr_be64(&m->b, 7);
}

static inline void put_tail(struct made *m)
{
	put_be32(m, (uint32_t)(m->b.len - m->metadata));
	buf_adds(&m->b, "TsFile");
}

/* The root over one device whose node begins at `node`, and all behind it. */
static inline void put_root(struct made *m, const char *device, uint64_t node)
{
	begin_metadata(m);
	put_uvarint(m, 1);
	put_device(m, device);
	wr_be64(&m->b, node);
	put_end(m, m->metadata, 1);
	put_offset(m);
	put_tail(m);
}

/* The rest of a file with one device, whose series stand from 8 on. */
static inline void put_rest(struct made *m, const char *first_series)
{
	put_root(m, "root.d", put_node(m, first_series, 8, m->b.len, 3));
}

#endif
