/* Makes sealed TsFiles as an IoTDB would leave them in a data directory: valid v3
 * files (tsfile-format, sections 1 to 6) of one device with one INT64 series, random
 * values that no compressor shrinks (-z: that one halves), and a `.resource` renamed into place last.
 *
 *	tsgen [-d DATABASE] [-r REGION] [-p PARTITION] [-v FIRST_VERSION] [-u]
 *	      [-z] [-n FILES] [-s BYTES] [-S SEED] DATA_DIR
 *
 * A file is BYTES long (K, M, G) within a few hundred. The same arguments make the
 * same bytes. */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "domain/fileid.h"
#include "ground/bytes.h"
#include "ground/err.h"
#include "ground/fileio.h"

#define CHUNK_ROWS 65536u
#define TIMES_PER_BLOCK 129u
#define TIMES_BLOCK_LEN 24u
#define STEP_MS 1000

struct tsgen {
	struct fileid id;
	uint64_t size, n_files, seed;
	bool is_soft;
	const char *data_dir;
};

struct stats {
	uint64_t n;
	int64_t first_time, last_time, min, max, first, last;
	double sum;
};

struct chunk {
	uint64_t offset;
	struct stats st;
};

struct writer {
	struct buf b;	 /* what is not yet written */
	int fd;
	uint64_t flushed; /* bytes already in the file */
	uint64_t random;
	bool is_soft;
	struct chunk *chunks; /* owned */
	size_t n_chunks;
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void put_be32(struct buf *b, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		wr_u8(b, (uint8_t)(v >> shift));
}

static void put_uvarint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		wr_u8(b, (uint8_t)(v | 0x80));
	wr_u8(b, (uint8_t)v);
}

static void put_varstr(struct buf *b, const char *s)
{
	wr_svarint(b, (int32_t)strlen(s));
	buf_adds(b, s);
}

static void put_double(struct buf *b, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	wr_be64(b, bits);
}

static void put_stats(struct buf *b, const struct stats *st)
{
	put_uvarint(b, st->n);
	wr_be64(b, (uint64_t)st->first_time);
	wr_be64(b, (uint64_t)st->last_time);
	wr_be64(b, (uint64_t)st->min);
	wr_be64(b, (uint64_t)st->max);
	wr_be64(b, (uint64_t)st->first);
	wr_be64(b, (uint64_t)st->last);
	put_double(b, st->sum);
}

/* TS_2DIFF of regular times: deltas are all equal, so no bits are packed. */
static void put_times(struct buf *b, int64_t first, uint64_t n)
{
	while (n > 0) {
		uint64_t rows = n < TIMES_PER_BLOCK ? n : TIMES_PER_BLOCK;

		put_be32(b, (uint32_t)(rows - 1));
		put_be32(b, 0);
		wr_be64(b, STEP_MS);
		wr_be64(b, (uint64_t)first);
		first += (int64_t)rows * STEP_MS;
		n -= rows;
	}
}

static void put_values(struct writer *w, struct stats *st)
{
	for (uint64_t i = 0; i < st->n; i++) {
		int64_t v = (int64_t)(next_random(&w->random) >>
				      (w->is_soft ? 34 : 0));

		if (i == 0)
			st->min = st->max = st->first = v;
		st->min = v < st->min ? v : st->min;
		st->max = v > st->max ? v : st->max;
		st->last = v;
		st->sum += (double)v;
		wr_be64(&w->b, (uint64_t)v);
	}
}

