/* The payload of a small entry that was captured alone, read while its file was pinned: the
 * way from sealed to sent then needs no reader (reader.h), that is, no two hand-overs between
 * sleeping threads. It is offered to the link of its pipe in the moment of its commit, and
 * forgotten then; a link that has no use for it reads the entry as any other. */
#ifndef TSFERRY_WARM_H
#define TSFERRY_WARM_H

#include "domain/digest.h"

#define WARM_MAX 65536u

struct payload;

struct warm {
	uint64_t serial; /* 0 until it has one */
	uint32_t len;
	struct digest digest;
	struct payload *data; /* owned; NULL: there is none */
};

/* The catalog's thread: the whole of an open file; nothing when that cannot be read. */
void warm_read(struct warm *w, int fd, uint64_t len);
/* All of entry `serial`, `len` bytes: the caller's from now on; NULL: it is not that. */
struct payload *warm_take(struct warm *w, uint64_t serial, uint32_t len);
void warm_release(struct warm *w);

#endif
