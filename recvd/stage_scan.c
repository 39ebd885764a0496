#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "stage.h"
#include "stage_list.h"

/* What staging holds after a restart: half-received entries are read again and believed
 * block by block; everything that nobody explains goes. */

/* "<serial>-<serial>-0-0<suffix>": the serial and where the suffix begins. */
static int parse_name(const char *name, uint64_t *serial, const char **suffix)
{
	char again[STAGE_NAME_MAX];
	char *end;
	size_t n;

	if (*name < '1' || *name > '9')
		return -EINVAL;
	errno = 0;
	*serial = strtoull(name, &end, 10);
	if (errno)
		return -EINVAL;
	stage_name(*serial, "", again);
	n = strlen(again);
	if (strncmp(name, again, n) != 0)
		return -EINVAL;
	*suffix = name + n;
	return 0;
}

/* ---- reading half-received entries again ---- */

struct scan {
	struct stage *stage;
	const char *dir;
	uint64_t durable;
	const struct early *early; /* NULL: none */
	bool lists_only;	   /* the blocks are not read */
	uint64_t serials[STAGE_PARTIALS_MAX];
	size_t n;
};

/* Its files are the catalog's. */
static bool is_durable(const struct scan *s, uint64_t serial)
{
	return serial <= s->durable ||
	       (s->early && early_find(s->early, serial));
}

static int gather(void *arg, const char *name, unsigned char d_type)
{
	struct scan *s = arg;
	const char *suffix;
	uint64_t serial;

	(void)d_type;
	if (parse_name(name, &serial, &suffix) < 0 ||
	    strcmp(suffix, STAGE_LIST_SUFFIX) != 0)
		return 0;
	if (s->n < STAGE_PARTIALS_MAX)
		s->serials[s->n++] = serial;
	return 0;
}

struct source {
	int body_fd, mods_fd;
	uint64_t body_len;
};

static int read_payload(const struct source *src, uint8_t *p, size_t len,
			uint64_t offset)
{
	uint64_t body = src->body_len;
	size_t front =
		offset < body
			? (body - offset < len ? (size_t)(body - offset) : len)
			: 0;
	int r = front ? file_pread(src->body_fd, p, front, offset) : 0;

	if (r < 0 || front == len)
		return r;
	return file_pread(src->mods_fd, p + front, len - front,
			  offset + front - body);
}

/* Of blocks [from, end): those whose bytes are not what the list says are not there. How many
 * that were. */
static int verify(const struct source *src, struct stage_partial *p,
		  uint64_t from, uint64_t end)
{
	CLEANUP_FREE uint8_t *b = malloc(BLOCK_LEN);
	uint64_t len = entry_payload_len(&p->entry);
	int n_bad = 0;

	if (!b)
		return -ENOMEM;
	for (uint64_t i = from; i < end; i++) {
		uint32_t n = block_len(len, i);
		struct digest d;

		if (!p->present[i])
			continue;
		p->present[i] = read_payload(src, b, n, i * BLOCK_LEN) == 0;
		d = digest_block(b, n);
		if (!digest_equal(&d, &p->digests[i]))
			p->present[i] = 0;
		n_bad += !p->present[i];
	}
	return n_bad;
}

static void close_source(struct source *src)
{
	cleanup_close(&src->body_fd);
	cleanup_close(&src->mods_fd);
}

static int open_source(struct stage *s, const char *dir, struct source *src,
		       const struct entry *en)
{
	char body[STAGE_NAME_MAX], mods[STAGE_NAME_MAX];

	stage_body_name(en, body);
	stage_mods_name(en, mods);
	src->body_len = en->body_len;
	if (body[0])
		src->body_fd = stage_open_in(s, dir, body, O_RDONLY);
	if (mods[0])
		src->mods_fd = stage_open_in(s, dir, mods, O_RDONLY);
	return (body[0] && src->body_fd < 0) || (mods[0] && src->mods_fd < 0)
		       ? -EBADMSG
		       : 0;
}

static void partial_release(struct stage_partial *p)
{
	entry_release(&p->entry);
	free(p->present);
	free(p->digests);
	memset(p, 0, sizeof *p);
}

/* After a sync that failed, pages are clean that no disk has; who was killed in that moment
 * could not remove them. Clean ones are read from the disk again; dirty ones stay, and the
 * entry's own sync will tell of them. */
