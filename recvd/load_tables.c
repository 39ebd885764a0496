#include "load_tables.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "domain/record_tags.h"
#include "domain/tsfile_index.h"
#include "iotdb_sql.h"

#define STATEMENT_MAX (1u << 20)
#define TERMS_MAX 64u	  /* of one statement */
#define CODE_NO_TABLE 550 /* seen on 2.0.6 */

/* ---- asking and saying ---- */

static enum job_result say(struct iotdb *db, const char *sql, struct err *e)
{
	struct rpc_reply reply = {0};
	int r = iotdb_tables_open(db, &reply, e);

	if (r >= 0)
		r = rpc_execute(db->tables, sql, &reply, e);
	return iotdb_result(db, r, &reply, e);
}

/* Rows of something about a table; none when there is no such table. */
static enum job_result ask(struct iotdb *db, const char *sql,
			   const struct rpc_visit *visit, struct err *e)
{
	struct rpc_reply reply = {0};
	int r = iotdb_tables_open(db, &reply, e);

	if (r >= 0)
		r = rpc_query(db->tables, sql, visit, &reply, e);
	if (r > 0 || (r == -EREMOTEIO && reply.code == CODE_NO_TABLE))
		r = 0;
	if (r == -E2BIG)
		return JOB_QUARANTINE;
	return iotdb_result(db, r, &reply, e);
}

enum job_result tables_make_database(struct iotdb *db, const char *database,
				     struct err *e)
{
	CLEANUP(buf_release) struct buf sql;

	buf_init(&sql, STATEMENT_MAX);
	buf_adds(&sql, "CREATE DATABASE IF NOT EXISTS ");
	sql_add_quoted(database, strlen(database), '"', &sql);
	return say(db, buf_str(&sql), e);
}

/* ---- devices of an entry, as the index writes them ---- */

struct target {
	char *text; /* owned */
	int64_t first, last;
	bool is_met; /* a device of the server reads like this */
};

struct targets {
	struct target *v; /* owned; sorted by text, each once */
	size_t n, room;
};

static int add_target(struct targets *t, const char *text, size_t n,
		      int64_t first, int64_t last)
{
	int r = array_room(&t->v, t->n, &t->room, sizeof *t->v);
	char *own = r < 0 ? NULL : strndup(text, n);

	if (!own)
		return -ENOMEM;
	t->v[t->n++] =
		(struct target){.text = own, .first = first, .last = last};
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct target *)a)->text,
		      ((const struct target *)b)->text);
}

static void release_targets(struct targets *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].text);
	free(t->v);
}

static void sort_targets(struct targets *t)
{
	size_t kept = 0;

	if (t->n)
		qsort(t->v, t->n, sizeof *t->v, by_text);
	for (size_t i = 0; i < t->n; i++) {
		if (kept && strcmp(t->v[kept - 1].text, t->v[i].text) == 0)
			free(t->v[i].text);
		else
			t->v[kept++] = t->v[i];
	}
	t->n = kept;
}

static struct target *find_target(struct targets *t, const char *text)
{
	struct target key = {.text = (char *)(uintptr_t)text};

	return t->n ? bsearch(&key, t->v, t->n, sizeof *t->v, by_text) : NULL;
}

static int targets_of_lines(struct targets *t, const struct load_job *j)
{
	const char *at = j->devices ? j->devices : "";
	int r = 0;

	while (*at && r >= 0) {
		size_t n = strcspn(at, "\n");

		if (n)
			r = add_target(t, at, n, j->time_min, j->time_max);
		at += n + (at[n] == '\n');
	}
	sort_targets(t);
	return r;
}

static int take_device(void *arg, const struct tsfile_device *d)
{
	return d->range.any ? add_target(arg, d->path, d->path_len,
					 d->range.first, d->range.last)
			    : 0;
}

static int targets_of_file(struct targets *t, const char *path, struct err *e)
{
	struct tsfile_visit visit = {.device = take_device, .arg = t};
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct tsfile_index index;
	int r = fd < 0 ? -errno : 0;

	if (r < 0)
		return err_set(e, -r, "%s: %s", path, err_words(-r));
	r = tsfile_index_read(fd, &visit, &index, e);
	sort_targets(t);
	return r < 0 ? r : 0;
}

/* ---- one table ---- */

struct table {
	struct iotdb *db;
	const char *database;
	struct targets *targets;
	const struct buf *records; /* NULL = all rows */
	const char *name;	   /* not terminated */
	size_t name_len;
	char *tags[TABLES_TAGS_MAX]; /* owned; names, in their order */
	size_t n_tags;
	struct buf statements; /* owned; with a NUL between */
	unsigned n_terms;      /* of the last one */
	struct err *e;
	enum job_result result;
};

static int refuse(struct table *t, const char *what, const char *text)
{
	(void)err_set(t->e, ENOTSUP,
		      "a deletion of rows of table %.*s %s%s (delete them at "
		      "the server and SKIP it)",
		      (int)t->name_len, t->name, what, text);
	t->result = JOB_QUARANTINE;
	return 1;
}

