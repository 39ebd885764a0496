#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "domain/records.h"
#include "domain/tsfile.h"
#include "domain/tsfile_index.h"
#include "ground/fileio.h"
#include "iotdb_sql.h"
#include "load_iotdb.h"

/* What a version of the server would take with "200" and get wrong (iotdb-observed, section
 * 3): files of format 3 whose devices 2.x does not find, and deletion records of the other
 * form or with an offset. */

/* ---- devices ---- */

struct order {
	char last[TSFILE_NAME_MAX + 1];
	size_t last_n;
	bool is_broken;
};

static int compare_device(void *arg, const struct tsfile_device *d)
{
	struct order *o = arg;

	if (o->last_n && sql_compare_segments(o->last, o->last_n, d->path,
					      d->path_len) >= 0) {
		o->is_broken = true;
		return 1;
	}
	memcpy(o->last, d->path, d->path_len);
	o->last_n = d->path_len;
	return 0;
}

/* Whether the devices of a file of format 3 stand in another order than 2.x looks for
 * them in. */
static int is_misordered(const char *path, bool *out, struct err *e)
{
	CLEANUP_FREE struct order *o = calloc(1, sizeof *o);
	struct tsfile_visit visit = {.device = compare_device, .arg = o};
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct tsfile_index index;
	struct tsfile_ends ends;
	int r = fd < 0 ? -errno : 0;

	*out = false;
	if (!o)
		return err_set(e, ENOMEM, "no memory");
	if (r < 0)
		return err_set(e, -r, "%s: %s", path, err_words(-r));
	r = tsfile_read_ends(fd, &ends, e);
	if (r < 0 || ends.version >= 4)
		return r;
	r = tsfile_index_read(fd, &visit, &index, e);
	*out = o->is_broken;
	return r < 0 ? r : 0;
}

/* ---- deletion records ---- */

static int refuse(struct err *e, const struct record *rec, const char *why)
{
	return err_set(e, ENOTSUP, "the deletion of %.*s beside the file %s",
		       (int)(rec->path_len < 200 ? rec->path_len : 200),
		       rec->path, why);
}

/* One record in the form that this version reads. */
static int add_record(const struct record *rec, struct iotdb_care *care,
		      struct err *e)
{
	int r = records_add_clipped(rec, INT64_MIN, INT64_MAX, care->kind,
				    &care->mods);

	if (r == -ENOTSUP)
		return refuse(e, rec,
			      "is about a table, which IoTDB 1 does not know");
	return r;
}

static int rewrite(unsigned version, const struct load_job *j,
		   struct iotdb_care *care, struct err *e)
{
	CLEANUP(buf_release) struct buf records;
	const uint8_t *p;
	struct record rec;
	ssize_t len;
	size_t n;
	int r;

	buf_init(&records, MODS_MAX);
	r = file_read_all(AT_FDCWD, j->mods_path, &records);
	if (r < 0)
		return err_set(e, -r, "%s: %s", j->mods_path, err_words(-r));
	if (version >= IOTDB_2_0)
		r = iotdb_check_offsets(j, &records, e);
	p = buf_data(&records);
	n = records.len;
	while (r >= 0 && (len = records_next(j->mods_kind, p, n, &rec)) != 0) {
		r = len < 0 ? (int)len : add_record(&rec, care, e);
		p += len;
		n -= len < 0 ? 0 : (size_t)len;
	}
	return r < 0 ? r : buf_end(&care->mods);
}

enum job_result iotdb_look(unsigned version, const struct load_job *j,
			   struct iotdb_care *care, struct err *e)
{
	enum mods_kind kind = version >= IOTDB_2_0 ? MODS_BINARY : MODS_TEXT;
	int r = 0;

	if (version >= IOTDB_2_0)
		r = is_misordered(j->path, &care->must_order, e);
	if (r >= 0 && j->mods_path && j->mods_kind != kind) {
		care->has_mods = true;
		care->kind = kind;
		r = rewrite(version, j, care, e);
	}
	if (r >= 0)
		return JOB_APPLIED;
	return r == -EBADMSG || r == -ENOTSUP || r == -E2BIG ? JOB_QUARANTINE
							     : JOB_RETRY;
}
