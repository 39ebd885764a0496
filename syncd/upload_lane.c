/* What is put off so that others need not wait for it: long entries, and what belongs to
 * the database of one that is put off already, because it could not become durable before
 * that anyway. Only the oldest travels, beside what stands behind; a queue, whose heads are
 * kept until they are sent. */
#include <assert.h>
#include <string.h>

#include "upload_inside.h"

static struct upload_later *at(const struct upload *u, uint64_t i)
{
	return &u->laters[i % UPLOAD_LATER];
}

static bool is_behind_its_own(const struct upload *u, const struct entry *en)
{
	for (uint64_t i = u->first_later; i < u->end_later; i++)
		if (strcmp(at(u, i)->en.file.database, en->file.database) == 0)
			return true;
	return false;
}

int upload_puts_off(const struct upload *u, const struct entry *en)
{
	uint64_t oldest;

	if (!u->has_early || u->is_single)
		return 0;
	if (entry_payload_len(en) <= UPLOAD_LATER_MIN &&
	    !is_behind_its_own(u, en))
		return 0;
	/* The read cursor may still stand on one that is wholly sent. */
	oldest =
		u->read_later < u->first_later ? u->read_later : u->first_later;
	return u->end_later - oldest < UPLOAD_LATER ? 1 : -1;
}

void upload_put_off(struct upload *u, struct entry *en, bool is_held)
{
	struct upload_later *l;

	if (!u->laters)
		u->laters = xcalloc(UPLOAD_LATER, sizeof(*u->laters));
	l = at(u, u->end_later++);
	entry_release(&l->en);
	l->en = *en;
	l->is_held = is_held;
	en->devices = NULL;
	*upload_sent_of(u, en->serial) = (struct upload_sent){
		.nonce = en->nonce,
		.len = entry_payload_len(en),
		.is_later = true,
	};
}

void upload_lane_stop(struct upload *u)
{
	for (size_t i = 0; u->laters && i < UPLOAD_LATER; i++)
		entry_release(&u->laters[i].en);
	free(u->laters);
	u->laters = NULL;
	u->first_later = u->read_later = u->end_later = 0;
	u->passed_bytes = 0;
}

struct upload_later *upload_later_read(struct upload *u)
{
	return u->read_later < u->end_later ? at(u, u->read_later) : NULL;
}

/* Behind its LATER, and when its reading has begun: the read cursor may still stand on the one
 * before, whose last block was read and sent. */
struct upload_later *upload_later_sent(struct upload *u)
{
	bool is_begun = u->first_later < u->read_later ||
			(u->first_later == u->read_later && u->later.read_open);

	return is_begun && at(u, u->first_later)->en.serial < u->send_serial
		       ? at(u, u->first_later)
		       : NULL;
}

const struct upload_later *upload_later_at(const struct upload *u,
					   uint64_t serial)
{
	for (uint64_t i = u->first_later; i < u->end_later; i++)
		if (at(u, i)->en.serial == serial)
			return at(u, i);
	return NULL;
}

/* The head stays until its place is taken: an act still borrows it. */
void upload_later_over(struct upload *u)
{
	upload_sent_of(u, at(u, u->first_later)->en.serial)->is_later = false;
	u->first_later++;
}

bool upload_block_was_sent(const struct upload *u, uint64_t serial,
			   uint64_t index)
{
	const struct upload_later *l = upload_later_at(u, serial);

	if (l)
		return l == at(u, u->first_later) && u->later.send_open &&
		       index < u->later.send_index;
	return serial < u->send_serial ||
	       (serial == u->send_serial && u->next.send_open &&
		index < u->next.send_index);
}