static int take_tag(void *arg, const struct rpc_row *row)
{
	struct table *t = arg;
	const char *name = rpc_cell(row, "ColumnName");
	const char *category = rpc_cell(row, "Category");

	if (!name || !category || strcasecmp(category, "TAG") != 0)
		return 0;
	if (t->n_tags == TABLES_TAGS_MAX)
		return refuse(t, "has too many tags", "");
	t->tags[t->n_tags++] = xstrdup(name);
	return 0;
}

static void add_table(const struct table *t, struct buf *out)
{
	sql_add_quoted(t->database, strlen(t->database), '"', out);
	buf_adds(out, ".");
	sql_add_quoted(t->name, t->name_len, '"', out);
}

/* As the index of a file writes it: nulls at the end are left out. */
static void add_device(const struct table *t, const char *const *values,
		       struct buf *out)
{
	size_t n = t->n_tags;

	while (n && !values[n - 1])
		n--;
	buf_add(out, t->name, t->name_len);
	for (size_t i = 0; i < n; i++)
		buf_addf(out, ".%s", values[i] ? values[i] : "null");
}

/* One term of a statement: a device within its times. The smallest number cannot be
 * written. */
static void add_term(struct table *t, const char *const *values, int64_t first,
		     int64_t last)
{
	struct buf *out = &t->statements;

	buf_adds(out, "(");
	if (first > INT64_MIN)
		buf_addf(out, "time >= %" PRId64 " AND ", first);
	buf_addf(out, "time <= %" PRId64, last);
	for (size_t i = 0; i < t->n_tags; i++) {
		buf_adds(out, " AND ");
		sql_add_quoted(t->tags[i], strlen(t->tags[i]), '"', out);
		if (!values[i]) {
			buf_adds(out, " IS NULL");
			continue;
		}
		buf_adds(out, " = ");
		sql_add_quoted(values[i], strlen(values[i]), '\'', out);
	}
	buf_adds(out, ")");
}

static void add_deletion(struct table *t, const char *const *values,
			 int64_t first, int64_t last)
{
	if (t->n_terms == TERMS_MAX) {
		buf_add(&t->statements, "", 1);
		t->n_terms = 0;
	}
	if (t->n_terms++) {
		buf_adds(&t->statements, " OR ");
	} else {
		buf_adds(&t->statements, "DELETE FROM ");
		add_table(t, &t->statements);
		buf_adds(&t->statements, " WHERE ");
	}
	add_term(t, values, first, last);
}

static bool is_of_table(const struct table *t, const struct record *rec)
{
	return rec->is_table && rec->path_len == t->name_len &&
	       memcmp(rec->path, t->name, t->name_len) == 0;
}

static void add_deletions(struct table *t, const char *const *values,
			  const struct target *target)
{
	const uint8_t *p = t->records ? buf_data(t->records) : NULL;
	size_t n = t->records ? t->records->len : 0;
	struct record rec;
	ssize_t len;

	if (!t->records)
		add_deletion(t, values, target->first, target->last);
	while (n && (len = records_next(MODS_BINARY, p, n, &rec)) > 0) {
		int64_t first =
			rec.start > target->first ? rec.start : target->first;
		int64_t last = rec.end < target->last ? rec.end : target->last;

		if (is_of_table(t, &rec) && first <= last &&
		    record_matches_tags(&rec, values, t->n_tags))
			add_deletion(t, values, first, last);
		p += len;
		n -= (size_t)len;
	}
}

static int take_row(void *arg, const struct rpc_row *row)
{
	struct table *t = arg;
	const char *values[TABLES_TAGS_MAX];
	CLEANUP(buf_release) struct buf text;
	struct target *target;

	for (size_t i = 0; i < t->n_tags; i++)
		values[i] = rpc_cell(row, t->tags[i]);
	buf_init(&text, STATEMENT_MAX);
	add_device(t, values, &text);
	target = buf_end(&text) < 0 ? NULL
				    : find_target(t->targets, buf_str(&text));
	if (!target)
		return 0;
	if (target->is_met)
		return refuse(t, "has two devices that read ", target->text);
	target->is_met = true;
	add_deletions(t, values, target);
	if (buf_end(&t->statements) < 0)
		return refuse(t, "takes too many statements", "");
	return 0;
}

static void ask_table(struct table *t, const char *what,
		      int (*row)(void *, const struct rpc_row *))
{
	struct rpc_visit visit = {.row = row, .arg = t};
	CLEANUP(buf_release) struct buf sql = {0};
	enum job_result result;

	if (t->result != JOB_APPLIED)
		return;
	buf_init(&sql, STATEMENT_MAX);
	buf_adds(&sql, what);
	add_table(t, &sql);
	result = ask(t->db, buf_str(&sql), &visit, t->e);
	if (t->result == JOB_APPLIED)
		t->result = result;
}

