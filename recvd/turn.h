/* Whose turn it is: the order in which durable entries are applied (design, sections 3
 * and 5), as one rule over what senders.h holds. Nothing here blocks or changes.
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

#endif
