/* What the loader said to be applied, until recvd wrote that down: a line for each entry, in
 * the order in which it was done,
 *
 *	<load_dir>/<incarnation>/<database>/applied
 *		<serial> <digest>
 *
 * recvd writes a batch down when it is over, and one that was killed before hands it out again:
 * IoTDB would load the files a second time. A line is added before the answer is said. The next
 * batch of a domain begins either with what is marked (recvd did not keep it), or with
 * something else: then everything marked is kept, and the marks go.
 *
 * Marks are believed in their order and from the front only: once an entry comes that has none,
 * everything behind it is done, whatever is marked. So marks that are lost or cut (they are
 * not synced, and the disk may be full) mean that entries are done twice in order, which
 * changes no answer. What is marked was durable before. Blocks on the disk; never fails. */
#ifndef TSFERRY_LOAD_MARKS_H
#define TSFERRY_LOAD_MARKS_H

#include "load_handover.h"

struct marks {
	const struct handover_root *root; /* borrowed */
	char domain[HANDOVER_DOMAIN_MAX]; /* below the root; "" = none */
	int fd;				  /* owned; -1 = none */
	struct buf text;		  /* owned; of an earlier batch */
	size_t at;			  /* up to here it is believed */
	bool is_over; /* an entry came that was not marked: marks are added now */
};

void marks_init(struct marks *m, const struct handover_root *root);
void marks_release(struct marks *m); /* safe on a zeroed one */

/* A batch begins. */
void marks_begin(struct marks *m);

/* To be asked for each entry of a batch, in order, before it is done. False: do it. An entry
 * whose line names no incarnation is never marked. */
bool marks_has(struct marks *m, const struct load_job *j);
/* It is applied, and that is durable. */
void marks_add(struct marks *m, const struct load_job *j);

#endif
