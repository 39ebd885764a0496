#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "ground/fileio.h"

/* statfs(2) names these; they deliver no events for what another host does. */
static const uint32_t network_types[] = {
	0x6969,	    /* NFS */
	0xff534d42, /* CIFS */
	0xfe534d42, /* SMB2 */
	0x01021997, /* 9P */
	0x65735546, /* FUSE, virtiofs among them */
	0x00c36400, /* Ceph */
	0x794c7630, /* overlay */
};

/* Where the walk stands: one level of names, of which `path` is the directory. */
enum level {
	LEVEL_SPACE,
	LEVEL_DATABASE,
	LEVEL_REGION,
	LEVEL_PARTITION
};

struct step {
	struct walk *w;
	struct watch_dir
		at; /* what is known of the level so far; nothing owned */
	enum level level;
	const char *path;
	int result;
};

static struct watch_dir *add_dir(struct walk *w)
{
	if (array_room(&w->dirs, w->n_dirs, &w->cap, sizeof(*w->dirs)))
		return NULL;
	return &w->dirs[w->n_dirs++];
}

struct mods_look {
	int fd;
	uint64_t sum;
};

static int set_watch(struct walk *w, const char *path, bool is_partition)
{
	int wd = w->inotify_fd < 0
			 ? -ENOSPC
			 : watch_add(w->inotify_fd, path, is_partition);

	if (wd == -ENOSPC)
		w->is_limit_reached = true;
	return wd < 0 ? -1 : wd;
}

