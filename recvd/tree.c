#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Paths to places. A sender that was forgotten, or an incarnation that is not shown, is
 * not there. */

enum level {
	AT_ROOT,
	AT_SERVER,
	AT_SENDERS,
	AT_SENDER,
	AT_PIPE
};

struct place {
	enum level level;
	struct tree_at at;
	const struct tree_file *file; /* NULL: the directory itself */
};

static const struct tree_file *files_of(enum level level)
{
	static const struct tree_file none[] = {{NULL, 0, NULL}};

	switch (level) {
	case AT_ROOT:
		return tree_root_files;
	case AT_SERVER:
		return tree_server_files;
	case AT_SENDERS:
		return none;
	case AT_SENDER:
		return tree_sender_files;
	case AT_PIPE:
		return tree_pipe_files;
	}
	return none;
}

static const struct tree_file *find_file(enum level level, const char *name)
{
	const struct tree_file *f = files_of(level);

	while (f->name && strcmp(f->name, name) != 0)
		f++;
	return f->name ? f : NULL;
}

static bool is_shown(const struct sender *x)
{
	return x->row.state == SENDER_ADMITTED;
}

static struct sender *find_sender(struct recvd *d, const char *name)
{
	struct sender *x = senders_by_name(&d->senders, name);

	return x && is_shown(x) ? x : NULL;
}

static struct incarnation *find_pipe(struct sender *x, const char *name)
{
	struct incarnation *i = x->newest;

	while (i &&
	       !(strcmp(i->row.pipe, name) == 0 && incarnation_is_shown(i)))
		i = i->older;
	return i;
}

/* One component further down. */
static int step(struct place *p, const char *name)
{
	if (p->file)
		return -ENOTDIR;
	p->file = find_file(p->level, name);
	if (p->file)
		return 0;
	switch (p->level) {
	case AT_ROOT:
		if (strcmp(name, "server") != 0)
			return -ENOENT;
		p->level = AT_SERVER;
		return 0;
	case AT_SERVER:
		if (strcmp(name, "senders") != 0)
			return -ENOENT;
		p->level = AT_SENDERS;
		return 0;
	case AT_SENDERS:
		p->at.x = find_sender(p->at.d, name);
		p->level = AT_SENDER;
		return p->at.x ? 0 : -ENOENT;
	case AT_SENDER:
		p->at.i = find_pipe(p->at.x, name);
		p->level = AT_PIPE;
		return p->at.i ? 0 : -ENOENT;
	case AT_PIPE:
		return -ENOENT;
	}
	return -ENOENT;
}

static int find(struct recvd *d, const char *path, struct place *p)
{
	char name[TREE_NAME_MAX + 1];

	*p = (struct place){.level = AT_ROOT, .at = {.d = d}};
	while ((path = tree_step(path, name))) {
		int r = step(p, name);

		if (r < 0)
			return r;
	}
	return 0;
}

static int64_t mtime_of(const struct place *p)
{
	const struct recvd *d = p->at.d;

	if (p->at.i)
		return p->at.i->changed_ms;
	if (p->at.x)
		return p->at.x->changed_ms;
	if (p->level == AT_ROOT && p->file && strcmp(p->file->name, "log") == 0)
		return events_last_ms(d->events, NULL);
	if (p->level == AT_ROOT && p->file &&
	    strcmp(p->file->name, "last_error") == 0)
		return control_last_refusal(d->control)->wall_ms;
	return d->changed_ms;
}

static void fill(struct tree_node *node, const struct place *p,
		 const char *name)
{
	(void)snprintf(node->name, sizeof node->name, "%s", name);
	node->kind = p->file ? TREE_FILE : TREE_DIR;
	node->mode = p->file ? p->file->mode : 0755;
	node->mtime_ms = mtime_of(p);
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int read_node(void *arg, const char *path, struct tree_node *node,
		     struct buf *content)
{
	struct place p;
	int r = find(arg, path, &p);

	if (r < 0)
		return r;
	fill(node, &p, p.file ? p.file->name : last_component(path));
	if (p.file && content)
		p.file->render(&p.at, content);
	return 0;
}

/* ---- listing ---- */

typedef int node_fn(void *to, const struct tree_node *node);

static int tell(const struct place *p, const char *name, node_fn *fn, void *to)
{
	struct tree_node node = {0};

	fill(&node, p, name);
	return fn(to, &node);
}

static int list_files(const struct place *dir, node_fn *fn, void *to)
{
	struct place p = *dir;
	int r = 0;

	for (const struct tree_file *f = files_of(dir->level); !r && f->name;
	     f++) {
		p.file = f;
		r = tell(&p, f->name, fn, to);
	}
	return r;
}

static int list_dirs(const struct place *dir, node_fn *fn, void *to)
{
	struct place p = *dir;
	int r = 0;

	switch (dir->level) {
	case AT_ROOT:
		return tell(&p, "server", fn, to);
	case AT_SERVER:
		return tell(&p, "senders", fn, to);
	case AT_SENDERS:
		for (p.at.x = p.at.d->senders.first; !r && p.at.x;
		     p.at.x = p.at.x->next)
			if (is_shown(p.at.x))
				r = tell(&p, p.at.x->row.name, fn, to);
		return r;
	case AT_SENDER:
		for (p.at.i = p.at.x->newest; !r && p.at.i;
		     p.at.i = p.at.i->older)
			if (incarnation_is_shown(p.at.i))
				r = tell(&p, p.at.i->row.pipe, fn, to);
		return r;
	case AT_PIPE:
		return 0;
	}
	return 0;
}

static int list_nodes(void *arg, const char *path, node_fn *fn, void *to)
{
	struct place p;
	int r = find(arg, path, &p);

	if (r < 0)
		return r;
	if (p.file)
		return -ENOTDIR;
	r = list_files(&p, fn, to);
	return r ? r : list_dirs(&p, fn, to);
}

struct tree_ops tree_ops_of(struct recvd *d)
{
	return (struct tree_ops){
		.read = read_node, .list = list_nodes, .arg = d};
}
