#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl.h"
#include "ground/clock.h"
#include "op.h"
#include "ops_dir.h"
#include "refuse.h"
#include "wake.h"

/* Every walk through the mount looks at the root's attributes; what it shows of them
 * may be this old. Everything else is asked for each time. */
#define ROOT_ATTR_S 0.1

/* A look-up is followed by a question for the same attributes. Its answer serves for
 * that one too, unless a statement came between. */
#define SEEN_US 2000

static void fill_stat(const struct fs *fs, uint64_t ino,
		      const struct view_entry *en, struct stat *st)
{
	static const mode_t types[] = {
		[TREE_DIR] = S_IFDIR,
		[TREE_FILE] = S_IFREG,
		[TREE_LINK] = S_IFLNK,
	};
	int64_t ms = en->node.mtime_ms;

	memset(st, 0, sizeof *st);
	st->st_ino = ino;
	st->st_mode = types[en->node.kind] |
		      (en->node.kind == TREE_LINK ? 0777 : en->node.mode);
	st->st_nlink = 1;
	st->st_uid = fs->uid;
	st->st_gid = fs->gid;
	st->st_blksize = 4096;
	st->st_size = en->node.kind == TREE_DIR ? 0 : (off_t)en->size;
	st->st_blocks = (st->st_size + 511) / 512;
	st->st_mtim.tv_sec = ms / 1000;
	st->st_mtim.tv_nsec = ms % 1000 * 1000000;
	st->st_atim = st->st_mtim;
	/* Nobody changes owner, mode or name of anything here. tar takes a change of
	 * ctime for a change of what it reads, also where it only looks twice. */
	st->st_ctim.tv_sec = fs->own.start_ms / 1000;
}

/* What the view says, with what only an open mount knows. */
static void complete_entry(fuse_req_t req, struct node *nd,
			   struct view_entry *en)
{
	const struct fs *fs = op_fs(req);

	if (view_is_ctl(nd->path))
		ctl_stat(fs, fuse_req_ctx(req)->uid, nd->path, en);
	else if (nd->files)
		file_stat(nd, fuse_req_ctx(req)->pid, loop_now_ms(fs->loop),
			  en);
}

/* ---- names and attributes ---- */

static void looked_up(void *arg, struct view *v)
{
	struct op *op = arg;
	struct fuse_entry_param e = {0};
	struct view_entry en;
	struct node *nd;
	int err = view_stat(v, &op->fs->own, &en);

	if (err) {
		(void)fuse_reply_err(op->req, -err);
		op_free(op);
		return;
	}
	nd = nodes_take(op->fs->nodes, op->path, en.node.kind,
			view_is_ctl(op->path));
	nd->seen = en;
	nd->seen_us = clock_mono_us();
	nd->seen_epoch = op->fs->epoch;
	complete_entry(op->req, nd, &en);
	e.ino = nd->id;
	fill_stat(op->fs, nd->ino, &en, &e.attr);
	if (fuse_reply_entry(op->req, &e) < 0)
		nodes_forget(op->fs->nodes, nd->id, 1);
	op_free(op);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	char path[VIEW_PATH_MAX];

	if (op_child(req, parent, name, path))
		op_ask(req, 0, path, VIEW_STAT, NULL, looked_up);
}

static void op_forget(fuse_req_t req, fuse_ino_t id, uint64_t n)
{
	nodes_forget(op_fs(req)->nodes, id, n);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t n,
			    struct fuse_forget_data *list)
{
	for (size_t i = 0; i < n; i++)
		nodes_forget(op_fs(req)->nodes, list[i].ino, list[i].nlookup);
	fuse_reply_none(req);
}

