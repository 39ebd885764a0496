/* Entries on their way: open, waiting for their turn, staged.
 *
 * Serials come in order and are staged in order, but for those that pass (receive_early.c).
 * An inline entry whose turn it is goes straight through, borrowed from the message. Behind an incomplete one it waits: small
 * ones in memory, within RECEIVE_KEPT_MAX, others in a partial file of one block, which
 * is what they become at the end anyway. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "receive_inside.h"

static struct rx_entry **slot_of(struct receive *r, uint64_t serial)
{
	if (!r->ring)
		r->ring = xcalloc(RECEIVE_UNCOMMITTED_MAX,
				  sizeof(struct rx_entry *));
	return &r->ring[serial % RECEIVE_UNCOMMITTED_MAX];
}

void rx_entry_free(struct rx_entry *x)
{
	if (!x)
		return;
	entry_release(&x->en);
	free(x->present);
	free(x->digests);
	free(x->data);
	free(x->held);
	free(x);
}

void rx_settle(struct receive *r)
{
	while (r->spent) {
		struct rx_entry *x = r->spent;

		r->spent = x->next;
		rx_entry_free(x);
	}
	if (!r->has_now)
		entry_release(&r->now.en);
	if (r->is_told)
		r->tell.n = 0;
	r->is_told = false;
}

void rx_entries_release(struct receive *r)
{
	for (uint64_t s = r->next_stage; s < r->next_entry; s++)
		rx_entry_free(*slot_of(r, s));
	early_release(&r->known);
	early_release(&r->greeting);
	early_release(&r->passed);
	early_release(&r->tell);
	for (size_t i = 0; i < r->n_found; i++)
		rx_entry_free(r->found[i]);
	entry_release(&r->now.en);
	free(r->ring);
	free(r->found);
	free(r->wants);
}

/* An ENTRY */

/* The next serial that is expected: behind it, and behind what is durable already. */
static void next_comes(struct receive *r)
{
	do
		r->next_entry++;
	while (rx_is_early(r, r->next_entry));
}

/* What a LATER had announced comes in its place. */
static void leave_place(struct receive *r, struct rx_entry *later)
{
	rx_pass_anew(r);
	r->head_bytes -= later->head_bytes;
	rx_entry_free(later);
}

struct rx_entry *rx_wait_begins(struct receive *r, struct rx_entry *x,
				struct entry *en)
{
	if (!x) {
		x = xcalloc(1, sizeof(*x));
		x->en = *en;
		en->devices = NULL;
	}
	x->head_bytes =
		sizeof(*x) + (x->en.devices ? strlen(x->en.devices) : 0);
	if (r->head_bytes + x->head_bytes > RECEIVE_HEADS_MAX) {
		rx_bye(r, BYE_BUSY, x->en.serial,
		       "the heads of entries that wait behind entry %" PRIu64
		       " take more than %u bytes",
		       r->next_stage, RECEIVE_HEADS_MAX);
		rx_entry_free(x);
		return NULL;
	}
	r->head_bytes += x->head_bytes;
	if (x->en.serial < r->next_entry)
		leave_place(r, *slot_of(r, x->en.serial));
	else
		next_comes(r);
	*slot_of(r, x->en.serial) = x;
	return x;
}

/* Room for the list of blocks; untouched pages of it cost nothing. */
static bool make_blocks(struct receive *r, struct rx_entry *x)
{
	x->is_file = true;
	x->n_blocks = block_count(entry_payload_len(&x->en));
	if (x->present || x->n_blocks == 0)
		return true;
	x->present = calloc(x->n_blocks, 1);
	x->digests = calloc(x->n_blocks, sizeof(*x->digests));
	if (x->present && x->digests)
		return true;
	rx_bye(r, BYE_BUSY, x->en.serial,
	       "no memory for the list of %" PRIu64 " blocks of entry %" PRIu64,
	       x->n_blocks, x->en.serial);
	return false;
}

