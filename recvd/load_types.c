#include "load_types.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "domain/tsfile_index.h"
#include "iotdb_sql.h"

#define PATH_MAX_LEN (3 * TSFILE_NAME_MAX + 3)
#define FIRST_ROOM 1024u
#define LEARN_MS 240000u /* below what recvd waits for */

/* ---- names ---- */

static const char *const type_names[] = {
	"BOOLEAN", "INT32", "INT64",	 "FLOAT", "DOUBLE", "TEXT",
	NULL,	   NULL,    "TIMESTAMP", "DATE",  "BLOB",   "STRING",
};

int types_code(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
		if (type_names[i] && strcasecmp(type_names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *types_name(int code)
{
	const char *name = NULL;

	if (code >= 0 && (size_t)code < ARRAY_LEN(type_names))
		name = type_names[code];
	return name ? name : "of an unknown type";
}

/* ---- the table ---- */

/* FNV-1a; 0 is a free place. */
static uint64_t hash_of(const char *path, size_t n)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)path[i]) * 1099511628211u;
	return h ? h : 1;
}

static size_t place_of(const struct types *t, uint64_t key)
{
	size_t at = (size_t)(key ^ key >> 32) & (t->room - 1);

	while (t->keys[at] && t->keys[at] != key)
		at = (at + 1) & (t->room - 1);
	return at;
}

static void grow(struct types *t)
{
	struct types more = {.room = t->room ? 2 * t->room : FIRST_ROOM};

	more.keys = xcalloc(more.room, sizeof *more.keys);
	more.values = xcalloc(more.room, sizeof *more.values);
	for (size_t i = 0; i < t->room; i++) {
		size_t at;

		if (!t->keys[i])
			continue;
		at = place_of(&more, t->keys[i]);
		more.keys[at] = t->keys[i];
		more.values[at] = t->values[i];
	}
	free(t->keys);
	free(t->values);
	t->keys = more.keys;
	t->values = more.values;
	t->room = more.room;
}

int types_find(const struct types *t, const char *path, size_t n)
{
	size_t at;

	if (!t->room)
		return -1;
	at = place_of(t, hash_of(path, n));
	return t->keys[at] ? t->values[at] : -1;
}

void types_add(struct types *t, const char *path, size_t n, uint8_t type)
{
	uint64_t key = hash_of(path, n);
	size_t at;

	if (t->n >= TYPES_MAX)
		return;
	if (2 * (t->n + 1) > t->room)
		grow(t);
	at = place_of(t, key);
	t->n += !t->keys[at];
	t->keys[at] = key;
	t->values[at] = type;
}

void types_forget(struct types *t)
{
	for (size_t i = 0; i < t->n_learned; i++)
		free(t->learned[i]);
	free(t->learned);
	free(t->keys);
	free(t->values);
	*t = (struct types){0};
}

/* A column's key; no part of it holds a NUL. */
static void add_column_path(struct buf *out, const char *database,
			    const char *table, size_t table_n,
			    const char *column, size_t column_n)
{
	buf_add(out, database, strlen(database) + 1);
	buf_add(out, table, table_n);
	buf_add(out, "", 1);
	buf_add(out, column, column_n);
}

/* ---- what the server has ---- */

static int learn_row(void *arg, const struct rpc_row *row)
{
	struct types *t = arg;
	const char *path = rpc_cell(row, "Timeseries");
	const char *type = rpc_cell(row, "DataType");
	int code = type ? types_code(type) : -1;

	if (path && code >= 0)
		types_add(t, path, strlen(path), (uint8_t)code);
	return t->n >= TYPES_MAX;
}

static int learn_column(void *arg, const struct rpc_row *row)
{
	struct types *t = arg;
	const char *table = rpc_cell(row, "table_name");
	const char *column = rpc_cell(row, "column_name");
	const char *database = rpc_cell(row, "database");
	const char *type = rpc_cell(row, "datatype");
	int code = type ? types_code(type) : -1;
	CLEANUP(buf_release) struct buf path;

	buf_init(&path, 65536);
	if (table && column && database && code >= 0) {
		add_column_path(&path, database, table, strlen(table), column,
				strlen(column));
		if (buf_end(&path) >= 0)
			types_add(t, buf_str(&path), path.len, (uint8_t)code);
	}
	return t->n >= TYPES_MAX;
}

static bool is_learned(const struct types *t, const char *database)
{
	for (size_t i = 0; i < t->n_learned; i++)
		if (strcmp(t->learned[i], database) == 0)
			return true;
	return false;
}

