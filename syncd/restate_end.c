/* How far behind a partition's last row no row of another partition can be. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "domain/fileid.h"
#include "follow.h"
#include "overlap.h"
#include "restate.h"

#define UNREAD_MAX 256	  /* files that are looked at for it */
#define STANDING_MAX 4096 /* of the next partition's directories */
#define STANDING_PATH ((int)(2 * FILEID_PATH_MAX + DATA_DIR_LEN))

struct ending {
	struct listing *l;
	int64_t pipe;
	int64_t last;
	bool is_unclear;
};

static void end_before(struct ending *e, const struct tsfile_range *range)
{
	if (range->any && range->first <= range->last &&
	    range->first != INT64_MIN && range->first - 1 < e->last)
		e->last = range->first - 1;
}

/* One that nobody surveyed yet is asked, or its pin. */
static void look_at(struct ending *e, const struct known_file *k,
		    uint32_t region, int64_t partition)
{
	struct living f = k->f;
	CLEANUP_CLOSE int fd = follow_open_in(e->l, region, partition, &f);
	const struct tsfile_visit nobody = {.arg = NULL};
	struct tsfile_index index = {.version = 0};

	if (fd < 0 && !k->is_derived)
		fd = restate_open_pin(e->l, e->pipe, k->serial);
	if (fd < 0 || tsfile_index_read(fd, &nobody, &index, NULL))
		e->is_unclear = true;
	else
		end_before(e, &index.range);
}

/* ---- the next partition, as it stands ---- */

/* Files of a compaction are forgotten before its product is captured, so that the catalog may
 * lack the first rows of the next partition for a moment. */
struct standing {
	struct ending *e;
	bool has_next;
	int64_t next; /* the nearest later partition that has sealed files */
	bool is_read; /* second pass: its files are */
	size_t n;
};

static bool join(char to[STANDING_PATH], const char *dir, const char *name,
		 size_t len)
{
	int n = snprintf(to, STANDING_PATH, "%s/%.*s", dir, (int)len, name);

	return n > 0 && n < STANDING_PATH;
}

static void read_standing(struct standing *s, const char *dir, const char *name)
{
	const struct tsfile_visit nobody = {.arg = NULL};
	struct tsfile_index index = {.version = 0};
	char path[STANDING_PATH];
	CLEANUP_CLOSE int fd = -1;

	if (s->n++ >= STANDING_MAX ||
	    !join(path, dir, name, strlen(name) - strlen(".resource"))) {
		s->e->is_unclear = true;
		return;
	}
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return; /* gone meanwhile: what it became was there, or is new */
	if (fd < 0 || tsfile_index_read(fd, &nobody, &index, NULL))
		s->e->is_unclear = true;
	else
		end_before(s->e, &index.range);
}

static bool is_sealed_name(const char *name)
{
	const char *end = strstr(name, ".tsfile.resource");

	return end && strcmp(end, ".tsfile.resource") == 0;
}

static void look_into(struct standing *s, const char *dir, int64_t partition)
{
	DIR *d = opendir(dir);
	struct dirent *one;

	while (d && (one = readdir(d))) {
		if (!is_sealed_name(one->d_name))
			continue;
		if (s->is_read) {
			read_standing(s, dir, one->d_name);
			continue;
		}
		s->has_next = true;
		s->next = partition;
		break;
	}
	if (d)
		(void)closedir(d);
}

static void look_at_region(struct standing *s, const char *dir)
{
	DIR *d = opendir(dir);
	char path[STANDING_PATH];
	struct dirent *one;
	int64_t partition;

	while (d && (one = readdir(d))) {
		if (fileid_parse_partition(&partition, one->d_name) ||
		    partition <= s->e->l->partition ||
		    (s->is_read ? partition != s->next
				: s->has_next && partition >= s->next))
			continue;
		if (join(path, dir, one->d_name, strlen(one->d_name)))
			look_into(s, path, partition);
	}
	if (d)
		(void)closedir(d);
}

static void look_at_space(struct standing *s, const char *data_dir,
			  const char *space)
{
	char path[STANDING_PATH], region_path[STANDING_PATH];
	struct dirent *one;
	uint32_t region;
	DIR *d;
	const int n = snprintf(path, sizeof(path), "%s/%s/%s", data_dir, space,
			       s->e->l->database);

	if (n < 0 || n >= STANDING_PATH)
		return;
	d = opendir(path);
	while (d && (one = readdir(d))) {
		if (fileid_parse_region(&region, one->d_name))
			continue;
		if (join(region_path, path, one->d_name, strlen(one->d_name)))
			look_at_region(s, region_path);
	}
	if (d)
		(void)closedir(d);
}

static void look_at_standing(struct ending *e)
{
	struct standing s = {.e = e};
	size_t i;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < e->l->n_data_dirs; i++) {
			look_at_space(&s, e->l->data_dirs[i], "sequence");
			look_at_space(&s, e->l->data_dirs[i], "unsequence");
		}
		if (!s.has_next)
			return;
		s.is_read = true;
	}
}

int restate_end(struct listing *l, int64_t pipe, int64_t *last)
{
	struct ending e = {.l = l, .pipe = pipe, .last = INT64_MAX};
	sqlite3_stmt *st = l->db->later;
	struct known_file k;
	size_t n = 0;
	int r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_text(st, 2, l->database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, l->partition);
	while ((r = db_row(&l->db->db, st, &l->err)) == 1) {
		known_row(st, &k);
		if (k.range.any)
			end_before(&e, &k.range);
		else if (n++ < UNREAD_MAX)
			look_at(&e, &k,
				(uint32_t)sqlite3_column_int64(st, KNOWN_N),
				sqlite3_column_int64(st, KNOWN_N + 1));
	}
	if (r >= 0)
		look_at_standing(&e);
	*last = e.last;
	return r < 0 ? r : !e.is_unclear && n <= UNREAD_MAX;
}