static void open_file(struct receive *r, struct rx_entry *x)
{
	r->opening = x;
	x->is_opening = true;
}

static void write_block(struct receive *r, struct rx_entry *x, uint64_t index,
			const struct digest *digest, const uint8_t *data)
{
	assert(!r->writing);
	if (x->present[index] == RX_BLOCK_WANTED)
		x->n_missing--;
	x->present[index] = RX_BLOCK_HERE;
	x->digests[index] = *digest;
	x->n_have++;
	x->n_writing++;
	r->writing = x;
	r->write_index = index;
	r->write_data = data;
}

static void entry_in_blocks(struct receive *r, struct msg_entry *m)
{
	struct rx_entry *x;

	if (r->n_open >= RECEIVE_OPEN_MAX) {
		rx_bye(r, BYE_PROTOCOL, m->entry.serial,
		       "entry %" PRIu64
		       " begins while %u others are not complete",
		       m->entry.serial, r->n_open);
		return;
	}
	x = rx_wait_begins(r, rx_found_match(r, &m->entry, true), &m->entry);
	if (!x || !make_blocks(r, x))
		return;
	r->n_open++;
	if (x->n_blocks > 0)
		open_file(r, x);
}

/* The entry whose turn it is: no copy. */
static void inline_passes(struct receive *r, struct msg_entry *m)
{
	assert(!r->has_now);
	r->now.en = m->entry;
	m->entry.devices = NULL;
	r->now.digest = m->digest;
	r->write_data = m->data;
	r->now.len = m->data_len;
	r->has_now = true;
	next_comes(r);
	r->next_stage = r->next_entry;
}

static bool is_block_held(const struct rx_entry *x, const struct digest *block)
{
	return x->present[0] == RX_BLOCK_HERE &&
	       digest_equal(&x->digests[0], block);
}

/* Behind an incomplete one: it is kept in memory, or becomes a partial file. `found`:
 * the file that it has already, or NULL. */
static void inline_waits(struct receive *r, struct msg_entry *m,
			 const struct digest *block, struct rx_entry *found)
{
	struct rx_entry *x = rx_wait_begins(r, found, &m->entry);

	if (!x)
		return;
	x->digest = m->digest;
	x->is_ended = true;
	r->n_ended++;
	x->len = m->data_len;
	if (m->data_len == 0)
		return;
	if (m->data_len > ENTRY_ROW_MAX ||
	    r->kept_bytes + m->data_len > RECEIVE_KEPT_MAX) {
		if (!make_blocks(r, x))
			return;
		open_file(r, x);
		if (!is_block_held(x, block))
			write_block(r, x, 0, block, m->data);
		return;
	}
	x->data = xcalloc(1, m->data_len);
	memcpy(x->data, m->data, m->data_len);
	r->kept_bytes += m->data_len;
}

/* Whether a file of that serial may still be removed while the entry, staged from
 * memory, already gets one. Then it goes the way of partial files, behind the removal. */
static bool is_name_taken(const struct receive *r, uint64_t serial,
			  uint64_t len)
{
	return len > ENTRY_ROW_MAX && rx_was_discarded(r, serial);
}

/* The message has the plain payload then. */
static bool unsqueezed(struct receive *r, struct msg_entry *m)
{
	uint32_t len = (uint32_t)entry_payload_len(&m->entry);

	if (!proto_can(r->version, PROTO_SQUEEZED)) {
		rx_bye(r, BYE_PROTOCOL, m->entry.serial,
		       "entry %" PRIu64
		       " came squeezed, which version %u of the protocol does "
		       "not have",
		       m->entry.serial, r->version);
		return false;
	}
	m->data = unsqueeze(&r->squeezer, m->data, m->data_len, len);
	m->data_len = len;
	m->is_squeezed = false;
	if (!m->data)
		rx_bye(r, BYE_MISMATCH, m->entry.serial,
		       "entry %" PRIu64 " arrived as a zstd frame that is not "
		       "of its %u bytes",
		       m->entry.serial, len);
	return m->data;
}

