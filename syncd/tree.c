#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"

/* What a path leads to. */
enum place {
	PLACE_ROOT,
	PLACE_SINKS,
	PLACE_SINK,
	PLACE_PIPE,
	PLACE_FILE
};

struct found {
	enum place place;
	const void *of; /* sink or pipe */
	const struct tree_file *file;
	char name[TREE_NAME_MAX + 1];
};

static const struct tree_file *find_file(const struct tree_file *files,
					 size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	}
	return NULL;
}

/* The file `rest` names in a directory, or the directory itself. */
static int step_file(struct found *f, const struct tree_file *files, size_t n,
		     const char *rest)
{
	rest = tree_step(rest, f->name);
	if (!rest)
		return 0;
	f->file = find_file(files, n, f->name);
	f->place = PLACE_FILE;
	return f->file && !tree_step(rest, f->name) ? 0 : -ENOENT;
}

static int find_sink(const struct edge *e, struct found *f, const char *rest)
{
	char name[TREE_NAME_MAX + 1];

	f->place = PLACE_SINKS;
	rest = tree_step(rest, name);
	if (!rest)
		return 0;
	memcpy(f->name, name, sizeof(name));
	f->of = pipes_sink(e->pipes, name);
	f->place = PLACE_SINK;
	if (!f->of)
		return -ENOENT;
	return step_file(f, tree_sink_files, tree_n_sink_files, rest);
}

static int find(const struct edge *e, const char *path, struct found *f)
{
	const char *rest;

	memset(f, 0, sizeof(*f));
	rest = tree_step(path, f->name);
	if (!rest)
		return 0;
	if (strcmp(f->name, "sinks") == 0)
		return find_sink(e, f, rest);
	f->file = find_file(tree_root_files, tree_n_root_files, f->name);
	if (f->file) {
		f->place = PLACE_FILE;
		return tree_step(rest, f->name) ? -ENOTDIR : 0;
	}
	f->of = pipes_find(e->pipes, f->name);
	f->place = PLACE_PIPE;
	if (!f->of)
		return -ENOENT;
	return step_file(f, tree_pipe_files, tree_n_pipe_files, rest);
}

static void set_name(struct tree_node *node, const char *name)
{
	(void)snprintf(node->name, sizeof(node->name), "%s", name);
}

static void dir_node(struct tree_node *node, const char *name, int64_t mtime_ms)
{
	memset(node, 0, sizeof(*node));
	set_name(node, name);
	node->kind = TREE_DIR;
	node->mode = 0755;
	node->mtime_ms = mtime_ms;
}

static void file_node(const struct edge *e, const struct tree_file *file,
		      const void *of, struct tree_node *node)
{
	memset(node, 0, sizeof(*node));
	set_name(node, file->name);
	node->kind = file->kind;
	node->mode = file->mode;
	node->mtime_ms = file->mtime ? file->mtime(e, of) : e->started_ms;
}

static int64_t newest_ms(const struct edge *e)
{
	int64_t ms = events_last_ms(e->events, NULL);

	return ms ? ms : e->started_ms;
}

int tree_read(void *arg, const char *path, struct tree_node *node,
	      struct buf *content)
{
	const struct edge *e = arg;
	struct found f;
	int r = find(e, path, &f);

	if (r)
		return r;
	switch (f.place) {
	case PLACE_ROOT:
		dir_node(node, "", newest_ms(e));
		break;
	case PLACE_SINKS:
		dir_node(node, "sinks", newest_ms(e));
		break;
	case PLACE_SINK:
		dir_node(node, ((const struct sink *)f.of)->row.name,
			 ((const struct sink *)f.of)->changed_ms);
		break;
	case PLACE_PIPE:
		dir_node(node, ((const struct pipe *)f.of)->row.name,
			 ((const struct pipe *)f.of)->changed_ms);
		break;
	case PLACE_FILE:
		file_node(e, f.file, f.of, node);
		if (content)
			f.file->show(e, f.of, content);
		break;
	}
	return 0;
}

/* ---- lists ---- */

typedef int (*node_fn)(void *to, const struct tree_node *node);

static int list_files(const struct edge *e, const struct tree_file *files,
		      size_t n, const void *of, node_fn fn, void *to)
{
	struct tree_node node;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		file_node(e, &files[i], of, &node);
		r = fn(to, &node);
	}
	return r;
}

static int list_root(const struct edge *e, node_fn fn, void *to)
{
	const struct pipe *p;
	struct tree_node node;
	int r = list_files(e, tree_root_files, tree_n_root_files, NULL, fn, to);

	if (r)
		return r;
	dir_node(&node, "sinks", newest_ms(e));
	r = fn(to, &node);
	for (p = e->pipes->pipes; r == 0 && p; p = p->next) {
		if (p->row.state == PIPE_DROP)
			continue;
		dir_node(&node, p->row.name, p->changed_ms);
		r = fn(to, &node);
	}
	return r;
}

static int list_sinks(const struct edge *e, node_fn fn, void *to)
{
	const struct sink *s;
	struct tree_node node;
	int r = 0;

	for (s = e->pipes->sinks; r == 0 && s; s = s->next) {
		dir_node(&node, s->row.name, s->changed_ms);
		r = fn(to, &node);
	}
	return r;
}

int tree_list(void *arg, const char *path, node_fn fn, void *to)
{
	const struct edge *e = arg;
	struct found f;
	int r = find(e, path, &f);

	if (r)
		return r;
	switch (f.place) {
	case PLACE_ROOT:
		return list_root(e, fn, to);
	case PLACE_SINKS:
		return list_sinks(e, fn, to);
	case PLACE_SINK:
		return list_files(e, tree_sink_files, tree_n_sink_files, f.of,
				  fn, to);
	case PLACE_PIPE:
		return list_files(e, tree_pipe_files, tree_n_pipe_files, f.of,
				  fn, to);
	case PLACE_FILE:
		return -ENOTDIR;
	}
	return -ENOENT;
}
