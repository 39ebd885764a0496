/* What stands in TsFileMetadata beside the roots of the index: the schemas of tables,
 * the bloom filter, the properties (tsfile-format, sections 2.1 and 2.2). None of it is
 * kept; it is read only to see that the metadata ends exactly where the file says. */
#ifndef TSFERRY_TSFILE_METADATA_H
#define TSFERRY_TSFILE_METADATA_H

#include "tsfile_span.h"

/* Both fail the span's source with a sentence. */
void metadata_pass_schemas(struct tsfile_span *s);

/* All that is left of the span must be what may follow the offset of the index.
 * Takes up to 256 KiB of memory for the properties, for the time of the call. */
void metadata_check_rest(struct tsfile_span *s, unsigned version);

#endif