static uint64_t uvarint_len(uint64_t v)
{
	uint64_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

static uint64_t at(const struct writer *w)
{
	return w->flushed + w->b.len;
}

static void put_chunk(struct writer *w, int64_t first_time, uint64_t rows)
{
	struct chunk *c = &w->chunks[w->n_chunks++];
	uint64_t times = (rows + TIMES_PER_BLOCK - 1) / TIMES_PER_BLOCK * TIMES_BLOCK_LEN;
	uint64_t page = uvarint_len(times) + times + rows * 8;

	c->offset = at(w);
	c->st = (struct stats){ .n = rows, .first_time = first_time };
	c->st.last_time = first_time + (int64_t)(rows - 1) * STEP_MS;
	wr_u8(&w->b, 0x05);
	put_varstr(&w->b, "s1");
	put_uvarint(&w->b, 2 * uvarint_len(page) + page);
	wr_u8(&w->b, 2); /* INT64 */
	wr_u8(&w->b, 0); /* uncompressed */
	wr_u8(&w->b, 0); /* PLAIN */
	put_uvarint(&w->b, page);
	put_uvarint(&w->b, page);
	put_uvarint(&w->b, times);
	put_times(&w->b, first_time, rows);
	put_values(w, &c->st);
}

static int flush(struct writer *w)
{
	int r = buf_end(&w->b);

	if (r == 0)
		r = file_pwrite(w->fd, buf_data(&w->b), w->b.len, w->flushed);
	w->flushed += w->b.len;
	buf_clear(&w->b);
	return r;
}

static struct stats whole_stats(const struct writer *w)
{
	struct stats st = w->chunks[0].st;

	for (size_t i = 1; i < w->n_chunks; i++) {
		const struct stats *c = &w->chunks[i].st;

		st.n += c->n;
		st.last_time = c->last_time;
		st.min = c->min < st.min ? c->min : st.min;
		st.max = c->max > st.max ? c->max : st.max;
		st.last = c->last;
		st.sum += c->sum;
	}
	return st;
}

static void put_series(struct writer *w)
{
	struct stats st = whole_stats(w);
	uint64_t list = 0;
	bool is_many = w->n_chunks > 1;

	for (size_t i = 0; i < w->n_chunks; i++)
		list += 8 + (is_many ? uvarint_len(w->chunks[i].st.n) + 56 : 0);
	wr_u8(&w->b, is_many ? 1 : 0);
	put_varstr(&w->b, "s1");
	wr_u8(&w->b, 2);
	put_uvarint(&w->b, list);
	put_stats(&w->b, &st);
	for (size_t i = 0; i < w->n_chunks; i++) {
		wr_be64(&w->b, w->chunks[i].offset);
		if (is_many)
			put_stats(&w->b, &w->chunks[i].st);
	}
}

static void put_node(struct buf *b, const char *key, uint64_t child, uint64_t end, uint8_t type)
{
	put_uvarint(b, 1);
	put_varstr(b, key);
	wr_be64(b, child);
	wr_be64(b, end);
	wr_u8(b, type);
}

static void put_index(struct writer *w, const char *device)
{
	uint64_t separator = at(w), node, metadata;

	wr_u8(&w->b, 0x02);
	put_series(w);
	node = at(w);
	put_node(&w->b, "s1", separator + 1, node, 3);
	metadata = at(w);
	put_node(&w->b, device, node, metadata, 1);
	wr_be64(&w->b, separator);
	/* A bloom filter with every bit set: "perhaps" to every question. */
	put_uvarint(&w->b, 32);
	for (int i = 0; i < 32; i++)
		wr_u8(&w->b, 0xff);
	put_uvarint(&w->b, 256);
	put_uvarint(&w->b, 5);
	put_be32(&w->b, (uint32_t)(at(w) - metadata));
	buf_adds(&w->b, "TsFile");
}

static int write_tsfile(struct writer *w, const char *device, uint64_t size, int64_t *first,
			int64_t *last)
{
	uint64_t rows_left = size > 300 ? (size - 300) * 129 / (129 * 8 + 24) + 1 : 1;
	int64_t time = *first;
	int r = 0;

	w->chunks = xcalloc(rows_left / CHUNK_ROWS + 2, sizeof *w->chunks);
	buf_adds(&w->b, "TsFile");
	wr_u8(&w->b, 3);
	wr_u8(&w->b, 0);
	put_varstr(&w->b, device);
	while (rows_left > 0 && r == 0) {
		uint64_t rows = rows_left < CHUNK_ROWS ? rows_left : CHUNK_ROWS;

		put_chunk(w, time, rows);
		time += (int64_t)rows * STEP_MS;
		rows_left -= rows;
		r = flush(w);
	}
	put_index(w, device);
	*last = time - STEP_MS;
	return r == 0 ? flush(w) : r;
}

/* iotdb-formats, section 3: version 1, device time index. */
static int write_resource(int dir, const char *name, const char *device, int64_t first,
			  int64_t last)
{
	char temp[FILEID_PATH_MAX + 16], final[FILEID_PATH_MAX + 16];
	CLEANUP(buf_release) struct buf b;
	CLEANUP_CLOSE int fd = -1;

	buf_init(&b, 4096);
	wr_u8(&b, 1);
	wr_u8(&b, 1);
	put_be32(&b, 1);
	wr_be64(&b, (uint64_t)first);
	wr_be64(&b, (uint64_t)last);
	put_be32(&b, (uint32_t)strlen(device));
	buf_adds(&b, device);
	put_be32(&b, 0);
	wr_be64(&b, (uint64_t)INT64_MIN);
	wr_be64(&b, (uint64_t)INT64_MAX);
	(void)snprintf(temp, sizeof temp, "%s.resource.temp", name);
	(void)snprintf(final, sizeof final, "%s.resource", name);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || file_pwrite(fd, buf_data(&b), b.len, 0) < 0)
		return -1;
	return renameat(dir, temp, dir, final);
}

