#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control_inside.h"

/* The daemon's part of /pipes over the control socket: .stat, .ls and .cat. Files are
 * rendered for each of them, so sizes are those of the content at that moment. */

#define NODES_LEN_MAX (64u << 20)

static void fail_path(struct conn *c, const char *path, int sys)
{
	char text[512];

	(void)snprintf(text, sizeof text, "%.300s: %s", path, err_words(sys));
	conn_fail(c, ERR_REFUSED, sys, text);
}

static char kind_letter(enum tree_kind kind)
{
	switch (kind) {
	case TREE_DIR:
		return 'd';
	case TREE_FILE:
		return 'f';
	case TREE_LINK:
		return 'l';
	}
	return '?';
}

/* The node and its content, in `content`, which the caller releases. */
static int read_node(struct conn *c, const char *path, struct tree_node *node,
		     struct buf *content)
{
	const struct tree_ops *tree = &c->control->ops.tree;
	int r = -ENOENT;

	*node = (struct tree_node){0};
	buf_init(content, TREE_FILE_MAX);
	if (tree->read && path[0] == '/')
		r = tree->read(tree->arg, path, node, content);
	return r < 0 ? r : buf_end(content);
}

static void add_node(struct conn *c, const struct tree_node *node, size_t size,
		     const char *name)
{
	buf_addf(&c->out, "1000-%c %o %zu %" PRId64 "%s%s\n",
		 kind_letter(node->kind), node->mode, size, node->mtime_ms,
		 *name ? " " : "", name);
}

void control_stat(struct conn *c, char *path)
{
	struct tree_node node;
	CLEANUP(buf_release) struct buf content;
	int r = read_node(c, path, &node, &content);

	if (r < 0) {
		fail_path(c, path, -r);
		return;
	}
	add_node(c, &node, content.len, "");
	conn_end(c, "");
}

void control_cat(struct conn *c, char *path)
{
	struct tree_node node;
	CLEANUP(buf_release) struct buf content;
	int r = read_node(c, path, &node, &content);
	const char *p, *end_of_content;

	if (r == 0 && node.kind == TREE_DIR)
		r = -EISDIR;
	if (r < 0) {
		fail_path(c, path, -r);
		return;
	}
	p = content.len ? (const char *)buf_data(&content) : "";
	end_of_content = p + content.len;
	while (p < end_of_content) {
		size_t left = (size_t)(end_of_content - p);
		const char *nl = memchr(p, '\n', left);
		size_t n = nl ? (size_t)(nl - p) : left;

		buf_adds(&c->out, "1001-");
		buf_add(&c->out, p, n);
		buf_adds(&c->out, "\n");
		p += nl ? n + 1 : n;
	}
	conn_end(c, "");
}

/* Names first, sizes after: a daemon's list and read do not meet. */
static int keep_node(void *to, const struct tree_node *node)
{
	buf_add(to, node, sizeof *node);
	return buf_end(to);
}

static size_t size_of(struct conn *c, const char *dir,
		      const struct tree_node *node)
{
	CLEANUP(buf_release) struct buf content, path;
	struct tree_node read;
	size_t size = 0;

	buf_init(&path, SQL_STATEMENT_MAX + TREE_NAME_MAX + 2);
	buf_addf(&path, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, node->name);
	if (read_node(c, buf_str(&path), &read, &content) == 0)
		size = content.len;
	return size;
}

void control_ls(struct conn *c, char *path)
{
	const struct tree_ops *tree = &c->control->ops.tree;
	CLEANUP(buf_release) struct buf nodes;
	int r = -ENOENT;

	buf_init(&nodes, NODES_LEN_MAX);
	if (tree->list && path[0] == '/')
		r = tree->list(tree->arg, path, keep_node, &nodes);
	if (r == 0)
		r = buf_end(&nodes);
	if (r < 0) {
		fail_path(c, path, -r);
		return;
	}
	for (size_t at = 0; at < nodes.len; at += sizeof(struct tree_node)) {
		struct tree_node node;
		size_t size = 0;

		memcpy(&node, buf_data(&nodes) + at, sizeof node);
		if (node.kind != TREE_DIR)
			size = size_of(c, path, &node);
		add_node(c, &node, size, node.name);
	}
	conn_end(c, "");
}
