/* The last answer of each user, for a later `cat ctl`.
 *
 * A bounded number of users and bytes: the one who asked longest ago is forgotten first.
 * `writer` is the open file that the answer was made on, so that the file can know
 * whether somebody has read it. */
#ifndef TSFERRY_ANSWERS_H
#define TSFERRY_ANSWERS_H

#include <stdbool.h>

#include "ground/buf.h"

#define ANSWERS_USERS 64
#define ANSWERS_BYTES (16u << 20)

struct answers;

struct answer {
	unsigned uid;
	uint64_t writer;
	int64_t wall_ms;
	bool was_read;
	struct buf text;
};

struct answers *answers_new(void);
void answers_free(struct answers *as);

/* Replaces the user's answer. A text that is too long for memory or bound is dropped. */
void answers_put(struct answers *as, unsigned uid, uint64_t writer, int64_t wall_ms,
		 const struct buf *text);

/* NULL: none. Borrowed until the next answers_put(). */
struct answer *answers_get(const struct answers *as, unsigned uid);

#endif
