/* What a TsFile says at its two ends (tsfile-format, section 1.1). Never writes.
 *
 * A file that is being written has no tail; one cut short has another; a sealed
 * one begins with "TsFile" and version 3 or 4 and ends with the size of its
 * metadata and "TsFile". */
#ifndef TSFERRY_TSFILE_H
#define TSFERRY_TSFILE_H

#include "ground/err.h"

struct tsfile_ends {
	unsigned version; /* 3 or 4 */
	uint64_t len;
	uint64_t metadata_len, metadata_offset;
};

/* Reads at most 17 bytes with pread; blocks. -EBADMSG with a sentence that names what
 * was expected and what is there ("not a TsFile: ..."). */
int tsfile_read_ends(int fd, struct tsfile_ends *out, struct err *e) MUST_CHECK;

#endif
