#include "ground/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SMALLEST 64

void buf_init(struct buf *b, size_t max)
{
	/* Sums of two lengths and one must not wrap. */
	*b = (struct buf){.max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4};
}

void buf_release(struct buf *b)
{
	free(b->mem);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->start = 0;
	b->len = 0;
	b->failed = false;
}

static void move_to_front(struct buf *b)
{
	if (b->start && b->len)
		memmove(b->mem, b->mem + b->start, b->len);
	b->start = 0;
}

/* Makes start + len + n < cap: the one byte more is buf_str()'s NUL, which can
 * therefore never fail. Moves instead of growing only when at least as much was
 * consumed as is left, so that each byte is moved a constant number of times; a
 * queue near its maximum may take twice that memory for it. */
static bool grow(struct buf *b, size_t n)
{
	size_t need = b->len + n + 1;
	size_t limit = (b->max + 1) * (b->start ? 2 : 1);
	size_t cap = b->cap ? b->cap : SMALLEST;
	uint8_t *mem;

	if (need <= b->cap && b->start >= b->len) {
		move_to_front(b);
		return true;
	}
	if (need <= b->cap)
		cap *= 2;
	while (cap < need)
		cap *= 2;
	if (cap > limit)
		cap = limit;
	mem = realloc(b->mem, cap);
	if (!mem)
		return false;
	b->mem = mem;
	b->cap = cap;
	move_to_front(b);
	return true;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
	if (b->failed)
		return NULL;
	if (n > b->max - b->len)
		goto fail;
	if (n >= b->cap - b->start - b->len && !grow(b, n))
		goto fail;
	return b->mem + b->start + b->len;
fail:
	b->failed = true;
	return NULL;
}

void buf_fill(struct buf *b, size_t n)
{
	assert(n < b->cap - b->start - b->len);
	b->len += n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_room(b, n);

	if (!to || n == 0)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	size_t space;
	va_list again;
	uint8_t *to = buf_room(b, 0);
	int n;

	if (!to)
		return;
	space = b->cap - b->start - b->len;
	va_copy(again, ap);
	n = vsnprintf((char *)to, space, fmt, ap);
	if (n >= 0 && (size_t)n >= space) {
		to = buf_room(b, (size_t)n);
		if (to)
			n = vsnprintf((char *)to, (size_t)n + 1, fmt, again);
	} else if (n >= 0 && (size_t)n > b->max - b->len) {
		to = NULL;
	}
	va_end(again);
	if (!to || n < 0)
		b->failed = true;
	else
		b->len += (size_t)n;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(b, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	b->start = b->len ? b->start + n : 0;
}

const char *buf_str(struct buf *b)
{
	if (b->len == 0)
		return "";
	b->mem[b->start + b->len] = '\0';
	return (const char *)b->mem + b->start;
}

int buf_end(const struct buf *b)
{
	return b->failed ? -E2BIG : 0;
}