static int add_question(const char *database, unsigned version, struct buf *sql)
{
	int r;

	if (!sql_is_tree(database)) {
		buf_adds(sql, "SELECT database, table_name, column_name, "
			      "datatype FROM information_schema.columns WHERE "
			      "database = ");
		sql_add_quoted(database, strlen(database), '\'', sql);
		return buf_end(sql);
	}
	buf_adds(sql, "SHOW TIMESERIES ");
	r = sql_add_path(version, database, strlen(database), sql);
	buf_adds(sql, ".**");
	return r < 0 ? r : buf_end(sql);
}

/* Returns 1 when it was asked for, 0 when it was known. */
static int learn(struct types *t, struct rpc *c, const char *database,
		 struct rpc_reply *reply, struct err *e)
{
	CLEANUP(buf_release) struct buf sql = {0};
	struct rpc_visit visit = {.row = learn_row,
				  .arg = t,
				  .max_rows = TYPES_MAX,
				  .limit_ms = LEARN_MS};
	int r;

	if (is_learned(t, database))
		return 0;
	buf_init(&sql, 65536);
	if (!sql_is_tree(database))
		visit.row = learn_column;
	r = add_question(database, rpc_version_number(c), &sql);
	if (r < 0)
		return err_set(e, -r, "%s is no path of a database", database);
	rpc_set_limit(c, RPC_REPLY_MS);
	r = rpc_query(c, buf_str(&sql), &visit, reply, e);
	if (r < 0 && r != -E2BIG)
		return r;
	r = array_room(&t->learned, t->n_learned, &t->learned_room,
		       sizeof *t->learned);
	if (r < 0)
		return err_set(e, -r, "no memory for a database's name");
	t->learned[t->n_learned++] = xstrdup(database);
	return 1;
}

/* ---- what a file has ---- */

struct compare {
	struct types *t;
	bool add;	    /* what is not known yet */
	const char *tables; /* the database, when it is one of tables */
	struct buf path;    /* owned; of the one that is compared */
	int have, want;	    /* of the one that differs */
};

static int compare_series(void *arg, const struct tsfile_device *d,
			  const struct tsfile_series *s)
{
	struct compare *c = arg;

	if (s->is_time)
		return 0;
	buf_clear(&c->path);
	if (c->tables) {
		add_column_path(&c->path, c->tables, d->path, d->table_len,
				s->name, s->name_len);
	} else {
		buf_add(&c->path, d->path, d->path_len);
		buf_adds(&c->path, ".");
		buf_add(&c->path, s->name, s->name_len);
	}
	c->have = types_find(c->t, buf_str(&c->path), c->path.len);
	c->want = s->type;
	if (c->have < 0 && c->add)
		types_add(c->t, buf_str(&c->path), c->path.len, s->type);
	return c->have >= 0 && c->have != c->want;
}

static int compare_file(struct compare *c, const char *path, struct err *e)
{
	struct tsfile_visit visit = {.series = compare_series, .arg = c};
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct tsfile_index index;

	if (fd < 0)
		return err_set(e, errno, "%s: %s", path, err_words(errno));
	return tsfile_index_read(fd, &visit, &index, e);
}

/* As a person reads it. */
static void show_path(const struct buf *path, char *to, size_t size)
{
	const char *p = (const char *)buf_data(path);
	size_t n = path->len < size - 1 ? path->len : size - 1;

	memcpy(to, p, n);
	to[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (!to[i])
			to[i] = '.';
}

static int check(struct compare *compare, struct rpc *c,
		 const struct load_job *j, char *series, size_t size,
		 struct rpc_reply *reply, struct err *e)
{
	struct types *t = compare->t;
	int fresh, r;

	for (;;) {
		fresh = learn(t, c, j->file.database, reply, e);
		if (fresh < 0)
			return fresh;
		r = compare_file(compare, j->path, e);
		if (r <= 0 || fresh)
			break;
		types_forget(t); /* it may have become another since */
	}
	if (r < 0)
		return r;
	if (r > 0) {
		show_path(&compare->path, series, size);
		types_forget(t); /* the cure may come at any time */
		(void)err_set(
			e, EINVAL,
			"%.300s datatype not match: %s in the file, %s at "
			"the server",
			series, types_name(compare->want),
			types_name(compare->have));
		return 1;
	}
	compare->add = true;
	r = compare_file(compare, j->path, e);
	return r < 0 ? r : 0;
}

int types_check(struct types *t, struct rpc *c, const struct load_job *j,
		char *series, size_t size, struct rpc_reply *reply,
		struct err *e)
{
	bool is_tree = sql_is_tree(j->file.database);
	struct compare compare = {.t = t,
				  .tables = is_tree ? NULL : j->file.database};
	int r;

	buf_init(&compare.path, PATH_MAX_LEN);
	r = check(&compare, c, j, series, size, reply, e);
	buf_release(&compare.path);
	return r;
}
