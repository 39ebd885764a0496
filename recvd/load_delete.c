#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/records.h"
#include "domain/tsfile.h"
#include "ground/fileio.h"
#include "load_group.h"
#include "load_times.h"

/* DELETE and RESTATE as deletion records beside the files of a region. The form of a
 * file's records is the one it has; a file without any gets the form of its version,
 * because one that stands beside the other kind is ignored by some server. */

struct visit {
	struct archive *a;
	const struct load_job *j;
	uint32_t region;
	int64_t first, last;
	const struct buf *payload; /* of a DELETE */
	struct archive_group *group;
	const char *space;
	char dir[NAME_LEN_MAX + FILEID_PATH_MAX]; /* below the archive */
	int partition_fd;			  /* of it */
	struct err *e;
	enum job_result result; /* of what failed */
};

#define TSFILE ".tsfile"

/* Everything below a database. */
static int make_drop(const char *database, enum mods_kind kind, struct buf *out)
{
	char path[DATABASE_MAX + 8];
	int n = snprintf(path, sizeof path, "%s.**", database);
	int r = records_add(kind, path, (size_t)n, INT64_MIN, INT64_MAX, out);

	return r < 0 ? r : buf_end(out);
}

/* What the job adds to a file whose records are of a form. */
static int make_records(const struct visit *v, enum mods_kind kind,
			struct buf *out)
{
	const struct load_job *j = v->j;
	const char *devices = j->devices ? j->devices : "";
	const uint8_t *p = v->payload ? buf_data(v->payload) : NULL;
	size_t n = v->payload ? v->payload->len : 0;
	struct record rec;
	ssize_t len;

	if (j->kind == ENTRY_SCHEMA)
		return make_drop(j->file.database, kind, out);
	if (j->kind == ENTRY_DELETE) {
		while ((len = records_next(j->mods_kind, p, n, &rec)) > 0) {
			int r = records_add_clipped(&rec, j->time_min,
						    j->time_max, kind, out);

			if (r < 0)
				return r;
			p += len;
			n -= (size_t)len;
		}
		return len < 0 ? (int)len : buf_end(out);
	}
	while (*devices) {
		size_t one = strcspn(devices, "\n");
		char path[4096];
		int r = 0;

		(void)snprintf(path, sizeof path, "%.*s.*", (int)one, devices);
		if (one && one + 3 < sizeof path)
			r = records_add(kind, path, one + 2, j->time_min,
					j->time_max, out);
		if (r < 0)
			return r;
		devices += one + (devices[one] == '\n');
	}
	return buf_end(out);
}

static int kind_of_version(const struct visit *v, const char *file,
			   enum mods_kind *kind)
{
	CLEANUP_CLOSE int fd =
		file_open_beneath(v->partition_fd, file, O_RDONLY, 0);
	struct tsfile_ends ends;
	int r = fd < 0 ? fd : tsfile_read_ends(fd, &ends, NULL);

	if (r >= 0)
		*kind = ends.version >= 4 ? MODS_BINARY : MODS_TEXT;
	return r;
}

/* The records beside a file, and of which form; none: of its version's. */
static int read_beside(const struct visit *v, const char *file,
		       enum mods_kind *kind, struct buf *out)
{
	static const enum mods_kind kinds[] = {MODS_TEXT, MODS_BINARY};

	char name[300];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int r;

		(void)snprintf(name, sizeof name, "%.280s%s", file,
			       mods_suffix(kinds[i]));
		r = file_read_all(v->partition_fd, name, out);
		if (r == -ENOENT)
			continue;
		*kind = kinds[i];
		return r;
	}
	return kind_of_version(v, file, kind);
}

static bool ends_with(const struct buf *all, const struct buf *tail)
{
	return all->len >= tail->len &&
	       memcmp(buf_data(all) + all->len - tail->len, buf_data(tail),
		      tail->len) == 0;
}

static int add_beside(const struct visit *v, const char *file)
{
	CLEANUP(buf_release) struct buf all, more;
	enum mods_kind kind = MODS_TEXT;
	char name[300];
	int r;

	buf_init(&all, MODS_MAX);
	buf_init(&more, MODS_MAX);
	r = read_beside(v, file, &kind, &all);
	if (r >= 0)
		r = make_records(v, kind, &more);
	if (r < 0 || !more.len || ends_with(&all, &more))
		return r;
	buf_add(&all, buf_data(&more), more.len);
	r = buf_end(&all);
	(void)snprintf(name, sizeof name, "%.280s%s", file, mods_suffix(kind));
	return r < 0 ? r
		     : group_add(v->group, v->dir, name, buf_data(&all),
				 all.len);
}

static int each_file(void *arg, const char *name, unsigned char d_type)
{
	struct visit *v = arg;
	struct fileid id;
	int r;

	(void)d_type;
	if (fileid_parse_name(&id, name) < 0)
		return 0;
	r = times_may_overlap(v->a->times, v->partition_fd, name, v->first,
			      v->last);
	if (r > 0)
		r = add_beside(v, name);
	if (r < 0)
		v->result = archive_failed(r, name, v->e);
	return r;
}

