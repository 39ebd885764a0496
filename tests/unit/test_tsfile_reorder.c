#include <errno.h>
#include <fcntl.h>

#include "domain/tsfile.h"
#include "domain/tsfile_index.h"
#include "domain/tsfile_reorder.h"
#include "ground/buf.h"
#include "ground/fileio.h"
#include "test.h"

/* Real TsFiles of version 3, with their devices turned round. */

#define FILE_MAX (1u << 20)

static int backwards(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	int r = memcmp(b, a, n);

	if (r)
		return r;
	return b_len < a_len ? -1 : b_len > a_len;
}

struct heard {
	struct buf lines; /* one a device, its series behind it */
	struct buf series;
	char last[TSFILE_NAME_MAX + 1];
	bool is_backwards;
};

static int hear_series(void *arg, const struct tsfile_device *d,
		       const struct tsfile_series *s)
{
	struct heard *h = arg;

	(void)d;
	buf_addf(&h->series, " %s:%u:%u:%lld:%lld", s->name, s->type, s->count,
		 (long long)s->range.first, (long long)s->range.last);
	return 0;
}

static int hear_chunk(void *arg, const struct tsfile_device *d,
		      const struct tsfile_series *s,
		      const struct tsfile_chunk *c)
{
	struct heard *h = arg;

	(void)d;
	(void)s;
	buf_addf(&h->series, "@%llu", (unsigned long long)c->offset);
	return 0;
}

static int hear_device(void *arg, const struct tsfile_device *d)
{
	struct heard *h = arg;

	buf_addf(&h->lines, "%s%s\n", d->path, buf_str(&h->series));
	buf_clear(&h->series);
	h->is_backwards &= !*h->last || strcmp(d->path, h->last) < 0;
	(void)snprintf(h->last, sizeof h->last, "%s", d->path);
	return 0;
}

static void heard_release(struct heard *h)
{
	buf_release(&h->lines);
	buf_release(&h->series);
}

static int hear(int fd, struct heard *h, struct tsfile_index *index)
{
	struct tsfile_visit visit = {.device = hear_device,
				     .series = hear_series,
				     .chunk = hear_chunk,
				     .arg = h};
	struct err e = {0};

	buf_init(&h->lines, FILE_MAX);
	buf_init(&h->series, FILE_MAX);
	h->is_backwards = true;
	return tsfile_index_read(fd, &visit, index, &e);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines, sorted; "" when there is no memory for them. */
static void sort_lines(struct buf *b)
{
	char *text = xstrdup(buf_str(b)), *rest = text, *line;
	char *lines[1024];
	size_t n = 0;

	while ((line = strsep(&rest, "\n")) && n < ARRAY_LEN(lines))
		lines[n++] = line;
	qsort(lines, n, sizeof *lines, compare_lines);
	buf_clear(b);
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s\n", lines[i]);
	free(text);
}

static int reorder_to(const char *name, int *from, int *to, struct err *e)
{
	char path[600];

	(void)snprintf(path, sizeof path, "%s/copy", test_dir());
	*from = open(test_data(name), O_RDONLY);
	*to = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (*from < 0 || *to < 0)
		abort();
	return tsfile_reorder(*from, backwards, *to, e);
}

static void all_is_there(void)
{
	static const char *const files[] = {"tsfile/v3/idx.tsfile",
					    "tsfile/v3/idxal.tsfile",
					    "tsfile/v3/al.tsfile",
					    "tsfile/v3/compacted.tsfile",
					    "tsfile/v3/tiny.tsfile"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP_CLOSE int from = -1, to = -1;
		CLEANUP_FREE struct heard *was = xcalloc(1, sizeof *was);
		CLEANUP_FREE struct heard *is = xcalloc(1, sizeof *is);
		struct tsfile_index before, after;
		struct err e = {0};

		CHECK(reorder_to(files[i], &from, &to, &e) == 0);
		CHECK(hear(from, was, &before) == 0);
		CHECK(hear(to, is, &after) == 0);
		CHECK(before.devices == after.devices);
		CHECK(is->is_backwards);
		CHECK(after.devices == 1 || !was->is_backwards);
		sort_lines(&was->lines);
		sort_lines(&is->lines);
		CHECK_STR(buf_str(&is->lines), buf_str(&was->lines));
		heard_release(was);
		heard_release(is);
	}
}

static void data_stays(void)
{
	CLEANUP_CLOSE int from = -1, to = -1;
	CLEANUP(buf_release) struct buf was, is;
	struct tsfile_ends ends;
	struct err e = {0};

	buf_init(&was, FILE_MAX);
	buf_init(&is, FILE_MAX);
	CHECK(reorder_to("tsfile/v3/idx.tsfile", &from, &to, &e) == 0);
	CHECK(tsfile_read_ends(from, &ends, &e) == 0);
	CHECK(lseek(to, 0, SEEK_END) > (off_t)ends.metadata_offset);
	CHECK(file_pread(from, buf_room(&was, ends.metadata_offset),
			 ends.metadata_offset, 0) == 0);
	CHECK(file_pread(to, buf_room(&is, ends.metadata_offset),
			 ends.metadata_offset, 0) == 0);
	CHECK(memcmp(buf_data(&was), buf_data(&is), ends.metadata_offset) == 0);
}

static void refusals(void)
{
	CLEANUP_CLOSE int from = -1, to = -1;
	struct err e = {0};

	CHECK(reorder_to("tsfile/v4/idx.tsfile", &from, &to, &e) == -ENOTSUP);
	(void)close(from);
	(void)close(to);
	CHECK(reorder_to("tsfile/v3/empty.tsfile", &from, &to, &e) == -EBADMSG);
	(void)close(from);
	(void)close(to);
	CHECK(reorder_to("answers/0.13.4.txt.xz", &from, &to, &e) == -EBADMSG);
}

int main(void)
{
	test_run("the same devices, series and chunks in another order",
		 all_is_there);
	test_run("what stands before the metadata stays byte for byte",
		 data_stays);
	test_run("what is no TsFile of version 3 with devices is told",
		 refusals);
	return test_end();
}
