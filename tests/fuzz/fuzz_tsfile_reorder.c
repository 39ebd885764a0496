#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "domain/tsfile_index.h"
#include "domain/tsfile_reorder.h"
#include "fuzz.h"
#include "ground/fileio.h"

/* The input is a file. Its copy with the devices the other way round has the same devices,
 * series and times. */

struct heard {
	uint64_t series, sum;
	struct tsfile_range range;
};

static int hear_series(void *arg, const struct tsfile_device *d,
		       const struct tsfile_series *s)
{
	struct heard *h = arg;
	uint64_t v = s->count;

	for (size_t i = 0; i < d->path_len; i++)
		v = v * 31 + (unsigned char)d->path[i];
	for (size_t i = 0; i < s->name_len; i++)
		v = v * 33 + (unsigned char)s->name[i];
	h->sum += v; /* in any order */
	h->series++;
	return 0;
}

static int read_all(int fd, struct heard *h, struct tsfile_index *index)
{
	struct tsfile_visit visit = {.series = hear_series, .arg = h};
	struct err e = {0};

	return tsfile_index_read(fd, &visit, index, &e);
}

static int backwards(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	int r = memcmp(b, a, n);

	return r ? r : a_len < b_len ? 1 : a_len > b_len ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_CLOSE int fd = memfd_create("fuzz", MFD_CLOEXEC);
	CLEANUP_CLOSE int to = memfd_create("copy", MFD_CLOEXEC);
	struct heard was = {0}, is = {0};
	struct tsfile_index before, after;
	struct err e = {0};
	int r;

	FUZZ_MUST(fd >= 0 && to >= 0);
	FUZZ_MUST(file_pwrite(fd, data, size, 0) == 0);
	r = tsfile_reorder(fd, backwards, to, &e);
	if (r < 0) {
		FUZZ_MUST(r == -EBADMSG || r == -ENOTSUP || r == -E2BIG);
		FUZZ_MUST(e.text[0]);
		return 0;
	}
	if (read_all(fd, &was, &before) < 0)
		return 0;
	FUZZ_MUST(read_all(to, &is, &after) == 0);
	FUZZ_MUST(before.devices == after.devices);
	FUZZ_MUST(was.series == is.series && was.sum == is.sum);
	return 0;
}
