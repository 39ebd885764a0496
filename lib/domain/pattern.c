/* Both walks are the same one, of nodes and of the bytes in a node: a wildcard takes as
 * little as it can, and takes one more each time that what follows does not match. */
#include "pattern.h"

#include <string.h>

struct node {
	const char *p;
	size_t n;
};

/* A path, node by node; behind a device comes one series, whatever its name. */
struct path {
	const char *p, *end;
	bool has_series;
};

static bool path_ends(const struct path *p)
{
	return p->p >= p->end && !p->has_series;
}

static const char *node_end(const char *p, const char *end)
{
	const char *dot;

	if (*p == '`') {
		for (p++; p < end; p++) {
			if (*p != '`')
				continue;
			if (p + 1 < end && p[1] == '`')
				p++;
			else
				break;
		}
		if (p >= end)
			return end;
	}
	dot = memchr(p, '.', (size_t)(end - p));
	return dot ? dot : end;
}

/* Takes the next node off; `p` NULL is the series of any name. */
static struct node take_node(struct path *from)
{
	struct node out = {0};
	const char *to;

	if (from->p >= from->end) {
		from->has_series = false;
		return out;
	}
	to = node_end(from->p, from->end);
	out.p = from->p;
	out.n = (size_t)(to - from->p);
	from->p = to + (to < from->end);
	return out;
}

static struct node without_quotes(struct node n)
{
	if (n.n >= 2 && n.p[0] == '`' && n.p[n.n - 1] == '`') {
		n.p++;
		n.n -= 2;
	}
	return n;
}

static bool bytes_match(struct node want, struct node have)
{
	size_t w = 0, h = 0, star = 0, star_h = 0;
	bool has_star = false;

	while (h < have.n) {
		if (w < want.n && want.p[w] == '*') {
			has_star = true;
			star = ++w;
			star_h = h;
		} else if (w < want.n && want.p[w] == have.p[h]) {
			w++;
			h++;
		} else if (has_star) {
			w = star;
			h = ++star_h;
		} else {
			return false;
		}
	}
	while (w < want.n && want.p[w] == '*')
		w++;
	return w == want.n;
}

static bool nodes_match(struct node want, struct node have)
{
	return !have.p ||
	       bytes_match(without_quotes(want), without_quotes(have));
}

static bool is_any_depth(struct node n)
{
	return n.n == 2 && n.p[0] == '*' && n.p[1] == '*';
}

/* The next node of the pattern matches the next one of the path: both move on. */
static bool step(struct path *want, struct path *have)
{
	struct path w = *want, h = *have;

	if (w.p >= w.end || !nodes_match(take_node(&w), take_node(&h)))
		return false;
	*want = w;
	*have = h;
	return true;
}

static bool skip_any_depth(struct path *want)
{
	struct path after = *want;

	if (want->p >= want->end || !is_any_depth(take_node(&after)))
		return false;
	*want = after;
	return true;
}

bool pattern_may_touch(const char *pattern, size_t n, const char *device,
		       size_t len)
{
	struct path want = {pattern, pattern + n, false};
	struct path have = {device, device + len, true};
	struct path star = want, star_have = have;
	bool has_star = false;

	while (!path_ends(&have)) {
		if (skip_any_depth(&want)) {
			has_star = true;
			star = want;
			star_have = have;
		} else if (step(&want, &have)) {
			continue;
		} else if (has_star) {
			(void)take_node(&star_have);
			want = star;
			have = star_have;
		} else {
			return false;
		}
	}
	while (skip_any_depth(&want))
		;
	return want.p >= want.end;
}
