#include "fork.h"

#include <errno.h>
#include <string.h>

#include "ground/bytes.h"

uint64_t forks_nonce(const struct forks *f, uint64_t serial, uint64_t nonce)
{
	for (size_t i = 0; nonce && i < f->n; i++)
		if (serial >= f->at[i].first && serial <= f->at[i].last)
			return nonce ^ f->at[i].salt ? nonce ^ f->at[i].salt
						     : nonce;
	return nonce;
}

static void forget_released(struct forks *f, uint64_t released)
{
	size_t n = 0;

	while (n < f->n && f->at[n].last <= released)
		n++;
	f->n -= n;
	memmove(f->at, f->at + n, f->n * sizeof(f->at[0]));
}

void forks_add(struct forks *f, uint64_t released, const struct fork *new)
{
	forget_released(f, released);
	while (f->n && f->at[f->n - 1].first >= new->first)
		f->n--;
	if (f->n == FORKS_MAX)
		return;
	if (f->n && f->at[f->n - 1].last >= new->first)
		f->at[f->n - 1].last = new->first - 1;
	f->at[f->n++] = *new;
}

void forks_encode(const struct forks *f, struct buf *out)
{
	for (size_t i = 0; i < f->n; i++) {
		wr_u64(out, f->at[i].first);
		wr_u64(out, f->at[i].last);
		wr_u64(out, f->at[i].salt);
	}
}

int forks_decode(struct forks *f, const void *p, size_t len)
{
	bool is_good = len <= FORKS_LEN && len % 24 == 0;
	struct rd r = rd_over(p, len);
	uint64_t before = 0;

	f->n = 0;
	while (is_good && rd_left(&r)) {
		struct fork *k = &f->at[f->n++];

		k->first = rd_u64(&r);
		k->last = rd_u64(&r);
		k->salt = rd_u64(&r);
		is_good = k->first > before && k->last >= k->first;
		before = k->last;
	}
	if (is_good)
		return 0;
	f->n = 0;
	return -EBADMSG;
}
