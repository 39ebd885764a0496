#include "nodes.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* Two chained tables over the same nodes: by id, by path and kind. */

#define FIRST_SIZE 64
#define FIRST_INO 16u
#define FIRST_ALIAS (UINT64_C(1) << 63) /* above every hash */

struct nodes {
	struct node *root; /* in no table */
	struct node **by_id, **by_path;
	size_t size; /* of both, a power of two */
	size_t n;
	uint64_t mask;
	uint64_t next_alias;
};

static uint64_t key_of(const char *path, enum tree_kind kind)
{
	return XXH3_64bits_withSeed(path, strlen(path), (uint64_t)kind);
}

/* Ids are hashes already, but their low bits are cut by a small mask in tests and
 * count up for aliases: both spread well enough. */
static struct node **id_slot(const struct nodes *ns, uint64_t id)
{
	return &ns->by_id[id & (ns->size - 1)];
}

static struct node **path_slot(const struct nodes *ns, uint64_t key)
{
	return &ns->by_path[key & (ns->size - 1)];
}

static void link_node(struct nodes *ns, struct node *nd)
{
	struct node **id = id_slot(ns, nd->id);
	struct node **path = path_slot(ns, key_of(nd->path, nd->kind));

	nd->next_id = *id;
	*id = nd;
	nd->next_path = *path;
	*path = nd;
}

static void unlink_node(struct nodes *ns, struct node *nd)
{
	struct node **p = id_slot(ns, nd->id);

	while (*p != nd)
		p = &(*p)->next_id;
	*p = nd->next_id;
	p = path_slot(ns, key_of(nd->path, nd->kind));
	while (*p != nd)
		p = &(*p)->next_path;
	*p = nd->next_path;
}

static void grow(struct nodes *ns)
{
	struct node **old = ns->by_id;
	size_t old_size = ns->size;

	free(ns->by_path);
	ns->size *= 2;
	ns->by_id = xcalloc(ns->size, sizeof *ns->by_id);
	ns->by_path = xcalloc(ns->size, sizeof *ns->by_path);
	for (size_t i = 0; i < old_size; i++) {
		struct node *next;

		for (struct node *nd = old[i]; nd; nd = next) {
			next = nd->next_id;
			link_node(ns, nd);
		}
	}
	free(old);
}

struct nodes *nodes_new(uint64_t mask)
{
	struct nodes *ns = xcalloc(1, sizeof *ns);

	ns->mask = mask;
	ns->next_alias = FIRST_ALIAS;
	ns->size = FIRST_SIZE;
	ns->by_id = xcalloc(ns->size, sizeof *ns->by_id);
	ns->by_path = xcalloc(ns->size, sizeof *ns->by_path);
	ns->root = xcalloc(1, sizeof *ns->root);
	*ns->root = (struct node){.id = NODES_ROOT,
				  .ino = NODES_ROOT,
				  .kind = TREE_DIR,
				  .path = xstrdup("/")};
	return ns;
}

static void free_node(struct node *nd)
{
	free(nd->path);
	free(nd);
}

void nodes_free(struct nodes *ns)
{
	if (!ns)
		return;
	for (size_t i = 0; i < ns->size; i++) {
		struct node *next;

		for (struct node *nd = ns->by_id[i]; nd; nd = next) {
			next = nd->next_id;
			free_node(nd);
		}
	}
	free(ns->by_id);
	free(ns->by_path);
	free_node(ns->root);
	free(ns);
}

struct node *nodes_find(const struct nodes *ns, uint64_t id)
{
	if (id == NODES_ROOT)
		return ns->root;
	for (struct node *nd = *id_slot(ns, id); nd; nd = nd->next_id) {
		if (nd->id == id)
			return nd;
	}
	return NULL;
}

static bool is_node_of(const struct node *nd, const char *path,
		       enum tree_kind kind)
{
	return nd->kind == kind && strcmp(nd->path, path) == 0;
}

static struct node *find_path(const struct nodes *ns, const char *path,
			      enum tree_kind kind, bool alone)
{
	struct node *nd = *path_slot(ns, key_of(path, kind));

	for (; nd; nd = nd->next_path) {
		if (is_node_of(nd, path, kind) && !(alone && nd->files))
			return nd;
	}
	return NULL;
}

/* Whether a living node shows this number for something else. */
static bool is_taken(const struct nodes *ns, uint64_t ino, const char *path,
		     enum tree_kind kind)
{
	const struct node *nd = nodes_find(ns, ino);

	return nd && !is_node_of(nd, path, kind);
}

uint64_t nodes_ino(const struct nodes *ns, const char *path,
		   enum tree_kind kind)
{
	const struct node *nd;
	uint64_t ino;

	if (strcmp(path, "/") == 0)
		return NODES_ROOT;
	nd = find_path(ns, path, kind, false);
	if (nd)
		return nd->ino;
	ino = key_of(path, kind) & ns->mask;
	if (ino < FIRST_INO)
		ino += FIRST_INO;
	while (is_taken(ns, ino, path, kind))
		ino++;
	return ino;
}

static struct node *new_node(struct nodes *ns, const char *path,
			     enum tree_kind kind)
{
	struct node *nd = xcalloc(1, sizeof *nd);

	nd->ino = nodes_ino(ns, path, kind);
	nd->id = nodes_find(ns, nd->ino) ? ns->next_alias++ : nd->ino;
	nd->kind = kind;
	nd->path = xstrdup(path);
	if (ns->n >= ns->size)
		grow(ns);
	link_node(ns, nd);
	ns->n++;
	return nd;
}

struct node *nodes_take(struct nodes *ns, const char *path, enum tree_kind kind,
			bool alone)
{
	struct node *nd;

	if (strcmp(path, "/") == 0)
		return ns->root;
	nd = find_path(ns, path, kind, alone);
	if (!nd)
		nd = new_node(ns, path, kind);
	nd->n_lookups++;
	return nd;
}

static void drop_unused(struct nodes *ns, struct node *nd)
{
	if (nd == ns->root || nd->n_lookups || nd->files)
		return;
	unlink_node(ns, nd);
	ns->n--;
	free_node(nd);
}

void nodes_forget(struct nodes *ns, uint64_t id, uint64_t n)
{
	struct node *nd = nodes_find(ns, id);

	if (!nd)
		return;
	nd->n_lookups -= n < nd->n_lookups ? n : nd->n_lookups;
	drop_unused(ns, nd);
}

void nodes_closed(struct nodes *ns, struct node *nd)
{
	drop_unused(ns, nd);
}

struct node *nodes_any_open(const struct nodes *ns)
{
	if (ns->root->files)
		return ns->root;
	for (size_t i = 0; i < ns->size; i++) {
		for (struct node *nd = ns->by_id[i]; nd; nd = nd->next_id) {
			if (nd->files)
				return nd;
		}
	}
	return NULL;
}

size_t nodes_count(const struct nodes *ns)
{
	return ns->n;
}
