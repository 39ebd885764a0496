#include "resync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ground/fileio.h"

#define PATH_LEN (DATA_DIR_LEN + FILEID_PATH_MAX + 2)

struct carrying {
	struct outbox_writer *w;
	const struct spool *spool;
	const struct pipe_row *old;
	int64_t to;
	struct err *e;
	/* The partition that was looked at last. */
	struct fileid partition;
	bool has_looked, has_news;
	struct fileid listed; /* the directory that is being listed */
};

bool resync_stands(const struct spool *s, const struct fileid *file)
{
	char path[PATH_LEN], name[FILEID_PATH_MAX];
	size_t i;

	for (i = 0; i < s->n_configured; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s",
			       s->volumes[i].data_dir, fileid_path(file, name));
		if (file_size_at(AT_FDCWD, path) != -ENOENT)
			return true;
	}
	return false;
}

/* A product that the old pipe does not know. */
static int take_name(void *arg, const char *name, unsigned char d_type)
{
	struct carrying *c = arg;
	struct fileid f = c->listed;
	int r;

	(void)d_type;
	if (fileid_parse_name(&f, name) || (!f.i && !f.c))
		return 0;
	r = outbox_is_known(c->w, c->old->id, &f, c->e);
	if (r < 0)
		return r;
	c->has_news |= r == 0;
	return 0;
}

static int list_space(struct carrying *c, const char *data_dir,
		      bool is_unsequence)
{
	char path[PATH_LEN], dir[FILEID_PATH_MAX];
	CLEANUP_CLOSE int fd = -1;

	c->listed = c->partition;
	c->listed.unsequence = is_unsequence;
	(void)snprintf(path, sizeof(path), "%s/%s", data_dir,
		       fileid_dir(&c->listed, dir));
	fd = file_open_dir(path);
	return fd < 0 ? 0 : file_list(fd, take_name, c);
}

static bool is_same_partition(const struct fileid *a, const struct fileid *b)
{
	return a->region == b->region && a->partition == b->partition &&
	       strcmp(a->database, b->database) == 0;
}

static int look_at_partition(struct carrying *c, const struct fileid *f)
{
	size_t i;
	int r = 0;

	if (c->has_looked && is_same_partition(&c->partition, f))
		return 0;
	c->partition = *f;
	c->has_looked = true;
	c->has_news = false;
	for (i = 0; r >= 0 && i < c->spool->n_configured; i++) {
		const char *data_dir = c->spool->volumes[i].data_dir;

		r = list_space(c, data_dir, false);
		if (r >= 0)
			r = list_space(c, data_dir, true);
	}
	return r < 0 ? r : 0;
}

static int take_known(void *arg, const struct fileid *f)
{
	struct carrying *c = arg;
	int r;

	if (resync_stands(c->spool, f))
		return 0;
	r = look_at_partition(c, f);
	if (r < 0 || c->has_news)
		return r;
	return outbox_late_gone(c->w, c->old, c->to, f, c->e);
}

int resync_carry(struct outbox_writer *w, const struct spool *s,
		 const struct pipe_row *old, int64_t to, struct err *e)
{
	struct carrying c = {.w = w, .spool = s, .old = old, .to = to, .e = e};
	int r = outbox_carry(w, old, to, e);

	return r ? r : outbox_each_known(w, old->id, take_known, &c, e);
}