static int each_partition(void *arg, const char *name, unsigned char d_type)
{
	struct visit *v = arg, below = *v;
	CLEANUP_CLOSE int fd = -1;
	int64_t partition;
	int r;

	if (d_type != DT_DIR || fileid_parse_partition(&partition, name) < 0)
		return 0;
	fd = file_open_beneath(v->partition_fd, name, O_RDONLY | O_DIRECTORY,
			       0);
	if (fd < 0)
		return fd;
	if ((size_t)snprintf(below.dir, sizeof below.dir, "%s/%s", v->dir,
			     name) >= sizeof below.dir)
		return -ENAMETOOLONG;
	below.partition_fd = fd;
	r = file_list(fd, each_file, &below);
	v->result = below.result;
	return r;
}

static int each_space(struct visit *v, const char *space)
{
	const struct load_job *j = v->j;
	CLEANUP_CLOSE int fd = -1;

	(void)snprintf(v->dir, sizeof v->dir, "%s/%s/%s/%u", j->sender,
		       j->file.database, space, v->region);
	fd = file_open_beneath(v->a->fd, v->dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	v->partition_fd = fd;
	return file_list(fd, each_partition, v);
}

static enum job_result read_payload(const struct load_job *j,
				    struct buf *payload, struct err *e)
{
	size_t whole = 0;
	struct err why = {0};
	int r = file_read_all(AT_FDCWD, j->path, payload);

	if (r < 0)
		return archive_failed(r, j->path, e);
	r = mods_whole(j->mods_kind, buf_data(payload), payload->len, &whole,
		       &why);
	if (r >= 0 && whole == payload->len)
		return JOB_APPLIED;
	(void)err_set(e, EBADMSG, "the deletion records are not whole: %s",
		      r < 0 ? why.text : "the last one is torn");
	return JOB_QUARANTINE;
}

/* r: what writing them came to. */
static enum job_result end_group(struct visit *v, int r)
{
	if (r < 0)
		return v->result != JOB_NONE
			       ? v->result
			       : archive_failed(r, "listing files", v->e);
	r = group_end(v->group);
	return r < 0 ? archive_failed(r, "the deletions beside its files", v->e)
		     : JOB_APPLIED;
}

enum job_result archive_delete(struct archive *a, const struct load_job *j,
			       struct err *e)
{
	CLEANUP(buf_release) struct buf payload;
	CLEANUP(group_release) struct archive_group group = {.a = a};
	struct visit v = {.a = a,
			  .j = j,
			  .region = j->file.region,
			  .first = j->time_min,
			  .last = j->time_max,
			  .payload = &payload,
			  .group = &group,
			  .e = e,
			  .result = JOB_NONE};
	int r;

	buf_init(&payload, MODS_MAX);
	if (j->kind == ENTRY_RESTATE && j->devices && *j->devices &&
	    !database_is_tree(j->file.database)) {
		(void)err_set(e, ENOTSUP,
			      "database %s is one of tables, where a list of "
			      "devices does not tell tags apart (SKIP it: the "
			      "files behind it are applied, and rows that are "
			      "gone at the edge stay here)",
			      j->file.database);
		return JOB_QUARANTINE;
	}
	if (j->kind == ENTRY_DELETE) {
		enum job_result result = read_payload(j, &payload, e);

		if (result != JOB_APPLIED)
			return result;
	}
	if (!a->times)
		a->times = times_new();
	r = each_space(&v, "sequence");
	if (r >= 0)
		r = each_space(&v, "unsequence");
	return end_group(&v, r);
}

/* ---- a whole database ---- */

static int each_region(void *arg, const char *name, unsigned char d_type)
{
	struct visit *v = arg;
	char *end;
	unsigned long region = strtoul(name, &end, 10);

	if (d_type != DT_DIR || end == name || *end || region > UINT32_MAX)
		return 0;
	v->region = (uint32_t)region;
	return each_space(v, v->space);
}

static int drop_space(struct visit *v, const char *space)
{
	char path[NAME_LEN_MAX + FILEID_PATH_MAX];
	CLEANUP_CLOSE int fd = -1;

	(void)snprintf(path, sizeof path, "%s/%s/%s", v->j->sender,
		       v->j->file.database, space);
	fd = file_open_beneath(v->a->fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT)
		return 0;
	v->space = space;
	return fd < 0 ? fd : file_list(fd, each_region, v);
}

enum job_result archive_drop(struct archive *a, const struct load_job *j,
			     struct err *e)
{
	CLEANUP(group_release) struct archive_group group = {.a = a};
	struct visit v = {.a = a,
			  .j = j,
			  .first = INT64_MIN,
			  .last = INT64_MAX,
			  .group = &group,
			  .e = e,
			  .result = JOB_NONE};
	int r;

	if (!a->times)
		a->times = times_new();
	r = drop_space(&v, "sequence");
	if (r >= 0)
		r = drop_space(&v, "unsequence");
	return end_group(&v, r);
}
