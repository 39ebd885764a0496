#include "tsfile_node.h"

#include <inttypes.h>
#include <string.h>

#define CHILD_MIN 9 /* bytes: an empty key, an offset */

/* Segment by segment as it will be printed; the length of the whole. */
static size_t read_segments(struct tsfile_tree *t, struct tsfile_span *s,
			    char *to)
{
	uint32_t n = span_count(s);
	size_t len = 0;

	if (n == 0)
		span_fail(s, "expected a device, it has no segments");
	for (uint32_t k = 0; k < n && !t->src.failed; k++) {
		int32_t segment;

		if (len + 1 + strlen("null") > TSFILE_NAME_MAX) {
			span_fail(
				s,
				"expected a device's path of at most %d bytes",
				TSFILE_NAME_MAX);
			break;
		}
		if (k > 0 && to)
			to[len] = '.';
		len += k > 0;
		segment = span_name(s, to ? to + len : NULL,
				    TSFILE_NAME_MAX - len);
		if (segment < 0 && to)
			memcpy(to + len, "null", strlen("null"));
		len += segment < 0 ? strlen("null") : (size_t)segment;
		if (k == 0 && to &&
		    (len != t->table_len || memcmp(to, t->table, len) != 0))
			span_fail(s, "expected a device of its root's table, "
				     "it is of another");
	}
	return len;
}

/* A device's path, or the name of a series; `to` may be NULL. */
static size_t read_key(struct tsfile_tree *t, struct tsfile_node *n, char *to)
{
	size_t len;

	if (n->of_devices && t->version == 4) {
		len = read_segments(t, &n->s, to);
	} else {
		int32_t r = span_name(&n->s, to, TSFILE_NAME_MAX);

		if (r < 0)
			span_fail(&n->s, "expected a name, it is null");
		len = r < 0 ? 0 : (size_t)r;
	}
	if (n->of_devices && len == 0)
		span_fail(&n->s, "expected a device, its name is empty");
	if (to)
		to[t->src.failed ? 0 : len] = '\0';
	return len;
}

/* Offsets rise strictly, so that the children of a node do not overlap. */
static void check_child(struct tsfile_tree *t, struct tsfile_node *n,
			uint64_t begin, uint64_t end)
{
	if (begin < t->first || begin >= end || end > n->before)
		span_fail(&n->s,
			  "expected a child between %" PRIu64 " and %" PRIu64
			  ", it is between %" PRIu64 " and %" PRIu64,
			  t->first, n->before, begin, end);
}

static void read_type(struct tsfile_node *n)
{
	uint8_t type = span_u8(&n->s);
	unsigned least =
		n->of_devices ? NODE_DEVICES_INTERNAL : NODE_SERIES_INTERNAL;

	if (type != least && type != least + 1)
		span_fail(&n->s, "expected a node of type %u or %u, it is %u",
			  least, least + 1, type);
	n->type = (enum tsfile_node_type)type;
}

uint64_t tsfile_node_open(struct tsfile_tree *t, struct tsfile_node *n)
{
	struct tsfile_span begin;
	uint64_t last = 0, after;
	uint32_t count = span_count(&n->s);

	if (count > span_left(&n->s) / CHILD_MIN)
		span_fail(&n->s,
			  "expected children in %" PRIu64
			  " bytes, they would be %" PRIu32,
			  span_left(&n->s), count);
	begin = n->s;
	for (uint32_t k = 0; k < count && !t->src.failed; k++) {
		uint64_t offset;

		(void)read_key(t, n, NULL);
		offset = span_be64(&n->s);
		if (k > 0)
			check_child(t, n, last, offset);
		last = offset;
	}
	n->end_offset = span_be64(&n->s);
	if (count > 0)
		check_child(t, n, last, n->end_offset);
	read_type(n);
	after = n->s.at;
	n->s = begin;
	n->left = count;
	return after;
}

bool tsfile_node_next(struct tsfile_tree *t, struct tsfile_node *n, char *key,
		      struct tsfile_child *c)
{
	if (n->left == 0 || t->src.failed)
		return false;
	c->key_len = read_key(t, n, key);
	c->begin = span_be64(&n->s);
	c->end = n->end_offset;
	n->left--;
	if (n->left > 0) {
		struct tsfile_span here = n->s;

		(void)read_key(t, n, NULL);
		c->end = span_be64(&n->s);
		n->s = here;
	}
	check_child(t, n, c->begin, c->end);
	if (t->src.failed)
		return false;
	if (c->end - c->begin > t->unclaimed) {
		span_fail(&n->s,
			  "expected a child of its own, the index refers "
			  "to some bytes twice");
		return false;
	}
	t->unclaimed -= c->end - c->begin;
	return true;
}

void tsfile_node_open_child(struct tsfile_tree *t, struct tsfile_window *window,
			    const struct tsfile_child *c, bool of_devices,
			    struct tsfile_node *n)
{
	uint64_t after;

	*n = (struct tsfile_node){.of_devices = of_devices, .before = c->begin};
	n->s = (struct tsfile_span){.src = &t->src,
				    .window = window,
				    .at = c->begin,
				    .end = c->end};
	after = tsfile_node_open(t, n);
	if (t->src.failed)
		return;
	if (n->left == 0)
		span_fail(&n->s, "expected a node with children, it has none");
	if (after != c->end)
		span_fail(&n->s,
			  "expected a node of %" PRIu64 " bytes, it has "
			  "%" PRIu64,
			  c->end - c->begin, after - c->begin);
}
