#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "domain/records.h"
#include "domain/tsfile_index.h"
#include "ground/fileio.h"
#include "iotdb_code.h"
#include "iotdb_sql.h"
#include "load_iotdb.h"
#include "load_tables.h"

/* DELETE, RESTATE and SCHEMA as statements. Paths are cut to what the job may touch: its
 * devices, or its database when it names none. */

#define PATHS_MAX 64u /* of one DELETE FROM */
#define STATEMENT_MAX (1u << 20)

/* ---- one statement ---- */

/* Says a statement; a reply with a code that means "there already" is success. */
static enum job_result say(struct iotdb *db, const char *sql,
			   struct rpc_reply *reply, struct err *e)
{
	int r;

	iotdb_tell_working(db);
	rpc_set_limit(db->rpc, RPC_REPLY_MS);
	r = rpc_execute(db->rpc, sql, reply, e);
	return iotdb_result(db, r, reply, e);
}

/* ---- deletions ---- */

void iotdb_forget_delete(struct iotdb *db)
{
	free(db->last_delete);
	db->last_delete = NULL;
}

/* One DELETE at the edge may come as many entries, one for each file that it was found beside
 * at a time of its own; the server writes each beside every file. */
static enum job_result say_delete(struct iotdb *db, const char *sql,
				  struct err *e)
{
	struct rpc_reply reply;
	enum job_result result;

	if (db->last_delete && strcmp(db->last_delete, sql) == 0)
		return JOB_APPLIED;
	iotdb_forget_delete(db);
	result = say(db, sql, &reply, e);
	if (result == JOB_APPLIED)
		db->last_delete = xstrdup(sql);
	return result;
}

/* ---- paths of one range of times, gathered ---- */

struct deletes {
	struct iotdb *db;
	struct buf paths;
	unsigned n;
	int64_t start, end;
	struct err *e;
	enum job_result result;
};

static bool deletes_flush(struct deletes *d)
{
	CLEANUP(buf_release) struct buf sql = {0};
	int r;

	if (!d->n || d->result != JOB_APPLIED)
		return d->result == JOB_APPLIED;
	buf_init(&sql, STATEMENT_MAX);
	r = sql_delete(rpc_version_number(d->db->rpc),
		       (const char *)buf_data(&d->paths), d->n, d->start,
		       d->end, &sql);
	if (r < 0) {
		(void)err_set(d->e, -r, "a deletion cannot be written: %s",
			      err_words(-r));
		d->result = JOB_QUARANTINE;
	} else {
		d->result = say_delete(d->db, buf_str(&sql), d->e);
	}
	buf_clear(&d->paths);
	d->n = 0;
	return d->result == JOB_APPLIED;
}

static bool deletes_add(struct deletes *d, const char *pattern, size_t n,
			const char *device, size_t device_n, bool is_database)
{
	int r = sql_clip(pattern, n, device, device_n, is_database, &d->paths);

	if (r < 0) {
		(void)err_set(d->e, EBADMSG,
			      "a deletion of %.*s does not fit %.*s", (int)n,
			      pattern, (int)device_n, device);
		d->result = JOB_QUARANTINE;
		return false;
	}
	d->n += (unsigned)r;
	return d->n < PATHS_MAX || deletes_flush(d);
}

static bool refuse_table(struct deletes *d, const struct record *rec)
{
	(void)err_set(d->e, EBADMSG,
		      "a deletion of rows of table %.*s in a database of paths "
		      "(SKIP it)",
		      (int)rec->path_len, rec->path);
	d->result = JOB_QUARANTINE;
	return false;
}

/* ---- DELETE and RESTATE ---- */

static bool add_devices(struct deletes *d, const struct load_job *j,
			const char *pattern, size_t n)
{
	const char *at = j->devices ? j->devices : "";
	const char *database = j->file.database;

	if (!*at)
		return deletes_add(d, pattern, n, database, strlen(database),
				   true);
	while (*at) {
		size_t one = strcspn(at, "\n");

		if (one && !deletes_add(d, pattern, n, at, one, false))
			return false;
		at += one + (at[one] == '\n');
	}
	return true;
}

