/* Result sets of the old calls (TSQueryDataSet: iotdb-formats, section 7.4) as rows of
 * text. Knows nothing of Thrift: the pieces come as bytes. Used by rpc.c only. */
#ifndef TSFERRY_IOTDB_ROWS_H
#define TSFERRY_IOTDB_ROWS_H

#include "ground/bytes.h"
#include "rpc.h"

struct rows_column {
	char *name;	/* owned */
	char type;	/* of rows.c */
	unsigned piece; /* which of the pieces holds its values */
};

struct rows {
	unsigned n;		     /* columns */
	struct rows_column *columns; /* owned */
	const char **names, **cells; /* owned arrays */
	bool has_time;
	uint64_t n_rows, max_rows;
};

/* Nothing of the arguments is kept. An unknown type is refused (-ENOTSUP). */
int rows_add_column(struct rows *r, const char *name, const char *type,
		    unsigned piece, struct err *e) MUST_CHECK;
void rows_release(struct rows *r);

struct rows_piece {
	struct rd values, bitmap;
};

/* `time`: 8 bytes a row. pieces[i]: values that are not null, and a bit per row, 1 = there
 * is one. -EBADMSG; -E2BIG; what the callback answered. */
int rows_visit(struct rows *r, struct rd time, struct rows_piece *pieces,
	       unsigned n_pieces, const struct rpc_visit *visit,
	       struct err *e) MUST_CHECK;

#endif
