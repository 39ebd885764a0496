/* Payload that did not travel, for progress: named, squeezed behind held files, squeezed. */
#include "link_inside.h"

void link_saved_squeezed(struct link *l, const struct payload *p, uint32_t len)
{
	if (p && p->packed)
		l->pipe->saved_compressed_bytes += len - p->packed;
}

void link_saved_named(struct link *l, const struct upload_act *act)
{
	l->pipe->saved_reference_bytes += act->len;
}

void link_saved_begin(struct link *l, uint64_t serial)
{
	l->behind[serial % LINK_BEHIND].saved = 0;
	l->behind[serial % LINK_BEHIND].n = 0;
}

void link_saved_behind(struct link *l, const struct upload_act *act,
		       const struct payload *p)
{
	uint32_t saved = act->len - p->packed;

	l->behind[act->serial % LINK_BEHIND].saved += saved;
	l->behind[act->serial % LINK_BEHIND].n++;
	l->pipe->saved_prefix_bytes += saved;
}

/* A block that did not travel comes literally after all: one behind a prefix is taken for as
 * good as the others of its entry. */
void link_saved_not(struct link *l, const struct upload_act *act)
{
	uint32_t *saved = &l->behind[act->serial % LINK_BEHIND].saved;
	uint32_t *n = &l->behind[act->serial % LINK_BEHIND].n;
	uint32_t one;

	if (l->is_again[act->serial % LINK_HEADS]) {
		l->pipe->saved_reference_bytes -= act->len;
	} else if (*n) {
		one = *saved / *n;
		*saved -= one;
		--*n;
		l->pipe->saved_prefix_bytes -= one;
	}
}
