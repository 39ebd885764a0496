#include "seen.h"

#include <stdlib.h>

#include "overlap.h"

#define SLOTS 65536u

static bool is_line(const struct tsfile_device *d)
{
	size_t i;

	for (i = 0; i < d->path_len; i++) {
		if ((unsigned char)d->path[i] < 0x20)
			return false; /* no entry could name it */
	}
	return true;
}

bool seen_is_news(struct seen *s, const char *database, uint32_t region,
		  const struct tsfile_device *d)
{
	uint64_t key = overlap_key(d), *slot;

	if (!is_line(d))
		return false;
	key ^= overlap_text_key(database) + region;
	if (!s->slots)
		s->slots = xcalloc(SLOTS, sizeof(*s->slots));
	slot = &s->slots[key % SLOTS];
	if (*slot == key)
		return false;
	*slot = key;
	return true;
}

void seen_forget(struct seen *s)
{
	free(s->slots);
	s->slots = NULL;
}