static void forget_cache(int fd)
{
	if (fd >= 0)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* One list and, unless the lists are enough, its bytes; anything that does not add up is
 * an error, and then the caller removes all of the serial. */
static int read_partial(struct scan *s, uint64_t serial,
			struct stage_partial *p)
{
	char name[STAGE_NAME_MAX];
	CLEANUP_CLOSE int list_fd = -1;
	CLEANUP(close_source) struct source src = {-1, -1, 0};
	int r;

	if (is_durable(s, serial))
		return -ESTALE;
	stage_name(serial, STAGE_LIST_SUFFIX, name);
	list_fd = stage_open_in(s->stage, s->dir, name, O_RDWR);
	if (list_fd < 0)
		return list_fd;
	r = stage_list_read(list_fd, p);
	if (r < 0)
		return r;
	if (p->entry.serial != serial)
		return -EBADMSG;
	r = open_source(s->stage, s->dir, &src, &p->entry);
	if (r < 0 || s->lists_only)
		return r;
	forget_cache(src.body_fd);
	forget_cache(src.mods_fd);
	return verify(&src, p, 0, p->n_blocks);
}

int stage_look(struct stage *s, const char *dir, struct stage_partial *p,
	       uint64_t from, uint64_t end, bool from_disk)
{
	CLEANUP(close_source) struct source src = {-1, -1, 0};
	int r = open_source(s, dir, &src, &p->entry);

	if (r < 0)
		return r;
	if (from_disk) {
		forget_cache(src.body_fd);
		forget_cache(src.mods_fd);
	}
	return verify(&src, p, from, end < p->n_blocks ? end : p->n_blocks);
}

static int by_serial(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The serials that have a list, ascending. */
static int gather_lists(struct scan *scan, struct err *e)
{
	CLEANUP_CLOSE int fd = file_open_beneath(scan->stage->fd, scan->dir,
						 O_RDONLY | O_DIRECTORY, 0);
	int r = fd < 0 ? fd : file_list(fd, gather, scan);

	if (r < 0 && r != -ENOENT)
		return err_set(e, -r, "reading staging directory %s: %s",
			       scan->dir, err_words(-r));
	qsort(scan->serials, scan->n, sizeof scan->serials[0], by_serial);
	return 0;
}

/* Of a durable entry only the list may go: a crash came before that was done. */
static void remove_partial(const struct scan *s, uint64_t serial)
{
	char name[STAGE_NAME_MAX];

	if (!is_durable(s, serial)) {
		stage_remove(s->stage, s->dir, serial);
		return;
	}
	stage_name(serial, STAGE_LIST_SUFFIX, name);
	stage_unlink_in(s->stage, s->dir, name);
}

static int run_scan(struct scan *scan, struct stage_partial **out, size_t *n,
		    struct err *e)
{
	int r = gather_lists(scan, e);

	*n = 0;
	*out = NULL;
	if (r < 0 || !scan->n)
		return r;
	*out = xcalloc(scan->n, sizeof **out);
	for (size_t i = 0; i < scan->n; i++) {
		struct stage_partial *p = &(*out)[*n];

		r = read_partial(scan, scan->serials[i], p);
		if (r >= 0) {
			(*n)++;
			continue;
		}
		partial_release(p);
		if (r != -ENOMEM)
			remove_partial(scan, scan->serials[i]);
	}
	return 0;
}

int stage_scan(struct stage *s, const char *dir, uint64_t durable,
	       const struct early *early, struct stage_partial **out, size_t *n,
	       struct err *e)
{
	struct scan scan = {
		.stage = s, .dir = dir, .durable = durable, .early = early};

	return run_scan(&scan, out, n, e);
}

int stage_lists(struct stage *s, const char *dir, uint64_t durable,
		const struct early *early, struct stage_partial **out,
		size_t *n, struct err *e)
{
	struct scan scan = {.stage = s,
			    .dir = dir,
			    .durable = durable,
			    .early = early,
			    .lists_only = true};

	return run_scan(&scan, out, n, e);
}

int stage_sweep(struct stage *s, const char *dir, uint64_t durable,
		const struct early *early, struct err *e)
{
	struct scan scan = {
		.stage = s, .dir = dir, .durable = durable, .early = early};
	int r = gather_lists(&scan, e);

	for (size_t i = 0; r >= 0 && i < scan.n; i++)
		remove_partial(&scan, scan.serials[i]);
	return r;
}

void stage_partials_free(struct stage_partial *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		partial_release(&p[i]);
	free(p);
}

/* ---- removing what nobody explains ---- */

struct clean {
	struct stage *stage;
	const char *dir;
	bool keep_partials;
	uint64_t durable;
	const uint64_t *files;
	size_t n_files;
	const struct stage_partial *partials;
	size_t n_partials;
	int n_removed;
};

static bool is_explained(const struct clean *c, const char *name)
{
	const char *suffix;
	uint64_t serial;

	if (parse_name(name, &serial, &suffix) < 0)
		return false;
	if (c->n_files && strcmp(suffix, STAGE_LIST_SUFFIX) != 0 &&
	    bsearch(&serial, c->files, c->n_files, sizeof serial, by_serial))
		return true;
	for (size_t i = 0; i < c->n_partials; i++)
		if (c->partials[i].entry.serial == serial)
			return true;
	return false;
}

static int clean_one(void *arg, const char *name, unsigned char d_type)
{
	struct clean *c = arg;

	(void)d_type;
	if (!is_explained(c, name)) {
		stage_unlink_in(c->stage, c->dir, name);
		c->n_removed++;
	}
	return 0;
}

int stage_clean(struct stage *s, const char *dir, bool keep_partials,
		uint64_t durable, const struct early *early,
		const uint64_t *files, size_t n_files, struct err *e)
{
	struct clean c = {
		.stage = s, .dir = dir, .files = files, .n_files = n_files};
	struct scan scan = {.stage = s,
			    .dir = dir,
			    .durable = durable,
			    .early = early,
			    .lists_only = true};
	struct stage_partial *partials = NULL;
	CLEANUP_CLOSE int fd =
		file_open_beneath(s->fd, dir, O_RDONLY | O_DIRECTORY, 0);
	int r = 0;

	if (fd == -ENOENT)
		return 0;
	if (keep_partials)
		r = run_scan(&scan, &partials, &c.n_partials, e);
	if (r < 0)
		return r;
	c.partials = partials;
	r = fd < 0 ? fd : file_list(fd, clean_one, &c);
	stage_partials_free(partials, c.n_partials);
	if (r < 0)
		return err_set(e, -r, "cleaning staging directory %s: %s", dir,
			       err_words(-r));
	return c.n_removed;
}

struct unknown {
	struct stage *stage;
	const char *const *known;
	size_t n;
	const char *parent; /* NULL at the top */
	int n_removed;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void remove_tree(struct stage *s, const char *dir)
{
	struct clean c = {.stage = s, .dir = dir};
	CLEANUP_CLOSE int fd =
		file_open_beneath(s->fd, dir, O_RDONLY | O_DIRECTORY, 0);

	if (fd >= 0)
		(void)!file_list(fd, clean_one, &c);
	(void)unlinkat(s->fd, dir, AT_REMOVEDIR);
}

static int second_level(void *arg, const char *name, unsigned char d_type)
{
	struct unknown *u = arg;
	char path[STAGE_DIR_MAX + STAGE_NAME_MAX + 256];
	const char *key = path;

	(void)snprintf(path, sizeof path, "%s/%s", u->parent, name);
	if (u->n && bsearch(&key, u->known, u->n, sizeof key, by_name))
		return 0;
	if (d_type == DT_DIR)
		remove_tree(u->stage, path);
	else
		(void)unlinkat(u->stage->fd, path, 0);
	u->n_removed++;
	return 0;
}

/* `instance` marks the directory as ours (statedir.h). */
static int first_level(void *arg, const char *name, unsigned char d_type)
{
	struct unknown *u = arg, below = *u;
	CLEANUP_CLOSE int fd = -1;
	int r;

	if (strcmp(name, "instance") == 0)
		return 0;
	if (d_type != DT_DIR) {
		(void)unlinkat(u->stage->fd, name, 0);
		u->n_removed++;
		return 0;
	}
	fd = file_open_beneath(u->stage->fd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	below.parent = name;
	r = file_list(fd, second_level, &below);
	u->n_removed = below.n_removed;
	(void)unlinkat(u->stage->fd, name, AT_REMOVEDIR); /* when empty */
	return r;
}

int stage_clean_unknown(struct stage *s, const char *const *known, size_t n,
			struct err *e)
{
	struct unknown u = {.stage = s, .known = known, .n = n};
	CLEANUP_CLOSE int fd =
		file_open_beneath(s->fd, ".", O_RDONLY | O_DIRECTORY, 0);
	int r = fd < 0 ? fd : file_list(fd, first_level, &u);

	if (r < 0)
		return err_set(e, -r, "cleaning staging directory %s: %s",
			       s->path, err_words(-r));
	return u.n_removed;
}
