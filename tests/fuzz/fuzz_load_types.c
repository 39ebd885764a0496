#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "domain/tsfile_index.h"
#include "fuzz.h"
#include "ground/bytes.h"
#include "ground/fileio.h"
#include "recvd/iotdb_sql.h"
#include "recvd/load_types.h"

/* The input is what a server says of its series, and a file: u8 flags (1: a database of tables),
 * u8 rows, for each u8 kind, u8 type and u8 k: the k-th series of the file, or for odd kinds
 * u8 length and a path; then the TsFile. Rows of kinds from 128 on are only said when it is asked
 * again. The verdict of types_check() is compared with one that is made without hashes and without
 * memory: a series differs exactly where the last row of its path says another type. */

#define ROWS_MAX 64u
#define PATH_ROOM 70000u
#define LAST_TYPE 12u /* is none */

struct row {
	unsigned kind;
	int type;
	char *path;	      /* owned; ends at a NUL, as a cell does */
	char *table, *column; /* owned; of tables instead */
};

static struct {
	struct row rows[ROWS_MAX];
	unsigned n_rows, n_asked;
	bool is_tables;
} server;

static char *copy_of(const char *p, size_t n)
{
	return strndup(p, n);
}

/* ---- the server, in place of lib/iotdb ---- */

void rpc_set_limit(struct rpc *c, unsigned reply_ms)
{
	(void)c;
	(void)reply_ms;
}

unsigned rpc_version_number(const struct rpc *c)
{
	(void)c;
	return 20006;
}

const char *rpc_cell(const struct rpc_row *row, const char *name)
{
	for (unsigned i = 0; i < row->n; i++)
		if (strcasecmp(row->names[i], name) == 0)
			return row->cells[i];
	return NULL;
}

/* Whether the server says a row when it is asked for the n-th time. */
static bool is_said(const struct row *r, unsigned n)
{
	return r->kind < 128 || n > 1;
}

int rpc_query(struct rpc *c, const char *statement,
	      const struct rpc_visit *visit, struct rpc_reply *reply,
	      struct err *e)
{
	static const char *const tree[] = {"Timeseries", "DataType"};
	static const char *const table[] = {"TABLE_NAME", "column_name",
					    "datatype", "database"};

	(void)c;
	(void)reply;
	(void)e;
	FUZZ_MUST(statement[0]);
	server.n_asked++;
	for (unsigned i = 0; i < server.n_rows; i++) {
		const struct row *r = &server.rows[i];
		const char *cells[] = {r->path, types_name(r->type), NULL,
				       "db"};
		struct rpc_row row = {.n = 2, .names = tree, .cells = cells};

		if (!is_said(r, server.n_asked))
			continue;
		if (server.is_tables) {
			cells[0] = r->table;
			cells[2] = types_name(r->type);
			cells[1] = r->column;
			row.n = 4;
			row.names = table;
		}
		if (visit->row(visit->arg, &row))
			return 1;
	}
	return 0;
}

/* ---- what the file has ---- */

struct look {
	unsigned k; /* counts down to the one that is wanted */
	struct row *row;
	unsigned
		n_asked; /* the verdict's: as of which question; 0: none differs */
};

static void name_row(struct row *r, const struct tsfile_device *d,
		     const struct tsfile_series *s)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, PATH_ROOM);
	buf_add(&b, d->path, d->path_len);
	buf_adds(&b, ".");
	buf_add(&b, s->name, s->name_len);
	r->path = copy_of(buf_str(&b), b.len);
	r->table = copy_of(d->path, d->table_len);
	r->column = copy_of(s->name, s->name_len);
}

static int find_series(void *arg, const struct tsfile_device *d,
		       const struct tsfile_series *s)
{
	struct look *l = arg;

	if (s->is_time || l->k--)
		return 0;
	name_row(l->row, d, s);
	return 1;
}

static bool is_text(const char *text, const char *p, size_t n)
{
	return text && strlen(text) == n && memcmp(text, p, n) == 0;
}

static bool is_row_of(const struct row *r, const struct tsfile_device *d,
		      const struct tsfile_series *s)
{
	size_t n = r->path ? strlen(r->path) : 0;

	if (server.is_tables)
		return is_text(r->table, d->path, d->table_len) &&
		       is_text(r->column, s->name, s->name_len);
	return n == d->path_len + 1 + s->name_len &&
	       memcmp(r->path, d->path, d->path_len) == 0 &&
	       r->path[d->path_len] == '.' &&
	       memcmp(r->path + d->path_len + 1, s->name, s->name_len) == 0;
}

