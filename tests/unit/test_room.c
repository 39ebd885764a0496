#include <errno.h>

#include "recvd/room.h"
#include "test.h"

#define MIB (1ull << 20)

static struct settings settings_of(int64_t max, const char *min_free)
{
	struct settings s = {.staging_max_bytes = max};

	(void)snprintf(s.staging_min_free, sizeof s.staging_min_free, "%s",
		       min_free);
	return s;
}

static int check(const struct room *r, const struct settings *s, uint64_t len)
{
	struct err e = {0};
	int result = room_check(r, s, len, len, &e);

	return (result < 0) == (e.text[0] != 0) ? result : 1;
}

/* Everything that was promised before counts: else half-received entries fill the disk
 * together and none becomes whole. */
static void the_disk(void)
{
	struct settings s = settings_of(0, "100M");
	struct room r = {0};

	CHECK(check(&r, &s, 1ull << 40) == 0); /* never measured */
	room_measured(&r, 400 * MIB, 1000 * MIB);
	room_measured(&r, 0, 0); /* a measurement that failed */
	CHECK(check(&r, &s, 400 * MIB - 100 * MIB - ROOM_CATALOG) == 0);
	CHECK(check(&r, &s, 400 * MIB - 100 * MIB - ROOM_CATALOG + 1) ==
	      -ENOSPC);
	r.reserved = 200 * MIB;
	CHECK(check(&r, &s, 96 * MIB) == 0);
	CHECK(check(&r, &s, 96 * MIB + 1) == -ENOSPC);
	r.flight = MIB;
	CHECK(check(&r, &s, 95 * MIB) == 0);
	CHECK(check(&r, &s, 95 * MIB + 1) == -ENOSPC);
}

static void the_bound_of_staging(void)
{
	struct settings s = settings_of(10 * MIB, "0");
	struct room r = {.staged_bytes = 4 * MIB,
			 .begun_bytes = 2 * MIB,
			 .reserved = MIB};

	CHECK(check(&r, &s, 4 * MIB) == 0);
	CHECK(check(&r, &s, 4 * MIB + 1) == -ENOSPC);
	s.staging_max_bytes = 0;
	CHECK(check(&r, &s, 1ull << 40) == 0);
}

/* Full at one mark, not full again only at a lower one. */
static void full_and_not_full(void)
{
	struct room r = {0};

	CHECK(!room_add(&r, ROOM_FLIGHT_MAX - 1, 0) && !r.is_full);
	CHECK(room_add(&r, 1, 0) && r.is_full);
	CHECK(!room_add(&r, 1, 0)); /* it was */
	CHECK(!room_sub(&r, ROOM_FLIGHT_MAX - ROOM_FLIGHT_RESUME, 0));
	CHECK(r.is_full && room_sub(&r, 1, 0) && !r.is_full);
	CHECK(!room_sub(&r, ROOM_FLIGHT_RESUME, 0) && r.flight == 0);
	CHECK(room_add(&r, 0, ROOM_FILES_MAX));
	CHECK(!room_sub(&r, 0, ROOM_FILES_MAX / 2 - 1) && r.is_full);
	CHECK(room_sub(&r, 0, 1));
}

static void buffers_are_used_again(void)
{
	struct room r = {0};
	void *b[ROOM_BUFFERS + 1];

	for (size_t i = 0; i < ARRAY_LEN(b); i++)
		b[i] = room_buffer_take(&r);
	for (size_t i = 0; i < ARRAY_LEN(b); i++)
		room_buffer_give(&r, b[i]);
	CHECK(r.n_buffers == ROOM_BUFFERS);
	CHECK(room_buffer_take(&r) == b[ROOM_BUFFERS - 1]);
	room_buffer_give(&r, b[ROOM_BUFFERS - 1]);
	room_release(&r);
	CHECK(r.n_buffers == 0);
}

int main(void)
{
	test_run("what is promised counts against the disk", the_disk);
	test_run("staging has a bound", the_bound_of_staging);
	test_run("full, and not full again", full_and_not_full);
	test_run("buffers are used again", buffers_are_used_again);
	return test_end();
}
