/* How much may be under way: bytes in buffers, entries waiting for a commit, staged
 * bytes, free space on the disk. Back-pressure is deciding here, never loss.
 *
 * Buffers of blocks are kept and used again: 256 KiB from malloc would be mapped and
 * unmapped each time. Everything here is the loop's and does not block. */
#ifndef TSFERRY_ROOM_H
#define TSFERRY_ROOM_H

#include <stdbool.h>

#include "domain/entry.h"
#include "settings.h"

#define ROOM_FLIGHT_MAX (2u << 20) /* bytes in buffers; beyond it nobody is read */
#define ROOM_FLIGHT_RESUME (1u << 20)
#define ROOM_BUFFERS 8u
#define ROOM_CATALOG (4u << 20) /* free space that stays for the catalog in any case */
#define ROOM_FILES_MAX 192u /* staged files whose descriptors wait for a commit */

struct room {
	uint64_t flight, n_files;
	bool is_full;
	uint64_t staged_bytes; /* durable and not applied */
	uint64_t begun_bytes;  /* on their way to that: of entries whose blocks come, or that wait for a commit */
	uint64_t retained_bytes; /* applied and kept; they go when others need the room */
	uint64_t reserved; /* what is still to come of half-received entries */
	uint64_t free_bytes, total_bytes; /* of staging, when last measured; 0, 0 = never */
	void *buffers[ROOM_BUFFERS]; /* owned; free ones */
	size_t n_buffers;
};

void room_release(struct room *r);

/* Each answers whether it turned the room full (add) or not full any more (sub). */
bool room_add(struct room *r, uint64_t bytes, uint64_t n_files);
bool room_sub(struct room *r, uint64_t bytes, uint64_t n_files);

/* BLOCK_LEN bytes; NULL when memory is short. */
void *room_buffer_take(struct room *r);
void room_buffer_give(struct room *r, void *p);

/* What the disk said; a measurement that failed (0, 0) changes nothing. */
void room_measured(struct room *r, uint64_t free_bytes, uint64_t total_bytes);

/* Whether an entry of `len` bytes may come, `need` of which are not on the disk yet: 0, or
 * -ENOSPC and why not. What was let in before has its room: otherwise half-received
 * entries could fill the disk together and none would ever become whole. */
int room_check(const struct room *r, const struct settings *s, uint64_t len, uint64_t need,
	       struct err *e)
	MUST_CHECK;

#endif