static int judge_series(void *arg, const struct tsfile_device *d,
			const struct tsfile_series *s)
{
	const struct look *l = arg;
	int have = -1;

	if (s->is_time)
		return 0;
	for (unsigned i = 0; i < server.n_rows; i++) {
		const struct row *r = &server.rows[i];

		if (is_said(r, l->n_asked) && is_row_of(r, d, s) &&
		    types_code(types_name(r->type)) >= 0)
			have = r->type;
	}
	return have >= 0 && have != s->type;
}

static int walk(const char *path,
		int (*fn)(void *, const struct tsfile_device *,
			  const struct tsfile_series *),
		struct look *l)
{
	struct tsfile_visit visit = {.series = fn, .arg = l};
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct tsfile_index index;

	return tsfile_index_read(fd, &visit, &index, NULL);
}

/* ---- one input ---- */

static const char *write_file(const uint8_t *p, size_t n)
{
	static char path[64];
	CLEANUP_CLOSE int fd = -1;

	if (!path[0])
		(void)snprintf(path, sizeof path, "/tmp/fuzz-types.%ld",
			       (long)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_MUST(fd >= 0);
	FUZZ_MUST(file_pwrite(fd, p, n, 0) == 0);
	return path;
}

static void take_row(struct rd *r, struct row *row, const char **text,
		     unsigned *k)
{
	unsigned n;

	row->kind = rd_u8(r);
	row->type = rd_u8(r) % (LAST_TYPE + 1);
	n = rd_u8(r);
	*k = n;
	*text = NULL;
	if (row->kind & 1) {
		n = n < rd_left(r) ? n : (unsigned)rd_left(r);
		*text = (const char *)rd_bytes(r, n);
		row->path = copy_of(*text ? *text : "", *text ? n : 0);
		row->table = xstrdup(row->path);
		row->column = xstrdup("s");
	}
}

static void forget(void)
{
	for (unsigned i = 0; i < server.n_rows; i++) {
		free(server.rows[i].path);
		free(server.rows[i].table);
		free(server.rows[i].column);
	}
	memset(&server, 0, sizeof server);
}

static void check_twice(const char *path)
{
	struct load_job j = {.path = path};
	struct types t = {0};
	struct rpc_reply reply;
	char series[400];

	(void)snprintf(j.file.database, sizeof j.file.database, "%s",
		       server.is_tables ? "db" : "root.db");
	for (unsigned i = 0; i < 3; i++) {
		unsigned asked = server.n_asked;
		struct err e = {0};
		int r = types_check(&t, NULL, &j, series, sizeof series, &reply,
				    &e);
		struct look l = {.n_asked = server.n_asked};
		int want = walk(path, judge_series, &l);

		FUZZ_MUST(server.n_asked - asked <= 1);
		FUZZ_MUST((r < 0) == (want < 0) || want > 0);
		if (r < 0)
			FUZZ_MUST(e.text[0]);
		if (server.n_asked > asked)
			FUZZ_MUST(want < 0 || (r > 0) == (want > 0));
		else
			FUZZ_MUST(r <= 0);
		if (r > 0)
			FUZZ_MUST(t.n == 0 && e.text[0] &&
				  strlen(series) < sizeof series);
	}
	types_forget(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_over(data, size);
	unsigned k[ROWS_MAX];
	const char *text, *path;
	size_t n;

	if (size < 3 || size > 1u << 17)
		return 0;
	server.is_tables = rd_u8(&r) & 1;
	server.n_rows = rd_u8(&r) % ROWS_MAX;
	for (unsigned i = 0; i < server.n_rows; i++)
		take_row(&r, &server.rows[i], &text, &k[i]);
	n = rd_left(&r);
	path = write_file(rd_bytes(&r, n), n);
	for (unsigned i = 0; i < server.n_rows; i++) {
		struct look l = {.k = k[i], .row = &server.rows[i]};

		if (!(server.rows[i].kind & 1))
			(void)!walk(path, find_series, &l);
	}
	check_twice(path);
	(void)unlink(path);
	forget();
	return 0;
}
