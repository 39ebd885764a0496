#include "tsfile_reorder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ground/bytes.h"
#include "ground/fileio.h"
#include "tsfile.h"
#include "tsfile_index.h"

#define COPY_STEP (256u << 10)
#define CHILDREN_MAX 256u /* what all readers are used to */
#define FLUSH_AT (1u << 20)
#define MAGIC "TsFile"

enum node_type {
	INTERNAL_DEVICE = 0,
	LEAF_DEVICE = 1
};

/* A child of a node: a device, or a node that begins with one. */
struct child {
	size_t name_at;	  /* in all names */
	const char *name; /* once all are there */
	size_t name_len;
	uint64_t node, node_len; /* where it stands */
	tsfile_compare *compare;
};

struct reorder {
	int fd, to_fd;
	tsfile_compare *compare;
	struct child *children; /* owned; of the level that is written */
	size_t n, room;
	struct buf names;
	uint64_t at;	/* where the copy ends, with what is in `out` */
	struct buf out; /* not written yet */
	struct err *e;
};

/* ---- the devices as they stand ---- */

static int add_device(void *arg, const struct tsfile_device *d)
{
	struct reorder *o = arg;
	int r = array_room(&o->children, o->n, &o->room, sizeof *o->children);

	if (r < 0)
		return err_set(o->e, -r, "no memory for its devices");
	o->children[o->n++] = (struct child){.name_at = o->names.len,
					     .name_len = d->path_len,
					     .node = d->node,
					     .node_len = d->node_len,
					     .compare = o->compare};
	buf_add(&o->names, d->path, d->path_len);
	if (buf_end(&o->names) < 0)
		return err_set(o->e, E2BIG,
			       "the names of its devices take more than %u "
			       "bytes",
			       TSFILE_REORDER_NAMES_MAX);
	return 0;
}

static int compare_children(const void *x, const void *y)
{
	const struct child *a = x, *b = y;

	return a->compare(a->name, a->name_len, b->name, b->name_len);
}

/* ---- writing ---- */

static int flush(struct reorder *o)
{
	int r = buf_end(&o->out);

	if (r >= 0)
		r = file_pwrite(o->to_fd, buf_data(&o->out), o->out.len,
				o->at - o->out.len);
	buf_clear(&o->out);
	return r < 0 ? err_set(o->e, -r, "writing the copy: %s", err_words(-r))
		     : 0;
}

static int copy(struct reorder *o, uint64_t from, uint64_t n)
{
	while (n) {
		size_t step = n < COPY_STEP ? (size_t)n : COPY_STEP;
		uint8_t *room = buf_room(&o->out, step);
		ssize_t k = room ? pread(o->fd, room, step, (off_t)from) : 0;

		if (!room)
			return err_set(o->e, ENOMEM, "no memory for the copy");
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return err_set(o->e, k < 0 ? errno : EBADMSG,
				       "reading the file: %s",
				       k < 0 ? err_words(errno)
					     : "it is shorter than it was");
		buf_fill(&o->out, (size_t)k);
		o->at += (uint64_t)k;
		from += (uint64_t)k;
		n -= (uint64_t)k;
		if (o->out.len >= FLUSH_AT && flush(o) < 0)
			return -o->e->sys;
	}
	return 0;
}

static void add_uvarint(struct buf *b, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		wr_u8(b, (uint8_t)(v | 0x80));
	wr_u8(b, (uint8_t)v);
}

/* A node over n children that stand one behind the other. */
static void add_node(struct buf *b, const struct child *c, size_t n,
		     enum node_type type)
{
	add_uvarint(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		wr_svarint(b, (int32_t)c[i].name_len);
		buf_add(b, c[i].name, c[i].name_len);
		wr_be64(b, c[i].node);
	}
	wr_be64(b, c[n - 1].node + c[n - 1].node_len);
	wr_u8(b, (uint8_t)type);
}

/* The roots of all series, in the new order. */
static int add_devices(struct reorder *o)
{
	int r = 0;

	for (size_t i = 0; i < o->n && r >= 0; i++) {
		uint64_t at = o->at;

		r = copy(o, o->children[i].node, o->children[i].node_len);
		o->children[i].node = at;
	}
	return r;
}

/* One level of nodes over what there is, which they take the place of. */
static int add_level(struct reorder *o, enum node_type type)
{
	size_t n_nodes = 0;
	int r = 0;

	for (size_t i = 0; i < o->n && r >= 0; i += CHILDREN_MAX) {
		size_t left = o->n - i, before = o->out.len;
		struct child first = o->children[i];

		add_node(&o->out, &o->children[i],
			 left < CHILDREN_MAX ? left : CHILDREN_MAX, type);
		first.node = o->at;
		first.node_len = o->out.len - before;
		o->at += first.node_len;
		o->children[n_nodes++] = first;
		if (o->out.len >= FLUSH_AT)
			r = flush(o);
	}
	o->n = n_nodes;
	return r;
}

static int add_index(struct reorder *o, uint64_t rest, uint64_t end)
{
	enum node_type type = LEAF_DEVICE;
	uint64_t begin;
	size_t before;
	int r = add_devices(o);

	for (; r >= 0 && o->n > CHILDREN_MAX; type = INTERNAL_DEVICE)
		r = add_level(o, type);
	if (r < 0)
		return r;
	begin = o->at;
	before = o->out.len;
	add_node(&o->out, o->children, o->n, type);
	o->at += o->out.len - before;
	r = copy(o, rest, end - rest);
	if (r < 0)
		return r;
	wr_be32(&o->out, (uint32_t)(o->at - begin));
	buf_adds(&o->out, MAGIC);
	o->at += 4 + strlen(MAGIC);
	return flush(o);
}

/* ---- all of it ---- */

static int reorder(struct reorder *o)
{
	struct tsfile_visit visit = {.device = add_device, .arg = o};
	struct tsfile_index index;
	struct tsfile_ends ends;
	int r = tsfile_read_ends(o->fd, &ends, o->e);

	if (r >= 0 && ends.version != 3)
		return err_set(o->e, ENOTSUP,
			       "expected a TsFile of version 3, it is %u",
			       ends.version);
	if (r >= 0)
		r = tsfile_index_read(o->fd, &visit, &index, o->e);
	if (r < 0)
		return r;
	if (!o->n)
		return err_set(o->e, EBADMSG, "it has no devices");
	for (size_t i = 0; i < o->n; i++)
		o->children[i].name = (const char *)buf_data(&o->names) +
				      o->children[i].name_at;
	qsort(o->children, o->n, sizeof *o->children, compare_children);
	r = copy(o, 0, ends.metadata_offset);
	if (r < 0)
		return r;
	return add_index(o, index.metadata_rest,
			 ends.metadata_offset + ends.metadata_len);
}

int tsfile_reorder(int fd, tsfile_compare *compare, int to_fd, struct err *e)
{
	struct err own = {0};
	struct reorder o = {.fd = fd,
			    .to_fd = to_fd,
			    .compare = compare,
			    .e = e ? e : &own};
	int r;

	buf_init(&o.out, SIZE_MAX);
	buf_init(&o.names, TSFILE_REORDER_NAMES_MAX);
	r = reorder(&o);
	free(o.children);
	buf_release(&o.names);
	buf_release(&o.out);
	return r;
}
