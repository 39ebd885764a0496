/* What a stream stands on: bytes through a non-blocking socket, as they are or in
 * TLS records.
 *
 * Nothing here blocks. -EAGAIN means that the socket has nothing (or takes nothing)
 * now. Under TLS both directions are buffered so that one system call carries many
 * records; so bytes may be waiting in here while the socket is silent, which
 * `more` says after each wire_read().
 * Only stream.c uses this. */
#ifndef TSFERRY_WIRE_H
#define TSFERRY_WIRE_H

#include "buf.h"
#include "keys.h"

#define WIRE_PIECE (256u << 10) /* bytes of one large read or write */
#define WIRE_TURN (1024u << 10) /* bytes of one call of wire_push() */

struct wire {
	int fd;		    /* owned; -1 = closed */
	SSL *ssl;	    /* owned; NULL = plain */
	BIO_METHOD *method; /* owned */
	struct buf cipher_in, cipher_out;
	bool held;    /* TLS may not read yet: the greeting stands before it */
	bool eof;     /* the socket ended */
	bool drained; /* this call found the end of what the socket holds */
	bool more;    /* read again without waiting for the socket */
	int sys;      /* the socket's first trouble, positive */
	uint64_t bytes_in, bytes_out;
};

/* Takes fd. */
void wire_init(struct wire *w, int fd);
void wire_release(struct wire *w);

/* The socket itself, before TLS: what is left of the bytes stays in the kernel. */
ssize_t wire_raw_peek(struct wire *w, void *p, size_t n);
ssize_t wire_raw_read(struct wire *w, void *p, size_t n);
ssize_t wire_raw_write(struct wire *w, const void *p, size_t n);

/* Reads and forgets what the socket holds: -EAGAIN, 0 at its end, or -errno. */
int wire_discard(struct wire *w);

int wire_start_tls(struct wire *w, const struct keys *keys, bool server,
		   struct err *e) MUST_CHECK;

/* 0: done; -EAGAIN: the peer's turn, or the socket is full (wire_pending). */
int wire_handshake(struct wire *w, struct err *e) MUST_CHECK;

/* > 0: bytes; 0: orderly end; -EAGAIN; -ECONNRESET for an end without TLS's farewell. */
ssize_t wire_read(struct wire *w, void *p, size_t n, struct err *e) MUST_CHECK;

/* Sends from q. 1: all is with the kernel; 0: come again when the socket is writable;
 * else -errno. */
int wire_push(struct wire *w, struct buf *q, struct err *e) MUST_CHECK;

/* Queues TLS's farewell; wire_push() sends it. */
void wire_farewell(struct wire *w);

/* Closing will be a reset: the peer must not take what it got for everything. */
void wire_reset(struct wire *w);

size_t wire_pending(
	const struct wire *w); /* bytes accepted and not with the kernel */

/* Gives back the memory of empty buffers. */
void wire_shrink(struct wire *w);

#endif
