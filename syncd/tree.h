/* syncd's part of /pipes (statement reference, section 3), by path. Nothing blocks:
 * what is shown is in memory, or a window of the catalog. */
#ifndef TSFERRY_SYNCD_TREE_H
#define TSFERRY_SYNCD_TREE_H

#include "domain/tree.h"
#include "pipes.h"

/* For struct tree_ops; arg is the edge. */
int tree_read(void *arg, const char *path, struct tree_node *node,
	      struct buf *content);
int tree_list(void *arg, const char *path,
	      int (*fn)(void *to, const struct tree_node *node), void *to);

/* One file of a directory: `of` is the sink or pipe, NULL at the root. */
struct tree_file {
	const char *name;
	enum tree_kind kind;
	unsigned mode;
	void (*show)(const struct edge *e, const void *of, struct buf *out);
	int64_t (*mtime)(const struct edge *e, const void *of);
};

/* tree_pipe.c */
extern const struct tree_file tree_pipe_files[];
extern const size_t tree_n_pipe_files;
/* tree_root.c */
extern const struct tree_file tree_root_files[];
extern const size_t tree_n_root_files;
extern const struct tree_file tree_sink_files[];
extern const size_t tree_n_sink_files;

#endif
