#include "load_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ground/fileio.h"

#define ONE_BY_ONE 3u

static void forget_all(struct archive_group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		free(g->v[i].dir);
		free(g->v[i].name);
	}
	g->n = 0;
}

void group_release(struct archive_group *g)
{
	forget_all(g);
	free(g->v);
	g->v = NULL;
	g->cap = 0;
}

static int sync_each(const struct archive_group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		CLEANUP_CLOSE int fd = file_open_beneath(
			g->a->tmp_fd, g->v[i].tmp, O_WRONLY, 0);

		if (fd < 0)
			return fd;
		if (fdatasync(fd) < 0)
			return -errno;
	}
	return 0;
}

static int sync_all(const struct archive_group *g)
{
	if (g->n <= ONE_BY_ONE)
		return sync_each(g);
	return syncfs(g->a->fd) < 0 ? -errno : 0;
}

static int name_all(struct archive_group *g)
{
	CLEANUP_CLOSE int dir = -1;

	for (size_t i = 0; i < g->n; i++) {
		const struct group_file *f = &g->v[i];

		if (!i || strcmp(g->v[i - 1].dir, f->dir) != 0) {
			cleanup_close(&dir);
			dir = file_open_beneath(g->a->fd, f->dir,
						O_RDONLY | O_DIRECTORY, 0);
		}
		if (dir < 0)
			return dir;
		if (renameat(g->a->tmp_fd, f->tmp, dir, f->name) < 0)
			return -errno;
		g->a->is_dirty = true;
	}
	return 0;
}

int group_add(struct archive_group *g, const char *dir, const char *name,
	      const void *p, size_t n)
{
	struct group_file f = {.name = NULL};
	int r = g->n < GROUP_MAX ? 0 : group_end(g);

	if (r >= 0 && array_room(&g->v, g->n, &g->cap, sizeof *g->v))
		r = -ENOMEM;
	if (r >= 0)
		r = archive_write_temporary(g->a, p, n, f.tmp);
	if (r < 0)
		return r;
	f.dir = xstrdup(dir);
	f.name = xstrdup(name);
	g->v[g->n++] = f;
	return 0;
}

int group_end(struct archive_group *g)
{
	int r = g->n ? sync_all(g) : 0;

	if (r >= 0)
		r = name_all(g);
	forget_all(g);
	return r;
}
