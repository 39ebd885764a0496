/* The sweep compares two lists: the names in the spools, kept as one sorted array of
 * nonces (eight bytes each), and the entries of the catalog, streamed past it. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "domain/mods.h"
#include "ground/fileio.h"

#define SPOOL_NAME ".tsferry-spool"

static int add_volume(void *arg, int64_t id, const char *data_dir,
		      const char *spool_dir)
{
	struct spool *s = arg;
	struct volume *v;

	if (spool_volume(s, id) || s->n == VOLUMES_MAX)
		return 0;
	v = &s->volumes[s->n++];
	v->id = id;
	(void)snprintf(v->data_dir, sizeof(v->data_dir), "%s", data_dir);
	(void)snprintf(v->spool_dir, sizeof(v->spool_dir), "%s", spool_dir);
	return 0;
}

int spool_load(struct spool *s, const struct settings *set, struct outbox *o,
	       struct err *e)
{
	char dir[SPOOL_DIR_LEN];
	size_t i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < set->facts.n_dirs; i++) {
		const char *data_dir = set->facts.dirs[i];
		int64_t id;
		int r;

		if (access(data_dir, F_OK))
			return err_set(e, errno,
				       "data directory %s: %s (correct "
				       "data_dirs, or mount it first)",
				       data_dir, err_words(errno));
		if (set->spool_dir[0])
			(void)snprintf(dir, sizeof(dir), "%s", set->spool_dir);
		else
			(void)snprintf(dir, sizeof(dir), "%s/%s", data_dir,
				       SPOOL_NAME);
		r = outbox_volume(o, data_dir, dir, &id, e);
		if (r)
			return r;
		(void)add_volume(s, id, data_dir, dir);
	}
	s->n_configured = s->n;
	for (i = 0; i < s->n; i++)
		s->volumes[i].is_configured = true;
	return outbox_each_volume(o, add_volume, s, e);
}

const struct volume *spool_volume(const struct spool *s, int64_t id)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (s->volumes[i].id == id)
			return &s->volumes[i];
	}
	return NULL;
}

bool spool_is_data_dir(const struct volume *v)
{
	char path[DATA_DIR_LEN + 16];

	(void)snprintf(path, sizeof(path), "%s/sequence", v->data_dir);
	if (access(path, F_OK) == 0)
		return true;
	(void)snprintf(path, sizeof(path), "%s/unsequence", v->data_dir);
	return access(path, F_OK) == 0;
}

static int check_data_dir(const struct volume *v, struct err *e)
{
	struct stat st;

	if (stat(v->data_dir, &st))
		return err_set(e, errno, "data directory %s: %s", v->data_dir,
			       err_words(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR,
			       "data directory %s: expected a directory",
			       v->data_dir);
	return 0;
}

int spool_check(struct volume *v, const struct statedir *state, struct err *e)
{
	CLEANUP_CLOSE int fd = -1;
	struct stat st;
	int r = check_data_dir(v, e);

	if (r)
		return r;
	if (mkdir(v->spool_dir, 0700) && errno != EEXIST)
		return err_set(e, errno,
			       "spool %s: cannot be made: %s (let syncd write "
			       "there, or set spool_dir to a directory on the "
			       "same file system)",
			       v->spool_dir, err_words(errno));
	fd = file_open_dir(v->spool_dir);
	if (fd < 0)
		return err_set(e, -fd, "spool %s: %s", v->spool_dir,
			       err_words(-fd));
	r = statedir_match(state, fd, v->spool_dir, e);
	if (r)
		return r;
	if (fstat(fd, &st))
		return err_set(e, errno, "spool %s: %s", v->spool_dir,
			       err_words(errno));
	v->dev = st.st_dev;
	v->ino = st.st_ino;
	v->is_ready = true;
	return 0;
}

struct measuring {
	int fd;
	uint64_t bytes;
};

static int measure_one(void *arg, const char *name, unsigned char d_type)
{
	struct measuring *m = arg;
	struct stat st;

	(void)d_type;
	/* What is removed meanwhile holds nothing. */
	if (fstatat(m->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 1)
		m->bytes += (uint64_t)st.st_size;
	return 0;
}

