/* The inodes that the kernel holds: numbers, paths, look-up counts.
 *
 * A number is the hash of path and kind, so that it is the same in every mount and at
 * every time; when two living paths collide, the later one takes the next free number.
 * Numbers 0..15 are never given (1 is the root).
 * A node lives while the kernel counts look-ups of it or a file of it is open.
 *
 * The kernel lets one write at a time into an inode, and a WAIT may park one for
 * minutes. So a `ctl` that is open is looked up as a new node (`id`, which the kernel
 * sees) with the same number (`ino`, which people see): nodes_take() with `alone`.
 * Not for threads. */
#ifndef TSFERRY_NODES_H
#define TSFERRY_NODES_H

#include <stdbool.h>

#include "view.h"

#define NODES_ROOT 1u

struct open_file;

struct node {
	uint64_t id;  /* the kernel's */
	uint64_t ino; /* people's */
	enum tree_kind kind;
	char *path; /* owned */
	uint64_t n_lookups;
	struct open_file *files; /* the owner's list, youngest first */
	/* What its last look-up said, and when: the kernel asks for the attributes
	 * again at once, to check rights. */
	struct view_entry seen;
	uint64_t seen_us, seen_epoch;
	struct node *next_id, *next_path;
};

struct nodes;

/* `mask` cuts the hash: UINT64_MAX >> 1, less only to see collisions. */
struct nodes *nodes_new(uint64_t mask);
void nodes_free(struct nodes *ns);

/* NULL: the kernel does not hold it (any more). The root is always there. */
struct node *nodes_find(const struct nodes *ns, uint64_t id);

/* The node of a path, made when it is new; one look-up more. `alone`: one that no file
 * is open of. */
struct node *nodes_take(struct nodes *ns, const char *path, enum tree_kind kind, bool alone);

/* The number that nodes_take() would give. */
uint64_t nodes_ino(const struct nodes *ns, const char *path, enum tree_kind kind);

/* n look-ups less; the node is freed at 0 unless files are open. Unknown: nothing. */
void nodes_forget(struct nodes *ns, uint64_t id, uint64_t n);

/* After the last file of a node was closed: freed if it is forgotten. */
void nodes_closed(struct nodes *ns, struct node *nd);

/* Some node of which files are open, for the end; NULL: none. */
struct node *nodes_any_open(const struct nodes *ns);

size_t nodes_count(const struct nodes *ns); /* without the root */

#endif
