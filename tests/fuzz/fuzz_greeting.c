#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "ground/greeting.h"

/* The first byte chooses the side and how the bytes arrive; the rest is what the peer says
 * before anything else. Of what follows the line not one byte is taken, for TLS starts
 * there; a refusal is a sentence that a terminal can show. */

static void check_sentence(const struct err *e, int r)
{
	FUZZ_MUST(e->sys == -r && e->text[0]);
	for (const char *s = e->text; *s; s++)
		FUZZ_MUST((uint8_t)*s >= 0x20 && *s != 0x7f);
}

static void check_line(const struct greeting *g, bool from_accepting)
{
	struct err e = {0};
	int r = greeting_word(g, from_accepting, &e);

	if (r == -ECONNREFUSED || r == -EPROTO) {
		check_sentence(&e, r);
		return;
	}
	if (from_accepting)
		FUZZ_MUST(r == GREETING_OK && g->len == 13);
	else
		FUZZ_MUST(r == GREETING_TLS || r == GREETING_PLAIN);
}

/* What is left in the socket is what stood behind the newline. */
static void check_rest(struct wire *w, const uint8_t *rest, size_t n)
{
	uint8_t *seen = xcalloc(1, n + 1);
	ssize_t got = n ? wire_raw_peek(w, seen, n) : 0;

	FUZZ_MUST(got == (ssize_t)n);
	FUZZ_MUST(n == 0 || memcmp(seen, rest, n) == 0);
	free(seen);
}

/* Sends the pieces and hears them: 1 once the line is complete; `sent` how many bytes
 * of p went out until then. */
static int hear(struct greeting *g, struct wire *w, int peer, const uint8_t *p,
		size_t n, size_t piece, size_t *sent)
{
	struct err e = {0};
	int r = 0;

	for (*sent = 0; *sent < n && r == 0;) {
		size_t now = n - *sent < piece ? n - *sent : piece;

		FUZZ_MUST(send(peer, p + *sent, now, 0) == (ssize_t)now);
		*sent += now;
		do {
			size_t before = g->len;

			r = greeting_hear(g, w, &e);
			if (r == 0 && g->len == before)
				break;
		} while (r == 0);
	}
	if (r < 0) {
		FUZZ_MUST(r == -EPROTO);
		check_sentence(&e, r);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct greeting g = {.len = 0};
	struct wire w;
	int fds[2], r;
	size_t sent;

	if (size < 2 || size > 2 * GREETING_MAX)
		return 0;
	FUZZ_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) ==
		  0);
	wire_init(&w, fds[0]);
	r = hear(&g, &w, fds[1], data + 1, size - 1, 1 + (data[0] >> 1) * 5u,
		 &sent);
	FUZZ_MUST(g.len <= GREETING_MAX);
	FUZZ_MUST(memcmp(g.text, data + 1, g.len) == 0);
	if (r == 1) {
		FUZZ_MUST(memchr(data + 1, '\n', sent) == data + 1 + g.len - 1);
		check_rest(&w, data + 1 + g.len, sent - g.len);
		check_line(&g, data[0] & 1);
	} else if (r == 0) {
		FUZZ_MUST(!memchr(data + 1, '\n', sent));
	}
	wire_release(&w);
	(void)close(fds[1]);
	return 0;
}
