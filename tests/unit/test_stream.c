/* Both ends of streams in one loop, over TCP on loopback; raw peers by hand. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "ground/stream.h"
#include "test.h"

#define BIG (8u << 20)

struct side {
	struct pair *pair;
	struct stream *s;
	uint64_t to_send, queued; /* bytes of the pattern */
	uint64_t received, offered;
	size_t bite; /* consumes multiples of it alone; 0 = all */
	size_t pause_at;
	bool wrong; /* a byte was not the pattern's */
	bool free_in_data, finish_in_data, free_in_closed, quiet;
	int n_opened, n_drained, n_closed;
	bool in_call;
	struct err why;
};

struct pair {
	struct loop *l;
	struct loop_timer late;
	bool is_late;
	bool (*until)(const struct pair *p);
	struct side c, s;
	int listen_fd;
	unsigned port;
};

static struct keys key_c, key_s;

static uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static void poke(struct pair *p)
{
	if (p->until && p->until(p))
		loop_stop(p->l);
}

/* Keeps at most 1 MiB queued. */
static void feed(struct side *side)
{
	static uint8_t piece[65536];

	while (side->s && side->queued < side->to_send &&
	       stream_queued(side->s) < (1u << 20)) {
		uint64_t left = side->to_send - side->queued;
		size_t n = left < sizeof piece ? (size_t)left : sizeof piece;

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(side->queued + i);
		side->in_call = true;
		stream_send(side->s, piece, n);
		side->in_call = false;
		side->queued += n;
	}
}

static void opened(void *arg)
{
	struct side *side = arg;

	side->n_opened++;
	if (!side->quiet)
		feed(side);
	poke(side->pair);
}

static void drained(void *arg)
{
	struct side *side = arg;

	side->n_drained++;
	if (!side->quiet)
		feed(side);
	poke(side->pair);
}

static size_t data(void *arg, const uint8_t *p, size_t n)
{
	struct side *side = arg;
	size_t use = side->bite ? n - n % side->bite : n;

	side->offered += n;
	if (side->pause_at && side->received + use >= side->pause_at) {
		use = (size_t)(side->pause_at - side->received);
		side->pause_at = 0;
		stream_pause(side->s, true);
	}
	if (side->free_in_data || side->finish_in_data) {
		if (side->free_in_data)
			stream_free(side->s);
		else
			stream_finish(side->s);
		side->s = NULL;
	}
	for (size_t i = 0; i < use; i++)
		side->wrong |= p[i] != pattern(side->received + i);
	side->received += use;
	poke(side->pair);
	return use;
}

static void closed(void *arg, const struct err *why)
{
	struct side *side = arg;

	side->wrong |= side->in_call;
	side->n_closed++;
	side->why = *why;
	if (side->free_in_closed) {
		stream_free(side->s);
		side->s = NULL;
	}
	poke(side->pair);
}

static const struct stream_events events = {opened, data, drained, closed};

static void too_late(struct loop_timer *t)
{
	struct pair *p = CONTAINER_OF(t, struct pair, late);

	p->is_late = true;
	loop_stop(p->l);
}

static bool run(struct pair *p, bool (*until)(const struct pair *))
{
	p->until = until;
	p->is_late = false;
	p->late.fn = too_late;
	loop_timer_set(p->l, &p->late, 20000);
	if (!until(p) && loop_run(p->l) < 0)
		return false;
	loop_timer_stop(p->l, &p->late);
	p->until = NULL;
	return !p->is_late;
}

static bool run_ms(struct pair *p, uint64_t ms)
{
	p->until = NULL;
	p->late.fn = too_late;
	loop_timer_set(p->l, &p->late, ms);
	return loop_run(p->l) == 0;
}

static bool set_up(struct pair *p)
{
	*p = (struct pair){.c = {.pair = p}, .s = {.pair = p}};
	p->listen_fd = -1;
	if (loop_new(&p->l, NULL) < 0)
		return false;
	p->listen_fd = net_listen("127.0.0.1", 0, &p->port, NULL);
	return p->listen_fd >= 0;
}

static void tear_down(struct pair *p)
{
	stream_free(p->c.s);
	stream_free(p->s.s);
	cleanup_close(&p->listen_fd);
	loop_free(p->l);
}

static int dial(struct pair *p)
{
	struct net_addr to;

	if (net_resolve("127.0.0.1", p->port, &to, NULL) < 0)
		return -1;
	return net_connect(&to);
}

static int answer_call(struct pair *p)
{
	struct net_addr from;
	int fd = -EAGAIN;

	for (int i = 0; i < 1000 && fd == -EAGAIN; i++) {
		fd = net_accept(p->listen_fd, &from);
		if (fd == -EAGAIN)
			(void)usleep(1000);
	}
	return fd;
}

