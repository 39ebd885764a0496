#include "op.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"

struct fs *op_fs(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

const char *op_path(fuse_req_t req, uint64_t id)
{
	const struct node *nd = nodes_find(op_fs(req)->nodes, id);

	if (!nd) {
		(void)fuse_reply_err(req, ESTALE);
		return NULL;
	}
	return nd->path;
}

bool op_child(fuse_req_t req, uint64_t parent, const char *name,
	      char path[VIEW_PATH_MAX])
{
	const char *dir = op_path(req, parent);
	int n;

	if (!dir)
		return false;
	n = snprintf(path, VIEW_PATH_MAX, "%s/%s", dir[1] ? dir : "", name);
	if (n < 0 || n >= VIEW_PATH_MAX || strlen(name) > TREE_NAME_MAX) {
		(void)fuse_reply_err(req, ENAMETOOLONG);
		return false;
	}
	return true;
}

void op_free(struct op *op)
{
	free(op->path);
	free(op);
}

void op_ask(fuse_req_t req, uint64_t id, const char *path, enum view_what what,
	    const struct fuse_file_info *fi,
	    void (*done)(void *op, struct view *v))
{
	struct op *op = xcalloc(1, sizeof *op);
	int err;

	op->fs = op_fs(req);
	op->req = req;
	op->id = id;
	op->path = xstrdup(path);
	if (fi)
		op->fi = *fi;
	err = ask_tree(op->fs, what, path, done, op);
	if (err) {
		(void)fuse_reply_err(req, -err);
		op_free(op);
	}
}