static int make_one(const struct tsgen *g, int dir, uint64_t k)
{
	struct fileid id = g->id;
	struct writer w = { .fd = -1, .is_soft = g->is_soft, .random = (g->seed + k + 1) * 0x9e3779b97f4a7c15ull };
	char name[FILEID_PATH_MAX], device[DATABASE_MAX + 8];
	int64_t first, last = 0;
	int r;

	id.v += k;
	id.t += k;
	first = (int64_t)id.t;
	(void)fileid_name(&id, name);
	(void)snprintf(device, sizeof device, "%s.d1", id.database);
	buf_init(&w.b, 4u << 20);
	w.fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	r = w.fd < 0 ? -1 : write_tsfile(&w, device, g->size, &first, &last);
	if (w.fd >= 0 && close(w.fd) < 0)
		r = -1;
	buf_release(&w.b);
	free(w.chunks);
	return r < 0 ? r : write_resource(dir, name, device, (int64_t)id.t, last);
}

static uint64_t parse_size(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 10);

	return *end == 'K' ? v << 10 : *end == 'M' ? v << 20 : *end == 'G' ? v << 30 : v;
}

static int parse_arguments(struct tsgen *g, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "d:r:p:v:uzn:s:S:")) != -1) {
		if (c == 'd')
			(void)snprintf(g->id.database, sizeof g->id.database, "%s", optarg);
		else if (c == 'r')
			g->id.region = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'p')
			g->id.partition = strtoll(optarg, NULL, 10);
		else if (c == 'v')
			g->id.v = strtoull(optarg, NULL, 10);
		else if (c == 'u')
			g->id.unsequence = true;
		else if (c == 'z')
			g->is_soft = true;
		else if (c == 'n')
			g->n_files = strtoull(optarg, NULL, 10);
		else if (c == 's')
			g->size = parse_size(optarg);
		else if (c == 'S')
			g->seed = strtoull(optarg, NULL, 10);
		else
			return -1;
	}
	g->data_dir = argv[optind];
	return optind + 1 == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct tsgen g = { .id = { .database = "root.bench", .region = 1, .partition = 2817,
				   .t = 1704067200000, .v = 1 },
			   .size = 10240, .n_files = 1, .seed = 1 };
	char path[FILEID_PATH_MAX];
	CLEANUP_CLOSE int base = -1;
	CLEANUP_CLOSE int dir = -1;

	if (parse_arguments(&g, argc, argv) < 0) {
		(void)fprintf(stderr, "usage: tsgen [-d database] [-r region] [-p partition] "
				      "[-v version] [-u] [-z] [-n files] [-s bytes] [-S seed] data_dir\n");
		return 2;
	}
	g.id.t += g.id.v;
	(void)fileid_dir(&g.id, path);
	base = file_open_dir(g.data_dir);
	dir = base < 0 ? base : file_make_dirs(base, path, 0755);
	for (uint64_t k = 0; dir >= 0 && k < g.n_files; k++) {
		if (make_one(&g, dir, k) < 0) {
			perror("tsgen");
			return 1;
		}
	}
	if (dir < 0)
		(void)fprintf(stderr, "tsgen: %s/%s: %s\n", g.data_dir, path, err_words(-dir));
	return dir < 0 ? 1 : 0;
}