static bool add(struct side *side, int fd, enum stream_role role,
		const struct keys *keys)
{
	return stream_new(&side->s, side->pair->l, fd, role, keys, &events,
			  side, NULL) == 0;
}

static bool join(struct pair *p, bool tls_c, bool tls_s)
{
	return set_up(p) &&
	       add(&p->c, dial(p), STREAM_CONNECT, tls_c ? &key_c : NULL) &&
	       add(&p->s, answer_call(p), STREAM_ACCEPT, tls_s ? &key_s : NULL);
}

static bool both_open(const struct pair *p)
{
	return p->c.n_opened && p->s.n_opened;
}

static bool both_closed(const struct pair *p)
{
	return p->c.n_closed && p->s.n_closed;
}

static bool all_there(const struct pair *p)
{
	return p->c.received == p->s.to_send && p->s.received == p->c.to_send;
}

static bool client_closed(const struct pair *p)
{
	return p->c.n_closed;
}

static bool server_closed(const struct pair *p)
{
	return p->s.n_closed;
}

#define JOIN(tls)                         \
	CLEANUP(tear_down) struct pair p; \
	CHECK(join(&p, (tls), (tls)))

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

/* Refusals and misunderstandings */

static void refused(const struct keys *keys)
{
	CLEANUP(tear_down) struct pair p;

	CHECK(set_up(&p));
	CHECK(add(&p.c, dial(&p), STREAM_CONNECT, keys));
	stream_refuse(answer_call(&p), "10.0.0.7 is not in\nip_white_list");
	CHECK(run(&p, client_closed));
	CHECK(p.c.why.sys == ECONNREFUSED && p.c.n_opened == 0);
	CHECK_STR(p.c.why.text, "10.0.0.7 is not in ip_white_list");
}

static void refused_plain(void)
{
	refused(NULL);
}

static void refused_tls(void)
{
	refused(&key_c);
}

/* The line and the first TLS flight are there, unread, when no is said. */
static void refused_late(void)
{
	CLEANUP(tear_down) struct pair p;
	int fd;

	CHECK(set_up(&p));
	CHECK(add(&p.c, dial(&p), STREAM_CONNECT, &key_c));
	CHECK(run_ms(&p, 20));
	fd = answer_call(&p);
	CHECK(fd >= 0);
	stream_refuse(fd, "PIPESERVER is off");
	CHECK(run(&p, client_closed));
	CHECK(p.c.why.sys == ECONNREFUSED);
	CHECK_STR(p.c.why.text, "PIPESERVER is off");
}

static void long_sentence(void)
{
	CLEANUP(tear_down) struct pair p;
	char sentence[2000];

	memset(sentence, 'a', sizeof sentence);
	memcpy(sentence + 496, "\xe2\x82\xac\xe2\x82\xac", 6);
	sentence[1999] = '\0';
	CHECK(set_up(&p));
	CHECK(add(&p.c, dial(&p), STREAM_CONNECT, NULL));
	stream_refuse(answer_call(&p), sentence);
	CHECK(run(&p, client_closed));
	CHECK(p.c.why.sys == ECONNREFUSED);
	CHECK(strlen(p.c.why.text) > 490 && strlen(p.c.why.text) <= 499);
	CHECK(strncmp(p.c.why.text, sentence, 496) == 0);
	CHECK(strlen(p.c.why.text + 496) % 3 == 0);
}

static void transports_differ(bool tls_c)
{
	CLEANUP(tear_down) struct pair p;

	CHECK(join(&p, tls_c, !tls_c));
	CHECK(run(&p, both_closed));
	CHECK(p.c.n_opened == 0 && p.s.n_opened == 0);
	CHECK(p.s.why.sys == EPROTO && p.c.why.sys == ECONNREFUSED);
	CHECK_STR(p.c.why.text,
		  tls_c ? "the receiver's transport is plain and the sender's "
			  "is tls; set transport to the same at both ends"
			: "the receiver's transport is tls and the sender's is "
			  "plain; set transport to the same at both ends");
	CHECK_STR(p.s.why.text, p.c.why.text);
}

static void tls_meets_plain(void)
{
	transports_differ(true);
}

static void plain_meets_tls(void)
{
	transports_differ(false);
}

