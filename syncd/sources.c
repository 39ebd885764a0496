#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#include "domain/prefix.h"
#include "ground/fileio.h"
#include "spool.h"

#define LEVEL 3
#define WINDOW_LOG 21 /* a prefix of 1 MiB and a block */
#define LIST_MAX 4096u
#define NAME_MAX_LEN 255u

struct sources {
	struct prefix *prefix;
	struct fileid files[SOURCES_MAX];
	int fds[SOURCES_MAX];
	unsigned n;
	ZSTD_CCtx *zstd;
	uint8_t *bytes, *packed; /* HELD_PREFIX_MAX, BLOCK_LEN */
};

static const char *dir_of(const char *spool_dir, char to[SPOOL_PATH_LEN])
{
	(void)snprintf(to, SPOOL_PATH_LEN, "%s/sources", spool_dir);
	return to;
}

/* False: too long for a name. */
static bool name_of(const struct fileid *f, char to[NAME_MAX_LEN + 1])
{
	int n = snprintf(to, NAME_MAX_LEN + 1,
			 "%c,%" PRIu32 ",%" PRId64 ",%" PRIu64 "-%" PRIu64
			 "-%" PRIu64 "-%" PRIu64 ",%s",
			 f->unsequence ? 'u' : 's', f->region, f->partition,
			 f->t, f->v, f->i, f->c, f->database);

	return n > 0 && (unsigned)n <= NAME_MAX_LEN;
}

static bool parse_name(const char *name, struct fileid *f)
{
	char again[NAME_MAX_LEN + 1], space;
	int at = 0;

	memset(f, 0, sizeof(*f));
	if (sscanf(name,
		   "%c,%" SCNu32 ",%" SCNd64 ",%" SCNu64 "-%" SCNu64 "-%" SCNu64
		   "-%" SCNu64 ",%n",
		   &space, &f->region, &f->partition, &f->t, &f->v, &f->i,
		   &f->c, &at) != 7 ||
	    at == 0)
		return false;
	f->unsequence = space == 'u';
	(void)snprintf(f->database, sizeof(f->database), "%s", name + at);
	return name_of(f, again) && strcmp(again, name) == 0;
}

void sources_keep(const char *spool_dir, uint64_t nonce,
		  const struct fileid *file)
{
	char from[SPOOL_PATH_LEN], dir[SPOOL_PATH_LEN],
		to[SPOOL_PATH_LEN + NAME_MAX_LEN + 2], name[NAME_MAX_LEN + 1];

	if (name_of(file, name)) {
		(void)mkdir(dir_of(spool_dir, dir), 0700);
		(void)snprintf(to, sizeof(to), "%s/%s", dir, name);
		(void)rename(spool_path(spool_dir, nonce, MODS_NONE, from), to);
	}
	spool_unpin(spool_dir, nonce); /* what is left of it */
}

/* ---- the list ---- */

struct one {
	struct fileid file;
	uint64_t size;
};

struct list {
	int fd;
	const struct fileid *like; /* NULL: all */
	struct one *all;	   /* owned; LIST_MAX */
	size_t n;
};

static bool is_like(const struct fileid *a, const struct fileid *product)
{
	return strcmp(a->database, product->database) == 0 &&
	       a->region == product->region &&
	       a->partition == product->partition && a->t >= product->t &&
	       !fileid_equal(a, product);
}

