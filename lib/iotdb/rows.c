#include "rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum cell_type {
	CELL_BOOLEAN = 1,
	CELL_INT32,
	CELL_INT64,
	CELL_FLOAT,
	CELL_DOUBLE,
	CELL_TEXT,
	CELL_BLOB,
};

static const struct {
	const char *name;
	enum cell_type type;
} cell_types[] = {
	{"BOOLEAN", CELL_BOOLEAN}, {"INT32", CELL_INT32},
	{"DATE", CELL_INT32},	   {"INT64", CELL_INT64},
	{"TIMESTAMP", CELL_INT64}, {"FLOAT", CELL_FLOAT},
	{"DOUBLE", CELL_DOUBLE},   {"TEXT", CELL_TEXT},
	{"STRING", CELL_TEXT},	   {"BLOB", CELL_BLOB},
};

int rows_add_column(struct rows *r, const char *name, const char *type,
		    unsigned piece, struct err *e)
{
	struct rows_column *c;

	if (r->n == RPC_COLUMNS_MAX)
		return err_set(e, E2BIG, "more than %u columns",
			       RPC_COLUMNS_MAX);
	if (r->n % 16 == 0) {
		size_t n = r->n + 16;

		r->columns = realloc(r->columns, n * sizeof *r->columns);
		r->names = realloc(r->names, n * sizeof *r->names);
		r->cells = realloc(r->cells, n * sizeof *r->cells);
		if (!r->columns || !r->names || !r->cells)
			abort(); /* at most RPC_COLUMNS_MAX of ours */
	}
	for (size_t i = 0; i < ARRAY_LEN(cell_types); i++)
		if (strcasecmp(type, cell_types[i].name) == 0) {
			c = &r->columns[r->n];
			c->name = xstrdup(name);
			c->type = cell_types[i].type;
			c->piece = piece;
			r->names[r->n++] = c->name;
			return 0;
		}
	return err_set(e, ENOTSUP, "column %s has the unknown type %s", name,
		       type);
}

void rows_release(struct rows *r)
{
	for (unsigned i = 0; i < r->n; i++)
		free(r->columns[i].name);
	free(r->columns);
	free(r->names);
	free(r->cells);
	*r = (struct rows){0};
}

/* ---- cells ---- */

/* The fewest digits that are read back as the same number. */
static void add_float(struct rd *v, struct buf *out)
{
	uint32_t bits = rd_be32(v);
	char text[32] = "";
	float f;

	memcpy(&f, &bits, sizeof f);
	for (int digits = 6; digits <= 9; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, (double)f);
		if (strtof(text, NULL) == f)
			break;
	}
	buf_adds(out, text);
}

static void add_double(struct rd *v, struct buf *out)
{
	uint64_t bits = rd_be64(v);
	char text[40] = "";
	double d;

	memcpy(&d, &bits, sizeof d);
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	buf_adds(out, text);
}

static void add_bytes(struct rd *v, bool is_blob, struct buf *out)
{
	uint32_t n = rd_be32(v);
	const uint8_t *p = rd_bytes(v, n);

	if (!p)
		return;
	if (!is_blob) {
		buf_add(out, p, n);
		return;
	}
	buf_adds(out, "0x");
	for (uint32_t i = 0; i < n; i++)
		buf_addf(out, "%02x", p[i]);
}

static void add_cell(struct rd *v, enum cell_type type, struct buf *out)
{
	switch (type) {
	case CELL_BOOLEAN:
		buf_adds(out, rd_u8(v) ? "true" : "false");
		break;
	case CELL_INT32:
		buf_addf(out, "%" PRId32, (int32_t)rd_be32(v));
		break;
	case CELL_INT64:
		buf_addf(out, "%" PRId64, (int64_t)rd_be64(v));
		break;
	case CELL_FLOAT:
		add_float(v, out);
		break;
	case CELL_DOUBLE:
		add_double(v, out);
		break;
	case CELL_TEXT:
		add_bytes(v, false, out);
		break;
	case CELL_BLOB:
		add_bytes(v, true, out);
		break;
	}
	buf_add(out, "", 1);
}

/* ---- rows ---- */

/* One row into `out`; where[] are the offsets of each piece's cell, or -1. */
static void read_row(struct rows_piece *pieces, unsigned n_pieces, uint64_t row,
		     const char *types, struct buf *out, ssize_t *where)
{
	for (unsigned i = 0; i < n_pieces; i++) {
		const struct rd *bits = &pieces[i].bitmap;
		size_t at = (size_t)(row / 8);
		bool is_there;

		where[i] = -1;
		if (!types[i])
			continue; /* of no column */
		if (at >= rd_left(bits)) {
			pieces[i].values.bad = true;
			continue;
		}
		is_there = bits->p[at] >> (7 - row % 8) & 1;
		if (!is_there)
			continue;
		where[i] = (ssize_t)out->len;
		add_cell(&pieces[i].values, (enum cell_type)types[i], out);
	}
}

static bool is_any_bad(const struct rows_piece *pieces, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (pieces[i].values.bad)
			return true;
	return false;
}

static int visit_row(struct rows *r, int64_t time, const struct buf *text,
		     const ssize_t *where, const struct rpc_visit *visit)
{
	struct rpc_row row = {.has_time = r->has_time,
			      .time = time,
			      .n = r->n,
			      .names = r->names,
			      .cells = r->cells};

	for (unsigned i = 0; i < r->n; i++) {
		ssize_t at = where[r->columns[i].piece];

		r->cells[i] = at < 0 ? NULL : (const char *)buf_data(text) + at;
	}
	r->n_rows++;
	return visit->row ? visit->row(visit->arg, &row) : 0;
}

int rows_visit(struct rows *r, struct rd time, struct rows_piece *pieces,
	       unsigned n_pieces, const struct rpc_visit *visit, struct err *e)
{
	uint64_t n = rd_left(&time) / 8;
	CLEANUP_FREE char *types = calloc(n_pieces + 1, 1);
	CLEANUP_FREE ssize_t *where = calloc(n_pieces + 1, sizeof *where);
	CLEANUP(buf_release) struct buf text;
	int result = 0;

	buf_init(&text, 4u * RPC_FRAME_MAX);
	if (!types || !where)
		return err_set(e, ENOMEM, "no memory for rows");
	for (unsigned i = 0; i < r->n; i++) {
		if (r->columns[i].piece >= n_pieces)
			return err_set(e, EBADMSG,
				       "column %s has no values in the answer",
				       r->columns[i].name);
		types[r->columns[i].piece] = r->columns[i].type;
	}
	for (uint64_t row = 0; row < n && result == 0; row++) {
		if (r->n_rows >= r->max_rows)
			return err_set(e, E2BIG,
				       "the answer has more than %llu rows",
				       (unsigned long long)r->max_rows);
		buf_clear(&text);
		read_row(pieces, n_pieces, row, types, &text, where);
		if (buf_end(&text) < 0 || is_any_bad(pieces, n_pieces))
			return err_set(e, EBADMSG,
				       "row %llu of the answer is damaged",
				       (unsigned long long)row);
		result = visit_row(r, (int64_t)rd_be64(&time), &text, where,
				   visit);
	}
	return result;
}

const char *rpc_cell(const struct rpc_row *row, const char *name)
{
	for (unsigned i = 0; i < row->n; i++)
		if (strcasecmp(row->names[i], name) == 0)
			return row->cells[i];
	return NULL;
}
