#include "tsfile_span.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ground/fileio.h"

PRINTF_LIKE(2, 0)

static void fail(struct tsfile_span *s, const char *fmt, va_list ap)
{
	char why[256];

	(void)vsnprintf(why, sizeof why, fmt, ap);
	s->src->failed =
		err_set(s->src->e, EBADMSG,
			"damaged TsFile index at %" PRIu64 ": %s", s->at, why);
}

void span_fail(struct tsfile_span *s, const char *fmt, ...)
{
	va_list ap;

	if (s->src->failed)
		return;
	va_start(ap, fmt);
	fail(s, fmt, ap);
	va_end(ap);
}

static void fill(struct tsfile_span *s)
{
	struct tsfile_source *src = s->src;
	struct tsfile_window *w = s->window;
	uint64_t n = src->end - s->at;
	int r;

	if (n > TSFILE_WINDOW)
		n = TSFILE_WINDOW;
	w->len = 0;
	if (n > src->budget) {
		span_fail(s, "its parts are more scattered than any writer "
			     "leaves them");
		return;
	}
	src->budget -= n;
	r = file_pread(src->fd, w->bytes, (size_t)n, s->at);
	if (r == -ENODATA) {
		span_fail(s, "the file became shorter while it was read");
	} else if (r < 0) {
		src->failed =
			err_set(src->e, -r,
				"cannot read the TsFile at %" PRIu64 ": %s",
				s->at, err_words(-r));
	} else {
		w->at = s->at;
		w->len = (size_t)n;
	}
}

/* What of the span the window shows from its position on, at least n bytes; NULL
 * when it failed. Moves nothing. */
static const uint8_t *show(struct tsfile_span *s, size_t n)
{
	const struct tsfile_window *w = s->window;

	if (s->src->failed)
		return NULL;
	if (span_left(s) < n) {
		span_fail(s, "expected %zu more bytes, %" PRIu64 " are left", n,
			  span_left(s));
		return NULL;
	}
	if (s->at < w->at || s->at - w->at > w->len ||
	    w->len - (s->at - w->at) < n)
		fill(s);
	return s->src->failed ? NULL : w->bytes + (s->at - w->at);
}

uint8_t span_u8(struct tsfile_span *s)
{
	const uint8_t *p = show(s, 1);

	if (!p)
		return 0;
	s->at++;
	return *p;
}

uint32_t span_be32(struct tsfile_span *s)
{
	const uint8_t *p = show(s, 4);
	uint32_t v;

	if (!p)
		return 0;
	memcpy(&v, p, sizeof v);
	s->at += sizeof v;
	return be32toh(v);
}

uint64_t span_be64(struct tsfile_span *s)
{
	const uint8_t *p = show(s, 8);
	uint64_t v;

	if (!p)
		return 0;
	memcpy(&v, p, sizeof v);
	s->at += sizeof v;
	return be64toh(v);
}

static uint32_t span_uvarint(struct tsfile_span *s)
{
	uint32_t v = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t c = span_u8(s);

		if (shift == 28 && c > 0x0f)
			break;
		v |= (uint32_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return s->src->failed ? 0 : v;
	}
	span_fail(s, "expected a number of 32 bits, it has more");
	return 0;
}

uint32_t span_count(struct tsfile_span *s)
{
	uint32_t v = span_uvarint(s);

	if (v <= INT32_MAX)
		return v;
	span_fail(s, "expected a count below 2^31, it is %" PRIu32, v);
	return 0;
}

static int32_t span_svarint(struct tsfile_span *s)
{
	uint32_t v = span_uvarint(s);

	return (int32_t)((v >> 1) ^ (0 - (v & 1)));
}

void span_skip(struct tsfile_span *s, uint64_t n)
{
	if (s->src->failed)
		return;
	if (span_left(s) < n)
		span_fail(s,
			  "expected %" PRIu64 " more bytes, %" PRIu64
			  " are left",
			  n, span_left(s));
	else
		s->at += n;
}

void span_copy(struct tsfile_span *s, void *to, size_t n)
{
	uint8_t *out = to;

	if (span_left(s) < n)
		span_skip(s, n);
	while (n > 0) {
		const uint8_t *p = show(s, 1);
		uint64_t shown;
		size_t part;

		if (!p)
			return;
		shown = s->window->len - (s->at - s->window->at);
		part = shown < n ? (size_t)shown : n;
		memcpy(out, p, part);
		out += part;
		n -= part;
		s->at += part;
	}
}

int32_t span_name(struct tsfile_span *s, char *to, size_t most)
{
	int32_t n = span_svarint(s);

	if (s->src->failed)
		return -1;
	if (n < -1 || (n > 0 && (size_t)n > most)) {
		span_fail(s,
			  "expected a name of at most %zu bytes, its length "
			  "is %" PRId32,
			  most, n);
		return -1;
	}
	if (n > 0 && to)
		span_copy(s, to, (size_t)n);
	else if (n > 0)
		span_skip(s, (uint64_t)n);
	return s->src->failed ? -1 : n;
}

void span_skip_binary(struct tsfile_span *s, bool may_be_null)
{
	int32_t n = (int32_t)span_be32(s);

	if (n == -1 && may_be_null)
		return;
	if (n < 0)
		span_fail(s, "expected the length of a value, it is %" PRId32,
			  n);
	else
		span_skip(s, (uint64_t)n);
}
