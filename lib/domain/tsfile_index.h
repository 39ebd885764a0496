/* The index of a sealed TsFile, versions 3 and 4: which devices and series it holds
 * and from when to when (tsfile-format, sections 2 to 4). Never writes, never looks
 * at the data.
 *
 * Blocks on the disk (pread only; the descriptor's position stays): for workers.
 * Under one MiB of memory whatever the file says: what the index holds streams through.
 * Everything is checked before it is used: a child lies inside the index, before its
 * parent and apart from all others, levels are TSFILE_LEVELS_MAX at most; so the work is
 * bounded by the bytes of the index. The format has no checksum: a flipped bit in a name
 * or a time is not seen.
 *
 * Deletions beside the file are not looked at, so a range may be wider than what is
 * left of it; it is never narrower. Times are in the server's unit (ms by default),
 * which the file does not tell. */
#ifndef TSFERRY_TSFILE_INDEX_H
#define TSFERRY_TSFILE_INDEX_H

#include <stdbool.h>

#include "ground/err.h"

#define TSFILE_NAME_MAX 32767 /* of a device's whole path, of a series */
#define TSFILE_LEVELS_MAX 32

/* Both ends belong to it. `any` is false, and both are 0, where there is no point. */
struct tsfile_range {
	bool any;
	int64_t first, last;
};

/* One device of a walk. A device stands once in a file.
 *
 * `path` is the printable form: segments joined by '.', as a path in IoTDB, back-quotes
 * included; a null tag of a table's device reads "null". A NUL stands behind it, but a
 * name may hold any byte, a NUL or newline too: where that matters, go by `path_len`.
 *
 * `range` is the time column's for an aligned device, else merged over its series.
 * `unsure`: a series of a data type that we do not know hides those behind it (the rest
 * of a run of up to some hundred); the range of a device that is not aligned is then the
 * widest possible. */
struct tsfile_device {
	const char *path; /* borrowed until the callback returns */
	size_t path_len;
	size_t table_len; /* version 4: of the path, its table's name in front */
	bool aligned;
	bool unsure;
	struct tsfile_range range;
	uint64_t node,
		node_len; /* where the index of its series has its root */
};

/* One series of a device; the time column of an aligned one is such a series, the
 * first, and its name is empty. `type` as in tsfile-format, section 3.4, known or not. */
struct tsfile_series {
	const char *name; /* borrowed, as the path */
	size_t name_len;
	uint8_t type;
	bool is_time;
	uint32_t count; /* points that are not null; of the time column: rows */
	struct tsfile_range range;
	bool has_one_chunk;
	uint32_t chunks_len; /* bytes of their list */
};

/* One chunk of a series: where it begins, and from when to when it reaches. */
struct tsfile_chunk {
	uint64_t offset;
	struct tsfile_range range;
};

/* Who is called, in the file's order. A callback may be NULL; one that answers
 * other than 0 ends the walk with that answer.
 *
 * With `series` every series comes, each before its device, whose path and `aligned`
 * are then known, its range not yet. Without it, no more of an aligned device is
 * read than its time column. */
struct tsfile_visit {
	int (*device)(void *arg, const struct tsfile_device *d);
	int (*series)(void *arg, const struct tsfile_device *d,
		      const struct tsfile_series *s);
	/* Each behind its series, which must be asked for too. */
	int (*chunk)(void *arg, const struct tsfile_device *d,
		     const struct tsfile_series *s,
		     const struct tsfile_chunk *c);
	void *arg;
};

/* The file as a whole: all of its devices together. */
struct tsfile_index {
	unsigned version; /* 3 or 4 */
	uint64_t devices;
	bool unsure; /* one of them is */
	struct tsfile_range range;
	uint64_t
		metadata_rest; /* where the metadata goes on behind its roots */
};

/* Walks the whole index of `fd`. 0 and `out`; what a callback answered; -EBADMSG and a
 * sentence, where it is no sealed TsFile ("not a ...", see tsfile.h) or its index is
 * none ("damaged TsFile index at BYTE: ..."); -errno of a failed read. Unless 0, `out` is as it
 * was, and what the callbacks heard before is not to be relied upon. */
int tsfile_index_read(int fd, const struct tsfile_visit *visit,
		      struct tsfile_index *out, struct err *e) MUST_CHECK;

#endif