static void entry_inline(struct receive *r, struct msg_entry *m)
{
	struct rx_entry *found;
	uint64_t len = entry_payload_len(&m->entry);
	struct digest block, digest;

	if (m->is_squeezed && !unsqueezed(r, m))
		return;
	if (len > ENTRY_INLINE_MAX || len != m->data_len) {
		rx_bye(r, BYE_PROTOCOL, m->entry.serial,
		       "entry %" PRIu64
		       " came with %u bytes, its head says %" PRIu64,
		       m->entry.serial, m->data_len, len);
		return;
	}
	block = digest_block(m->data, m->data_len);
	digest = digest_entry_single(&block, len);
	if (!digest_equal(&digest, &m->digest)) {
		rx_bye(r, BYE_MISMATCH, m->entry.serial,
		       "entry %" PRIu64
		       " arrived with another digest than it left with",
		       m->entry.serial);
		return;
	}
	found = rx_found_match(r, &m->entry, len > ENTRY_ROW_MAX);
	if (r->next_stage == r->next_entry && !found &&
	    !is_name_taken(r, m->entry.serial, len))
		inline_passes(r, m);
	else
		inline_waits(r, m, &block, found);
}

/* Whether it is the one whose turn it is, or that a LATER announced. */
static bool is_expected(struct receive *r, const struct entry *en)
{
	const struct rx_entry *x = rx_at(r, en->serial);

	return en->serial == r->next_entry ||
	       (x && x->is_later &&
		strcmp(x->en.file.database, en->file.database) == 0);
}

void receive_entry(struct receive *r, struct msg_entry *m)
{
	uint64_t serial = m->entry.serial;

	rx_settle(r);
	if (r->state == RECEIVE_LIVE && rx_entry_again(r, &m->entry))
		; /* it is here, and is said once more */
	else if (r->state == RECEIVE_LIVE && !is_expected(r, &m->entry))
		rx_bye(r, BYE_PROTOCOL, serial,
		       "entry %" PRIu64 " came, expected entry %" PRIu64,
		       serial, r->next_entry);
	else if (r->state == RECEIVE_LIVE &&
		 serial - r->durable > RECEIVE_UNCOMMITTED_MAX)
		rx_bye(r, BYE_PROTOCOL, serial,
		       "entry %" PRIu64 " came while %u are not yet durable",
		       serial, RECEIVE_UNCOMMITTED_MAX);
	else if (r->state != RECEIVE_LIVE)
		rx_bye(r, BYE_PROTOCOL, serial,
		       "an ENTRY came before the WELCOME");
	else if (m->is_inline)
		entry_inline(r, m);
	else
		entry_in_blocks(r, m);
	entry_release(&m->entry);
}

/* Its blocks and its end */

struct rx_entry *rx_at(struct receive *r, uint64_t serial)
{
	if (r->state != RECEIVE_LIVE || serial < r->next_stage ||
	    serial >= r->next_entry)
		return NULL;
	return *slot_of(r, serial);
}

struct rx_entry *rx_find_open(struct receive *r, uint64_t serial,
			      const char *what)
{
	struct rx_entry *x = rx_at(r, serial);

	if (x && x->is_file && !x->is_ended)
		return x;
	rx_bye(r, BYE_PROTOCOL, serial,
	       "%s came for entry %" PRIu64 ", which is not open", what,
	       serial);
	return NULL;
}

static bool knows_how(struct receive *r, const struct msg_block *m)
{
	bool is_known = false;

	switch (m->how) {
	case BLOCK_LITERAL:
		is_known = proto_can(r->version, PROTO_LITERAL);
		break;
	case BLOCK_SQUEEZED:
		is_known = proto_can(r->version, PROTO_SQUEEZED);
		break;
	case BLOCK_REFERENCE:
		is_known = proto_can(r->version, PROTO_REFERENCE);
		break;
	case BLOCK_PREFIX:
		is_known = proto_can(r->version, PROTO_PREFIX);
		break;
	}
	if (!is_known)
		rx_bye(r, BYE_PROTOCOL, m->serial,
		       "block %" PRIu64 " of entry %" PRIu64
		       " travels in a way (%d) that version %u of the protocol "
		       "does not have",
		       m->index, m->serial, (int)m->how, r->version);
	return is_known;
}

