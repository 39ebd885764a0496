/* Devices that the catalog has, as far as is remembered: they repeat from file to file, and what
 * was written once need not be written again. It may forget, and is forgotten when a transaction
 * that told of them did not commit; it never takes a device for written that is not.
 *
 * One thread's own. Half a megabyte once it is used. */
#ifndef TSFERRY_SEEN_H
#define TSFERRY_SEEN_H

#include "domain/tsfile_index.h"
#include "ground/base.h"

struct seen {
	uint64_t *slots; /* owned: keys, by their remainder; or NULL */
};

/* True when it is news, and can stand in a line, as entries name devices. */
bool seen_is_news(struct seen *s, const char *database, uint32_t region,
		  const struct tsfile_device *d);
void seen_forget(struct seen *s); /* all of it; safe to use again */

#endif
