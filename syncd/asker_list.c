/* The schema of an IoTDB 0.13 to 2.0, database by database (iotdb-formats, section 9). Columns
 * are found by their names, which differ by version. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <xxhash.h>

#include "ask_tags.h"
#include "asker.h"
#include "iotdb/path.h"
#include "schema_line.h"

#define LINES_BYTES_MAX ((size_t)2 << 30)

/* Lines, each with its NUL, and where they begin. */
struct lines {
	struct buf text;
	size_t *at; /* owned */
	size_t n, cap;
};

struct listing_of {
	struct asker *a;
	FILE *to;
	XXH3_state_t *sum;
	struct lines databases, aligned, series;
	const char *database;
	uint64_t n_series;
	struct buf line;
};

static void lines_init(struct lines *l)
{
	*l = (struct lines){.n = 0};
	buf_init(&l->text, LINES_BYTES_MAX);
}

static void lines_clear(struct lines *l)
{
	buf_clear(&l->text);
	l->n = 0;
}

static void lines_release(struct lines *l)
{
	buf_release(&l->text);
	free(l->at);
}

static const char *line_at(const struct lines *l, size_t i)
{
	return (const char *)buf_data(&l->text) + l->at[i];
}

static int lines_add(struct lines *l, const char *text, size_t n)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		size_t *more = reallocarray(l->at, cap, sizeof *more);

		if (!more)
			return -ENOMEM;
		l->at = more;
		l->cap = cap;
	}
	l->at[l->n++] = l->text.len;
	buf_add(&l->text, text, n);
	buf_add(&l->text, "", 1);
	return buf_end(&l->text);
}

static int by_text(const void *a, const void *b, void *text)
{
	const char *p = text;

	return strcmp(p + *(const size_t *)a, p + *(const size_t *)b);
}

static void lines_sort(struct lines *l)
{
	if (l->n)
		qsort_r(l->at, l->n, sizeof *l->at, by_text,
			buf_data(&l->text));
}

static bool lines_have(const struct lines *l, const char *text, size_t n)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const char *at = line_at(l, mid);
		int r = strncmp(at, text, n);

		if (r == 0 && !at[n])
			return true;
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* ---- rows ---- */

static const char *cell(const struct rpc_row *row, const char *name,
			const char *old_name)
{
	const char *v = rpc_cell(row, name);

	if (!v && old_name)
		v = rpc_cell(row, old_name);
	return v ? v : "";
}

static bool is_own(const char *database)
{
	return strcmp(database, "root.__system") == 0 ||
	       strcmp(database, "root.__audit") == 0;
}

/* As 1.0 and later quote it. */
static int plain_path(const char *path, struct buf *out)
{
	buf_clear(out);
	if (!series_is_plain(path))
		return -EINVAL;
	return sql_add_path(IOTDB_1_0, path, strlen(path), out);
}

static int take_database(void *arg, const struct rpc_row *row)
{
	struct listing_of *l = arg;
	const char *name = cell(row, "Database", "storage group");

	if (strncmp(name, "root.", 5) != 0 || is_own(name) ||
	    plain_path(name, &l->line) < 0)
		return 0;
	return lines_add(&l->databases, buf_str(&l->line), l->line.len);
}

static int take_device(void *arg, const struct rpc_row *row)
{
	struct listing_of *l = arg;
	const char *name = cell(row, "Device", "devices");

	if (strcasecmp(cell(row, "IsAligned", NULL), "true") != 0 ||
	    plain_path(name, &l->line) < 0)
		return 0;
	return lines_add(&l->aligned, buf_str(&l->line), l->line.len);
}

static bool is_in_aligned(const struct listing_of *l, const char *path)
{
	struct sql_node nodes[SQL_NODES_MAX];
	int n = sql_nodes(path, strlen(path), nodes);

	return n > 1 && lines_have(&l->aligned, path,
				   (size_t)(nodes[n - 1].p - path) - 1);
}

static void add_field(struct buf *line, const char *text)
{
	buf_adds(line, "\t");
	if (strcmp(text, "null") != 0)
		buf_adds(line, text);
}

static int take_series(void *arg, const struct rpc_row *row)
{
	struct listing_of *l = arg;
	const char *path = cell(row, "Timeseries", NULL);
	const char *type = cell(row, "DataType", NULL);
	const char *alias = cell(row, "Alias", NULL);
	struct buf *line = &l->line;
	int r;

	if (strcasecmp(cell(row, "ViewType", NULL), "VIEW") == 0 || !*type ||
	    plain_path(path, line) < 0)
		return 0;
	buf_adds(line, is_in_aligned(l, buf_str(line)) ? "\tA" : "\t-");
	add_field(line, type);
	add_field(line, cell(row, "Encoding", NULL));
	add_field(line, cell(row, "Compression", NULL));
	add_field(line, series_is_plain(alias) ? alias : "");
	buf_adds(line, "\t");
	r = ask_tags(cell(row, "Tags", NULL), line);
	buf_adds(line, "\t");
	if (r >= 0)
		r = ask_tags(cell(row, "Attributes", NULL), line);
	if (r < 0 || buf_end(line) < 0)
		return 0; /* not to be said in one line */
	return lines_add(&l->series, buf_str(line), line->len);
}

/* ---- */

