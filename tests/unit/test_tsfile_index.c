#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "domain/tsfile_index.h"
#include "ground/bytes.h"
#include "ground/fileio.h"
#include "test.h"

#define FILE_MAX (4u << 20)
#define TEXT_MAX (1u << 20)

/* What a walk heard, as text in the form of tests/data/tsfile/ *.index. */
struct heard {
	struct buf text;
	bool series_too;
	uint64_t n_series;
};

static void heard_release(struct heard *h)
{
	buf_release(&h->text);
}

static void add_range(struct buf *b, const struct tsfile_range *r)
{
	if (r->any)
		buf_addf(b, "%" PRId64 " %" PRId64 "\n", r->first, r->last);
	else
		buf_adds(b, "- -\n");
}

static int hear_device(void *arg, const struct tsfile_device *d)
{
	struct heard *h = arg;

	buf_addf(&h->text, "device\t%s\t%s%s\t", d->path,
		 d->aligned ? "aligned" : "plain", d->unsure ? " unsure" : "");
	add_range(&h->text, &d->range);
	return 0;
}

static int hear_series(void *arg, const struct tsfile_device *d,
		       const struct tsfile_series *s)
{
	struct heard *h = arg;

	(void)d;
	h->n_series++;
	buf_addf(&h->text, "series\t%s\t%u\t%" PRIu32 "\t", s->name, s->type,
		 s->count);
	add_range(&h->text, &s->range);
	return 0;
}

static int hear(int fd, bool series_too, struct heard *h, struct err *e)
{
	struct tsfile_visit visit = {.device = hear_device,
				     .series = series_too ? hear_series : NULL,
				     .arg = h};
	struct tsfile_index index;
	int r;

	*h = (struct heard){.series_too = series_too};
	buf_init(&h->text, TEXT_MAX);
	err_clear(e);
	r = tsfile_index_read(fd, &visit, &index, e);
	if (r != 0)
		return r;
	buf_addf(&h->text, "all\tversion %u\t%" PRIu64 " devices\t",
		 index.version, index.devices);
	if (series_too)
		buf_addf(&h->text, "%" PRIu64 " series\t", h->n_series);
	add_range(&h->text, &index.range);
	return buf_end(&h->text);
}

static int fd_of(const void *p, size_t n)
{
	int fd = memfd_create("tsfile", MFD_CLOEXEC);

	if (fd < 0 || file_pwrite(fd, p, n, 0) < 0)
		abort();
	return fd;
}

/* The lines of `expected` from the one behind "file NAME" to the next such line, without
 * what only a walk with series hears. */
static void expected_lines(const char *from, bool series_too, struct buf *out)
{
	while (*from && strncmp(from, "file\t", 5) != 0) {
		const char *end = strchr(from, '\n') + 1;
		const char *last = end;

		if (strncmp(from, "series", 6) != 0 || series_too) {
			if (*from == 'a' && !series_too) {
				last = strstr(from, " devices\t") + 9;
				buf_add(out, from, (size_t)(last - from));
				from = strstr(last, "series\t") + 7;
			}
			buf_add(out, from, (size_t)(end - from));
		}
		from = end;
	}
}

static bool agrees(const char *path, const char *expected, bool series_too)
{
	CLEANUP_CLOSE int fd = open(test_data(path), O_RDONLY | O_CLOEXEC);
	CLEANUP(heard_release) struct heard h = {0};
	CLEANUP(buf_release) struct buf want;
	struct err e;
	int r = hear(fd, series_too, &h, &e);

	buf_init(&want, TEXT_MAX);
	expected_lines(expected, series_too, &want);
	if (r == 0 && strcmp(buf_str(&h.text), buf_str(&want)) == 0)
		return true;
	printf("# %s: %d %s\n# --- heard\n%s# --- expected\n%s", path, r,
	       e.text, buf_str(&h.text), buf_str(&want));
	return false;
}

