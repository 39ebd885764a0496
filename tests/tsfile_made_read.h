/* Reads what tsfile_made.h makes, as a test's check: taken or refused. */
#ifndef TSFERRY_TSFILE_MADE_READ_H
#define TSFERRY_TSFILE_MADE_READ_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "domain/tsfile_index.h"
#include "ground/fileio.h"
#include "tests/tsfile_made.h"

/* The last device that was heard, and how many series. */
struct last {
	char path[TSFILE_NAME_MAX + 1];
	struct tsfile_device d;
	int n_series;
};

static inline int keep_device(void *arg, const struct tsfile_device *d)
{
	struct last *l = arg;

	l->d = *d;
	memcpy(l->path, d->path, d->path_len + 1);
	l->d.path = l->path;
	return 0;
}

static inline int count_series(void *arg, const struct tsfile_device *d,
			       const struct tsfile_series *s)
{
	struct last *l = arg;

	l->n_series += d->path_len > 0 && s->name != NULL;
	return 0;
}

static inline int read_made(struct made *m, struct last *l,
			    struct tsfile_index *ix, struct err *e)
{
	CLEANUP_CLOSE int fd = memfd_create("made", MFD_CLOEXEC);
	struct tsfile_visit visit = {.device = keep_device, .series = count_series, .arg = l};
	struct tsfile_visit without = {.device = NULL, .series = NULL, .arg = NULL};
	struct tsfile_index ix2;
	int r;

	if (fd < 0 || buf_end(&m->b) < 0 ||
	    file_pwrite(fd, buf_data(&m->b), m->b.len, 0) < 0)
		abort();
	*l = (struct last){0};
	err_clear(e);
	r = tsfile_index_read(fd, &visit, ix, e);
	if (r != 0)
		return r;
	/* Who wants less hears the same. */
	if (tsfile_index_read(fd, &without, &ix2, e) != 0 ||
	    ix2.devices != ix->devices || ix2.range.first != ix->range.first ||
	    ix2.range.last != ix->range.last || ix2.range.any != ix->range.any)
		return -EPROTO;
	return 0;
}

static inline bool is_good(struct made *m, struct last *l,
			   struct tsfile_index *ix)
{
	CLEANUP(made_release) struct made own = *m;
	struct err e;
	int r = read_made(m, l, ix, &e);

	if (r != 0)
		printf("# %d %s\n", r, e.text);
	return r == 0;
}

/* Refused with a sentence that holds `why`. */
static inline bool is_refused(struct made *m, const char *why)
{
	CLEANUP(made_release) struct made own = *m;
	static struct last l;
	struct tsfile_index ix;
	struct err e;
	int r = read_made(m, &l, &ix, &e);

	if (r == -EBADMSG && strstr(e.text, "damaged TsFile index at ") &&
	    strstr(e.text, why))
		return true;
	printf("# %d %s\n", r, e.text);
	return false;
}

#endif