static bool is_whole_block(const struct rx_entry *x, const struct msg_block *m)
{
	uint32_t len = m->index < x->n_blocks
			       ? block_len(entry_payload_len(&x->en), m->index)
			       : 0;

	return m->index < x->n_blocks &&
	       (block_has_ranges(m->how) ||
		(m->how == BLOCK_SQUEEZED ? m->data_len < len
					  : m->data_len == len));
}

static void block_literal(struct receive *r, struct rx_entry *x,
			  const struct msg_block *m)
{
	uint32_t len = block_len(entry_payload_len(&x->en), m->index);
	const uint8_t *data =
		m->how == BLOCK_SQUEEZED
			? unsqueeze(&r->squeezer, m->data, m->data_len, len)
			: m->data;
	struct digest digest = {0};

	if (data)
		digest = digest_block(data, len);
	if (!data || !digest_equal(&digest, &m->digest)) {
		rx_bye(r, BYE_MISMATCH, m->serial,
		       "block %" PRIu64 " of entry %" PRIu64
		       " arrived with another digest than it left with",
		       m->index, m->serial);
		return;
	}
	write_block(r, x, m->index, &digest, data);
	if (x->is_ending && x->n_missing == 0)
		rx_entry_whole(r, x);
}

void receive_block(struct receive *r, const struct msg_block *m)
{
	struct rx_entry *x;

	rx_settle(r);
	if (rx_is_early(r, m->serial))
		return;
	x = rx_find_open(r, m->serial, "a BLOCK");
	if (!x)
		return;
	if (!knows_how(r, m))
		return;
	if (!is_whole_block(x, m)) {
		rx_bye(r, BYE_PROTOCOL, m->serial,
		       "block %" PRIu64 " of entry %" PRIu64
		       " came with %u bytes, which is no block of its %" PRIu64
		       " bytes",
		       m->index, m->serial, m->data_len,
		       entry_payload_len(&x->en));
		return;
	}
	if (x->present[m->index] == RX_BLOCK_HERE ||
	    x->present[m->index] == RX_BLOCK_FETCHED)
		return;
	if (block_has_ranges(m->how))
		rx_block_held(r, x, m);
	else
		block_literal(r, x, m);
}

static struct digest digest_of_blocks(const struct rx_entry *x)
{
	uint64_t len = entry_payload_len(&x->en);
	struct digest_list list;

	digest_list_init(&list);
	for (uint64_t i = 0; i < x->n_blocks; i++)
		digest_list_add(&list, block_len(len, i), &x->digests[i]);
	return digest_list_end(&list);
}

void rx_entry_whole(struct receive *r, struct rx_entry *x)
{
	struct digest whole = digest_of_blocks(x);

	if (!digest_equal(&whole, &x->digest)) {
		if (x->n_blocks > 0)
			rx_discard(r, x->en.serial, x->en.nonce);
		rx_bye(r, BYE_MISMATCH, x->en.serial,
		       "entry %" PRIu64 " arrived with another digest than it "
		       "left with; its blocks are "
		       "asked for again",
		       x->en.serial);
		return;
	}
	x->is_ended = true;
	rx_pass_anew(r);
	r->n_ended++;
	x->is_ending = false;
	x->is_file = x->n_blocks > 0;
	r->n_open--;
}

