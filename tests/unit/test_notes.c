#include "syncd/notes.h"
#include "test.h"

static void standing(void)
{
	struct notes n = {0};
	CLEANUP(buf_release) struct buf b;
	int64_t since;

	buf_init(&b, 4096);
	notes_print(&n, &b);
	CHECK(b.len == 0);
	CHECK(notes_set(&n, NOTE_SPACE, "no room"));
	since = n.v[NOTE_SPACE].since_ms;
	n.v[NOTE_SPACE].since_ms = since - 5;
	CHECK(!notes_set(&n, NOTE_SPACE, "no room")); /* no news */
	CHECK(n.v[NOTE_SPACE].since_ms == since - 5);
	CHECK(notes_set(&n, NOTE_FILE, "a letter"));
	notes_print(&n, &b);
	CHECK(strncmp(buf_str(&b), "[WARN] [20", 10) == 0);
	CHECK(strstr(buf_str(&b), "] no room\n[WARN] ["));
	CHECK(strstr(buf_str(&b), "] a letter\n"));
	CHECK(notes_clear(&n, NOTE_SPACE) && !notes_clear(&n, NOTE_SPACE));
	buf_clear(&b);
	notes_print(&n, &b);
	CHECK(!strstr(buf_str(&b), "room") && strstr(buf_str(&b), "letter"));
	notes_release(&n);
	CHECK(!n.v[NOTE_FILE].text);
}

int main(void)
{
	test_run("a note stands until its cause is gone", standing);
	return test_end();
}