#define LOOSE_CONSEQUENCE                                                 \
	"files are sent from IoTDB's own directory, and what it removes " \
	"before is a gap"

static int judge_bounds(struct volume *v, uint64_t max, uint64_t free_bytes,
			uint64_t min, struct err *e)
{
	uint64_t over = v->alone_bytes > max ? v->alone_bytes - max : 0;
	uint64_t lack = free_bytes < min ? min - free_bytes : 0;

	v->over_bytes = over > lack ? over : lack;
	/* Without what changes at every look: a note stands as long as its words. */
	if (over)
		return err_set(
			e, EDQUOT,
			"spool %s alone holds more than spool_max_bytes "
			"(%" PRIu64
			" MiB) that IoTDB has removed: " LOOSE_CONSEQUENCE
			" (bring the receiver back, or raise spool_max_bytes)",
			v->spool_dir, max >> 20);
	if (lack)
		return err_set(e, ENOSPC,
			       "less than spool_min_free (%" PRIu64
			       " MiB) is free on the file system of "
			       "%s: " LOOSE_CONSEQUENCE " (free some room)",
			       min >> 20, v->spool_dir);
	return 0;
}

int spool_measure(struct volume *v, const char *max_bytes, const char *min_free,
		  struct err *e)
{
	CLEANUP_CLOSE int fd = file_open_dir(v->spool_dir);
	struct measuring m = {.fd = fd};
	uint64_t free_bytes, total;
	int r = fd < 0 ? fd : file_space(fd, &free_bytes, &total);

	v->over_bytes = 0;
	if (r == 0)
		r = file_list(fd, measure_one, &m);
	if (r < 0)
		return err_set(e, -r, "spool %s: %s", v->spool_dir,
			       err_words(-r));
	v->alone_bytes = m.bytes;
	return judge_bounds(v, conf_share(max_bytes, total), free_bytes,
			    conf_share(min_free, total), e);
}

int spool_check_all(const struct spool *s, const struct statedir *state,
		    struct err *e)
{
	size_t i;

	for (i = 0; i < s->n_configured; i++) {
		struct volume v = s->volumes[i];

		if (spool_check(&v, state, e) == -ESTALE)
			return -ESTALE;
	}
	err_clear(e);
	return 0;
}

const char *spool_name(uint64_t nonce, enum mods_kind kind, char to[48])
{
	(void)snprintf(to, 48, "%016" PRIx64 ".tsfile%s", nonce,
		       mods_suffix(kind));
	return to;
}

const char *spool_path(const char *dir, uint64_t nonce, enum mods_kind kind,
		       char *to)
{
	char name[48];

	(void)snprintf(to, SPOOL_PATH_LEN, "%s/%s", dir,
		       spool_name(nonce, kind, name));
	return to;
}

void spool_unpin(const char *dir, uint64_t nonce)
{
	static const enum mods_kind kinds[] = {MODS_NONE, MODS_TEXT,
					       MODS_BINARY};

	char path[SPOOL_PATH_LEN];
	size_t i;

	/* What cannot be removed now is found by the next start's sweep. */
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		(void)unlink(spool_path(dir, nonce, kinds[i], path));
}

/* ---- the sweep ---- */

struct names {
	uint64_t *nonces; /* owned; bit set in `seen` once an entry has it */
	size_t n, cap;
};

static void release_names(struct names *l)
{
	free(l->nonces);
}

static bool parse_name(const char *name, uint64_t *nonce)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 16; i++) {
		const char *at = strchr("0123456789abcdef", name[i]);

		if (!name[i] || !at)
			return false;
		v = v << 4 | (uint64_t)(at - "0123456789abcdef");
	}
	*nonce = v;
	return strcmp(name + 16, ".tsfile") == 0 ||
	       strcmp(name + 16, ".tsfile.mods") == 0 ||
	       strcmp(name + 16, ".tsfile.mods2") == 0;
}

