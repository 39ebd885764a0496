/* Messages and events. */
#include "syncd/events.h"
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

static void ring(void)
{
	struct events *ev = events_new();
	CLEANUP(buf_release) struct buf b;
	int i;

	buf_init(&b, 1u << 20);
	CHECK(events_last_ms(ev, NULL) == 0);
	events_add(ev, LOG_DEBUG_, NULL, "the daemon's");
	events_add(ev, LOG_DEBUG_, "p", "two\nlines");
	events_print(ev, "p", &b);
	CHECK(strstr(buf_str(&b), " two lines\n"));
	CHECK(!strstr(buf_str(&b), "daemon"));
	CHECK(events_last_ms(ev, "p") && !events_last_ms(ev, "q"));
	buf_clear(&b);
	for (i = 0; i < 300; i++)
		events_add(ev, LOG_DEBUG_, "q", "number %d", i);
	events_print(ev, NULL, &b);
	CHECK(!strstr(buf_str(&b), "two lines"));
	CHECK(!strstr(buf_str(&b), "number 99\n"));
	CHECK(strstr(buf_str(&b), "pipe q: number 100\n"));
	CHECK(strstr(buf_str(&b), "pipe q: number 299\n"));
	events_free(ev);
}

int main(void)
{
	test_run("a note stands until its cause is gone", standing);
	test_run("events are lines, the oldest go", ring);
	return test_end();
}
