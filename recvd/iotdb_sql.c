#include "iotdb_sql.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* ---- databases ---- */

bool sql_is_tree(const char *database)
{
	return strncmp(database, "root", 4) == 0 &&
	       (database[4] == '.' || !database[4]);
}

int sql_level(const char *database)
{
	struct sql_node nodes[SQL_NODES_MAX];
	int n = sql_nodes(database, strlen(database), nodes);

	return n < 2 ? -EINVAL : n - 1;
}

/* ---- statements ---- */

int sql_create_database(unsigned version, const char *database, struct buf *out)
{
	buf_adds(out, version < IOTDB_1_0 ? "SET STORAGE GROUP TO "
					  : "CREATE DATABASE ");
	return sql_add_path(version, database, strlen(database), out);
}

bool sql_load_consumes(unsigned version)
{
	return version >= IOTDB_1_3_3;
}

bool sql_load_wants_mods(unsigned version)
{
	return version >= IOTDB_1_3 && version < IOTDB_2_0;
}

/* 0.13 takes what is between the quotes as it is; later ones know doubled quotes. */
static void add_string(unsigned version, const char *text, struct buf *out)
{
	buf_adds(out, "'");
	for (; *text; text++) {
		if (*text == '\'' && version >= IOTDB_1_0)
			buf_adds(out, "'");
		buf_add(out, text, 1);
	}
	buf_adds(out, "'");
}

void sql_add_quoted(const char *text, size_t n, char quote, struct buf *out)
{
	buf_add(out, &quote, 1);
	for (size_t i = 0; i < n; i++) {
		if (text[i] == quote)
			buf_add(out, &quote, 1);
		buf_add(out, text + i, 1);
	}
	buf_add(out, &quote, 1);
}

int sql_load(unsigned version, const struct sql_load *load, struct buf *out)
{
	bool has_convert = version >= IOTDB_1_3_4;

	buf_adds(out, "LOAD ");
	add_string(version, load->path, out);
	if (version < IOTDB_1_0) {
		buf_addf(out, " AUTOREGISTER=true,SGLEVEL=%u,VERIFY=true",
			 load->level);
		return buf_end(out);
	}
	if (version < IOTDB_1_3_3) {
		/* 1.0 refuses encodings that differ, so it is not to look. */
		buf_addf(out, " SGLEVEL=%u VERIFY=%s ONSUCCESS=NONE",
			 load->level, version < IOTDB_1_1 ? "false" : "true");
		return buf_end(out);
	}
	buf_adds(out, " WITH (");
	if (load->tables) {
		buf_adds(out, "'database-name'=");
		add_string(version, load->tables, out);
	} else {
		buf_addf(out, "'database-level'='%u'", load->level);
	}
	buf_adds(out, ",'on-success'='delete'");
	if (has_convert)
		buf_adds(out, ",'convert-on-type-mismatch'='false'");
	buf_adds(out, ")");
	return buf_end(out);
}

int sql_delete(unsigned version, const char *paths, unsigned n_paths,
	       int64_t start, int64_t end, struct buf *out)
{
	const char *word = " WHERE ";
	int r = 0;

	buf_adds(out, "DELETE FROM ");
	for (unsigned i = 0; i < n_paths && r >= 0; i++) {
		if (i)
			buf_adds(out, ", ");
		r = sql_add_path(version, paths, strlen(paths), out);
		paths += strlen(paths) + 1;
	}
	if (start == end) {
		buf_addf(out, "%stime = %" PRId64, word, start);
		return r < 0 ? r : buf_end(out);
	}
	/* The smallest number cannot be written: it is minus one too large. */
	if (start > INT64_MIN) {
		buf_addf(out, "%stime >= %" PRId64, word, start);
		word = " AND ";
	}
	if (end < INT64_MAX)
		buf_addf(out, "%stime <= %" PRId64, word, end);
	return r < 0 ? r : buf_end(out);
}

/* ---- patterns ---- */

/* One level against one name; `*` stands for any bytes in it. Names that need quotes match
 * whole patterns only. */
static bool node_matches(const struct sql_node *pattern,
			 const struct sql_node *name)
{
	const char *p = pattern->p, *s = name->p;
	size_t pn = pattern->n, sn = name->n;
	const char *star;
	size_t front, back;

	if (!sql_is_wildcard(pattern))
		return pn == sn && memcmp(p, s, pn) == 0;
	star = memchr(p, '*', pn);
	front = (size_t)(star - p);
	while (front + 1 < pn && p[front + 1] == '*')
		front++;
	back = pn - front - 1;
	front = (size_t)(star - p);
	if (sn < front + back)
		return false;
	/* abc*, *abc, a*c; more stars in one node are not IoTDB's */
	return memcmp(p, s, front) == 0 &&
	       memcmp(p + pn - back, s + sn - back, back) == 0;
}