/* Every file that `index` speaks of. */
static int check_files(const char *index, int least)
{
	CLEANUP(buf_release) struct buf b;
	const char *p;
	int n = 0;

	buf_init(&b, TEXT_MAX);
	if (file_read_all(AT_FDCWD, test_data(index), &b) < 0)
		return -1;
	for (p = buf_str(&b); (p = strstr(p, "file\t")); n++) {
		char path[256];

		p += 5;
		(void)snprintf(path, sizeof path, "%.*s", (int)strcspn(p, "\n"),
			       p);
		p = strchr(p, '\n') + 1;
		if (!agrees(path, p, true) || !agrees(path, p, false))
			return -1;
	}
	return n < least ? -1 : 0;
}

static void files_of_the_library(void)
{
	CHECK(check_files("tsfile/files.index", 15) == 0);
}

static void files_of_servers(void)
{
	CHECK(check_files("tsfile/datadir-1.3.3.index", 50) == 0);
	CHECK(check_files("tsfile/datadir-2.0.2.index", 50) == 0);
}

static const char *const whole[] = {
	"tsfile/v3/tiny.tsfile",      "tsfile/v3/tinyal.tsfile",
	"tsfile/v3/empty.tsfile",     "tsfile/v3/idx.tsfile",
	"tsfile/v3/idxal.tsfile",     "tsfile/v4/tiny.tsfile",
	"tsfile/v4/tinyal.tsfile",    "tsfile/v4/empty.tsfile",
	"tsfile/v4/idx.tsfile",	      "tsfile/v4/idxal.tsfile",
	"tsfile/v4/compacted.tsfile",
};

/* As it is, and with "TsFile" glued on, which a prefix might end in by chance. */
static void cut_short(void)
{
	for (size_t k = 0; k < ARRAY_LEN(whole); k++) {
		CLEANUP(buf_release) struct buf b;

		buf_init(&b, FILE_MAX);
		CHECK(file_read_all(AT_FDCWD, test_data(whole[k]), &b) == 0);
		for (size_t n = 0; n < b.len; n += 7) {
			CLEANUP_CLOSE int fd = fd_of(buf_data(&b), n);
			CLEANUP(heard_release) struct heard h = {0};
			CLEANUP(heard_release) struct heard h2 = {0};
			struct err e;

			CHECK(hear(fd, true, &h, &e) == -EBADMSG);
			CHECK(e.text[0]);
			CHECK(file_pwrite(fd, "TsFile", 6, n) == 0);
			if (n + 6 == b.len)
				continue; /* whole again */
			CHECK(hear(fd, true, &h2, &e) == -EBADMSG);
			CHECK(e.text[0]);
		}
	}
}

/* Whatever one byte of the index becomes: an answer, and one that can be printed. */
static bool survives(int fd, uint64_t at, uint8_t to)
{
	CLEANUP(heard_release) struct heard h = {0};
	CLEANUP(heard_release) struct heard h2 = {0};
	struct err e;
	int r, r2;

	if (file_pwrite(fd, &to, 1, at) < 0)
		return false;
	r = hear(fd, true, &h, &e);
	if (r != 0 && (r != -EBADMSG || !e.text[0]))
		return false;
	for (const char *p = e.text; *p; p++)
		if ((uint8_t)*p < 0x20 || (uint8_t)*p > 0x7e)
			return false;
	r2 = hear(fd, false, &h2, &e);
	return r2 == 0 || (r2 == -EBADMSG && r == -EBADMSG);
}

/* Of large indexes the end, where all kinds of nodes are. */
#define FLIPPED_LEN 1000

static void bytes_that_flipped(void)
{
	for (size_t k = 0; k < ARRAY_LEN(whole); k++) {
		CLEANUP(buf_release) struct buf b;
		CLEANUP_CLOSE int fd = -1;
		struct rd size;
		uint64_t end, from;

		buf_init(&b, FILE_MAX);
		CHECK(file_read_all(AT_FDCWD, test_data(whole[k]), &b) == 0);
		fd = fd_of(buf_data(&b), b.len);
		size = rd_over(buf_data(&b) + b.len - 10, 4);
		end = b.len - 10 - rd_be32(&size);
		from = end < FLIPPED_LEN + 7 ? 7 : end - FLIPPED_LEN;
		for (uint64_t at = from; at < b.len; at++) {
			uint8_t was = buf_data(&b)[at];
			const uint8_t to[] = {0, 0xff, was ^ 1, was ^ 0x80,
					      (uint8_t)(was + 1)};

			for (size_t i = 0; i < sizeof to; i++)
				CHECK(survives(fd, at, to[i]));
			CHECK(file_pwrite(fd, &was, 1, at) == 0);
		}
	}
}

