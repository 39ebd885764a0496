#include <stdio.h>
#include <string.h>

#include "domain/events.h"
#include "test.h"

static struct buf out;

static const char *printed(const struct events *ev, const char *pipe)
{
	buf_clear(&out);
	events_print(ev, pipe, &out);
	buf_add(&out, "", 1);
	return (const char *)buf_data(&out);
}

static size_t n_lines(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, '\n')) != NULL) {
		text++;
		n++;
	}
	return n;
}

#define TIME_LEN 24 /* "2022-03-30T20:58:30.689 " */

static void each_pipe_has_its_own_and_the_daemon_all(void)
{
	struct events *ev = events_new("syncd");
	const char *text;

	CHECK(events_last_ms(ev, NULL) == 0);
	events_add(ev, LOG_INFO_, NULL, NULL, "ready");
	events_add(ev, LOG_WARN_, NULL, &(struct log_about){.pipe = "p"},
		   "late by %d", 3);
	events_add(ev, LOG_ERR_, "apply",
		   &(struct log_about){.sender = "e", .pipe = "p"}, "e/p: no");
	CHECK_STR(printed(ev, NULL) + TIME_LEN + strlen("info "),
		  strstr(printed(ev, NULL), "syncd: ready"));
	text = printed(ev, NULL);
	CHECK(n_lines(text) == 3);
	CHECK(strstr(text, " warn syncd: pipe p: late by 3\n"));
	CHECK(strstr(text, " err apply: e/p: no\n"));
	text = printed(ev, "p");
	CHECK(n_lines(text) == 2);
	CHECK(strstr(text, " warn late by 3\n"));
	CHECK_STR(printed(ev, "q"), "");
	CHECK(events_last_ms(ev, "q") == 0);
	CHECK(events_last_ms(ev, "p") > 0);
	events_free(ev);
}

static void an_event_is_one_line(void)
{
	struct events *ev = events_new("syncd");

	events_add(ev, LOG_INFO_, NULL, NULL, "a\nb\x1b[2Jc");
	CHECK(strstr(printed(ev, NULL), "a b [2Jc\n"));
	CHECK(n_lines(printed(ev, NULL)) == 1);
	events_add(ev, LOG_DEBUG_, NULL, NULL, "not kept");
	CHECK(n_lines(printed(ev, NULL)) == 1);
	events_free(ev);
}

static void the_older_half_goes_when_there_are_too_many(void)
{
	struct events *ev = events_new("syncd");
	char last[32];

	for (int i = 0; i < EVENTS_KEPT; i++)
		events_add(ev, LOG_INFO_, NULL, NULL, "number %d.", i);
	CHECK(n_lines(printed(ev, NULL)) == EVENTS_KEPT);
	events_add(ev, LOG_INFO_, NULL, NULL, "number %d.", EVENTS_KEPT);
	CHECK(n_lines(printed(ev, NULL)) == EVENTS_KEPT / 2 + 1);
	(void)snprintf(last, sizeof last, "number %d.\n", EVENTS_KEPT);
	CHECK(strstr(printed(ev, NULL), last));
	CHECK(!strstr(printed(ev, NULL), "number 0."));
	events_free(ev);
}

static void long_texts_are_bounded_together(void)
{
	struct events *ev = events_new("syncd");

	for (int i = 0; i < EVENTS_KEPT; i++) {
		events_add(ev, LOG_INFO_, NULL, NULL, "%01900d", i);
		(void)printed(ev, NULL);
		CHECK(out.len < EVENTS_BYTES + 64 * EVENTS_KEPT);
	}
	CHECK(n_lines(printed(ev, NULL)) > EVENTS_BYTES / 1900 / 2 - 2);
	events_free(ev);
}

int main(void)
{
	(void)setenv("TSFERRY_LOG", "err", 1);
	buf_init(&out, 1 << 20);
	test_run("each pipe has its own, the daemon all",
		 each_pipe_has_its_own_and_the_daemon_all);
	test_run("an event is one line", an_event_is_one_line);
	test_run("the older half goes when there are too many",
		 the_older_half_goes_when_there_are_too_many);
	test_run("long texts are bounded together",
		 long_texts_are_bounded_together);
	buf_release(&out);
	return test_end();
}