void receive_end(struct receive *r, const struct msg_end *m)
{
	struct rx_entry *x;

	rx_settle(r);
	if (rx_is_early(r, m->serial))
		return;
	x = rx_find_open(r, m->serial, "an END");
	if (!x)
		return;
	if (x->is_ending || x->n_have + x->n_missing < x->n_blocks) {
		rx_bye(r, BYE_MISMATCH, m->serial,
		       "entry %" PRIu64 " ended with %" PRIu64 " of %" PRIu64
		       " blocks",
		       m->serial, x->n_have, x->n_blocks);
		return;
	}
	x->digest = m->digest;
	if (x->n_missing)
		x->is_ending = true;
	else
		rx_entry_whole(r, x);
}

void receive_opened(struct receive *r, uint64_t serial)
{
	struct rx_entry *x;

	rx_settle(r);
	x = rx_at(r, serial);
	if (!x)
		return;
	x->is_opening = false;
	rx_pass_anew(r);
}

void receive_written(struct receive *r, uint64_t serial, uint64_t index)
{
	struct rx_entry *x;

	rx_settle(r);
	x = rx_at(r, serial);
	if (!x)
		return;
	assert(x->n_writing > 0 && index < x->n_blocks);
	x->n_writing--;
	x->is_opening = false;
	if (x->is_ended)
		rx_pass_anew(r);
}

void receive_believed(struct receive *r)
{
	rx_settle(r);
	r->is_doubted = false;
	rx_pass_anew(r);
}

/* What the owner has to do */

static int next_stage(struct receive *r, struct receive_act *act)
{
	struct rx_entry *x;

	if (r->state != RECEIVE_LIVE || r->next_stage == r->next_entry)
		return 0;
	x = *slot_of(r, r->next_stage);
	if (!rx_is_ready(r, x))
		x = rx_early_ready(r);
	if (!x)
		return 0;
	act->kind = x->is_file ? RX_STAGE_FILE : RX_STAGE;
	act->serial = x->en.serial;
	act->nonce = x->en.nonce;
	act->entry = &x->en;
	act->digest = x->digest;
	if (!x->is_file) {
		act->data = x->data ? x->data : (const uint8_t *)"";
		act->len = x->len;
		r->kept_bytes -= x->len;
	}
	r->head_bytes -= x->head_bytes;
	*slot_of(r, x->en.serial) = NULL;
	while (r->next_stage < r->next_entry && !*slot_of(r, r->next_stage))
		r->next_stage++;
	r->n_out++;
	r->n_ended--;
	x->next = r->spent;
	r->spent = x;
	return 1;
}

static int next_now(struct receive *r, struct receive_act *act)
{
	r->has_now = false;
	r->n_out++;
	act->kind = RX_STAGE;
	act->serial = r->now.en.serial;
	act->nonce = r->now.en.nonce;
	act->entry = &r->now.en;
	act->digest = r->now.digest;
	act->data = r->write_data ? r->write_data : (const uint8_t *)"";
	act->len = r->now.len;
	return 1;
}

static int next_open(struct receive *r, struct receive_act *act)
{
	act->kind = RX_OPEN;
	act->serial = r->opening->en.serial;
	act->nonce = r->opening->en.nonce;
	act->entry = &r->opening->en;
	r->opening = NULL;
	return 1;
}

static int next_write(struct receive *r, struct receive_act *act)
{
	const struct rx_entry *x = r->writing;

	act->kind = RX_WRITE;
	act->serial = x->en.serial;
	act->nonce = x->en.nonce;
	act->index = r->write_index;
	act->offset = r->write_index * BLOCK_LEN;
	act->entry = &x->en;
	act->digest = x->digests[r->write_index];
	act->data = r->write_data;
	act->len = block_len(entry_payload_len(&x->en), r->write_index);
	r->writing = NULL;
	return 1;
}

int rx_entries_next(struct receive *r, struct receive_act *act)
{
	if (r->opening)
		return next_open(r, act);
	if (r->writing)
		return next_write(r, act);
	if (rx_held_next(r, act))
		return 1;
	if (r->has_now)
		return next_now(r, act);
	return next_stage(r, act);
}
