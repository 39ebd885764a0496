#include "warm.h"

#include "ground/fileio.h"
#include "reader.h"

void warm_read(struct warm *w, int fd, uint64_t len)
{
	CLEANUP_FREE struct payload *p = NULL;

	if (fd < 0 || !len || len > WARM_MAX)
		return;
	p = payload_new((uint32_t)len);
	if (!p || file_pread(fd, p->bytes, len, 0) < 0)
		return;
	w->len = (uint32_t)len;
	w->digest = digest_block(p->bytes, w->len);
	w->data = steal_ptr(&p);
}

struct payload *warm_take(struct warm *w, uint64_t serial, uint32_t len)
{
	if (!w || w->serial != serial || w->len != len)
		return NULL;
	return steal_ptr(&w->data);
}

void warm_release(struct warm *w)
{
	free(w->data);
	w->data = NULL;
}