static int take_name(void *arg, const char *name, unsigned char d_type)
{
	struct names *l = arg;
	uint64_t nonce;

	(void)d_type;
	if (!parse_name(name, &nonce))
		return 0;
	if (array_room(&l->nonces, l->n, &l->cap, sizeof(*l->nonces)))
		return -ENOMEM;
	l->nonces[l->n++] = nonce;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void sift(uint64_t *v, size_t at, size_t n)
{
	uint64_t x = v[at];
	size_t child;

	while ((child = 2 * at + 1) < n) {
		child += child + 1 < n && v[child] < v[child + 1];
		if (v[child] <= x)
			break;
		v[at] = v[child];
		at = child;
	}
	v[at] = x;
}

/* In place: qsort(3) takes as much memory again, and the list of a long spool is the most that
 * a start takes. */
static void sort_nonces(uint64_t *v, size_t n)
{
	size_t i;

	for (i = n / 2; i-- > 0;)
		sift(v, i, n);
	for (i = n; i-- > 1;) {
		uint64_t x = v[0];

		v[0] = v[i];
		v[i] = x;
		sift(v, 0, i);
	}
}

struct sweeping {
	const struct spool *spool;
	struct names names;
	uint8_t *seen; /* owned; one per name */
	struct spool_sweep *out;
};

static void release_sweeping(struct sweeping *sw)
{
	release_names(&sw->names);
	free(sw->seen);
}

static int match_entry(void *arg, int64_t pipe, const struct outbox_gone *en)
{
	struct sweeping *sw = arg;
	const struct volume *v = spool_volume(sw->spool, en->volume);
	/* An empty spool has no list, which bsearch() must not be given. */
	const uint64_t *at =
		sw->names.n ? bsearch(&en->nonce, sw->names.nonces, sw->names.n,
				      sizeof(uint64_t), by_value)
			    : NULL;
	char path[SPOOL_PATH_LEN];

	if (at && en->is_loose && v)
		(void)unlink(
			spool_path(v->spool_dir, en->nonce, MODS_NONE, path));
	if (at) {
		sw->seen[at - sw->names.nonces] = 1;
	} else if (v && v->is_ready && !en->is_loose) {
		if (!sw->out->n_missing++) {
			sw->out->first_missing = *en;
			sw->out->first_missing_pipe = pipe;
		}
	}
	return 0;
}

/* Mods stand beside their file: the same nonce twice counts once. */
static void drop_duplicates(struct names *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (!n || l->nonces[n - 1] != l->nonces[i])
			l->nonces[n++] = l->nonces[i];
	}
	l->n = n;
}

static int list_spools(struct sweeping *sw, struct err *e)
{
	size_t i;

	for (i = 0; i < sw->spool->n; i++) {
		const struct volume *v = &sw->spool->volumes[i];
		CLEANUP_CLOSE int fd = -1;
		int r;

		if (!v->is_ready)
			continue;
		fd = file_open_dir(v->spool_dir);
		r = fd < 0 ? fd : file_list(fd, take_name, &sw->names);
		if (r < 0)
			return err_set(e, -r, "spool %s: %s", v->spool_dir,
				       err_words(-r));
	}
	sort_nonces(sw->names.nonces, sw->names.n);
	drop_duplicates(&sw->names);
	return 0;
}

static void remove_unseen(struct sweeping *sw)
{
	size_t i, k;

	for (i = 0; i < sw->names.n; i++) {
		if (sw->seen[i])
			continue;
		sw->out->n_removed++;
		for (k = 0; k < sw->spool->n; k++) {
			if (sw->spool->volumes[k].is_ready)
				spool_unpin(sw->spool->volumes[k].spool_dir,
					    sw->names.nonces[i]);
		}
	}
}

int spool_sweep(const struct spool *s, struct outbox_writer *w,
		struct spool_sweep *out, struct err *e)
{
	CLEANUP(release_sweeping) struct sweeping sw = {.spool = s, .out = out};
	int r;

	memset(out, 0, sizeof(*out));
	r = list_spools(&sw, e);
	if (r < 0)
		return r;
	sw.seen = calloc(sw.names.n + 1, 1);
	if (!sw.seen)
		return err_set(e, ENOMEM, "the spools hold too many files");
	r = outbox_each_pinned(w, match_entry, &sw, e);
	if (r == 0)
		remove_unseen(&sw);
	return r;
}
