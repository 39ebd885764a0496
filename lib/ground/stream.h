/* A byte stream over TCP in the loop, with or without TLS, framed by one greeting
 * line each way before anything else.
 *
 * Each side sends one line at once and goes on without waiting for the other's:
 * the connecting side "TSFERRY 1 tls" or "TSFERRY 1 plain", the accepting side
 * "TSFERRY 1 ok" or "TSFERRY 1 no SENTENCE". So a refusal can be told before any
 * handshake, and a peer that is not tsferry is known by its first bytes. A line is
 * at most 512 bytes; handshake and greeting together have one deadline (10 s).
 *
 * Bytes handed to stream_send() are copied and queued; stream_queued() beyond what
 * the owner likes is the owner's reason to stop sending. Reading pauses and resumes
 * with stream_pause(); what `data` left unread comes again at the resumption. `p` of
 * `data` stays valid until it returns, whatever it calls. `closed` is called at most
 * once, never from inside a call of the owner, and nothing is called after
 * stream_free(). */
#ifndef TSFERRY_STREAM_H
#define TSFERRY_STREAM_H

#include "keys.h"
#include "loop.h"
#include "net.h"
#include "netpath.h"

struct stream;

struct stream_events {
	void (*opened)(void *arg); /* greeting and handshake are done */
	/* Bytes came: n at p. Returns how many were consumed; the rest comes again
	 * with more behind it. */
	size_t (*data)(void *arg, const uint8_t *p, size_t n);
	void (*drained)(void *arg); /* the queue is empty again */
	/* err.sys: ECONNREFUSED with the peer's sentence when it said no, EPROTO when it
	 * is not tsferry or speaks the other transport, 0 at an orderly end, else why. */
	void (*closed)(void *arg, const struct err *why);
};

enum stream_role { STREAM_CONNECT, STREAM_ACCEPT };

/* Takes fd in any case. keys == NULL: plain. For STREAM_CONNECT the descriptor may
 * still be connecting. A TLS peer and a plain peer that meet are told so in words. */
int stream_new(struct stream **out, struct loop *l, int fd, enum stream_role role,
	       const struct keys *keys, const struct stream_events *ev, void *arg, struct err *e)
	MUST_CHECK;

/* Accepting side: says no with a sentence, flushes it, closes. Takes fd. */
void stream_refuse(int fd, const char *sentence);

void stream_send(struct stream *s, const void *p, size_t n);
size_t stream_queued(const struct stream *s);
void stream_pause(struct stream *s, bool paused);

/* Sends what is queued (for at most a second, while the loop runs), then closes; frees
 * itself. The owner must forget the pointer; no event comes any more. A stream that
 * is not open yet is freed at once: its peer is not known to be the right one. */
void stream_finish(struct stream *s);
void stream_free(struct stream *s); /* at once; safe on NULL */

/* KEY_ID_LEN bytes; NULL when plain or before `opened`. */
const uint8_t *stream_peer_key(const struct stream *s);
uint64_t stream_bytes_out(const struct stream *s);	/* on the wire, TLS included */
uint64_t stream_bytes_in(const struct stream *s);

/* netpath.h, of its socket. */
int stream_path(const struct stream *s, struct net_path *out) MUST_CHECK;
int stream_unsent(const struct stream *s, uint32_t bytes) MUST_CHECK;

#endif
