/* The control tree that a daemon shows: directories, files, links, by path.
 *
 * A daemon answers two questions about its own part of /pipes; pipefs and pipectl ask
 * them over the control socket and join the parts. Files are rendered whole when read,
 * so that size and content agree. Nothing here blocks. */
#ifndef TSFERRY_TREE_H
#define TSFERRY_TREE_H

#include "ground/buf.h"

enum tree_kind { TREE_DIR, TREE_FILE, TREE_LINK };

#define TREE_NAME_MAX 255
#define TREE_FILE_MAX (1u << 20)

struct tree_node {
	char name[TREE_NAME_MAX + 1]; /* last component; "" for the root */
	enum tree_kind kind;
	unsigned mode; /* 0755, 0444, 0666 */
	int64_t mtime_ms; /* when what it shows changed last */
};

struct tree_ops {
	/* The node at `path` ("/", "/p/status"), and for files its content, for links its
	 * target, added to `content` (may be NULL: only the node). -ENOENT. */
	int (*read)(void *arg, const char *path, struct tree_node *node, struct buf *content);
	/* The children of a directory, in a stable order. -ENOENT, -ENOTDIR. */
	int (*list)(void *arg, const char *path,
		    int (*fn)(void *to, const struct tree_node *node), void *to);
	void *arg;
};

/* Helps to answer: the next component of a path that begins with "/"; returns the rest
 * (which begins with "/" or is "") or NULL at the end. Too long: component is "". */
const char *tree_step(const char *path, char component[TREE_NAME_MAX + 1]);

#endif