/* A peer by hand: sends bytes after `wait` ms, then maybe closes. */
static bool talk_to(struct pair *p, enum stream_role role,
		    const struct keys *keys, const void *bytes, size_t n,
		    bool hang_up, struct err *why, char *heard, size_t size)
{
	struct side *side = role == STREAM_CONNECT ? &p->c : &p->s;
	CLEANUP_CLOSE int raw = -1;
	int fd = -1;
	ssize_t got;

	if (!set_up(p))
		return false;
	if (role == STREAM_CONNECT) {
		fd = dial(p);
		raw = answer_call(p);
	} else {
		raw = dial(p);
		fd = answer_call(p);
	}
	if (!add(side, fd, role, keys) || !run_ms(p, 5))
		return false;
	if (n && send(raw, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		return false;
	if (hang_up)
		(void)shutdown(raw, SHUT_WR);
	if (!run(p, role == STREAM_CONNECT ? client_closed : server_closed))
		return false;
	got = recv(raw, heard, size - 1, MSG_DONTWAIT);
	heard[got > 0 ? got : 0] = '\0';
	*why = side->why;
	return side->n_opened == 0;
}

struct strange {
	enum stream_role role;
	bool tls, hang_up;
	const char *bytes;
	size_t n;
	int sys;
	const char *sentence, *heard;
};

#define BYTES(s) s, sizeof(s) - 1

static const struct strange strange[] = {
	{STREAM_CONNECT, false, false, BYTES("HTTP/1.1 400 Bad Request\r\n"),
	 EPROTO,
	 "the peer is not tsferry: expected 'TSFERRY 1 …', got 'HTTP/1.1 400 "
	 "Bad Request' (check address and port)",
	 "TSFERRY 1 plain\n"},
	{STREAM_ACCEPT, false, false, BYTES("\x16\x03\x01"), EPROTO,
	 "the peer is not tsferry: expected 'TSFERRY 1 …', got "
	 "'\\x16\\x03\\x01' (check address and port)",
	 "TSFERRY 1 no the peer is not tsferry: expected 'TSFERRY 1 …', got "
	 "'\\x16\\x03\\x01' (check address and port)\n"},
	{STREAM_ACCEPT, true, false, BYTES("X"), EPROTO,
	 "the peer is not tsferry: expected 'TSFERRY 1 …', got 'X' (check "
	 "address and port)",
	 NULL},
	{STREAM_ACCEPT, true, false, BYTES("TSFERRY 2 tls\n"), EPROTO,
	 "the peer speaks another version: expected 'TSFERRY 1 …', got "
	 "'TSFERRY 2 tls' (upgrade the older side)",
	 NULL},
	{STREAM_ACCEPT, true, false, BYTES("TSFERRY 1 quic\n"), EPROTO,
	 "the peer's greeting is not understood: expected 'tls' or 'plain', "
	 "got 'quic'",
	 NULL},
	{STREAM_CONNECT, false, false, BYTES("TSFERRY 1 yes\n"), EPROTO,
	 "the peer's greeting is not understood: expected 'ok' or 'no', got "
	 "'yes'",
	 NULL},
	{STREAM_CONNECT, false, false, BYTES("TSFERRY 1 no \n"), ECONNREFUSED,
	 "refused without a reason", NULL},
	{STREAM_CONNECT, false, false, BYTES("TSFERRY 1 no a\x1b[2J\tb\n"),
	 ECONNREFUSED, "a?[2J?b", NULL},
	{STREAM_CONNECT, false, true, BYTES(""), ECONNRESET,
	 "the peer closed the connection without a greeting", NULL},
	{STREAM_ACCEPT, true, true, BYTES("TSFER"), ECONNRESET,
	 "the peer closed the connection without a greeting", NULL},
	{STREAM_CONNECT, true, false,
	 BYTES("TSFERRY 1 ok\nthis is no TLS at all, is it?"), EPROTO,
	 "TLS handshake: wrong version number", NULL},
	{STREAM_ACCEPT, true, false,
	 BYTES("TSFERRY 1 tls\nthis is no TLS at all, is it?"), EPROTO,
	 "TLS handshake: wrong version number", NULL},
	{STREAM_ACCEPT, true, true, BYTES("TSFERRY 1 tls\n"), ECONNRESET,
	 "the connection broke off without TLS's farewell", NULL},
};

static void strangers(void)
{
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		const struct strange *t = &strange[i];
		CLEANUP(tear_down) struct pair p;
		struct err why;
		char heard[2048];

		CHECK(talk_to(&p, t->role,
			      !t->tls			  ? NULL
			      : t->role == STREAM_CONNECT ? &key_c
							  : &key_s,
			      t->bytes, t->n, t->hang_up, &why, heard,
			      sizeof heard));
		CHECK_STR(why.text, t->sentence);
		CHECK(why.sys == t->sys);
		if (t->heard)
			CHECK_STR(heard, t->heard);
	}
}

static void endless_greeting(void)
{
	CLEANUP(tear_down) struct pair p;
	char text[1000], heard[2048];
	struct err why;

	memset(text, ' ', sizeof text);
	memcpy(text, "TSFERRY 1 ", 10);
	CHECK(talk_to(&p, STREAM_ACCEPT, NULL, text, sizeof text, false, &why,
		      heard, sizeof heard));
	CHECK(why.sys == EPROTO);
	CHECK_STR(why.text, "the peer's greeting has no end within 512 bytes");
}

/* Seeded noise behind a good greeting never opens a TLS stream nor hangs it. */
static void noise(void)
{
	unsigned seed = 20220330;

	for (int round = 0; round < 60; round++) {
		CLEANUP(tear_down) struct pair p;
		uint8_t bytes[700];
		char heard[2048];
		struct err why;
		bool accept = round % 2;
		size_t head = 0;

		if (round % 3) {
			const char *line =
				accept ? "TSFERRY 1 tls\n" : "TSFERRY 1 ok\n";

			head = strlen(line);
			memcpy(bytes, line, head);
		}
		for (size_t i = head; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		if (round % 4 == 0 && head)
			memcpy(bytes + head, "\x16\x03\x03\x02\x00", 5);
		CHECK(talk_to(&p, accept ? STREAM_ACCEPT : STREAM_CONNECT,
			      accept ? &key_s : &key_c, bytes, sizeof bytes,
			      true, &why, heard, sizeof heard));
		CHECK(why.sys == EPROTO || why.sys == ECONNRESET);
		CHECK(why.text[0]);
	}
}

/* A greeting in single bytes, and a first byte of data right behind the line. */
static bool client_has_1(const struct pair *p)
{
	return p->c.received == 1;
}

static void slow_greeting(void)
{
	CLEANUP(tear_down) struct pair p;
	CLEANUP_CLOSE int raw = -1;
	const char text[] = "TSFERRY 1 ok\n";

	CHECK(set_up(&p));
	CHECK(add(&p.c, dial(&p), STREAM_CONNECT, NULL));
	raw = answer_call(&p);
	for (size_t i = 0; i + 1 < sizeof text; i++) {
		CHECK(p.c.n_opened == 0);
		CHECK(send(raw, text + i, i + 2 == sizeof text ? 2 : 1, 0) > 0);
		CHECK(run_ms(&p, 1));
	}
	CHECK(run(&p, client_has_1));
	CHECK(p.c.n_opened == 1 && !p.c.wrong && p.c.n_closed == 0);
}

static void nobody_there(void)
{
	CLEANUP(tear_down) struct pair p;

	CHECK(set_up(&p));
	cleanup_close(&p.listen_fd);
	p.listen_fd = -1;
	CHECK(add(&p.c, dial(&p), STREAM_CONNECT, &key_c));
	p.c.free_in_closed = true;
	CHECK(run(&p, client_closed));
	CHECK(p.c.why.sys == ECONNREFUSED);
	CHECK_STR(p.c.why.text, "Connection refused");
}

static void deadline(void)
{
	CLEANUP(tear_down) struct pair p;
	CLEANUP_CLOSE int raw = -1;

	CHECK(set_up(&p));
	raw = dial(&p);
	CHECK(add(&p.s, answer_call(&p), STREAM_ACCEPT, &key_s));
	CHECK(add(&p.c, dial(&p), STREAM_CONNECT, NULL));
	CHECK(send(raw, "TSFERRY 1 tls\n", 14, 0) == 14);
	CHECK(run(&p, both_closed));
	CHECK(p.s.why.sys == ETIMEDOUT && p.c.why.sys == ETIMEDOUT);
	CHECK_STR(p.s.why.text, "the TLS handshake was not done within 10 s");
	CHECK_STR(p.c.why.text, "no greeting within 10 s (is it a tsferry that "
				"listens there?)");
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

static bool make_keys(struct keys *k, const char *name)
{
	CLEANUP_CLOSE int dir = -1;
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
	if (mkdir(path, 0700) < 0)
		return false;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir >= 0 && keys_load(k, dir, NULL) == 0;
}

int main(void)
{
	if (!make_keys(&key_c, "c") || !make_keys(&key_s, "s"))
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
	test_run("too much queued closes, later", too_much_queued);
	test_run("a refusal arrives, plain", refused_plain);
	test_run("a refusal arrives, TLS", refused_tls);
	test_run("a refusal arrives over unread bytes", refused_late);
	test_run("a long refusal is cut between characters", long_sentence);
	test_run("TLS meets plain", tls_meets_plain);
	test_run("plain meets TLS", plain_meets_tls);
	test_run("peers that are not tsferry", strangers);
	test_run("a greeting without end", endless_greeting);
	test_run("noise", noise);
	test_run("a greeting byte by byte", slow_greeting);
	test_run("nobody listens", nobody_there);
	test_run("the deadline", deadline);
	test_run("small sends leave together", small_sends_gather);
	keys_release(&key_c);
	keys_release(&key_s);
	return test_end();
}
