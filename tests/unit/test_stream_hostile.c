/* Before a stream is open: refusals, peers that are not ours, and silence. */
#include <errno.h>

#include "stream_fixture.h"

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

int main(void)
{
	if (!have_keys())
		return 2;
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
	drop_keys();
	return test_end();
}
