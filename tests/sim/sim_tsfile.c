/* Files that are TsFiles: in some seeds FILEs have an index and chunks, and rows of one series
 * at one time are the same bytes in all of them, as in products of compaction and what they
 * were made of. Ranges then come from lib/domain/prefix, as at the edge. */
#include <string.h>
#include <sys/mman.h>

#include "domain/prefix.h"
#include "ground/fileio.h"
#include "sim.h"
#include "tests/tsfile_made.h"

#define SERIES_MAX 4u
#define TICK_LEN (BLOCK_LEN / 512)
#define TICKS_MAX 500u
#define ROUND 1000u /* of time */
#define ROWS 2u

static const char *const names[SERIES_MAX] = {"s0", "s1", "s2", "s3"};

/* Which series, and when: from the seed of the content alone. */
struct shape {
	unsigned n_series;
	uint32_t begin, n_ticks;
};

static struct shape shape_of(const struct sim_content *c)
{
	uint64_t z = sim_mix(c->seed);

	return (struct shape){
		.n_series = 1 + (unsigned)(z % SERIES_MAX),
		.begin = (uint32_t)(z >> 8) % ROUND,
		.n_ticks = 1 + (uint32_t)(z >> 32) % TICKS_MAX,
	};
}

static void put_rows(struct made *m, unsigned series, const struct shape *x)
{
	for (uint32_t i = 0; i < x->n_ticks; i++) {
		uint64_t z = sim_mix((uint64_t)series << 40 | (x->begin + i));

		for (uint32_t at = 0; at < TICK_LEN; at += 4)
			put_be32(m, (uint32_t)sim_mix(z + at));
	}
}

/* A series with one chunk, as put_blob(), that says where it begins. */
static void put_index(struct made *m, unsigned series, uint64_t offset,
		      const struct shape *x)
{
	wr_u8(&m->b, 0);
	put_name(m, names[series]);
	wr_u8(&m->b, BLOB);
	put_uvarint(m, 8);
	put_uvarint(m, ROWS);
	wr_be64(&m->b, x->begin);
	wr_be64(&m->b, x->begin + x->n_ticks - 1);
	wr_be64(&m->b, offset);
}

void tsfile_make(struct sim_content *c)
{
	CLEANUP(made_release) struct made m = made_begin(3);
	struct shape x = shape_of(c);
	uint64_t offsets[SERIES_MAX], at;

	for (unsigned i = 0; i < x.n_series; i++) {
		offsets[i] = m.b.len;
		put_rows(&m, i, &x);
	}
	at = m.b.len;
	for (unsigned i = 0; i < x.n_series; i++)
		put_index(&m, i, offsets[i], &x);
	put_root(&m, "root.d", put_node(&m, names[0], at, m.b.len, 3));
	c->seed &= ~3ull; /* no deletion records beside it */
	c->len = (uint32_t)m.b.len;
	c->bytes = xcalloc(1, m.b.len);
	memcpy(c->bytes, buf_data(&m.b), m.b.len);
}

static int file_of(const struct sim_content *c)
{
	int fd = memfd_create("sim", MFD_CLOEXEC);

	if (fd >= 0 && file_pwrite(fd, c->bytes, c->len, 0) < 0)
		cleanup_close(&fd);
	return fd;
}

unsigned tsfile_ranges(struct sim *s, const uint64_t contents[2],
		       uint64_t block, struct held_range out[HELD_RANGES_MAX])
{
	const struct sim_content *product = &s->contents[contents[0]];
	CLEANUP_CLOSE int fd = file_of(product);
	struct prefix *p = NULL;
	unsigned n;

	if (prefix_new(&p, fd, product->len, NULL) < 0) {
		sim_broken(s, "a TsFile has an index", "%u bytes",
			   product->len);
		return 0;
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct sim_content *c = &s->contents[contents[i]];
		CLEANUP_CLOSE int source = c->bytes ? file_of(c) : -1;

		(void)!prefix_add_source(p, source, c->bytes ? c->len : 0,
					 NULL);
	}
	n = prefix_ranges(p, block, out);
	prefix_free(p);
	return n;
}
