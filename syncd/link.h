/* The link of one pipe to its receiver: connects, keeps the dialogue of upload.h alive,
 * performs what the machine asks for, reconnects for ever (design, sections 3 and 7).
 *
 * A link exists while its pipe runs, or while an ERROR stopped it and it asks again
 * within a minute. All on the loop; payloads are read elsewhere (reader.h), so that a
 * link that is freed may live on, mute, until its last reads came back. */
#ifndef TSFERRY_LINK_H
#define TSFERRY_LINK_H

#include "pipes.h"

struct link *link_new(struct edge *e, struct pipe *p);
/* `is_orderly`: the receiver is told the pipe's new state first. */
void link_free(struct link *l, bool is_orderly);

void link_kick(
	struct link *l); /* START, ALTER: tries now, back-off begins anew */
void link_again(struct link *l); /* closes what is there and connects (ALTER) */
void link_assigned(struct link *l, uint64_t last);
void link_changed(struct link *l); /* state or message: the receiver is told */
void link_ask_kept(struct link *l); /* kept.h; when it is online */
void link_rate_changed(struct link *l);

/* "online <addr> since <t>" or "offline since <t>: <reason>; next try in 3.2 s". */
void link_print(const struct link *l, struct buf *out);
bool link_is_online(const struct link *l);
uint64_t link_rate(struct link *l); /* bytes a second, lately */
uint64_t link_resent_bytes(const struct link *l);
/* Entries that are durable above the durable serial, and their bytes. */
void link_early(const struct link *l, uint64_t *entries, uint64_t *bytes);
bool link_is_early(const struct link *l, uint64_t serial); /* NULL: no */

#endif
