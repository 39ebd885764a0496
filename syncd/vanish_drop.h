/* Files vanished: before anybody is asked why, the next listing of the schema is waited for,
 * because it tells of a database that was dropped (schema_pass.h).
 *
 * The loop's side. While it is waited for the files are known as before, the partition stays, and
 * nothing else waits. Where no listing can be had, the partition is listed again at once. */
#ifndef TSFERRY_VANISH_DROP_H
#define TSFERRY_VANISH_DROP_H

#include "listing.h"

struct scan;

/* Behind the job of a listing, and behind vanish_take(). */
void vanish_drop_take(struct scan *s, struct partition *p,
		      const struct listing *l);
void vanish_drop_end(struct scan *s); /* nobody is waited for any more */

#endif
