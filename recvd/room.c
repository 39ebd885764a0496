#include "room.h"

#include <errno.h>

void room_release(struct room *r)
{
	while (r->n_buffers)
		free(r->buffers[--r->n_buffers]);
}

bool room_add(struct room *r, uint64_t bytes, uint64_t n_files)
{
	bool was_full = r->is_full;

	r->flight += bytes;
	r->n_files += n_files;
	r->is_full |=
		r->flight >= ROOM_FLIGHT_MAX || r->n_files >= ROOM_FILES_MAX;
	return r->is_full && !was_full;
}

bool room_sub(struct room *r, uint64_t bytes, uint64_t n_files)
{
	bool was_full = r->is_full;

	r->flight -= bytes;
	r->n_files -= n_files;
	if (r->flight <= ROOM_FLIGHT_RESUME && r->n_files <= ROOM_FILES_MAX / 2)
		r->is_full = false;
	return was_full && !r->is_full;
}

void *room_buffer_take(struct room *r)
{
	return r->n_buffers ? r->buffers[--r->n_buffers] : malloc(BLOCK_LEN);
}

void room_buffer_give(struct room *r, void *p)
{
	if (r->n_buffers < ROOM_BUFFERS)
		r->buffers[r->n_buffers++] = p;
	else
		free(p);
}

void room_measured(struct room *r, uint64_t free_bytes, uint64_t total_bytes)
{
	if (!total_bytes)
		return;
	r->free_bytes = free_bytes;
	r->total_bytes = total_bytes;
}

int room_check(const struct room *r, const struct settings *s, uint64_t len,
	       uint64_t need, struct err *e)
{
	uint64_t keep = settings_min_free(s, r->total_bytes);
	uint64_t taken = keep + ROOM_CATALOG + r->reserved + r->flight;

	if (s->staging_max_bytes && r->staged_bytes + r->begun_bytes + len >
					    (uint64_t)s->staging_max_bytes)
		return err_set(
			e, ENOSPC,
			"the receiver's staging is full: %llu bytes wait to be "
			"applied, staging_max_bytes is %lld",
			(unsigned long long)r->staged_bytes,
			(long long)s->staging_max_bytes);
	if (r->total_bytes && r->free_bytes < taken + need)
		return err_set(
			e, ENOSPC,
			"the receiver's disk is full: %llu bytes are free, "
			"%llu are promised, staging_min_free keeps %llu",
			(unsigned long long)r->free_bytes,
			(unsigned long long)(taken - keep),
			(unsigned long long)keep);
	return 0;
}
