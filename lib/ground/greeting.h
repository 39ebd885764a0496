/* The line that each side of a stream says before anything else.
 *
 * "TSFERRY 1 tls" or "TSFERRY 1 plain" from the connecting side, "TSFERRY 1 ok" or
 * "TSFERRY 1 no SENTENCE" from the accepting side; a newline ends it; at most
 * GREETING_MAX bytes with it. The peer's bytes are judged as they come, so that a
 * peer that is not tsferry is known by its first byte. Only stream.c uses this. */
#ifndef TSFERRY_GREETING_H
#define TSFERRY_GREETING_H

#include <stdbool.h>

#include "wire.h"

#define GREETING_MAX 512

struct greeting {
	char text[GREETING_MAX];
	size_t len;
};

enum greeting_word {
	GREETING_TLS,
	GREETING_PLAIN,
	GREETING_OK
};

void greeting_say(struct wire *w, enum greeting_word word);

/* Says no, so that it arrives, and ends our direction. A sentence is cut to fit, its
 * control bytes become blanks. */
void greeting_refuse(struct wire *w, const char *sentence);

/* Takes the line's bytes from the socket, and not one of what follows: TLS starts
 * there. 1: the line is complete; 0: more is needed; -EPROTO: not a greeting;
 * else the socket's trouble. */
int greeting_hear(struct greeting *g, struct wire *w, struct err *e) MUST_CHECK;

/* What a complete line says. -ECONNREFUSED with the peer's sentence, -EPROTO when
 * it is not what the other side of `from_accepting` may say. */
int greeting_word(const struct greeting *g, bool from_accepting,
		  struct err *e) MUST_CHECK;

#endif
