#include "squeeze.h"

#include <assert.h>
#include <string.h>
#include <zstd.h>

struct squeezer {
	ZSTD_CCtx *down; /* owned, as all of it; each made at its first use */
	ZSTD_DCtx *up;
	uint8_t *room; /* BLOCK_LEN */
};

void squeezer_free(struct squeezer *s)
{
	if (!s)
		return;
	(void)ZSTD_freeCCtx(s->down);
	(void)ZSTD_freeDCtx(s->up);
	free(s->room);
	free(s);
}

static struct squeezer *get(struct squeezer **at)
{
	if (!*at)
		*at = xcalloc(1, sizeof(**at));
	if (!(*at)->room)
		(*at)->room = malloc(BLOCK_LEN);
	return (*at)->room ? *at : NULL;
}

uint32_t squeeze(struct squeezer **at, void *data, uint32_t len)
{
	struct squeezer *s = get(at);
	size_t n;

	assert(len <= BLOCK_LEN);
	if (s && !s->down)
		s->down = ZSTD_createCCtx();
	if (!s || !s->down || len < 16)
		return 0;
	/* What would not fit into less is not worth it: an error, not a longer frame. */
	n = ZSTD_compressCCtx(s->down, s->room, len - len / 16, data, len,
			      SQUEEZE_LEVEL);
	if (ZSTD_isError(n))
		return 0;
	memcpy(data, s->room, n);
	return (uint32_t)n;
}

const uint8_t *unsqueeze(struct squeezer **at, const void *frame,
			 uint32_t frame_len, uint32_t len)
{
	struct squeezer *s = get(at);
	size_t n;

	if (s && !s->up)
		s->up = ZSTD_createDCtx();
	if (!s || !s->up || len > BLOCK_LEN)
		return NULL;
	n = ZSTD_decompressDCtx(s->up, s->room, len, frame, frame_len);
	return ZSTD_isError(n) || n != len ? NULL : s->room;
}

bool unsqueeze_behind(const void *prefix, size_t prefix_len, const void *frame,
		      uint32_t frame_len, void *to, uint32_t len)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();
	size_t n = 0;

	if (d && !ZSTD_isError(ZSTD_DCtx_refPrefix(d, prefix, prefix_len)))
		n = ZSTD_decompressDCtx(d, to, len, frame, frame_len);
	(void)ZSTD_freeDCtx(d);
	return n == len; /* an error is a number beyond all lengths */
}
