/* Bytes that grow up to a hard maximum, written at the end, consumed in front.
 *
 * Adding beyond the maximum (or out of memory) marks the buffer as failed and
 * leaves its bytes as they were; buf_end() reports it once at the end, so that
 * encoders stay straight lines; until buf_clear() a failed buffer takes nothing
 * more. A buffer owns its memory. */
#ifndef TSFERRY_BUF_H
#define TSFERRY_BUF_H

#include <stdarg.h>
#include <stdbool.h>

#include "base.h"

struct buf {
	uint8_t *mem; /* owned */
	size_t start; /* first unread byte */
	size_t len;   /* unread bytes */
	size_t cap;
	size_t max;
	bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* empty, not failed; keeps the memory */

static inline uint8_t *buf_data(const struct buf *b)
{
	/* By way of a number: NULL + 0 is undefined, and an empty buffer has it. */
	return (uint8_t *)((uintptr_t)b->mem + b->start);
}

/* Room for n more bytes behind the last one, or NULL (failed). buf_fill() then
 * says how many were really written there. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_fill(struct buf *b, size_t n);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_addv(struct buf *b, const char *fmt, va_list ap);
void buf_consume(struct buf *b, size_t n); /* n <= len */

/* The bytes as a C string: a NUL stands behind them, not counted. "" when empty. */
const char *buf_str(struct buf *b);

/* 0, or -E2BIG when something did not fit. */
int buf_end(const struct buf *b) MUST_CHECK;

#endif
