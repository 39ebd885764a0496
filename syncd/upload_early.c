/* What is durable at the receiver although something of a lower serial is not: told behind its
 * WELCOME, then it is not sent again; told later, then it does not count in the window
 * any more. Only memory: until the durable serial is past them their entries stay here. */
#include <inttypes.h>
#include <string.h>

#include "upload_inside.h"

const struct early_one *upload_was_early(const struct upload *u,
					 uint64_t serial)
{
	size_t at = early_ones_below(u->there_early, u->n_there_early, serial);

	return at < u->n_there_early && u->there_early[at].serial == serial
		       ? &u->there_early[at]
		       : NULL;
}

static void count(struct upload *u, struct upload_sent *sent)
{
	sent->is_early = true;
	u->n_early++;
	u->early_bytes += sent->len;
}

void upload_early_passed(struct upload *u, struct upload_sent *sent)
{
	if (!sent->is_early)
		return;
	sent->is_early = false;
	u->n_early--;
	u->early_bytes -= sent->len;
}

void upload_skip_early(struct upload *u, const struct entry *en)
{
	struct upload_sent *sent = upload_sent_of(u, en->serial);

	*sent = (struct upload_sent){.nonce = en->nonce,
				     .len = entry_payload_len(en)};
	count(u, sent);
}

bool upload_may_be_durable(const struct upload *u, uint64_t serial)
{
	uint64_t s = u->send_serial;

	if (u->first_later < u->end_later &&
	    u->laters[u->first_later % UPLOAD_LATER].en.serial <= serial)
		return false;
	while (s <= serial && upload_was_early(u, s))
		s++;
	return serial < s;
}

/* Those that the receiver had follow directly, and their heads are perhaps not here; the read
 * cursor may still stand on the one before. */
void upload_early_reach(struct upload *u, uint64_t serial)
{
	if (u->send_serial > serial)
		return;
	for (uint64_t s = u->read_serial > u->send_serial ? u->read_serial
							  : u->send_serial;
	     s <= serial; s++) {
		const struct early_one *one = upload_was_early(u, s);

		*upload_sent_of(u, s) =
			(struct upload_sent){.nonce = one ? one->nonce : 0};
	}
	if (u->read_serial <= serial) {
		u->read_serial = serial + 1;
		u->next.read_open = false;
	}
	u->send_serial = serial + 1;
	if (u->heads_end <= serial)
		u->heads_end = serial + 1;
	if (u->fetch_end <= serial)
		u->fetch_end = serial + 1;
}

static void take_list(struct upload *u, const struct msg_early *m)
{
	free(u->there_early);
	u->there_early = xcalloc(m->n + 1, sizeof(*u->there_early));
	u->n_there_early = m->n;
	u->n_fills = 0;
	for (uint32_t i = 0; i < m->n; i++) {
		u->there_early[i] = msg_early_one(m, i);
		u->n_fills += u->there_early[i].serial <= u->there_durable;
	}
	u->has_early = true;
	u->awaits_early = false;
}

/* false: it was not sent, or is another one. */
static bool take_one(struct upload *u, const struct early_one *one)
{
	struct upload_sent *sent;

	if (one->serial <= u->durable)
		return true;
	sent = upload_sent_of(u, one->serial);
	if (one->serial >= u->send_serial || sent->is_later ||
	    sent->nonce != one->nonce)
		return false;
	if (sent->is_early)
		return true;
	u->window_bytes -= sent->bytes;
	sent->bytes = 0;
	count(u, sent);
	upload_refer_early(u, one->serial);
	return true;
}

void upload_early(struct upload *u, const struct msg_early *m)
{
	bool is_good = u->state == UPLOAD_LIVE;

	if (u->state == UPLOAD_LEAVING || u->state == UPLOAD_OFF)
		return;
	if (u->awaits_early) {
		take_list(u, m);
		upload_check_history(u);
		return;
	}
	for (uint32_t i = 0; i < m->n && is_good; i++) {
		struct early_one one = msg_early_one(m, i);

		is_good = take_one(u, &one);
	}
	if (!is_good)
		upload_leave(u, 0,
			     "the receiver says of entries that they are "
			     "durable early which it was not sent");
}

void upload_early_stop(struct upload *u)
{
	free(u->there_early);
	u->there_early = NULL;
	u->n_there_early = u->n_fills = 0;
	u->has_early = u->awaits_early = false;
}

bool upload_awaits_early(const struct upload *u)
{
	return u->awaits_early;
}

uint64_t upload_early_entries(const struct upload *u)
{
	return u->n_early;
}

uint64_t upload_early_bytes(const struct upload *u)
{
	return u->early_bytes;
}

bool upload_is_early(const struct upload *u, uint64_t serial)
{
	return serial > u->durable && serial < u->read_serial &&
	       u->sent[serial % UPLOAD_WINDOW_ENTRIES].is_early;
}