static int add_name(void *arg, const char *name, unsigned char d_type)
{
	struct list *l = arg;
	struct one *x = &l->all[l->n];
	struct stat st;

	(void)d_type;
	if (!parse_name(name, &x->file) ||
	    (l->like && !is_like(&x->file, l->like)) ||
	    fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	x->size = (uint64_t)st.st_size;
	l->n++;
	return l->n == LIST_MAX;
}

static int older(const void *a, const void *b)
{
	const struct one *x = a, *y = b;

	return x->file.t < y->file.t ? -1 : x->file.t > y->file.t;
}

/* The oldest first. */
static void read_list(struct list *l)
{
	l->all = calloc(LIST_MAX, sizeof(*l->all));
	if (!l->all)
		return;
	(void)!file_list(l->fd, add_name, l);
	qsort(l->all, l->n, sizeof(*l->all), older);
}

void sources_trim(const char *spool_dir, uint64_t max_bytes)
{
	char dir[SPOOL_PATH_LEN], name[NAME_MAX_LEN + 1];
	CLEANUP_CLOSE int fd = file_open_dir(dir_of(spool_dir, dir));
	struct list l = {.fd = fd};
	uint64_t sum = 0;

	if (fd < 0)
		return;
	read_list(&l);
	for (size_t i = 0; i < l.n; i++)
		sum += l.all[i].size;
	for (size_t i = 0;
	     i < l.n && (sum > max_bytes || l.n - i > LIST_MAX / 2); i++) {
		if (name_of(&l.all[i].file, name))
			(void)unlinkat(fd, name, 0);
		sum -= l.all[i].size;
	}
	free(l.all);
}

/* ---- of one product ---- */

static void add_source(struct sources *s, int dir_fd, const struct one *x)
{
	char name[NAME_MAX_LEN + 1];
	struct err e = {0};
	int fd;

	if (!name_of(&x->file, name))
		return;
	fd = file_open_beneath(dir_fd, name, O_RDONLY, 0);
	if (fd < 0)
		return;
	/* One that is no TsFile has no part, and its number. */
	(void)!prefix_add_source(s->prefix, fd, x->size, &e);
	s->fds[s->n] = fd;
	s->files[s->n++] = x->file;
}

struct sources *sources_open(const char *spool_dir,
			     const struct fileid *product, int fd, uint64_t len)
{
	char dir[SPOOL_PATH_LEN];
	CLEANUP_CLOSE int dir_fd = file_open_dir(dir_of(spool_dir, dir));
	struct list l = {.fd = dir_fd, .like = product};
	struct sources *s;
	struct err e = {0};

	if (dir_fd < 0)
		return NULL;
	read_list(&l);
	s = xcalloc(1, sizeof(*s));
	if (l.n > 0 && prefix_new(&s->prefix, fd, len, &e) == 0)
		for (size_t i = 0; i < l.n && s->n < SOURCES_MAX; i++)
			add_source(s, dir_fd, &l.all[i]);
	free(l.all);
	if (s->n > 0) {
		s->zstd = ZSTD_createCCtx();
		s->bytes = malloc(HELD_PREFIX_MAX);
		s->packed = malloc(BLOCK_LEN);
	}
	if (s->zstd && s->bytes && s->packed)
		return s;
	sources_close(s);
	return NULL;
}

void sources_close(struct sources *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++)
		(void)close(s->fds[i]);
	prefix_free(s->prefix);
	(void)ZSTD_freeCCtx(s->zstd);
	free(s->bytes);
	free(s->packed);
	free(s);
}

static bool read_ranges(struct sources *s, const struct held_range *x,
			unsigned n, size_t *len)
{
	*len = 0;
	for (unsigned i = 0; i < n; i++) {
		if (file_pread(s->fds[x[i].file], s->bytes + *len, x[i].len,
			       x[i].offset) < 0)
			return false;
		*len += x[i].len;
	}
	return true;
}

uint32_t sources_squeeze(struct sources *s, uint64_t index, void *data,
			 uint32_t len, struct held_range ranges[SOURCES_MAX],
			 struct fileid files[SOURCES_MAX], uint8_t *n_ranges)
{
	struct held_range x[HELD_RANGES_MAX];
	unsigned n = prefix_ranges(s->prefix, index, x);
	size_t prefix_len, packed;

	if (n == 0 || n > SOURCES_MAX || !read_ranges(s, x, n, &prefix_len))
		return 0;
	(void)ZSTD_CCtx_reset(s->zstd, ZSTD_reset_session_and_parameters);
	(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_windowLog, WINDOW_LOG);
	(void)ZSTD_CCtx_refPrefix(s->zstd, s->bytes, prefix_len);
	packed = ZSTD_compress2(s->zstd, s->packed, len - len / 10, data, len);
	if (ZSTD_isError(packed))
		return 0;
	memcpy(data, s->packed, packed);
	for (unsigned i = 0; i < n; i++) {
		ranges[i] = x[i];
		files[i] = s->files[x[i].file];
		ranges[i].file = (uint8_t)i;
	}
	*n_ranges = (uint8_t)n;
	return (uint32_t)packed;
}
