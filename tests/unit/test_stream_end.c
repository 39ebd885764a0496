/* How streams end: in order, by death, from inside an event. */
#include <errno.h>

#include "stream_fixture.h"

static void orderly_end(bool tls)
{
	JOIN(tls);
	p.c.to_send = BIG;
	p.c.quiet = true;
	CHECK(run(&p, both_open));
	/* More than a socket takes at once, and then the end. */
	p.c.quiet = false;
	feed(&p.c);
	p.c.to_send = p.c.queued;
	CHECK(p.c.queued >= 1u << 20);
	stream_finish(p.c.s);
	p.c.s = NULL;
	p.s.free_in_closed = true;
	CHECK(run(&p, server_closed));
	CHECK(p.s.received == p.c.queued && !p.s.wrong);
	CHECK(p.s.n_closed == 1 && p.s.why.sys == 0);
	CHECK(p.c.n_closed == 0);
	CHECK(run_ms(&p, 20));
}

static void finish_plain(void)
{
	orderly_end(false);
}

static void finish_tls(void)
{
	orderly_end(true);
}

/* The reader's own bytes are on their way while the writer finishes. */
static void finish_with_traffic(void)
{
	JOIN(true);
	p.c.to_send = 1u << 20;
	p.s.to_send = BIG;
	CHECK(run(&p, both_open));
	stream_finish(p.c.s);
	p.c.s = NULL;
	CHECK(run(&p, server_closed));
	CHECK(p.s.received == 1u << 20 && !p.s.wrong);
	CHECK(p.s.why.sys == 0);
}

static void finish_gives_up(void)
{
	JOIN(false);
	p.c.to_send = BIG;
	p.c.quiet = true;
	CHECK(run(&p, both_open));
	stream_pause(p.s.s, true);
	CHECK(run_ms(&p, 5));
	p.c.quiet = false;
	while (p.c.queued < p.c.to_send) {
		static const uint8_t zeros[65536];

		stream_send(p.c.s, zeros, sizeof zeros);
		p.c.queued += sizeof zeros;
	}
	stream_finish(p.c.s);
	p.c.s = NULL;
	CHECK(run_ms(&p, 1300));
	stream_pause(p.s.s, false);
	CHECK(run(&p, server_closed));
	CHECK(p.s.received < BIG);
	CHECK(p.s.why.sys == ECONNRESET);
}

/* Forgotten in the loop: loop_free() must end it (the leak checker watches). */
static void finish_without_loop(void)
{
	JOIN(true);
	p.c.to_send = 1000;
	CHECK(run(&p, both_open));
	stream_finish(p.c.s);
	p.c.s = NULL;
	CHECK(p.s.n_closed == 0);
}

static void finish_before_open(void)
{
	JOIN(true);
	stream_send(p.c.s, "secret", 6);
	stream_finish(p.c.s);
	p.c.s = NULL;
	CHECK(run(&p, server_closed));
	CHECK(p.s.received == 0 && p.s.n_opened == 0);
}

static void death(bool tls)
{
	JOIN(tls);
	CHECK(run(&p, both_open));
	stream_free(p.s.s);
	p.s.s = NULL;
	CHECK(run(&p, client_closed));
	CHECK(p.c.n_closed == 1);
	CHECK(p.c.why.sys == (tls ? ECONNRESET : 0));
	stream_send(p.c.s, "x", 1);
	CHECK(stream_queued(p.c.s) == 0);
	CHECK(run_ms(&p, 10));
	CHECK(p.c.n_closed == 1);
}

static void death_plain(void)
{
	death(false);
}

static void death_tls(void)
{
	death(true);
}

static void death_while_writing(void)
{
	JOIN(false);
	CHECK(run(&p, both_open));
	stream_pause(p.s.s, true);
	p.c.to_send = BIG;
	feed(&p.c);
	CHECK(run_ms(&p, 20));
	stream_free(p.s.s);
	p.s.s = NULL;
	p.c.free_in_closed = true;
	CHECK(run(&p, client_closed));
	CHECK(p.c.why.sys == ECONNRESET || p.c.why.sys == EPIPE);
}

static void death_while_paused(void)
{
	JOIN(true);
	CHECK(run(&p, both_open));
	/* Unread bytes at close make it a reset. */
	stream_pause(p.s.s, true);
	stream_pause(p.c.s, true);
	stream_send(p.c.s, "x", 1);
	CHECK(run_ms(&p, 20));
	stream_free(p.s.s);
	p.s.s = NULL;
	CHECK(run(&p, client_closed));
	CHECK(p.c.why.sys == ECONNRESET);
}

/* The peer's last words are read although writing to it fails already. */
static void last_words(void)
{
	JOIN(true);
	p.s.to_send = 5000;
	p.s.quiet = true;
	CHECK(run(&p, both_open));
	feed(&p.s);
	stream_finish(p.s.s);
	p.s.s = NULL;
	p.c.to_send = 3u << 20;
	feed(&p.c);
	CHECK(run(&p, client_closed));
	CHECK(p.c.received == 5000 && !p.c.wrong);
	CHECK(p.c.why.sys == 0);
}

static void freed_inside(bool finish)
{
	JOIN(true);
	p.c.to_send = 1u << 20;
	p.s.free_in_data = !finish;
	p.s.finish_in_data = finish;
	p.s.to_send = finish ? 70000 : 0;
	CHECK(run(&p, client_closed));
	CHECK(!p.s.s && p.s.n_closed == 0 && !p.s.wrong);
	CHECK(p.s.received > 0);
	if (finish)
		CHECK(p.c.received == 70000 && p.c.why.sys == 0);
}

static void free_in_data(void)
{
	freed_inside(false);
}

static void finish_in_data(void)
{
	freed_inside(true);
}

int main(void)
{
	if (!have_keys())
		return 2;
	test_run("finish sends everything, plain", finish_plain);
	test_run("finish sends everything, TLS", finish_tls);
	test_run("finish against traffic loses nothing", finish_with_traffic);
	test_run("finish gives up after a second", finish_gives_up);
	test_run("a finishing stream ends with its loop", finish_without_loop);
	test_run("finish before opening sends nothing", finish_before_open);
	test_run("the peer's death, plain", death_plain);
	test_run("the peer's death, TLS", death_tls);
	test_run("the peer's death while writing", death_while_writing);
	test_run("the peer's death while paused", death_while_paused);
	test_run("last words are read", last_words);
	test_run("freed inside data", free_in_data);
	test_run("finished inside data", finish_in_data);
	drop_keys();
	return test_end();
}
