#include "caller.h"

#include <stdio.h>

#define GROUPS_MAX 1024

static void add_groups(struct buf *as, fuse_req_t req, gid_t own)
{
	gid_t *list CLEANUP_FREE = xcalloc(GROUPS_MAX, sizeof *list);
	int n = fuse_req_getgroups(req, GROUPS_MAX, list);

	/* Negative: the process is in another pid name space, or gone. */
	for (int i = 0; i < n && i < GROUPS_MAX; i++) {
		if (list[i] != own)
			buf_addf(as, ",%u", list[i]);
	}
}

void caller_fill(struct caller *who, const struct fs *fs, fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct buf as CLEANUP(buf_release);

	who->uid = ctx->uid;
	buf_init(&as, GROUPS_MAX * 12);
	if (ctx->uid != fs->uid) {
		buf_addf(&as, ".as %u %u", ctx->uid, ctx->gid);
		add_groups(&as, req, ctx->gid);
	}
	who->as = xstrdup(buf_str(&as));
}

void caller_release(struct caller *who)
{
	free(who->as);
	who->as = NULL;
}
