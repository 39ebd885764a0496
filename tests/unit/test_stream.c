/* Open streams: what is sent arrives, in bites and pauses, plain and by TLS. */
#include <errno.h>

#include "stream_fixture.h"

static void opens(bool tls)
{
	JOIN(tls);
	CHECK(run(&p, both_open));
	CHECK(p.c.n_opened == 1 && p.s.n_opened == 1);
	CHECK(p.c.n_closed == 0 && p.s.n_closed == 0);
	CHECK((stream_peer_key(p.c.s) != NULL) == tls);
	if (tls) {
		CHECK(memcmp(stream_peer_key(p.c.s), key_s.id, 32) == 0);
		CHECK(memcmp(stream_peer_key(p.s.s), key_c.id, 32) == 0);
	}
	CHECK(run_ms(&p, 20));
	CHECK(p.c.n_drained == 0 && p.c.n_closed == 0);
	CHECK(stream_bytes_in(p.c.s) == stream_bytes_out(p.s.s));
	CHECK(stream_bytes_out(p.c.s) == stream_bytes_in(p.s.s));
}

static void opens_plain(void)
{
	opens(false);
}

static void opens_tls(void)
{
	opens(true);
}

/* A bite is what a frame is: it is taken whole or left for the next time. */
static void carries(bool tls, size_t bite)
{
	JOIN(tls);
	p.c.to_send = bite ? 20 * bite : BIG;
	p.s.to_send = bite ? 32 * bite : BIG + 12345;
	p.c.bite = bite;
	p.s.bite = bite;
	CHECK(run(&p, all_there));
	CHECK(!p.c.wrong && !p.s.wrong);
	CHECK(p.c.n_drained >= 1 && p.s.n_drained >= 1);
	CHECK(stream_queued(p.c.s) == 0 && stream_queued(p.s.s) == 0);
	CHECK(p.c.n_closed == 0 && p.s.n_closed == 0);
	CHECK(stream_bytes_out(p.c.s) == stream_bytes_in(p.s.s));
	CHECK(stream_bytes_in(p.s.s) > p.c.to_send);
	CHECK((p.c.offered > p.c.received) == (bite != 0));
}

static void carries_plain(void)
{
	carries(false, 0);
}

static void carries_tls(void)
{
	carries(true, 0);
}

static void bites_plain(void)
{
	carries(false, 333333);
}

static void bites_tls(void)
{
	carries(true, 1048577);
}

static bool server_has_pause(const struct pair *p)
{
	return p->s.received == 1000000;
}

static void pauses(bool tls)
{
	JOIN(tls);
	p.c.to_send = BIG;
	p.s.pause_at = 1000000;
	CHECK(run(&p, server_has_pause));
	CHECK(run_ms(&p, 50));
	CHECK(p.s.received == 1000000);
	stream_pause(p.s.s, false);
	CHECK(run(&p, all_there));
	CHECK(!p.s.wrong);
}

static void pauses_plain(void)
{
	pauses(false);
}

static void pauses_tls(void)
{
	pauses(true);
}

/* The last bytes are read but not consumed when the pause comes; nothing follows
 * them, so only the resumption can bring them. */
static bool server_has_10(const struct pair *p)
{
	return p->s.received == 10;
}

static void leftover_after_pause(void)
{
	JOIN(true);
	p.c.to_send = 100;
	p.s.pause_at = 10;
	CHECK(run(&p, server_has_10));
	CHECK(run_ms(&p, 20));
	CHECK(p.s.received == 10);
	stream_pause(p.s.s, false);
	CHECK(run(&p, all_there));
	CHECK(!p.s.wrong);
}

static void too_much_queued(void)
{
	uint8_t *much = calloc(1, 60u << 20);

	CHECK(much);
	{
		JOIN(true);
		CHECK(run(&p, both_open));
		p.c.in_call = true;
		stream_send(p.c.s, much, 60u << 20);
		stream_send(p.c.s, much, 60u << 20);
		p.c.in_call = false;
		CHECK(p.c.n_closed == 0);
		CHECK(run(&p, client_closed));
		CHECK(p.c.why.sys == ENOBUFS && !p.c.wrong);
		CHECK_STR(p.c.why.text, "more than 64 MiB wait to be sent");
	}
	free(much);
}

/* Sends made in one turn leave together; an empty queue does not wait long. */
static bool client_has_50(const struct pair *p)
{
	return p->c.received == 50;
}

static void small_sends_gather(void)
{
	JOIN(true);
	uint64_t before;
	uint8_t byte;

	CHECK(run(&p, both_open));
	before = stream_bytes_out(p.s.s);
	for (int i = 0; i < 50; i++) {
		byte = pattern((uint64_t)i);
		stream_send(p.s.s, &byte, 1);
	}
	CHECK(run(&p, client_has_50));
	CHECK(stream_bytes_out(p.s.s) - before < 50 + 64);
	CHECK(p.s.n_drained == 1);
}

int main(void)
{
	if (!have_keys())
		return 2;
	test_run("a plain stream opens", opens_plain);
	test_run("a TLS stream opens, keys are known", opens_tls);
	test_run("8 MiB each way, plain", carries_plain);
	test_run("8 MiB each way, TLS", carries_tls);
	test_run("8 MiB each way in bites, plain", bites_plain);
	test_run("8 MiB each way in bites, TLS", bites_tls);
	test_run("a paused stream is silent, plain", pauses_plain);
	test_run("a paused stream is silent, TLS", pauses_tls);
	test_run("a resumed stream offers what was left", leftover_after_pause);
	test_run("too much queued closes, later", too_much_queued);
	test_run("small sends leave together", small_sends_gather);
	drop_keys();
	return test_end();
}
