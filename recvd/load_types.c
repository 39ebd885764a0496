#include "load_types.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "domain/tsfile_index.h"
#include "iotdb_sql.h"

#define PATH_MAX_LEN (2 * TSFILE_NAME_MAX + 2)
#define FIRST_ROOM 1024u

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

static bool is_learned(const struct types *t, const char *database)
{
	for (size_t i = 0; i < t->n_learned; i++)
		if (strcmp(t->learned[i], database) == 0)
			return true;
	return false;
}

/* Returns 1 when it was asked for, 0 when it was known. */
static int learn(struct types *t, struct rpc *c, const char *database,
		 struct rpc_reply *reply, struct err *e)
{
	CLEANUP(buf_release) struct buf sql = {0};
	struct rpc_visit visit = {
		.row = learn_row, .arg = t, .max_rows = TYPES_MAX};
	int r;

	if (is_learned(t, database))
		return 0;
	buf_init(&sql, 65536);
	buf_adds(&sql, "SHOW TIMESERIES ");
	r = sql_add_path(rpc_version_number(c), database, strlen(database),
			 &sql);
	buf_adds(&sql, ".**");
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
	bool add;   /* what is not known yet */
	char *path; /* of PATH_MAX_LEN */
	size_t path_len;
	int have, want; /* of the one that differs */
};

static int compare_series(void *arg, const struct tsfile_device *d,
			  const struct tsfile_series *s)
{
	struct compare *c = arg;

	if (s->is_time)
		return 0;
	c->path_len = d->path_len + 1 + s->name_len;
	memcpy(c->path, d->path, d->path_len);
	c->path[d->path_len] = '.';
	memcpy(c->path + d->path_len + 1, s->name, s->name_len);
	c->path[c->path_len] = 0;
	c->have = types_find(c->t, c->path, c->path_len);
	c->want = s->type;
	if (c->have < 0 && c->add)
		types_add(c->t, c->path, c->path_len, s->type);
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

int types_check(struct types *t, struct rpc *c, const struct load_job *j,
		char *series, size_t size, struct rpc_reply *reply,
		struct err *e)
{
	CLEANUP_FREE char *path = xcalloc(1, PATH_MAX_LEN);
	struct compare compare = {.t = t, .path = path};
	int fresh, r;

	for (;;) {
		fresh = learn(t, c, j->file.database, reply, e);
		if (fresh < 0)
			return fresh;
		r = compare_file(&compare, j->path, e);
		if (r <= 0 || fresh)
			break;
		types_forget(t); /* it may have become another since */
	}
	if (r < 0)
		return r;
	if (r > 0) {
		(void)snprintf(series, size, "%s", path);
		types_forget(t); /* the cure may come at any time */
		(void)err_set(
			e, EINVAL,
			"%.300s datatype not match: %s in the file, %s at "
			"the server",
			path, types_name(compare.want),
			types_name(compare.have));
		return 1;
	}
	compare.add = true;
	r = compare_file(&compare, j->path, e);
	return r < 0 ? r : 0;
}
