/* The walk. Every level has a window of its own, so that going down and coming back does
 * not read again. */
#include "tsfile_index.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tsfile.h"
#include "tsfile_metadata.h"
#include "tsfile_node.h"
#include "tsfile_series.h"
#include "tsfile_span.h"

#define HEAD_LEN 7  /* magic, version */
#define SEPARATOR 2 /* the byte between data and index */

/* What may be read: the index and the metadata a few times over. */
#define READ_TIMES 8
#define READ_SPARE (4u << 20)

struct walk {
	const struct tsfile_visit *visit;
	struct tsfile_tree tree;
	uint64_t furthest; /* end of the root that ends last */
	struct tsfile_index sum;
	struct tsfile_device device; /* the one that is being walked */
	bool begun;		     /* its first series was seen */
	bool has_time;		     /* and it was the time column */
	int answer;		     /* of a callback, when not 0: the end */
	char path[TSFILE_NAME_MAX + 1];
	char key[TSFILE_NAME_MAX + 1];	/* of a run of series */
	char name[TSFILE_NAME_MAX + 1]; /* of a series in it */
	struct tsfile_window windows[TSFILE_LEVELS_MAX];
	struct tsfile_window runs;
};

static bool ended(const struct walk *w)
{
	return w->tree.src.failed || w->answer;
}

/* The range of the device is known, and nobody wants its columns. */
static bool is_enough(const struct walk *w)
{
	return w->has_time && !w->visit->series;
}

static void open_level(struct walk *w, const struct tsfile_child *c,
		       bool of_devices, unsigned level, struct tsfile_node *n)
{
	struct tsfile_window *window =
		&w->windows[level < TSFILE_LEVELS_MAX ? level : 0];

	tsfile_node_open_child(&w->tree, window, c, of_devices, n);
	if (level >= TSFILE_LEVELS_MAX)
		span_fail(&n->s, "expected at most %d levels",
			  TSFILE_LEVELS_MAX);
}

static void hear_series(struct walk *w, struct tsfile_span *s,
			const struct tsfile_series *series)
{
	struct tsfile_device *d = &w->device;

	/* Some writers leave out the mark; the name gives it away. */
	if (!w->begun)
		d->aligned = series->is_time || series->name_len == 0;
	else if (series->is_time)
		span_fail(s, "expected the time column in front of the others");
	if (w->tree.src.failed)
		return;
	/* All other columns lie inside the time column. */
	if (!w->has_time)
		tsfile_range_add(&d->range, &series->range);
	w->has_time |= series->is_time;
	w->begun = true;
	if (w->visit->series)
		w->answer = w->visit->series(w->visit->arg, d, series);
}

/* The list of chunks ends where `s` stands. */
static void hear_chunks(struct walk *w, const struct tsfile_span *s,
			const struct tsfile_series *series)
{
	struct tsfile_span list = {.src = s->src,
				   .window = s->window,
				   .at = s->at - series->chunks_len,
				   .end = s->at};
	struct tsfile_chunk c;

	while (!w->answer && span_left(&list) > 0 &&
	       tsfile_chunk_read(&list, series, &c))
		w->answer =
			w->visit->chunk(w->visit->arg, &w->device, series, &c);
}

/* A type that we do not know: where the next series begins cannot be told, so these
 * may reach anywhere. Only a time column that was seen before bounds them. */
static void hear_unsure(struct walk *w)
{
	struct tsfile_range widest = {
		.any = true, .first = INT64_MIN, .last = INT64_MAX};

	w->device.unsure = true;
	if (!w->has_time)
		tsfile_range_add(&w->device.range, &widest);
}

/* The series of one child, back to back. */
static void walk_run(struct walk *w, const struct tsfile_child *c)
{
	struct tsfile_span s = {.src = &w->tree.src,
				.window = &w->runs,
				.at = c->begin,
				.end = c->end};
	bool in_front = true, more = true;

	while (more && span_left(&s) > 0 && !ended(w)) {
		struct tsfile_series series;

		more = tsfile_series_read(&s, w->name, &series);
		if (in_front && (series.name_len != c->key_len ||
				 memcmp(w->name, w->key, c->key_len) != 0))
			span_fail(&s,
				  "expected the series that its node names, "
				  "it is another");
		in_front = false;
		if (w->tree.src.failed)
			return;
		hear_series(w, &s, &series);
		if (w->visit->chunk && more && !ended(w))
			hear_chunks(w, &s, &series);
		if (!more && !ended(w))
			hear_unsure(w);
		if (is_enough(w))
			return;
	}
}

static void walk_series(struct walk *w, const struct tsfile_child *of,
			unsigned level)
{
	struct tsfile_node n;
	struct tsfile_child c;

	open_level(w, of, false, level, &n);
	while (!w->answer && tsfile_node_next(&w->tree, &n, w->key, &c)) {
		if (n.type == NODE_SERIES_LEAF)
			walk_run(w, &c);
		else
			walk_series(w, &c, level + 1);
		if (is_enough(w))
			return;
	}
}