static int query(struct listing_of *l,
		 int (*row)(void *, const struct rpc_row *),
		 struct rpc_reply *reply, struct err *e, const char *what,
		 const char *of, const char *below)
{
	const struct rpc_visit visit = {
		.row = row, .arg = l, .max_rows = ASKER_SERIES_MAX};
	CLEANUP(buf_release) struct buf sql;
	int r = 0;

	buf_init(&sql, ASKER_LINE_MAX);
	buf_adds(&sql, what);
	if (of)
		r = sql_add_path(rpc_version_number(l->a->rpc), of, strlen(of),
				 &sql);
	buf_adds(&sql, below);
	if (r >= 0)
		r = buf_end(&sql);
	if (r >= 0)
		r = rpc_query(l->a->rpc, buf_str(&sql), &visit, reply, e);
	if (r < 0 && !e->sys)
		(void)err_set(e, -r, "%s: %s", buf_str(&sql), err_words(-r));
	return r;
}

static void put_line(struct listing_of *l, const char *path_and_rest)
{
	const char *const parts[] = {l->database, "\t", path_and_rest, "\n"};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		(void)XXH3_64bits_update(l->sum, parts[i], strlen(parts[i]));
		(void)fputs(parts[i], l->to); /* fflush tells */
	}
}

static bool is_same_path(const char *a, const char *b)
{
	size_t n = strcspn(a, "\t");

	return n == strcspn(b, "\t") && memcmp(a, b, n) == 0;
}

static int list_database(struct listing_of *l, struct rpc_reply *reply,
			 struct err *e)
{
	const char *db = l->database;
	int r;

	lines_clear(&l->aligned);
	lines_clear(&l->series);
	r = query(l, take_device, reply, e, "SHOW DEVICES ", db, ".**");
	if (r >= 0) /* a database may be a device itself */
		r = query(l, take_device, reply, e, "SHOW DEVICES ", db, "");
	lines_sort(&l->aligned);
	if (r >= 0)
		r = query(l, take_series, reply, e, "SHOW TIMESERIES ", db,
			  ".**");
	if (r < 0)
		return r;
	lines_sort(&l->series);
	put_line(l, "\tD");
	for (size_t i = 0; i < l->series.n; i++) {
		if (i && is_same_path(line_at(&l->series, i - 1),
				      line_at(&l->series, i)))
			continue; /* told by two nodes */
		put_line(l, line_at(&l->series, i));
		l->n_series++;
	}
	return 0;
}

static int list_all(struct listing_of *l, struct rpc_reply *reply,
		    struct err *e)
{
	bool is_old = rpc_version_number(l->a->rpc) < IOTDB_1_0;
	int r = query(l, take_database, reply, e,
		      is_old ? "SHOW STORAGE GROUP" : "SHOW DATABASES", NULL,
		      "");

	lines_sort(&l->databases);
	for (size_t i = 0; r >= 0 && i < l->databases.n; i++) {
		l->database = line_at(&l->databases, i);
		r = list_database(l, reply, e);
	}
	return r;
}

static int take_identity(void *arg, const struct rpc_row *row)
{
	if (row->n && row->cells[0] && series_is_plain(row->cells[0]))
		(void)snprintf(arg, 64, "%s", row->cells[0]);
	return 0;
}

/* A version without the statement has no identity, which is no failure. */
static int find_identity(struct asker *a, char identity[64], struct err *e)
{
	const struct rpc_visit visit = {
		.row = take_identity, .arg = identity, .max_rows = 16};
	int r;

	identity[0] = '\0';
	if (rpc_version_number(a->rpc) < IOTDB_1_2)
		return 0;
	r = rpc_query(a->rpc, "SHOW CLUSTERID", &visit, NULL, e);
	if (r == -EREMOTEIO)
		err_clear(e);
	return r == -EREMOTEIO ? 0 : r;
}

static int write_out(struct listing_of *l, const char *path,
		     struct rpc_reply *reply, struct err *e)
{
	char part[ASKER_LINE_MAX];
	int r;

	(void)snprintf(part, sizeof part, "%s.part", path);
	l->to = fopen(part, "we");
	if (!l->to)
		return err_set(e, EINVAL, "%s: %s", part, err_words(errno));
	r = list_all(l, reply, e);
	if (r >= 0 && (fflush(l->to) != 0 || ferror(l->to)))
		r = err_set(e, EINVAL, "%s: %s", part, err_words(errno));
	if (fclose(l->to) != 0 && r >= 0)
		r = err_set(e, EINVAL, "%s: %s", part, err_words(errno));
	if (r >= 0 && rename(part, path) != 0)
		r = err_set(e, EINVAL, "%s: %s", path, err_words(errno));
	if (r < 0)
		(void)unlink(part);
	return r;
}

bool asker_sees_all(const struct asker *a)
{
	return !a->user[0] || strcmp(a->user, "root") == 0;
}

int asker_list(struct asker *a, const char *path, struct buf *out,
	       struct rpc_reply *reply, struct err *e)
{
	struct listing_of l = {.a = a, .sum = XXH3_createState()};
	char identity[64];
	int r;

	if (!l.sum)
		return err_set(e, ENOMEM, "no memory for a listing");
	(void)XXH3_64bits_reset(l.sum);
	lines_init(&l.databases);
	lines_init(&l.aligned);
	lines_init(&l.series);
	buf_init(&l.line, SCHEMA_LINE_MAX / 2);
	r = find_identity(a, identity, e);
	if (r >= 0)
		r = write_out(&l, path, reply, e);
	if (r >= 0)
		buf_addf(out, "\t%" PRIu64 "\t%s\t%s\t%016" PRIx64, l.n_series,
			 identity, asker_sees_all(a) ? "ALL" : "SOME",
			 (uint64_t)XXH3_64bits_digest(l.sum));
	lines_release(&l.databases);
	lines_release(&l.aligned);
	lines_release(&l.series);
	buf_release(&l.line);
	(void)XXH3_freeState(l.sum);
	return r;
}