static bool is_deep(const struct sql_node *node)
{
	return node->n == 2 && memcmp(node->p, "**", 2) == 0;
}

/* What of a pattern is left behind a whole prefix of names: calls itself along both.
 * `tail` gets where the rest begins; `is_deep` whether the ** there took the last name, and
 * may reach on. */
struct clip {
	const struct sql_node *pattern, *name;
	int n_pattern, n_name;
	bool is_database;
	int tail;
	bool is_deep;
	uint64_t seen[SQL_NODES_MAX + 1]; /* (pattern, name) that led nowhere */
};

static bool clip_from(struct clip *c, int i, int k);

static bool clip_end(struct clip *c, int i, bool deep)
{
	c->tail = i;
	c->is_deep = deep;
	return c->is_database ? i < c->n_pattern : i == c->n_pattern - 1;
}

static bool clip_step(struct clip *c, int i, int k)
{
	if (k == c->n_name)
		return clip_end(c, i, false);
	if (i == c->n_pattern)
		return false;
	if (!is_deep(&c->pattern[i]))
		return node_matches(&c->pattern[i], &c->name[k]) &&
		       clip_from(c, i + 1, k + 1);
	if (k + 1 == c->n_name && clip_end(c, i, true))
		return true;
	return clip_from(c, i, k + 1) || clip_from(c, i + 1, k + 1);
}

/* A pattern of many ** has many ways to fail: each is tried once. */
static bool clip_from(struct clip *c, int i, int k)
{
	if (k < c->n_name && (c->seen[i] >> k & 1))
		return false;
	if (clip_step(c, i, k))
		return true;
	if (k < c->n_name)
		c->seen[i] |= 1ull << k;
	return false;
}

static void add_path(const char *front, size_t front_n, const char *rest,
		     size_t rest_n, struct buf *out)
{
	buf_add(out, front, front_n);
	buf_adds(out, ".");
	buf_add(out, rest, rest_n);
	buf_add(out, "", 1);
}

int sql_clip(const char *pattern, size_t n, const char *device, size_t device_n,
	     bool is_database, struct buf *out)
{
	struct sql_node nodes[SQL_NODES_MAX], names[SQL_NODES_MAX];
	struct clip c = {
		.pattern = nodes, .name = names, .is_database = is_database};
	const struct sql_node *rest;
	int n_paths = 1;

	c.n_pattern = sql_nodes(pattern, n, nodes);
	c.n_name = sql_nodes(device, device_n, names);
	if (c.n_pattern < 0 || c.n_name < 0)
		return -EINVAL;
	if (!clip_from(&c, 0, 0))
		return 0;
	rest = &nodes[c.tail];
	if (!is_database) {
		add_path(device, device_n, is_deep(rest) ? "*" : rest->p,
			 is_deep(rest) ? 1 : rest->n, out);
	} else {
		add_path(device, device_n, rest->p,
			 n - (size_t)(rest->p - pattern), out);
		if (c.is_deep && c.tail + 1 < c.n_pattern) {
			rest++;
			add_path(device, device_n, rest->p,
				 n - (size_t)(rest->p - pattern), out);
			n_paths++;
		}
	}
	return buf_end(out) < 0 ? buf_end(out) : n_paths;
}

/* ---- the order of devices ---- */

#define FIRST_SEGMENT_NODES 3

/* Bytes of the k-th segment of n nodes; false behind the last. */
static bool segment(const struct sql_node *nodes, int n, int k,
		    struct sql_node *out)
{
	int first = n - 1 < FIRST_SEGMENT_NODES ? n - 1 : FIRST_SEGMENT_NODES;

	if (first < 1)
		first = 1;
	if (k == 0) {
		const struct sql_node *last = &nodes[first - 1];

		*out = (struct sql_node){
			nodes[0].p, (size_t)(last->p - nodes[0].p) + last->n};
		return true;
	}
	if (first + k - 1 >= n)
		return false;
	*out = nodes[first + k - 1];
	return true;
}

static int compare_bytes(const struct sql_node *a, const struct sql_node *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	int r = memcmp(a->p, b->p, n);

	if (r)
		return r;
	return a->n < b->n ? -1 : a->n > b->n;
}

int sql_compare_segments(const char *a, size_t a_n, const char *b, size_t b_n)
{
	struct sql_node na[SQL_NODES_MAX], nb[SQL_NODES_MAX], x, y;
	int n = sql_nodes(a, a_n, na), m = sql_nodes(b, b_n, nb);

	if (n < 0 || m < 0)
		return -1;
	for (int k = 0;; k++) {
		bool has_x = segment(na, n, k, &x);
		bool has_y = segment(nb, m, k, &y);
		int r;

		if (!has_x || !has_y)
			return has_x - has_y;
		r = compare_bytes(&x, &y);
		if (r)
			return r;
	}
}
