/* One TimeseriesMetadata of a TsFile's index: name, data type and the statistics of
 * the whole series (tsfile-format, sections 3 and 4). Its chunks are passed over, or read
 * from their list, which stands last. */
#ifndef TSFERRY_TSFILE_SERIES_H
#define TSFERRY_TSFILE_SERIES_H

#include "tsfile_index.h"
#include "tsfile_span.h"

#define TSFILE_TYPE_VECTOR 6 /* the time column's */

/* Makes `r` reach over `other` too. */
void tsfile_range_add(struct tsfile_range *r, const struct tsfile_range *other);

/* Reads one; its name goes to `name`, of TSFILE_NAME_MAX + 1 bytes, borrowed by `out`.
 * True when `s` stands behind it. False when the source failed, or (it did not) the
 * data type is unknown: `out` is right, but where the series ends cannot be told. */
bool tsfile_series_read(struct tsfile_span *s, char *name,
			struct tsfile_series *out) MUST_CHECK;

/* The next entry of its list of chunks. False when the source failed. */
bool tsfile_chunk_read(struct tsfile_span *s, const struct tsfile_series *of,
		       struct tsfile_chunk *out) MUST_CHECK;

#endif
