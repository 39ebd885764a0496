#include "ops_dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ask.h"
#include "op.h"
#include "refuse.h"

#define COOKIE_DOT 1
#define COOKIE_DOTS 2 /* numbers of entries begin at 16 */

struct dir_file {
	struct open_file file;
	struct view_entry *entries; /* owned */
	uint64_t *inos;		    /* owned, one for each */
	size_t n;
	bool was_begun;
	unsigned n_reads;
	bool is_released;
};

struct relist {
	struct dir_file *df;
	fuse_req_t req;
	size_t size;
};

static void fill(struct dir_file *df, struct view_entry *entries, size_t n)
{
	const struct node *nd = df->file.node;
	char path[VIEW_PATH_MAX + TREE_NAME_MAX + 2];

	free(df->entries);
	free(df->inos);
	df->entries = entries;
	df->n = n;
	df->inos = xcalloc(n + 1, sizeof *df->inos);
	for (size_t i = 0; i < n; i++) {
		const struct tree_node *tn = &entries[i].node;

		(void)snprintf(path, sizeof path, "%s/%s",
			       nd->path[1] ? nd->path : "", tn->name);
		df->inos[i] = nodes_ino(df->file.fs->nodes, path, tn->kind);
	}
}

static void free_when_over(struct dir_file *df)
{
	if (!df->is_released || df->n_reads)
		return;
	file_detach(&df->file);
	free(df->entries);
	free(df->inos);
	free(df);
}

void dir_release(struct open_file *f)
{
	struct dir_file *df = CONTAINER_OF(f, struct dir_file, file);

	df->is_released = true;
	free_when_over(df);
}

static void listed(void *arg, struct view *v)
{
	struct op *op = arg;
	struct node *nd = nodes_find(op->fs->nodes, op->id);
	struct view_entry *entries = NULL;
	struct dir_file *df;
	size_t n = 0;
	int err = nd ? view_list(v, &op->fs->own, &entries, &n) : -ESTALE;

	if (err) {
		(void)fuse_reply_err(op->req, -err);
		op_free(op);
		return;
	}
	df = xcalloc(1, sizeof *df);
	file_attach(&df->file, op->fs, nd, FILE_DIR);
	fill(df, entries, n);
	op->fi.fh = (uintptr_t)&df->file;
	if (fuse_reply_open(op->req, &op->fi) < 0)
		dir_release(&df->file);
	op_free(op);
}

void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	const char *path = op_path(req, id);

	if (path)
		op_ask(req, id, path, VIEW_LIST, fi, listed);
}

/* Entries are numbered 0 and 1 for . and .., then those of the list. */
static size_t place_of(const struct dir_file *df, off_t off)
{
	if (off <= COOKIE_DOTS)
		return (size_t)off; /* the cookie of the nth is n + 1 */
	for (size_t i = 0; i < df->n; i++) {
		if (df->inos[i] == (uint64_t)off)
			return i + 3;
	}
	return df->n + 2;
}

static uint64_t parent_ino(const struct dir_file *df)
{
	char *dir CLEANUP_FREE = xstrdup(df->file.node->path);
	char *slash = strrchr(dir, '/');

	slash[slash == dir ? 1 : 0] = '\0';
	return nodes_ino(df->file.fs->nodes, dir, TREE_DIR);
}

struct dirent_out {
	char *p;
	size_t left;
};

/* Returns whether there was room. */
static bool add(fuse_req_t req, struct dirent_out *to, const char *name,
		uint64_t ino, mode_t type, off_t cookie)
{
	struct stat st = {.st_ino = ino, .st_mode = type};
	size_t n = fuse_add_direntry(req, to->p, to->left, name, &st, cookie);

	if (n > to->left)
		return false;
	to->p += n;
	to->left -= n;
	return true;
}

static bool add_nth(fuse_req_t req, struct dirent_out *to,
		    const struct dir_file *df, size_t i)
{
	static const mode_t types[] = {
		[TREE_DIR] = S_IFDIR,
		[TREE_FILE] = S_IFREG,
		[TREE_LINK] = S_IFLNK,
	};
	const struct tree_node *tn;

	if (i == 0)
		return add(req, to, ".", df->file.node->ino, S_IFDIR,
			   COOKIE_DOT);
	if (i == 1)
		return add(req, to, "..", parent_ino(df), S_IFDIR, COOKIE_DOTS);
	tn = &df->entries[i - 2].node;
	return add(req, to, tn->name, df->inos[i - 2], types[tn->kind],
		   (off_t)df->inos[i - 2]);
}

static void reply_entries(struct dir_file *df, fuse_req_t req, size_t size,
			  off_t off)
{
	size_t room = size < 65536 ? size : 65536;
	char *mem CLEANUP_FREE = xcalloc(room + 1, 1);
	struct dirent_out to = {.p = mem, .left = room};
	size_t i = place_of(df, off);

	while (i < df->n + 2 && add_nth(req, &to, df, i))
		i++;
	(void)fuse_reply_buf(req, mem, room - to.left);
}

static void relisted(void *arg, struct view *v)
{
	struct relist *rl = arg;
	struct dir_file *df = rl->df;
	struct view_entry *entries;
	size_t n;

	if (view_list(v, &df->file.fs->own, &entries, &n) == 0)
		fill(df, entries, n);
	reply_entries(df, rl->req, rl->size, 0);
	df->n_reads--;
	free_when_over(df);
	free(rl);
}

void op_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	struct dir_file *df = CONTAINER_OF(file_of(fi), struct dir_file, file);
	struct relist *rl;

	(void)id;
	if (off != 0 || !df->was_begun) {
		df->was_begun = true;
		reply_entries(df, req, size, off);
		return;
	}
	rl = xcalloc(1, sizeof *rl);
	*rl = (struct relist){.df = df, .req = req, .size = size};
	df->n_reads++;
	if (ask_tree(df->file.fs, VIEW_LIST, df->file.node->path, relisted,
		     rl) < 0) {
		df->n_reads--;
		free(rl);
		reply_entries(df, req, size, off);
	}
}

void op_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	(void)fuse_reply_err(req, 0);
	dir_release(file_of(fi));
}

/* ---- what is refused ---- */

static void refuse(fuse_req_t req, enum refused what, const char *verb,
		   fuse_ino_t parent, const char *name)
{
	char path[VIEW_PATH_MAX];

	if (op_child(req, parent, name, path))
		refuse_op(op_fs(req), req, what, verb, path, NULL);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t dev)
{
	(void)mode;
	(void)dev;
	refuse(req, REFUSED_MAKE, "mknod", parent, name);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)mode;
	refuse(req, REFUSED_MAKE, "mkdir", parent, name);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	(void)mode;
	(void)fi;
	refuse(req, REFUSED_MAKE, "create", parent, name);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name)
{
	(void)target;
	refuse(req, REFUSED_MAKE, "symlink", parent, name);
}

void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t parent, const char *name)
{
	(void)id;
	refuse(req, REFUSED_MAKE, "link", parent, name);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	refuse(req, REFUSED_REMOVE, "rm", parent, name);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	refuse(req, REFUSED_REMOVE, "rmdir", parent, name);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	char path[VIEW_PATH_MAX], to[VIEW_PATH_MAX];

	(void)flags;
	if (op_child(req, parent, name, path) &&
	    op_child(req, new_parent, new_name, to))
		refuse_op(op_fs(req), req, REFUSED_RENAME, "mv", path, to);
}
