/* Entries whose blocks need not travel, because the receiver is believed to hold what they
 * consist of; and what it asks for when it does not.
 *
 * There is no answer to a reference that was good. So the heads of such entries are kept
 * until they are durable, as many as there are slots; who finds none waits. A belief that
 * proves wrong is given up: for an entry after a few of its blocks, for the rest of
 * the link when most entries were wrong. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "upload_inside.h"

void upload_hold(struct upload *u, uint64_t serial)
{
	const struct entry *en = &u->heads[serial % UPLOAD_HEADS];

	if (serial + 1 == u->heads_end && en->serial == serial &&
	    en->kind == ENTRY_FILE)
		u->is_held[serial % UPLOAD_HEADS] = true;
}

/* UPLOAD_REFS: there is none. Of serial 0: a free one. */
static size_t find_ref(const struct upload *u, uint64_t serial)
{
	size_t i = 0;

	while (i < UPLOAD_REFS && u->refs[i].serial != serial)
		i++;
	return i;
}

/* On a fast way a small entry is sooner sent than named, found and read there; what would be a
 * file there anyway refers on every way. */
static uint64_t least_len(const struct upload *u)
{
	uint64_t len = u->ahead / UPLOAD_REFER_PART;

	return len < UPLOAD_REFER_MIN ? UPLOAD_REFER_MIN
	       : len > ENTRY_ROW_MAX  ? ENTRY_ROW_MAX
				      : len;
}

static bool is_worth_it(const struct upload *u, const struct entry *en)
{
	return entry_payload_len(en) > least_len(u) &&
	       proto_can(u->version, PROTO_REFERENCE) &&
	       upload_attempts(u, en->serial) == 0 &&
	       (u->n_failed < UPLOAD_REF_FAILURES ||
		u->n_failed < u->n_referred / 2);
}

int upload_refer_begins(struct upload *u, const struct entry *en, bool is_held)
{
	size_t slot;

	for (size_t i = 0; i < UPLOAD_REFS; i++)
		if (u->refs[i].serial &&
		    en->serial > u->refs[i].serial + UPLOAD_REF_SPAN)
			return -1;
	if (!is_held || !is_worth_it(u, en))
		return 0;
	slot = find_ref(u, 0);
	if (slot == UPLOAD_REFS)
		return -1;
	u->refs[slot] = (struct upload_ref){.serial = en->serial, .en = *en};
	u->refs[slot].en.devices = NULL;
	u->n_referred++;
	return 1;
}

bool upload_refer_block(const struct upload *u, uint64_t serial)
{
	size_t i = find_ref(u, serial);

	return i < UPLOAD_REFS && u->refs[i].n_missed < UPLOAD_REF_MISSES;
}

const struct entry *upload_refer_entry(const struct upload *u, uint64_t serial)
{
	size_t i = find_ref(u, serial);

	return i < UPLOAD_REFS ? &u->refs[i].en : NULL;
}

void upload_refer_durable(struct upload *u)
{
	for (size_t i = 0; i < UPLOAD_REFS; i++)
		if (u->refs[i].serial <= u->durable)
			u->refs[i].serial = 0;
}

void upload_refer_early(struct upload *u, uint64_t serial)
{
	size_t i = find_ref(u, serial);

	if (i < UPLOAD_REFS)
		u->refs[i].serial = 0;
}

void upload_refer_stop(struct upload *u)
{
	for (unsigned i = 0; i < u->n_wanted; i++)
		upload_keep_unused(u, u->wanted[i].data);
	memset(u->refs, 0, sizeof(u->refs));
	free(u->wants);
	u->wants = NULL;
	u->first_want = u->n_wants = u->cap_wants = 0;
	u->n_wanted = 0;
	u->n_referred = u->n_failed = 0;
}

static void add_want(struct upload *u, const struct msg_want *m)
{
	if (u->n_wants == u->cap_wants) {
		size_t cap = u->cap_wants ? 2 * u->cap_wants : 16;
		struct msg_want *more = xcalloc(cap, sizeof(*more));

		if (u->n_wants)
			memcpy(more, u->wants, u->n_wants * sizeof(*more));
		free(u->wants);
		u->wants = more;
		u->cap_wants = cap;
	}
	u->wants[u->n_wants++] = *m;
}

/* Whether the block was sent: only then it can have failed there. */
static bool was_sent(const struct upload *u, const struct msg_want *m)
{
	const struct entry *en = upload_refer_entry(u, m->serial);

	if (!en || m->index >= block_count(entry_payload_len(en)))
		return false;
	return upload_block_was_sent(u, m->serial, m->index);
}

void upload_want(struct upload *u, const struct msg_want *m)
{
	size_t i;

	if (u->state == UPLOAD_LEAVING || u->state == UPLOAD_OFF)
		return;
	if (u->state != UPLOAD_LIVE || m->serial == 0 || !was_sent(u, m) ||
	    u->n_wants == UPLOAD_WANTS_MAX) {
		upload_leave(u, 0,
			     "the receiver asks for block %" PRIu64
			     " of entry %" PRIu64
			     ", which did not refer to anything",
			     m->index, m->serial);
		return;
	}
	i = find_ref(u, m->serial);
	if (i < UPLOAD_REFS && u->refs[i].n_missed++ == 0)
		u->n_failed++;
	add_want(u, m);
}

int upload_refer_read(struct upload *u, struct upload_act *act)
{
	while (u->first_want < u->n_wants) {
		const struct msg_want *m = &u->wants[u->first_want++];
		const struct entry *en = upload_refer_entry(u, m->serial);

		if (!en)
			continue;
		upload_add_read(u, en, m->index, act)->is_want = true;
		return 1;
	}
	u->first_want = u->n_wants = 0;
	return 0;
}

int upload_refer_send(struct upload *u, struct upload_act *act)
{
	struct upload_done *d = &u->wanted[0];

	if (u->n_wanted == 0)
		return 0;
	act->kind = UP_SEND_BLOCK;
	act->is_wanted = true;
	act->serial = d->serial;
	act->index = d->index;
	act->digest = d->digest;
	act->data = d->data;
	act->len = d->len;
	memmove(d, d + 1, --u->n_wanted * sizeof(*d));
	return 1;
}