static int stop_at_device(void *arg, const struct tsfile_device *d)
{
	(void)d;
	return *(int *)arg;
}

static int stop_at_series(void *arg, const struct tsfile_device *d,
			  const struct tsfile_series *s)
{
	(void)s;
	return strcmp(d->path, "root.sg.d1") == 0 ? *(int *)arg : 0;
}

/* No more than one call after an answer; `out` stays. */
static void callbacks_end_it(void)
{
	CLEANUP_CLOSE int fd =
		open(test_data("tsfile/v4/tiny.tsfile"), O_RDONLY | O_CLOEXEC);
	struct tsfile_index index = {.devices = 77};
	struct err e = {0};
	int answer = 5;
	struct tsfile_visit visit = {
		.device = stop_at_device, .series = NULL, .arg = &answer};

	CHECK(tsfile_index_read(fd, &visit, &index, &e) == 5);
	answer = -ENOSPC;
	CHECK(tsfile_index_read(fd, &visit, &index, &e) == -ENOSPC);
	visit = (struct tsfile_visit){.series = stop_at_series, .arg = &answer};
	CHECK(tsfile_index_read(fd, &visit, &index, &e) == -ENOSPC);
	CHECK(index.devices == 77 && !e.text[0]);
	visit = (struct tsfile_visit){.arg = NULL};
	CHECK(tsfile_index_read(fd, &visit, &index, NULL) == 0);
	CHECK(index.devices == 1 && index.range.any);
	CHECK(index.range.first == 1 && index.range.last == 3);
}

static void no_descriptor(void)
{
	CLEANUP(heard_release) struct heard h = {0};
	CLEANUP(heard_release) struct heard h2 = {0};
	struct err e;

	CHECK(hear(-1, false, &h, &e) == -EBADF);
	CHECK(hear(AT_FDCWD, false, &h2, NULL) == -EBADF);
}

/* What becomes of the file while it is walked. */
struct spoiler {
	int fd, by; /* takes the place of `fd`, or is -1: it is cut */
};

static int spoil(void *arg, const struct tsfile_device *d)
{
	struct spoiler *s = arg;

	(void)d;
	if (s->by >= 0 ? dup2(s->by, s->fd) < 0 : ftruncate(s->fd, 100) < 0)
		abort();
	return 0;
}

static void spoilt_in_between(void)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP_CLOSE int fd = -1, unreadable = open("/", O_PATH | O_CLOEXEC);
	struct spoiler spoiler = {.by = -1};
	struct tsfile_visit visit = {
		.device = spoil, .series = NULL, .arg = &spoiler};
	struct tsfile_index index;
	struct err e = {0};

	buf_init(&b, FILE_MAX);
	CHECK(file_read_all(AT_FDCWD, test_data("tsfile/v3/idx.tsfile"), &b) ==
	      0);
	fd = spoiler.fd = fd_of(buf_data(&b), b.len);
	CHECK(tsfile_index_read(fd, &visit, &index, &e) == -EBADMSG);
	CHECK(strstr(e.text, "the file became shorter while it was read"));
	CHECK(file_pwrite(fd, buf_data(&b), b.len, 0) == 0);
	spoiler.by = unreadable;
	CHECK(tsfile_index_read(fd, &visit, &index, &e) == -EBADF);
	CHECK(strstr(e.text, "cannot read the TsFile at "));
}

int main(void)
{
	test_run("files of the library: as an independent reader lists them",
		 files_of_the_library);
	test_run("files of servers: as an independent reader lists them",
		 files_of_servers);
	test_run("cut short, they have no index", cut_short);
	test_run("a byte of the index may become another: no harm",
		 bytes_that_flipped);
	test_run("a callback ends the walk with its answer", callbacks_end_it);
	test_run("a failing read is told", no_descriptor);
	test_run("a file that changes while it is read is told",
		 spoilt_in_between);
	return test_end();
}
