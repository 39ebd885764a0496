#include "early.h"

#include <stdlib.h>
#include <string.h>

void early_release(struct early *e)
{
	free(e->ones);
	memset(e, 0, sizeof *e);
}

void early_copy(struct early *to, const struct early *from)
{
	*to = (struct early){.n = from->n, .cap = from->n};
	if (!from->n)
		return;
	to->ones = xcalloc(from->n, sizeof *to->ones);
	memcpy(to->ones, from->ones, from->n * sizeof *to->ones);
}

static size_t count_below(const struct early *e, uint64_t serial)
{
	return early_ones_below(e->ones, e->n, serial);
}

const struct early_one *early_find(const struct early *e, uint64_t serial)
{
	size_t at = count_below(e, serial);

	return at < e->n && e->ones[at].serial == serial ? &e->ones[at] : NULL;
}

static void grow(struct early *e)
{
	size_t cap = e->cap ? 2 * e->cap : 16;
	struct early_one *more = xcalloc(cap, sizeof *more);

	if (e->n)
		memcpy(more, e->ones, e->n * sizeof *more);
	free(e->ones);
	e->ones = more;
	e->cap = cap;
}

void early_add(struct early *e, const struct early_one *one)
{
	size_t at = count_below(e, one->serial);

	if (at < e->n && e->ones[at].serial == one->serial)
		return;
	if (e->n == e->cap)
		grow(e);
	memmove(&e->ones[at + 1], &e->ones[at], (e->n - at) * sizeof *one);
	e->ones[at] = *one;
	e->n++;
}

void early_add_fill(struct early *e, const struct early_one *one)
{
	early_add(e, one);
	if (e->n > FILLS_MAX)
		early_pass(e, e->ones[0].serial);
}

void early_pass(struct early *e, uint64_t durable)
{
	size_t n = count_below(e, durable + 1);

	if (!n)
		return;
	e->n -= n;
	memmove(e->ones, e->ones + n, e->n * sizeof *e->ones);
}

void early_encode(const struct early_one *ones, size_t n, struct buf *b)
{
	struct msg_early m = {.n = (uint32_t)n};
	CLEANUP(buf_release) struct buf list;

	buf_init(&list, EARLY_MAX * sizeof *ones);
	for (size_t i = 0; i < n; i++)
		early_one_add(&ones[i], &list);
	m.ones = buf_data(&list);
	msg_early_encode(&m, b);
}