static void got_attr(void *arg, struct view *v)
{
	struct op *op = arg;
	struct node *nd = nodes_find(op->fs->nodes, op->id);
	bool is_root = op->id == NODES_ROOT;
	struct view_entry en;
	struct stat st;
	int err = view_stat(v, &op->fs->own, &en);

	if (!err && (!nd || nd->kind != en.node.kind))
		err = -ESTALE;
	if (err) {
		(void)fuse_reply_err(op->req, -err);
	} else {
		if (is_root && en.node.mtime_ms > op->fs->root_ms)
			op->fs->root_ms = en.node.mtime_ms;
		if (is_root)
			en.node.mtime_ms = op->fs->root_ms;
		complete_entry(op->req, nd, &en);
		fill_stat(op->fs, nd->ino, &en, &st);
		(void)fuse_reply_attr(op->req, &st, is_root ? ROOT_ATTR_S : 0);
	}
	op_free(op);
}

/* Answers from the look-up just before. */
static bool is_just_seen(fuse_req_t req, struct node *nd)
{
	struct fs *fs = op_fs(req);
	struct view_entry en = nd->seen;
	struct stat st;

	if (!nd->seen_us || nd->seen_epoch != fs->epoch ||
	    clock_mono_us() - nd->seen_us > SEEN_US)
		return false;
	complete_entry(req, nd, &en);
	fill_stat(fs, nd->ino, &en, &st);
	(void)fuse_reply_attr(req, &st, 0);
	return true;
}

/* For who follows a file that grows. */
static void got_growth(void *arg, struct view *v)
{
	struct op *op = arg;
	struct node *nd = nodes_find(op->fs->nodes, op->id);
	int pid = fuse_req_ctx(op->req)->pid;
	struct open_file *f =
		nd ? text_followed(nd, pid, loop_now_ms(op->fs->loop)) : NULL;
	struct buf now CLEANUP(buf_release);
	struct view_entry en;
	struct stat st;

	buf_init(&now, VIEW_TEXT_MAX);
	if (!f) {
		(void)fuse_reply_err(op->req, ESTALE);
	} else {
		if (view_read(v, &op->fs->own, &now) < 0)
			buf_clear(&now);
		text_grow(f, &now, clock_wall_ms(), &en);
		fill_stat(op->fs, nd->ino, &en, &st);
		(void)fuse_reply_attr(op->req, &st, 0);
	}
	op_free(op);
}

static void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	const char *path = op_path(req, id);
	struct fs *fs = op_fs(req);
	struct node *nd = nodes_find(fs->nodes, id);

	(void)fi;
	if (!path)
		return;
	if (nd->files &&
	    text_followed(nd, fuse_req_ctx(req)->pid, loop_now_ms(fs->loop)))
		op_ask(req, id, path, VIEW_READ, NULL, got_growth);
	else if (!is_just_seen(req, nd))
		op_ask(req, id, path, VIEW_STAT, NULL, got_attr);
}

