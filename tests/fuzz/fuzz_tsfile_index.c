#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "domain/tsfile_index.h"
#include "fuzz.h"
#include "ground/fileio.h"

/* The input is a file. Whoever hears every series hears ranges that hold; whoever hears
 * devices only is told of the same. */

struct heard {
	uint64_t devices, series;
	bool begun; /* series of a device that has not come yet */
	struct tsfile_range of_device, of_all;
};

static void widen(struct tsfile_range *r, const struct tsfile_range *by)
{
	if (by->any && (!r->any || by->first < r->first))
		r->first = by->first;
	if (by->any && (!r->any || by->last > r->last))
		r->last = by->last;
	r->any |= by->any;
}

static void check_range(const struct tsfile_range *r)
{
	FUZZ_MUST(r->first <= r->last);
	FUZZ_MUST(r->any || (r->first == 0 && r->last == 0));
}

static bool is_same(const struct tsfile_range *a, const struct tsfile_range *b)
{
	return a->any == b->any && a->first == b->first && a->last == b->last;
}

static int hear_series(void *arg, const struct tsfile_device *d,
		       const struct tsfile_series *s)
{
	struct heard *h = arg;

	FUZZ_MUST(d->path_len > 0 && d->path_len <= TSFILE_NAME_MAX);
	FUZZ_MUST(s->name_len <= TSFILE_NAME_MAX && !s->name[s->name_len]);
	FUZZ_MUST(s->range.any == (s->count > 0));
	FUZZ_MUST(!s->is_time || (d->aligned && !h->begun));
	check_range(&s->range);
	widen(&h->of_device, &s->range);
	h->begun = true;
	h->series++;
	return 0;
}

static int hear_device(void *arg, const struct tsfile_device *d)
{
	struct heard *h = arg;

	FUZZ_MUST(h->begun);
	FUZZ_MUST(d->path_len > 0 && d->path_len <= TSFILE_NAME_MAX);
	FUZZ_MUST(!d->path[d->path_len]);
	FUZZ_MUST(d->aligned || d->unsure || is_same(&d->range, &h->of_device));
	check_range(&d->range);
	widen(&h->of_all, &d->range);
	h->of_device = (struct tsfile_range){0};
	h->begun = false;
	h->devices++;
	return 0;
}

static int hear_less(void *arg, const struct tsfile_device *d)
{
	struct heard *h = arg;

	widen(&h->of_all, &d->range);
	h->devices++;
	return 0;
}

static void check_sentence(int r, const struct err *e)
{
	FUZZ_MUST(r == -EBADMSG);
	FUZZ_MUST(strncmp(e->text, "not a ", 6) == 0 ||
		  strncmp(e->text, "damaged TsFile index at ", 24) == 0);
	for (const char *p = e->text; *p; p++)
		FUZZ_MUST(*p >= 0x20 && *p < 0x7f);
}

static void check_less(int fd, const struct tsfile_index *index)
{
	struct heard less = {0};
	struct tsfile_visit visit = {.device = hear_less, .arg = &less};
	struct tsfile_index again;

	FUZZ_MUST(tsfile_index_read(fd, &visit, &again, NULL) == 0);
	FUZZ_MUST(again.devices == index->devices);
	FUZZ_MUST(again.devices == less.devices);
	FUZZ_MUST(is_same(&again.range, &index->range));
	FUZZ_MUST(is_same(&again.range, &less.of_all));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_CLOSE int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct heard all = {0};
	struct tsfile_visit visit = {.device = hear_device, .series = hear_series, .arg = &all};
	struct tsfile_index index;
	struct err e;
	int r;

	FUZZ_MUST(fd >= 0);
	FUZZ_MUST(file_pwrite(fd, data, size, 0) == 0);
	err_clear(&e);
	r = tsfile_index_read(fd, &visit, &index, &e);
	if (r != 0) {
		check_sentence(r, &e);
		return 0;
	}
	FUZZ_MUST(index.version == data[6]);
	FUZZ_MUST(index.devices == all.devices && all.series < size);
	FUZZ_MUST(is_same(&index.range, &all.of_all));
	check_less(fd, &index);
	return 0;
}
