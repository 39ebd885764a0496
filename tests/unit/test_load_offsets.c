#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "domain/tsfile_index.h"
#include "ground/buf.h"
#include "recvd/load_iotdb.h"
#include "test.h"

/* Records with offsets against the chunks of a file of IoTDB 1.3.3, one of whose own records
 * has an offset inside it. */

#define FILE_3 \
	"datadir-1.3.3/sequence/root.fleet/3/19723/1795423681129-5-0-0.tsfile"
#define V1 "root.fleet.v1"

struct chunk_seen {
	const char *device, *name;
	uint64_t offset;
	struct tsfile_range range;
};

static int find_series(void *arg, const struct tsfile_device *d,
		       const struct tsfile_series *s)
{
	(void)arg;
	(void)d;
	(void)s;
	return 0;
}

static int find_chunk(void *arg, const struct tsfile_device *d,
		      const struct tsfile_series *s,
		      const struct tsfile_chunk *c)
{
	struct chunk_seen *seen = arg;

	if (strcmp(d->path, seen->device) != 0 ||
	    strcmp(s->name, seen->name) != 0)
		return 0;
	seen->offset = c->offset;
	seen->range = c->range;
	return 1;
}

static bool find(struct chunk_seen *seen)
{
	struct tsfile_visit visit = {
		.series = find_series, .chunk = find_chunk, .arg = seen};
	CLEANUP_CLOSE int fd = open(test_data(FILE_3), O_RDONLY);
	struct tsfile_index index;

	return fd >= 0 && tsfile_index_read(fd, &visit, &index, NULL) == 1;
}

/* What is said of one record; "" when it may lose its offset. */
static const char *said(const char *path, uint64_t offset, int64_t start,
			int64_t end, struct err *e)
{
	CLEANUP(buf_release) struct buf records;
	struct load_job j = {.mods_kind = MODS_TEXT, .length = 5265};
	int r;

	j.path = test_data(FILE_3);
	buf_init(&records, 4096);
	buf_addf(&records, "DELETION,%s,%" PRIu64 ",%" PRId64 ",%" PRId64 "\n",
		 path, offset, start, end);
	err_clear(e);
	r = iotdb_check_offsets(&j, &records, e);
	return r == 0 ? "" : r == -ENOTSUP ? e->text : "failed";
}

static void as_recorded(void)
{
	struct err e = {0};

	CHECK_STR(said(V1 ".status", 4620, 1704153233205, 1704153234105, &e),
		  "");
}

static void later_chunks(void)
{
	struct chunk_seen c = {.device = V1, .name = "status"};
	struct err e = {0};
	int64_t first, last;

	CHECK(find(&c) && c.offset > 8);
	first = c.range.first;
	last = c.range.last;
	/* before the chunk begins: it is not meant */
	CHECK(strstr(said(V1 ".status", c.offset, first, first, &e),
		     "the deletion of root.fleet.v1.status beside the file"));
	CHECK(strstr(e.text, "first part only"));
	CHECK(*said("root.**", c.offset, INT64_MIN, INT64_MAX, &e));
	CHECK(*said(V1 ".st*", 8, last, INT64_MAX, &e));
	CHECK(*said("root.fleet.*.status", 8, first, last, &e));
	/* its byte is behind the first of the chunk: all of it is meant */
	CHECK_STR(said(V1 ".status", c.offset + 1, first, last, &e), "");
	/* other times, another series, another device */
	CHECK_STR(said(V1 ".status", 8, INT64_MIN, first - 1, &e), "");
	CHECK_STR(said(V1 ".status", 8, last + 1, INT64_MAX, &e), "");
	CHECK_STR(said(V1 ".statu", 8, first, last, &e), "");
	CHECK_STR(said("root.fleet.v9.status", 8, first, last, &e), "");
	CHECK_STR(said("root.fleet.status", 8, first, last, &e), "");
}

static void whole_files(void)
{
	struct err e = {0};

	CHECK_STR(said("root.**", 0, INT64_MIN, INT64_MAX, &e), "");
	CHECK_STR(said("root.**", 5265, INT64_MIN, INT64_MAX, &e), "");
	CHECK_STR(said("root.**", INT64_MAX, INT64_MIN, INT64_MAX, &e), "");
}

int main(void)
{
	test_run("a record that a server left may lose its offset",
		 as_recorded);
	test_run("a later chunk with such rows is told", later_chunks);
	test_run("a record for all or nothing of a file has no offset",
		 whole_files);
	return test_end();
}
