#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "load_iotdb.h"

/* Series that exist already: the same as at the edge, or others. Statements are those of
 * syncd (schema_diff.c): CREATE TIMESERIES PATH WITH DATATYPE=T, ENCODING=E, COMPRESSOR=C and
 * CREATE ALIGNED TIMESERIES DEVICE(NAME T ENCODING=E COMPRESSOR=C). */

#define ASK_MAX 65536
#define DEFINITION_MAX 160

struct wanted {
	const char *text; /* its definition, of n bytes */
	size_t n;
	bool is_found, differs;
	char have[DEFINITION_MAX];
};

/* Behind a path or a name, whose nodes may be in back quotes. */
static const char *skip_path(const char *p)
{
	for (bool quoted = false; *p; p++) {
		quoted ^= *p == '`';
		if (!quoted && strchr(" (,)", *p))
			break;
	}
	return p;
}

/* The word behind one of a definition's keys; the type of an aligned one comes first and has
 * none. */
static bool find_word(const struct wanted *w, const char *key, char to[32])
{
	char text[DEFINITION_MAX];
	const char *at;

	(void)snprintf(text, sizeof text, "%.*s", (int)w->n, w->text);
	at = strcasestr(text, key);
	if (at)
		at += strlen(key);
	else if (strcmp(key, "DATATYPE") == 0 && strncmp(text, "WITH", 4) != 0)
		at = text;
	else
		return false;
	at += strspn(at, " =");
	(void)snprintf(to, 32, "%.*s", (int)strcspn(at, " ,()\t"), at);
	return to[0] != 0;
}

static int compare_row(void *arg, const struct rpc_row *row)
{
	static const char *const keys[][2] = {
		{"DATATYPE", "DataType"},
		{"ENCODING", "Encoding"},
		{"COMPRESSOR", "Compression"},
	};

	struct wanted *w = arg;
	size_t n = 0;

	w->is_found = true;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *have = rpc_cell(row, keys[i][1]);
		char want[32];

		if (!have)
			continue;
		w->differs |= find_word(w, keys[i][0], want) &&
			      strcasecmp(have, want) != 0;
		n += (size_t)snprintf(w->have + n, sizeof w->have - n,
				      "%s%s=%.32s", n ? ", " : "", keys[i][0],
				      have);
	}
	return 1;
}

struct series {
	const char *device, *name; /* the name may be part of the device */
	size_t device_n, name_n;
};

static void warn(const struct series *s, const char *what, const char *here,
		 const struct wanted *w)
{
	(void)fprintf(stderr,
		      "warn recvd-load: series %.*s%s%.*s %s%s, at the edge "
		      "%.*s\n",
		      (int)s->device_n, s->device, s->name_n ? "." : "",
		      (int)s->name_n, s->name, what, here, (int)w->n, w->text);
}

static void compare(struct iotdb *db, const struct series *s, const char *said,
		    struct wanted *w)
{
	struct rpc_visit visit = {.row = compare_row, .arg = w, .max_rows = 2};
	CLEANUP(buf_release) struct buf ask = {0};
	int r;

	buf_init(&ask, ASK_MAX);
	buf_addf(&ask, "SHOW TIMESERIES %.*s%s%.*s", (int)s->device_n,
		 s->device, s->name_n ? "." : "", (int)s->name_n, s->name);
	r = rpc_query(db->rpc, buf_str(&ask), &visit, NULL, NULL);
	if (w->differs)
		warn(s, "exists and is kept: here it is ", w->have, w);
	else if (r >= 0 && !w->is_found)
		warn(s, "cannot be made, something else is there: ", said, w);
}

/* Each NAME DEFINITION in parentheses. */
static void compare_aligned(struct iotdb *db, const char *device,
			    const char *said)
{
	const char *at = skip_path(device);
	struct series s = {.device = device, .device_n = (size_t)(at - device)};

	while (*at == '(' || *at == ',') {
		struct wanted w = {0};

		s.name = at + 1 + strspn(at + 1, " ");
		at = skip_path(s.name);
		s.name_n = (size_t)(at - s.name);
		w.text = at + strspn(at, " ");
		w.n = strcspn(w.text, ",)");
		compare(db, &s, said, &w);
		at = w.text + w.n;
	}
}

static void compare_plain(struct iotdb *db, const char *path, const char *said)
{
	const char *end = skip_path(path);
	struct series s = {
		.device = path, .device_n = (size_t)(end - path), .name = ""};
	struct wanted w = {.text = end + strspn(end, " ")};

	w.n = strlen(w.text);
	compare(db, &s, said, &w);
}

/* "root.a has already been created as database", to who asked for root.a.b; "some children of
 * root.a have already ...", to who asked for root.a. */
static void compare_database(const char *database, const char *said)
{
	size_t n = strcspn(said, " ");
	bool is_other =
		strncmp(said, "root.", 5) == 0 &&
		(strlen(database) != n || strncmp(said, database, n) != 0);

	if (is_other || strncmp(said, "some children of ", 17) == 0)
		(void)fprintf(stderr,
			      "warn recvd-load: database %s cannot be made, "
			      "another one is there: %s\n",
			      database, said);
}

/* Behind a word that the text begins with; NULL: it does not. */
static const char *behind(const char *text, const char *word)
{
	size_t n = strlen(word);

	return strncasecmp(text, word, n) == 0 ? text + n : NULL;
}

void iotdb_exists(struct iotdb *db, const char *sql, const char *said)
{
	const char *rest;

	if ((rest = behind(sql, "CREATE TIMESERIES ")))
		compare_plain(db, rest, said);
	else if ((rest = behind(sql, "CREATE ALIGNED TIMESERIES ")))
		compare_aligned(db, rest, said);
	else if ((rest = behind(sql, "CREATE DATABASE ")))
		compare_database(rest, said);
}

bool iotdb_drop_alias(const char *sql, struct buf *out)
{
	static const char key[] = " ALIAS=";
	const char *at = strcasestr(sql, key);
	const char *end;

	if (!at)
		return false;
	end = skip_path(at + sizeof key - 1);
	buf_add(out, sql, (size_t)(at - sql));
	buf_adds(out, end);
	return *end == ' ' && buf_end(out) >= 0;
}
