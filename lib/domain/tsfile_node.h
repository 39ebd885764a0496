/* A node of a TsFile's index: children with their keys, which end where the next one
 * begins (tsfile-format, section 2.3). A node's kind stands behind its children, so it is
 * read to its end first, and checked; then child by child. Nothing is kept of it.
 *
 * A span of the index belongs to one parent. All that is referred to is therefore not
 * more than there is, and an index that refers to something twice (a walk through it
 * need not end in practice) is found by counting bytes.
 *
 * Failures stay with the tree's source, as in tsfile_span.h. Blocks on the disk. */
#ifndef TSFERRY_TSFILE_NODE_H
#define TSFERRY_TSFILE_NODE_H

#include "tsfile_index.h"
#include "tsfile_span.h"

enum tsfile_node_type {
	NODE_DEVICES_INTERNAL,
	NODE_DEVICES_LEAF,
	NODE_SERIES_INTERNAL,
	NODE_SERIES_LEAF,
};

/* What all nodes of a file share. */
struct tsfile_tree {
	struct tsfile_source src;
	unsigned version;
	uint64_t first,
		end; /* of the index: behind the separator, the metadata */
	uint64_t unclaimed; /* bytes of it that no child has yet */
	size_t table_len;
	char table[TSFILE_NAME_MAX +
		   1]; /* version 4: of all devices below this root */
};

struct tsfile_node {
	struct tsfile_span s; /* stands at the next child */
	bool of_devices;      /* kind of its keys */
	enum tsfile_node_type type;
	uint32_t left;	     /* children still to come */
	uint64_t before;     /* where all of its children must end */
	uint64_t end_offset; /* where the last of them does */
};

struct tsfile_child {
	uint64_t begin, end;
	size_t key_len;
};

/* `n` has `s`, `of_devices` and `before`. Reads the node to its end, which is returned,
 * and leaves `n` at its first child. */
uint64_t tsfile_node_open(struct tsfile_tree *t, struct tsfile_node *n);

/* Opens the node that is just the span of a child, and not empty. */
void tsfile_node_open_child(struct tsfile_tree *t, struct tsfile_window *window,
			    const struct tsfile_child *c, bool of_devices,
			    struct tsfile_node *n);

/* The next child, its key (a device's printable path, or the name of a series) in `key`
 * of TSFILE_NAME_MAX + 1 bytes. False behind the last, and when the source failed. */
bool tsfile_node_next(struct tsfile_tree *t, struct tsfile_node *n, char *key,
		      struct tsfile_child *c) MUST_CHECK;

#endif
