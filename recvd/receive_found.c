/* Entries found half received: told to the edge behind the WELCOME, continued when the
 * same entry comes again, discarded when another one has taken its serial. */
#include <string.h>

#include "receive_inside.h"

static bool partial_is_sound(const struct receive *r,
			     const struct receive_partial *p)
{
	return p->entry.serial > r->durable &&
	       !rx_is_early(r, p->entry.serial) &&
	       p->entry.serial <= r->hello.assigned && p->n_blocks > 0 &&
	       p->present && p->digests &&
	       p->n_blocks == block_count(entry_payload_len(&p->entry));
}

static struct rx_entry *partial_take(struct receive_partial *p)
{
	struct rx_entry *x = xcalloc(1, sizeof(*x));

	x->en = p->entry;
	x->is_file = x->is_found = true;
	x->n_blocks = p->n_blocks;
	x->present = p->present;
	x->digests = p->digests;
	for (uint64_t i = 0; i < x->n_blocks; i++)
		x->n_have += x->present[i] != 0;
	return x;
}

void rx_found_take(struct receive *r, const struct receive_known *k)
{
	if (k->n_partials)
		r->found = xcalloc(k->n_partials, sizeof(struct rx_entry *));
	r->is_doubted = k->is_doubted;
	for (size_t i = 0; i < k->n_partials; i++) {
		struct receive_partial *p = &k->partials[i];

		if (partial_is_sound(r, p)) {
			r->found[r->n_found++] = partial_take(p);
			continue;
		}
		/* Files of durable serials are the catalog's business. */
		if (p->entry.serial > r->durable &&
		    !rx_is_early(r, p->entry.serial))
			rx_discard(r, p->entry.serial, p->entry.nonce);
		entry_release(&p->entry);
		free(p->present);
		free(p->digests);
	}
}

/* The run of blocks present at or behind `from`: its length, and where it begins. */
static uint32_t run_at(const struct rx_entry *x, uint64_t from, uint64_t *first)
{
	uint32_t n = 0;

	while (from < x->n_blocks && !x->present[from])
		from++;
	*first = from;
	while (from < x->n_blocks && x->present[from] &&
	       n < PARTIAL_BLOCKS_MAX) {
		from++;
		n++;
	}
	return n;
}

uint32_t rx_found_messages(const struct receive *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < r->n_found; i++) {
		uint64_t first = 0;
		uint32_t len;

		while (n < PROTO_PARTIALS_MAX &&
		       (len = run_at(r->found[i], first, &first)) > 0) {
			n++;
			first += len;
		}
	}
	return n;
}

int rx_found_next(struct receive *r, struct receive_act *act)
{
	for (; r->partials_left > 0; r->partial_at++) {
		const struct rx_entry *x = r->found[r->partial_at];
		uint64_t first;
		uint32_t n = run_at(x, r->partial_block, &first);

		if (n > 0) {
			r->partial_block = first + n;
			r->partials_left--;
			act->kind = RX_PARTIAL;
			act->serial = x->en.serial;
			act->nonce = x->en.nonce;
			act->partial = (struct msg_partial){
				.serial = x->en.serial,
				.nonce = x->en.nonce,
				.first = first,
				.n = n,
				.digests = x->digests[first].b,
			};
			return 1;
		}
		r->partial_block = 0;
	}
	return 0;
}

static bool same_head(const struct entry *a, const struct entry *b)
{
	struct buf x CLEANUP(buf_release), y CLEANUP(buf_release);

	buf_init(&x, ENTRY_HEAD_MAX);
	buf_init(&y, ENTRY_HEAD_MAX);
	entry_encode(a, &x);
	entry_encode(b, &y);
	return buf_end(&x) == 0 && buf_end(&y) == 0 && x.len == y.len &&
	       memcmp(buf_data(&x), buf_data(&y), x.len) == 0;
}

struct rx_entry *rx_found_match(struct receive *r, const struct entry *en,
				bool may_use)
{
	struct rx_entry *match = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < r->n_found; i++) {
		struct rx_entry *x = r->found[i];

		if (x->en.serial != en->serial) {
			r->found[kept++] = x;
		} else if (may_use && !match && same_head(&x->en, en)) {
			match = x;
		} else {
			rx_discard(r, x->en.serial, x->en.nonce);
			rx_entry_free(x);
		}
	}
	r->n_found = kept;
	return match;
}
