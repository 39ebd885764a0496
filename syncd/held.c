#include "held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "compaction.h"
#include "ground/fileio.h"

void held_free(struct held *h)
{
	size_t i;

	for (i = 0; h && i < h->n; i++)
		(void)close(h->v[i].fd);
	free(h);
}

static bool has(const struct held *h, const char *name)
{
	size_t i;

	for (i = 0; h && i < h->n; i++) {
		if (strcmp(h->v[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool is_full(const struct held *h)
{
	return h && h->n == HELD_MAX;
}

static void put(struct held **to, const char *name, int fd)
{
	struct held *h = *to ? *to : xcalloc(1, sizeof(*h));

	*to = h;
	(void)snprintf(h->v[h->n].name, sizeof(h->v[h->n].name), "%s", name);
	h->v[h->n++].fd = fd;
}

void held_add(struct held **h, const char *path, const char *name)
{
	int fd;

	if (is_full(*h) || strlen(name) >= JOURNAL_NAME_LEN || has(*h, name))
		return;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		put(h, name, fd);
}

static int read_one(int fd, struct buf *b)
{
	struct stat st;
	uint8_t *to;
	int n;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > JOURNAL_MAX)
		return 0;
	to = buf_room(b, (size_t)st.st_size);
	if (!to)
		return -ENOMEM;
	n = file_pread(fd, to, (size_t)st.st_size, 0);
	if (n == 0)
		buf_fill(b, (size_t)st.st_size);
	return 0; /* what cannot be read is as if it had not been seen */
}

int held_read(const struct held *h, struct compactions *cs)
{
	size_t i;
	int r = 0;

	for (i = 0; h && r == 0 && i < h->n; i++) {
		CLEANUP(buf_release) struct buf b;

		buf_init(&b, JOURNAL_MAX);
		r = read_one(h->v[i].fd, &b);
		if (r == 0)
			r = compaction_read(cs, h->v[i].name, buf_data(&b),
					    b.len, false);
	}
	return r;
}

static bool stands(const struct compactions *cs, const char *name)
{
	size_t i;

	for (i = 0; i < cs->n; i++) {
		if (cs->v[i].is_there && strcmp(cs->v[i].journal, name) == 0)
			return true;
	}
	return false;
}

void held_keep(struct held *from, const struct compactions *cs,
	       struct held **to)
{
	size_t i;

	for (i = 0; from && i < from->n; i++) {
		if (stands(cs, from->v[i].name) && !is_full(*to) &&
		    !has(*to, from->v[i].name))
			put(to, from->v[i].name, from->v[i].fd);
		else
			(void)close(from->v[i].fd);
	}
	free(from);
}
