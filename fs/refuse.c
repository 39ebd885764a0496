#include "refuse.h"

#include <errno.h>
#include <string.h>

#include "caller.h"
#include "note.h"

struct refusing {
	fuse_req_t req;
	int err;
};

static void noted(void *arg)
{
	struct refusing *rf = arg;

	(void)fuse_reply_err(rf->req, rf->err);
	free(rf);
}

void refuse_op(struct fs *fs, fuse_req_t req, enum refused what,
	       const char *verb, const char *path, const char *to)
{
	struct refusing *rf = xcalloc(1, sizeof *rf);
	struct caller who CLEANUP(caller_release) = {0};
	struct buf text CLEANUP(buf_release), typed CLEANUP(buf_release);
	struct err e = {0};
	bool is_server = strncmp(path, "/server", 7) == 0;

	rf->req = req;
	rf->err = what == REFUSED_CHANGE ? EACCES : EPERM;
	buf_init(&text, SENTENCE_LEN_MAX);
	buf_init(&typed, 3 * VIEW_PATH_MAX);
	refuse_sentence(&text, what, path);
	buf_addf(&typed, "%s %s%s%s", verb, path, to ? " " : "", to ? to : "");
	(void)err_say(&e, ERR_REFUSED, rf->err, "%s", buf_str(&text));
	caller_fill(&who, fs, req);
	note_refusal(fs, is_server ? POOL_RECVD : POOL_SYNCD, who.as, who.uid,
		     buf_str(&typed), &e, noted, rf);
}