static void say_statements(struct table *t)
{
	const char *at = buf_str(&t->statements);
	const char *end = at + t->statements.len;

	while (t->result == JOB_APPLIED && at < end) {
		t->result = say(t->db, at, t->e);
		at += strlen(at) + 1;
	}
}

static enum job_result delete_from(struct iotdb *db, const char *database,
				   struct targets *targets,
				   const struct buf *records, const char *name,
				   size_t name_len, struct err *e)
{
	struct table t = {.db = db,
			  .database = database,
			  .targets = targets,
			  .records = records,
			  .name = name,
			  .name_len = name_len,
			  .e = e,
			  .result = JOB_APPLIED};

	buf_init(&t.statements, TABLES_STATEMENTS_MAX);
	ask_table(&t, "DESC ", take_tag);
	ask_table(&t, "SHOW DEVICES FROM ", take_row);
	say_statements(&t);
	buf_release(&t.statements);
	for (size_t i = 0; i < t.n_tags; i++)
		free(t.tags[i]);
	return t.result;
}

/* ---- whichever tables there are ---- */

/* Whether a record before this one is of the same table. */
static bool is_done(const struct buf *records, const struct record *rec)
{
	const uint8_t *p = buf_data(records);
	struct record one;

	while (p < rec->raw) {
		ssize_t len = records_next(MODS_BINARY, p,
					   (size_t)(rec->raw - p), &one);

		if (len <= 0 ||
		    (one.is_table && one.path_len == rec->path_len &&
		     memcmp(one.path, rec->path, one.path_len) == 0))
			return len > 0;
		p += len;
	}
	return false;
}

static enum job_result refuse_record(const struct record *rec, struct err *e)
{
	(void)err_set(e, ENOTSUP,
		      rec->is_table
			      ? "a deletion of columns of table %.*s, which no "
				"statement can carry (drop them at the server "
				"and SKIP it)"
			      : "a deletion of %.*s, a path, in a database of "
				"tables (SKIP it)",
		      (int)rec->path_len, rec->path);
	return JOB_QUARANTINE;
}

static enum job_result delete_records(struct iotdb *db, const char *database,
				      struct targets *targets,
				      const struct buf *records, struct err *e)
{
	const uint8_t *p = buf_data(records);
	enum job_result result = JOB_APPLIED;
	size_t n = records->len;
	struct record rec;
	ssize_t len;

	while (result == JOB_APPLIED && n &&
	       (len = records_next(MODS_BINARY, p, n, &rec)) > 0) {
		if (!rec.is_table || record_columns(&rec))
			result = refuse_record(&rec, e);
		else if (!is_done(records, &rec))
			result = delete_from(db, database, targets, records,
					     rec.path, rec.path_len, e);
		p += len;
		n -= (size_t)len;
	}
	return result;
}

static int take_table(void *arg, const struct rpc_row *row)
{
	struct buf *names = arg;
	const char *name = rpc_cell(row, "TableName");

	if (name)
		buf_add(names, name, strlen(name) + 1);
	return 0;
}

static enum job_result restate(struct iotdb *db, const char *database,
			       struct targets *targets, struct err *e)
{
	CLEANUP(buf_release) struct buf sql, names;
	struct rpc_visit visit = {.row = take_table, .arg = &names};
	enum job_result result;

	buf_init(&sql, STATEMENT_MAX);
	buf_init(&names, TABLES_STATEMENTS_MAX);
	buf_adds(&sql, "SHOW TABLES FROM ");
	sql_add_quoted(database, strlen(database), '"', &sql);
	result = ask(db, buf_str(&sql), &visit, e);
	for (const char *at = (const char *)buf_data(&names),
			*end = at + names.len;
	     result == JOB_APPLIED && at < end; at += strlen(at) + 1)
		result = delete_from(db, database, targets, NULL, at,
				     strlen(at), e);
	return result;
}

enum job_result tables_delete(struct iotdb *db, const struct load_job *j,
			      const struct buf *records, struct err *e)
{
	struct targets targets = {0};
	enum job_result result = JOB_RETRY;
	int r = targets_of_lines(&targets, j);

	if (records && j->mods_kind != MODS_BINARY) {
		(void)err_set(e, EBADMSG,
			      "deletion records of paths for %s, a database of "
			      "tables (SKIP it)",
			      j->file.database);
		result = JOB_QUARANTINE;
	} else if (r < 0)
		(void)err_set(e, -r, "the devices of an entry: %s",
			      err_words(-r));
	else if (records)
		result = delete_records(db, j->file.database, &targets, records,
					e);
	else
		result = restate(db, j->file.database, &targets, e);
	release_targets(&targets);
	return result;
}

enum job_result tables_delete_beside(struct iotdb *db, const struct load_job *j,
				     const struct buf *records, struct err *e)
{
	struct targets targets = {0};
	int r = targets_of_file(&targets, j->path, e);
	enum job_result result =
		r < 0 ? r == -EBADMSG ? JOB_QUARANTINE : JOB_RETRY
		      : delete_records(db, j->file.database, &targets, records,
				       e);

	release_targets(&targets);
	return result;
}
