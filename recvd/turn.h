/* Whose turn it is: the order in which durable entries are applied (design, sections 3
 * and 5), as one rule over what senders.h holds. Nothing here blocks.
 *
 * Within a domain serials go in order; a quarantined entry holds its domain back until
 * an operator's word. A newer incarnation of a sender waits, database by database, for
 * what the older ones still have. `pass` (quarantine=pass) lets what is quarantined
 * stand aside, in its own domain and for newer incarnations. */
#ifndef TSFERRY_TURN_H
#define TSFERRY_TURN_H

#include "senders.h"

/* Whether the domain has an entry to apply, and nothing older stands before it. Pauses
 * of retries are the caller's. */
bool turn_has(const struct domain *dom, bool pass);

/* A batch looks at a domain on its own thread and says at its end that the next entry is
 * quarantined. What an operator, a SCHEMA or other settings let go meanwhile is newer than
 * that: held again it would wait for a word that was said already. So a batch remembers
 * n_freed when it begins, and holds only what was not let go since; what is held all the
 * same the next batch finds out by itself. */
void turn_let_go(struct domain *dom);
void turn_hold(struct domain *dom, uint64_t n_freed);

#endif