static void walk_device(struct walk *w, const struct tsfile_child *c,
			unsigned level)
{
	struct tsfile_device *d = &w->device;

	*d = (struct tsfile_device){
		.path = w->path,
		.path_len = c->key_len,
		.node = c->begin,
		.node_len = c->end - c->begin,
		.table_len = w->tree.version == 4 ? w->tree.table_len : 0};
	w->begun = false;
	w->has_time = false;
	walk_series(w, c, level);
	if (ended(w))
		return;
	w->sum.devices++;
	w->sum.unsure |= d->unsure;
	tsfile_range_add(&w->sum.range, &d->range);
	if (w->visit->device)
		w->answer = w->visit->device(w->visit->arg, d);
}

static void walk_devices(struct walk *w, struct tsfile_node *n, unsigned level)
{
	struct tsfile_child c;

	while (!w->answer && tsfile_node_next(&w->tree, n, w->path, &c)) {
		struct tsfile_node below;

		if (n->type == NODE_DEVICES_LEAF) {
			walk_device(w, &c, level + 1);
			continue;
		}
		open_level(w, &c, true, level + 1, &below);
		walk_devices(w, &below, level + 1);
	}
}

/* The roots of the index, with `go` all that is below them; `s` then stands behind. */
static void each_root(struct walk *w, struct tsfile_span *s, bool go)
{
	uint32_t n = w->tree.version == 3 ? 1 : span_count(s);

	for (uint32_t k = 0; k < n && !ended(w); k++) {
		struct tsfile_node root = {.of_devices = true,
					   .before = w->tree.end};
		int32_t len = 0;

		if (w->tree.version == 4)
			len = span_name(s, w->tree.table, TSFILE_NAME_MAX);
		if (len < 0)
			span_fail(s,
				  "expected the name of a table, it is null");
		w->tree.table_len = len < 0 ? 0 : (size_t)len;
		root.s = *s;
		s->at = tsfile_node_open(&w->tree, &root);
		if (root.end_offset > w->furthest)
			w->furthest = root.end_offset;
		if (go)
			walk_devices(w, &root, 0);
	}
}

/* TsFileMetadata must be just as long as the file says (tsfile-format, section 1.2). */
static void read_metadata(struct walk *w, struct tsfile_span s)
{
	uint64_t separator;

	each_root(w, &s, false);
	w->sum.metadata_rest = s.at;
	if (w->tree.version == 4)
		metadata_pass_schemas(&s);
	separator = span_be64(&s);
	metadata_check_rest(&s, w->tree.version);
	if (w->tree.src.failed)
		return;
	if (separator < w->tree.first - 1 || separator >= w->tree.end) {
		span_fail(&s,
			  "expected the index to begin between %" PRIu64
			  " and %" PRIu64 ", it is said to at %" PRIu64,
			  w->tree.first - 1, w->tree.end, separator);
		return;
	}
	if (w->furthest != w->tree.end && w->furthest != 0)
		span_fail(&s,
			  "expected the index to end at %" PRIu64
			  ", it does at %" PRIu64,
			  w->tree.end, w->furthest);
	s = (struct tsfile_span){.src = &w->tree.src,
				 .window = s.window,
				 .at = separator,
				 .end = w->tree.end};
	if (span_u8(&s) != SEPARATOR)
		span_fail(&s, "expected the separator in front of the index");
	w->tree.first = separator + 1;
	w->tree.unclaimed = w->tree.end - w->tree.first;
	w->tree.src.budget += READ_TIMES * w->tree.unclaimed;
}

static void walk_file(struct walk *w, const struct tsfile_ends *ends)
{
	struct tsfile_span s = {.src = &w->tree.src,
				.window = &w->windows[0],
				.at = ends->metadata_offset,
				.end = w->tree.src.end};

	w->tree.version = w->sum.version = ends->version;
	w->tree.first = HEAD_LEN + 1;
	w->tree.end = ends->metadata_offset;
	read_metadata(w, s);
	each_root(w, &s, true);
}

int tsfile_index_read(int fd, const struct tsfile_visit *visit,
		      struct tsfile_index *out, struct err *e)
{
	CLEANUP_FREE struct walk *w = NULL;
	struct tsfile_ends ends;
	int r = tsfile_read_ends(fd, &ends, e);

	if (r < 0)
		return r;
	w = xcalloc(1, sizeof *w);
	w->visit = visit;
	w->tree.src.fd = fd;
	w->tree.src.end = ends.metadata_offset + ends.metadata_len;
	w->tree.src.e = e;
	w->tree.src.budget = READ_SPARE + READ_TIMES * ends.metadata_len;
	walk_file(w, &ends);
	if (w->tree.src.failed || w->answer)
		return w->tree.src.failed ? w->tree.src.failed : w->answer;
	*out = w->sum;
	return 0;
}