/* Appending to a deletion file changes no directory. */
static int add_mods(void *arg, const char *name, unsigned char d_type)
{
	struct mods_look *look = arg;
	const char *p = strstr(name, ".tsfile.mods");
	struct stat st;
	uint64_t h;

	(void)d_type;
	if (!p || fstatat(look->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	h = (uint64_t)st.st_ino * 0x9e3779b97f4a7c15ull ^
	    (uint64_t)st.st_size * 0xbf58476d1ce4e5b9ull ^
	    ((uint64_t)st.st_mtim.tv_sec * 1000000000ull +
	     (uint64_t)st.st_mtim.tv_nsec);
	h *= 0x94d049bb133111ebull;
	look->sum += h ^ h >> 31;
	return 0;
}

static uint64_t stamp_mods(const char *path)
{
	CLEANUP_CLOSE int fd = file_open_dir(path);
	struct mods_look look = {.fd = fd, .sum = 1};

	if (fd < 0 || file_list(fd, add_mods, &look) < 0)
		return 0;
	return look.sum ? look.sum : 1;
}

static int keep_dir(struct walk *w, const struct watch_dir *at,
		    const char *path, bool is_partition)
{
	struct watch_dir *d = add_dir(w);

	if (!d)
		return -ENOMEM;
	*d = *at;
	d->is_partition = is_partition;
	d->database = is_partition ? xstrdup(at->database) : NULL;
	d->wd = set_watch(w, path, is_partition);
	if (is_partition && (d->wd < 0 || w->is_network || w->looks_at_mods))
		d->mods_stamp = stamp_mods(path);
	return 0;
}

static int walk_dir(struct walk *w, const struct watch_dir *at,
		    enum level level, const char *path);

static int keep_partition(struct step *s, struct watch_dir *at,
			  const char *name, const char *path)
{
	struct stat st;

	if (fileid_parse_partition(&at->partition, name))
		return 0;
	if (stat(path, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			return 0;
		at->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000ll +
			       st.st_mtim.tv_nsec;
	} else if (errno == ENOENT || errno == ENOTDIR) {
		return 0;
	}
	/* What cannot be looked at is not gone: its listing will say why. */
	return keep_dir(s->w, at, path, true);
}

static int take_name(void *arg, const char *name, unsigned char d_type)
{
	struct step *s = arg;
	struct watch_dir at = s->at;
	char database[DATABASE_MAX + 1], path[1024];
	int n = snprintf(path, sizeof(path), "%s/%s", s->path, name);

	if (n >= (int)sizeof(path) ||
	    (d_type != DT_DIR && d_type != DT_UNKNOWN))
		return 0;
	switch (s->level) {
	case LEVEL_SPACE:
		at.unsequence = strcmp(name, "unsequence") == 0;
		if (!at.unsequence && strcmp(name, "sequence") != 0)
			return 0;
		return walk_dir(s->w, &at, LEVEL_DATABASE, path);
	case LEVEL_DATABASE:
		if (database_check(name, NULL) || database_is_internal(name))
			return 0;
		(void)snprintf(database, sizeof(database), "%s", name);
		at.database = database;
		return walk_dir(s->w, &at, LEVEL_REGION, path);
	case LEVEL_REGION:
		if (fileid_parse_region(&at.region, name))
			return 0;
		return walk_dir(s->w, &at, LEVEL_PARTITION, path);
	case LEVEL_PARTITION:
		return keep_partition(s, &at, name, path);
	}
	return 0;
}

/* Watch first, then list: what appears in between is seen twice, not never. */
static int walk_dir(struct walk *w, const struct watch_dir *at,
		    enum level level, const char *path)
{
	struct step s = {.w = w, .at = *at, .level = level, .path = path};
	CLEANUP_CLOSE int fd = -1;
	int r = keep_dir(w, at, path, false);

	if (r)
		return r;
	fd = file_open_dir(path);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	r = fd < 0 ? fd : file_list(fd, take_name, &s);
	if (r < 0 && !w->list.sys)
		(void)err_set(&w->list, -r,
			      "%s cannot be listed: %s (run syncd as IoTDB's "
			      "own user)",
			      path, err_words(-r));
	return r == -ENOMEM ? r : 0;
}

static void note_type(struct walk *w, const char *path)
{
	struct statfs fs;
	size_t i;

	if (statfs(path, &fs))
		return;
	for (i = 0; i < ARRAY_LEN(network_types); i++) {
		if ((uint32_t)fs.f_type == network_types[i])
			w->is_network = true;
	}
}

/* Before a spool is made where the disk's own will stand. A new IoTDB's directory is as
 * empty, but then nothing is known. */
static bool is_unmounted(struct walk *w, struct volume *v)
{
	bool is_empty = !spool_is_data_dir(v);

	v->is_used |= !is_empty || w->has_known;
	if (!is_empty || !v->is_used || access(v->data_dir, F_OK))
		return false;
	(void)err_set(&w->away, ENOENT,
		      "data directory %s: has neither sequence nor unsequence, "
		      "so its disk is taken for unmounted, and nothing of it "
		      "for gone (mount it, or take it out of data_dirs)",
		      v->data_dir);
	return true;
}

static void walk_volume(struct walk *w, size_t i)
{
	struct volume *v = &w->volumes[i];
	struct watch_dir at = {.wd = -1, .volume = (uint8_t)i};
	struct err e = {0};
	int r;

	v->is_ready = false;
	if (is_unmounted(w, v)) {
		w->n_away++;
		return;
	}
	r = spool_check(v, w->state, &e);
	if (access(v->data_dir, F_OK)) {
		w->n_away++;
		w->away = e;
		return;
	}
	if (r)
		w->spool = e;
	else if (spool_measure(v, w->spool_max_bytes, w->spool_min_free,
			       &w->over[i]) &&
		 !v->over_bytes)
		w->spool = w->over[i];
	note_type(w, v->data_dir);
	if (walk_dir(w, &at, LEVEL_SPACE, v->data_dir))
		(void)err_set(&w->list, ENOMEM, "%s: too many directories",
			      v->data_dir);
}

/* After a start: a partition that went while nobody looked is still to be listed, so
 * that what is known of it can be forgotten. */
static void add_known(struct walk *w)
{
	struct watch_dir at = {.wd = -1, .is_partition = true};
	char database[DATABASE_MAX + 1];
	sqlite3_stmt *st;

	if (db_prepare(&w->known->db, &st,
		       "SELECT DISTINCT database, region, partition FROM known",
		       NULL))
		return;
	while (db_row(&w->known->db, st, NULL) == 1) {
		struct watch_dir *d;

		if (db_text(st, 0, database, sizeof(database)))
			continue;
		d = add_dir(w);
		if (!d)
			break;
		*d = at;
		d->database = xstrdup(database);
		d->region = (uint32_t)sqlite3_column_int64(st, 1);
		d->partition = sqlite3_column_int64(st, 2);
	}
	(void)sqlite3_finalize(st);
}

/* A catalog that cannot be read now may know something. */
static bool has_known(struct walk *w)
{
	sqlite3_stmt *st;
	bool has;

	if (db_prepare(&w->known->db, &st, "SELECT 1 FROM known LIMIT 1", NULL))
		return true;
	has = db_row(&w->known->db, st, NULL) != 0;
	(void)sqlite3_finalize(st);
	return has;
}

void walk_run(struct job *j)
{
	struct walk *w = CONTAINER_OF(j, struct walk, job);
	size_t i;

	w->has_known = w->known && has_known(w);
	for (i = 0; i < w->n_volumes; i++)
		walk_volume(w, i);
	if (w->known)
		add_known(w);
}

void walk_release(struct walk *w)
{
	size_t i;

	for (i = 0; i < w->n_dirs; i++)
		free(w->dirs[i].database);
	free(w->dirs);
	w->dirs = NULL;
	w->n_dirs = w->cap = 0;
}