static bool delete_record(struct deletes *d, const struct load_job *j,
			  const struct record *rec)
{
	d->start = rec->start > j->time_min ? rec->start : j->time_min;
	d->end = rec->end < j->time_max ? rec->end : j->time_max;
	if (!rec->path || rec->offset == 0 || d->start > d->end)
		return true;
	if (rec->is_table)
		return refuse_table(d, rec);
	return add_devices(d, j, rec->path, rec->path_len) && deletes_flush(d);
}

static enum job_result read_records(const char *path, enum mods_kind kind,
				    struct buf *out, struct err *e)
{
	struct err why = {0};
	size_t whole = 0;
	int r = file_read_all(AT_FDCWD, path, out);

	if (r < 0) {
		(void)err_set(e, -r, "%s: %s", path, err_words(-r));
		return r == -ENOENT ? JOB_QUARANTINE : JOB_RETRY;
	}
	r = mods_whole(kind, buf_data(out), out->len, &whole, &why);
	if (r >= 0 && whole == out->len)
		return JOB_APPLIED;
	(void)err_set(e, EBADMSG, "the deletion records are not whole: %s",
		      r < 0 ? why.text : "the last one is torn");
	return JOB_QUARANTINE;
}

static void delete_records(struct deletes *d, const struct load_job *j,
			   const struct buf *records)
{
	const uint8_t *p = buf_data(records);
	size_t n = records->len;
	struct record rec;
	ssize_t len;

	while ((len = records_next(j->mods_kind, p, n, &rec)) > 0 &&
	       delete_record(d, j, &rec)) {
		p += len;
		n -= (size_t)len;
	}
}

static enum job_result delete_rows(struct iotdb *db, const struct load_job *j,
				   const struct buf *records, struct err *e)
{
	struct deletes d = {.db = db, .e = e, .result = JOB_APPLIED};

	buf_init(&d.paths, STATEMENT_MAX);
	if (records) {
		delete_records(&d, j, records);
	} else {
		d.start = j->time_min;
		d.end = j->time_max;
		/* Every series of each device. */
		if (j->devices && *j->devices &&
		    add_devices(&d, j, "root.**", 7))
			(void)deletes_flush(&d);
	}
	buf_release(&d.paths);
	return d.result;
}

enum job_result iotdb_delete(struct iotdb *db, const struct load_job *j,
			     struct err *e)
{
	enum job_result result = iotdb_knows(db, j, e);
	bool is_delete = j->kind == ENTRY_DELETE;
	CLEANUP(buf_release) struct buf records;

	buf_init(&records, MODS_MAX);
	if (result == JOB_APPLIED && is_delete)
		result = read_records(j->path, j->mods_kind, &records, e);
	if (result != JOB_APPLIED)
		return result;
	return iotdb_tables_of(j)
		       ? tables_delete(db, j, is_delete ? &records : NULL, e)
		       : delete_rows(db, j, is_delete ? &records : NULL, e);
}

/* ---- the records beside a file, as statements ---- */

struct beside {
	struct deletes d;
	const struct load_job *j;
	const struct buf *records;
};

/* Of one device: never beyond the times that the file has of it. */
static int delete_of_device(void *arg, const struct tsfile_device *device)
{
	struct beside *b = arg;
	const uint8_t *p = buf_data(b->records);
	size_t n = b->records->len;
	struct record rec;
	ssize_t len;

	while ((len = records_next(b->j->mods_kind, p, n, &rec)) > 0) {
		bool is_there = device->range.any && rec.path &&
				rec.offset != 0 && !rec.is_table;

		b->d.start = rec.start > device->range.first
				     ? rec.start
				     : device->range.first;
		b->d.end = rec.end < device->range.last ? rec.end
							: device->range.last;
		if (is_there && b->d.start <= b->d.end &&
		    (!deletes_add(&b->d, rec.path, rec.path_len, device->path,
				  device->path_len, false) ||
		     !deletes_flush(&b->d)))
			return 1;
		p += len;
		n -= (size_t)len;
	}
	return 0;
}

