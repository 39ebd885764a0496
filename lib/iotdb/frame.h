/* Messages of Thrift's framed transport over a socket, with limits: 4 bytes of length, big
 * endian, then as many bytes. Only rpc.c and its neighbours use this.
 *
 * frame_check() walks a message as TBinaryProtocol has it and proves that every length in
 * it lies inside it, that containers hold what wire.thrift says, and few enough elements, so
 * that Thrift's own reader, which allocates what a length says and asks no container what it
 * holds, is never given a lie. Blocks until a deadline (clock_mono_ms). */
#ifndef TSFERRY_IOTDB_FRAME_H
#define TSFERRY_IOTDB_FRAME_H

#include <stdbool.h>

#include "ground/buf.h"
#include "ground/err.h"

#define FRAME_DEPTH_MAX 16
#define FRAME_ELEMENTS_MAX (1u << 16)
#define FRAME_SEND_MAX (256u << 20)

/* A connected, non-blocking socket; the caller owns it. */
int frame_connect(const char *host, unsigned port, unsigned limit_ms,
		  struct err *e) MUST_CHECK;

int frame_send(int fd, const void *p, size_t n, uint64_t deadline_ms,
	       struct err *e) MUST_CHECK;
/* One message into `b`, at most b->max bytes. -ENODATA: the other end closed. */
int frame_receive(int fd, struct buf *b, uint64_t deadline_ms,
		  struct err *e) MUST_CHECK;

/* Whether n bytes are the whole answer (or exception) to a call of `method`. -EBADMSG. */
int frame_check(const void *p, size_t n, const char *method,
		struct err *e) MUST_CHECK;

#endif
