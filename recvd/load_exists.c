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

static void compare(struct iotdb *db, const char *device, size_t device_n,
		    const char *name, size_t name_n, struct wanted *w)
{
	struct rpc_visit visit = {.row = compare_row, .arg = w, .max_rows = 2};
	CLEANUP(buf_release) struct buf ask = {0};

	buf_init(&ask, ASK_MAX);
	buf_addf(&ask, "SHOW TIMESERIES %.*s%s%.*s", (int)device_n, device,
		 name_n ? "." : "", (int)name_n, name);
	(void)!rpc_query(db->rpc, buf_str(&ask), &visit, NULL, NULL);
	if (w->differs)
		(void)fprintf(
			stderr,
			"warn recvd-load: series %.*s%s%.*s exists and is "
			"kept: here it is %s, at the edge %.*s\n",
			(int)device_n, device, name_n ? "." : "", (int)name_n,
			name, w->have, (int)w->n, w->text);
}

/* Each NAME DEFINITION in parentheses. */
static void compare_aligned(struct iotdb *db, const char *device)
{
	const char *at = skip_path(device);
	size_t device_n = (size_t)(at - device);

	while (*at == '(' || *at == ',') {
		const char *name = at + 1 + strspn(at + 1, " ");
		const char *end = skip_path(name);
		struct wanted w = {.text = end + strspn(end, " ")};

		w.n = strcspn(w.text, ",)");
		compare(db, device, device_n, name, (size_t)(end - name), &w);
		at = w.text + w.n;
	}
}

void iotdb_exists(struct iotdb *db, const char *sql)
{
	static const char plain[] = "CREATE TIMESERIES ";
	static const char aligned[] = "CREATE ALIGNED TIMESERIES ";
	const char *path = sql + sizeof plain - 1, *end;
	struct wanted w = {0};

	if (strncasecmp(sql, aligned, sizeof aligned - 1) == 0) {
		compare_aligned(db, sql + sizeof aligned - 1);
		return;
	}
	if (strncasecmp(sql, plain, sizeof plain - 1) != 0)
		return;
	end = skip_path(path);
	w.text = end + strspn(end, " ");
	w.n = strlen(w.text);
	compare(db, path, (size_t)(end - path), "", 0, &w);
}