enum job_result iotdb_delete_beside(struct iotdb *db, const struct load_job *j,
				    struct err *e)
{
	CLEANUP(buf_release) struct buf records;
	struct beside b = {
		.d = {.db = db, .e = e}, .j = j, .records = &records};
	struct tsfile_visit visit = {.device = delete_of_device, .arg = &b};
	struct tsfile_index index;
	CLEANUP_CLOSE int fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : 0;

	replicas_note_passed(&db->replicas);
	iotdb_forget_delete(db);
	buf_init(&b.d.paths, STATEMENT_MAX);
	buf_init(&records, MODS_MAX);
	b.d.result = read_records(j->mods_path, j->mods_kind, &records, e);
	if (b.d.result == JOB_APPLIED && iotdb_tables_of(j)) {
		buf_release(&b.d.paths);
		return tables_delete_beside(db, j, &records, e);
	}
	if (r >= 0 && b.d.result == JOB_APPLIED)
		r = tsfile_index_read(fd, &visit, &index, e);
	buf_release(&b.d.paths);
	if (r < 0 && b.d.result == JOB_APPLIED) {
		(void)err_set(e, -r, "%s: %s", j->path, err_words(-r));
		return r == -EBADMSG ? JOB_QUARANTINE : JOB_RETRY;
	}
	return b.d.result;
}

/* ---- SCHEMA ---- */

/* An alias is one series' only: who has it here keeps it, and tags and attributes go alone. */
static enum job_result leave_alias(struct iotdb *db, const char *sql,
				   struct rpc_reply *reply, struct err *e)
{
	CLEANUP(buf_release) struct buf rest = {0};

	(void)fprintf(stderr,
		      "warn recvd-load: an alias is another's here and is left "
		      "out: %s, at the edge %s\n",
		      reply->text, sql);
	err_clear(e);
	buf_init(&rest, STATEMENT_MAX);
	return iotdb_drop_alias(sql, &rest) ? say(db, buf_str(&rest), reply, e)
					    : JOB_APPLIED;
}

/* A statement and what was said about it, for the one who has to decide. */
static enum job_result schema_line(struct iotdb *db, const char *sql,
				   struct err *e)
{
	struct rpc_reply reply;
	enum job_result result = say(db, sql, &reply, e);
	bool is_said =
		result == JOB_QUARANTINE || (result == JOB_APPLIED && e->sys);

	if (is_said && iotdb_says_alias(reply.text))
		result = leave_alias(db, sql, &reply, e);
	else if (is_said && result == JOB_APPLIED)
		iotdb_exists(db, sql, reply.text);
	if (result == JOB_APPLIED)
		err_clear(e);
	else if (result == JOB_QUARANTINE)
		(void)err_hint(e, "%.200s", sql);
	return result;
}

enum job_result iotdb_schema(struct iotdb *db, const struct load_job *j,
			     struct err *e)
{
	CLEANUP(buf_release) struct buf text;
	enum job_result result = JOB_APPLIED;
	char *rest, *line;
	int r;

	buf_init(&text, ENTRY_STATEMENTS_MAX);
	r = file_read_all(AT_FDCWD, j->path, &text);
	if (r < 0) {
		(void)err_set(e, -r, "%s: %s", j->path, err_words(-r));
		return JOB_RETRY;
	}
	rest = (char *)(uintptr_t)buf_str(&text);
	while (result == JOB_APPLIED && (line = strsep(&rest, "\n"))) {
		size_t n = strlen(line);

		while (n && (line[n - 1] == ';' || line[n - 1] == ' '))
			line[--n] = 0;
		if (n && line[0] != '#')
			result = schema_line(db, line, e);
	}
	return result;
}
