/* One connection to a sink: name look-up, connection, greeting, the receiver's key,
 * then frames. Used by links, by the probe of CREATE PIPE, and to tell of a DROP.
 *
 * `closed` comes at most once and never from inside a call of the owner; after
 * call_free() or call_finish(), which are allowed in every event, nothing comes. */
#ifndef TSFERRY_CALL_H
#define TSFERRY_CALL_H

#include <string.h>

#include "domain/frame.h"
#include "edge.h"
#include "ground/netpath.h"

struct call;

enum call_end {
	CALL_AWAY, /* no network, nobody there, or the end of the stream */
	CALL_SAID_NO, /* the receiver refused with a sentence before any handshake */
	CALL_FOREIGN, /* not tsferry, or the other transport, or nonsense */
	CALL_OTHER_KEY, /* not the key that the sink is known by: sentence with both */
};

struct call_events {
	/* The peer has the right key; `key` is its own ("" when plain). */
	void (*opened)(void *arg, const char *key);
	void (*frame)(void *arg, const struct frame *f);
	void (*drained)(void *arg); /* may be NULL */
	void (*closed)(void *arg, enum call_end end, const struct err *why);
};

/* Whether the sentence of a refusal is that of the white list: an operator's word, while
 * others (PIPESERVER is off) pass by themselves. */
static inline bool call_is_ban(const char *sentence)
{
	return strstr(sentence, "is not in ip_white_list") != NULL;
}

/* `sink` is copied. */
struct call *call_new(struct edge *e, const struct sink_row *sink,
		      const struct call_events *ev, void *arg);
void call_free(struct call *c);	  /* at once; safe on NULL */
void call_finish(struct call *c); /* what was sent still goes out */

void call_send(struct call *c, const struct buf *b);
size_t call_queued(const struct call *c);
uint64_t call_bytes_out(const struct call *c);
/* netpath.h; -ENOTCONN before there is a connection. */
int call_path(const struct call *c, struct net_path *out) MUST_CHECK;
int call_unsent(const struct call *c, uint32_t bytes) MUST_CHECK;
const char *call_address(
	const struct call *c); /* "10.0.0.5:6670", or host:port before */

#endif
