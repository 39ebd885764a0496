#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "domain/records.h"
#include "domain/tsfile_index.h"
#include "iotdb_sql.h"
#include "load_iotdb.h"

/* Deletion records of 1.x hold for the chunks that begin before their offset; 2.x takes
 * them for the whole file (iotdb-observed, section 3). That is the same, unless a later chunk
 * has rows of the same series in the same times. */

#define PATH_ROOM 70000u

struct later {
	const struct load_job *j;
	const struct buf *records;
	struct buf path;
	struct record *
		found; /* borrowed; the record that a later chunk would suffer from */
};

static bool is_partial(const struct load_job *j, const struct record *rec)
{
	return rec->path && rec->offset > 0 &&
	       (uint64_t)rec->offset < j->length;
}

/* Whether a record is about a series. In doubt it is: for wildcards inside of a name. */
static bool is_about(struct later *l, const struct record *rec,
		     const struct tsfile_device *d,
		     const struct tsfile_series *s)
{
	struct sql_node nodes[SQL_NODES_MAX];
	const struct sql_node *last;
	int n;

	buf_clear(&l->path);
	n = sql_clip(rec->path, rec->path_len, d->path, d->path_len, false,
		     &l->path);
	if (n == 0)
		return false;
	n = n < 0 ? n
		  : sql_nodes(buf_str(&l->path), strlen(buf_str(&l->path)),
			      nodes);
	if (n < 1)
		return true;
	last = &nodes[n - 1];
	return sql_is_wildcard(last) ||
	       (last->n == s->name_len &&
		memcmp(last->p, s->name, last->n) == 0);
}

static int see_chunk(void *arg, const struct tsfile_device *d,
		     const struct tsfile_series *s,
		     const struct tsfile_chunk *c)
{
	struct later *l = arg;
	const uint8_t *p = buf_data(l->records);
	size_t n = l->records->len;
	struct record rec;
	ssize_t len;

	if (s->is_time || !c->range.any)
		return 0;
	for (; (len = records_next(l->j->mods_kind, p, n, &rec)) > 0;
	     p += len, n -= (size_t)len) {
		if (!is_partial(l->j, &rec) ||
		    c->offset < (uint64_t)rec.offset ||
		    c->range.first > rec.end || c->range.last < rec.start ||
		    !is_about(l, &rec, d, s))
			continue;
		*l->found = rec;
		return 1;
	}
	return 0;
}

/* Series come only with a callback of theirs. */
static int see_series(void *arg, const struct tsfile_device *d,
		      const struct tsfile_series *s)
{
	(void)arg;
	(void)d;
	(void)s;
	return 0;
}

static bool has_partial(const struct load_job *j, const struct buf *records)
{
	const uint8_t *p = buf_data(records);
	size_t n = records->len;
	struct record rec;
	ssize_t len;

	for (; (len = records_next(j->mods_kind, p, n, &rec)) > 0;
	     p += len, n -= (size_t)len)
		if (is_partial(j, &rec))
			return true;
	return false;
}

int iotdb_check_offsets(const struct load_job *j, const struct buf *records,
			struct err *e)
{
	CLEANUP_CLOSE int fd = -1;
	struct record found;
	struct later l = {.j = j, .records = records, .found = &found};
	struct tsfile_visit visit = {
		.series = see_series, .chunk = see_chunk, .arg = &l};
	struct tsfile_index index;
	int r;

	if (!has_partial(j, records))
		return 0;
	fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(e, errno, "%s: %s", j->path, err_words(errno));
	buf_init(&l.path, PATH_ROOM);
	r = tsfile_index_read(fd, &visit, &index, e);
	buf_release(&l.path);
	if (r <= 0)
		return r;
	return err_set(e, ENOTSUP,
		       "the deletion of %.*s beside the file holds for its "
		       "first part only (offset %lld), and what stands behind "
		       "it has such rows too, which IoTDB 2 cannot tell apart "
		       "(delete those rows at the server, then SKIP it; or "
		       "load the file by hand)",
		       (int)(found.path_len < 200 ? found.path_len : 200),
		       found.path, (long long)found.offset);
}