static void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr,
		       int to_set, struct fuse_file_info *fi)
{
	const char *path = op_path(req, id);
	struct fs *fs = op_fs(req);

	(void)attr;
	(void)fi;
	if (!path)
		return;
	if (to_set &
	    (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		refuse_op(fs, req, REFUSED_OWNER,
			  to_set & FUSE_SET_ATTR_MODE ? "chmod" : "chown", path,
			  NULL);
	else if (!(to_set & FUSE_SET_ATTR_SIZE))
		refuse_op(fs, req, REFUSED_TIME, "touch", path, NULL);
	else if (!view_is_ctl(path))
		refuse_op(fs, req, REFUSED_CHANGE, "truncate", path, NULL);
	else
		op_ask(req, id, path, VIEW_STAT, NULL, got_attr);
}

static void link_read(void *arg, struct view *v)
{
	struct op *op = arg;
	struct buf text CLEANUP(buf_release);
	int err;

	buf_init(&text, VIEW_TEXT_MAX);
	err = view_read(v, &op->fs->own, &text);
	if (err) {
		(void)fuse_reply_err(op->req, -err);
	} else {
		char *target CLEANUP_FREE = xstrdup(buf_str(&text));

		target[strcspn(target, "\n")] = '\0';
		(void)fuse_reply_readlink(op->req, target);
	}
	op_free(op);
}

static void op_readlink(fuse_req_t req, fuse_ino_t id)
{
	const char *path = op_path(req, id);

	if (path)
		op_ask(req, id, path, VIEW_READ, NULL, link_read);
}

static void op_statfs(fuse_req_t req, fuse_ino_t id)
{
	struct statvfs st = {
		.f_bsize = 4096, .f_frsize = 4096, .f_namemax = TREE_NAME_MAX};

	(void)id;
	(void)fuse_reply_statfs(req, &st);
}

/* ---- files ---- */

static void release_file(struct open_file *f)
{
	switch (f->kind) {
	case FILE_TEXT:
		wake_forget(f);
		text_release(f);
		return;
	case FILE_CTL:
		ctl_release(f, NULL);
		return;
	case FILE_DIR:
		dir_release(f);
		return;
	}
}

void ops_release_all(struct fs *fs)
{
	struct node *nd;

	while ((nd = nodes_any_open(fs->nodes)))
		release_file(nd->files);
}

static void reply_open(fuse_req_t req, struct fuse_file_info *fi,
		       struct open_file *f)
{
	fi->fh = (uintptr_t)f;
	fi->direct_io = 1;
	f->opener = fuse_req_ctx(req)->pid;
	if (fuse_reply_open(req, fi) < 0)
		release_file(f);
}

static void text_opened(void *arg, struct view *v)
{
	struct op *op = arg;
	struct node *nd = nodes_find(op->fs->nodes, op->id);
	struct buf text CLEANUP(buf_release);
	int err;

	buf_init(&text, VIEW_TEXT_MAX);
	err = nd ? view_read(v, &op->fs->own, &text) : -ESTALE;
	if (err)
		(void)fuse_reply_err(op->req, -err);
	else
		reply_open(op->req, &op->fi, text_open(op->fs, nd, &text));
	op_free(op);
}

static void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct fs *fs = op_fs(req);
	const char *path = op_path(req, id);

	if (!path)
		return;
	if (view_is_ctl(path))
		reply_open(req, fi,
			   ctl_open(fs, nodes_find(fs->nodes, id), req));
	else if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC)
		refuse_op(fs, req, REFUSED_CHANGE, "write", path, NULL);
	else
		op_ask(req, id, path, VIEW_READ, fi, text_opened);
}

static void op_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct open_file *f = file_of(fi);

	(void)id;
	if (f->kind == FILE_CTL)
		ctl_read(f, req, size, (uint64_t)off);
	else
		text_read(f, req, size, (uint64_t)off);
}

static void op_write(fuse_req_t req, fuse_ino_t id, const char *p, size_t n,
		     off_t off, struct fuse_file_info *fi)
{
	struct open_file *f = file_of(fi);

	(void)id;
	(void)off;
	if (f->kind == FILE_CTL)
		ctl_write(f, req, p, n);
	else
		(void)fuse_reply_err(req, EBADF);
}

static void op_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct open_file *f = file_of(fi);

	(void)id;
	if (f->kind == FILE_CTL)
		ctl_flush(f, req);
	else
		(void)fuse_reply_err(req, 0);
}

static void op_poll(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi,
		    struct fuse_pollhandle *ph)
{
	(void)id;
	wake_poll(file_of(fi), req, ph);
}

static void op_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct open_file *f = file_of(fi);

	(void)id;
	if (f->kind == FILE_CTL) {
		ctl_release(f, req);
		return;
	}
	(void)fuse_reply_err(req, 0);
	release_file(f);
}

const struct fuse_lowlevel_ops ops_table = {
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.statfs = op_statfs,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.poll = op_poll,
	.release = op_release,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.link = op_link,
	.rename = op_rename,
	.create = op_create,
};
