#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

/* OpenSSL would make one system call per record to write and two to read. It gets
 * a BIO of ours instead: reading fills a large buffer with one recv(2), writing
 * gathers records which wire_push() sends together. One copy more of bytes that
 * are in the cache is cheaper than the calls, and than OpenSSL's own read-ahead,
 * which moves the rest of its buffer for each record. */

#define RECORD_MAX 16384u
#define CIPHER_MAX (2u << 20)
/* One record more than this fits a piece. */
#define GATHER_MAX (WIRE_PIECE - RECORD_MAX - 256)

void wire_init(struct wire *w, int fd)
{
	*w = (struct wire){.fd = fd};
	buf_init(&w->cipher_in, CIPHER_MAX);
	buf_init(&w->cipher_out, CIPHER_MAX);
}

void wire_release(struct wire *w)
{
	SSL_free(w->ssl);
	w->ssl = NULL;
	BIO_meth_free(w->method);
	w->method = NULL;
	cleanup_close(&w->fd);
	w->fd = -1;
	buf_release(&w->cipher_in);
	buf_release(&w->cipher_out);
}

/* The socket */

static ssize_t receive(struct wire *w, void *p, size_t n, int flags)
{
	ssize_t got;

	do
		got = recv(w->fd, p, n, MSG_DONTWAIT | flags);
	while (got < 0 && errno == EINTR);
	if (got >= 0 || errno == EAGAIN)
		return got >= 0 ? got : -EAGAIN;
	w->sys = errno;
	return -errno;
}

ssize_t wire_raw_peek(struct wire *w, void *p, size_t n)
{
	return receive(w, p, n, MSG_PEEK);
}

ssize_t wire_raw_read(struct wire *w, void *p, size_t n)
{
	ssize_t got = receive(w, p, n, 0);

	if (got > 0)
		w->bytes_in += (uint64_t)got;
	else if (got == 0)
		w->eof = true;
	return got;
}

ssize_t wire_raw_write(struct wire *w, const void *p, size_t n)
{
	ssize_t put;

	do
		put = send(w->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	if (put < 0)
		return -errno;
	w->bytes_out += (uint64_t)put;
	return put;
}

int wire_discard(struct wire *w)
{
	char pit[16384];
	ssize_t n;
	size_t left = WIRE_TURN;

	do {
		n = wire_raw_read(w, pit, sizeof pit);
		left -= sizeof pit;
	} while (n > 0 && left >= sizeof pit);
	return n > 0 ? -EAGAIN : (int)n;
}

/* The BIO between OpenSSL and the buffers */

static bool refill(struct wire *w)
{
	size_t room = w->cipher_in.cap;
	uint8_t *to;
	ssize_t n;

	/* epoll tells of what comes after a short read. */
	if (w->drained)
		return false;
	buf_clear(&w->cipher_in);
	room = room > WIRE_PIECE ? room - 1 : WIRE_PIECE - 1;
	to = buf_room(&w->cipher_in, room);
	if (!to) {
		w->sys = ENOMEM;
		return false;
	}
	n = wire_raw_read(w, to, room);
	if (n <= 0)
		return false;
	buf_fill(&w->cipher_in, (size_t)n);
	w->drained = (size_t)n < room;
	return true;
}

static int bio_read(BIO *bio, char *p, int want)
{
	struct wire *w = BIO_get_data(bio);
	size_t n = want < 0 ? 0 : (size_t)want;

	BIO_clear_retry_flags(bio);
	if (w->held || (!w->cipher_in.len && !refill(w))) {
		if (w->eof)
			return 0;
		if (!w->sys)
			BIO_set_retry_read(bio);
		return -1;
	}
	if (n > w->cipher_in.len)
		n = w->cipher_in.len;
	memcpy(p, buf_data(&w->cipher_in), n);
	buf_consume(&w->cipher_in, n);
	return (int)n;
}

/* Takes everything: how much is put here is bounded by who calls SSL_write(). */
static int bio_write(BIO *bio, const char *p, int n)
{
	struct wire *w = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_add(&w->cipher_out, p, (size_t)n);
	if (buf_end(&w->cipher_out) == 0)
		return n;
	w->sys = ENOBUFS;
	return -1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO *new_bio(struct wire *w)
{
	BIO *bio;

	w->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");
	if (!w->method || !BIO_meth_set_read(w->method, bio_read) ||
	    !BIO_meth_set_write(w->method, bio_write) ||
	    !BIO_meth_set_ctrl(w->method, bio_ctrl))
		return NULL;
	bio = BIO_new(w->method);
	if (!bio)
		return NULL;
	BIO_set_data(bio, w);
	BIO_set_init(bio, 1);
	return bio;
}

int wire_start_tls(struct wire *w, const struct keys *keys, bool server,
		   struct err *e)
{
	BIO *bio;

	w->ssl = SSL_new(server ? keys->server : keys->client);
	bio = w->ssl ? new_bio(w) : NULL;
	if (!bio) {
		ERR_clear_error();
		return err_set(e, ENOMEM, "TLS: %s", err_words(ENOMEM));
	}
	SSL_set_bio(w->ssl, bio, bio);
	if (server)
		SSL_set_accept_state(w->ssl);
	else
		SSL_set_connect_state(w->ssl);
	return 0;
}

/* What OpenSSL's answer means, once. */
static int ssl_result(struct wire *w, int ret, const char *doing, struct err *e)
{
	int kind = SSL_get_error(w->ssl, ret);
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	if (kind == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (w->sys)
		return err_set(e, w->sys, "%s", err_words(w->sys));
	if (w->eof)
		return err_set(
			e, ECONNRESET,
			"the connection broke off without TLS's farewell");
	return err_set(e, EPROTO, "%s: %s", doing,
		       reason ? reason : "protocol error");
}

/* Sends what was encrypted. 0: all; -EAGAIN: the socket is full. */
static int flush(struct wire *w)
{
	while (w->cipher_out.len) {
		ssize_t n = wire_raw_write(w, buf_data(&w->cipher_out),
					   w->cipher_out.len);

		if (n < 0)
			return (int)n;
		buf_consume(&w->cipher_out, (size_t)n);
	}
	return 0;
}

/* When sending fails the peer's last words may still be there to be read: the
 * trouble is the reader's to find. */
int wire_handshake(struct wire *w, struct err *e)
{
	int ret, r;

	w->drained = false;
	ERR_clear_error();
	ret = SSL_do_handshake(w->ssl);
	r = ret == 1 ? 0 : ssl_result(w, ret, "TLS handshake", e);
	(void)flush(w);
	if (ret != 1 && r == 0)
		return err_set(e, ECONNRESET,
			       "the peer ended the TLS handshake");
	return r;
}

/* Plaintext */

static ssize_t read_plain(struct wire *w, void *p, size_t n, struct err *e)
{
	ssize_t got = wire_raw_read(w, p, n);

	/* A short read emptied the socket; epoll tells of the next byte. */
	w->more = got == (ssize_t)n;
	if (got < 0 && got != -EAGAIN)
		return err_set(e, (int)-got, "%s", err_words((int)-got));
	return got;
}

ssize_t wire_read(struct wire *w, void *p, size_t n, struct err *e)
{
	size_t got = 0, piece;

	if (!w->ssl)
		return read_plain(w, p, n, e);
	w->drained = false;
	ERR_clear_error();
	while (got < n) {
		int ret = SSL_read_ex(w->ssl, (uint8_t *)p + got, n - got,
				      &piece);

		/* What follows good bytes is found again by the next call. */
		if (ret != 1) {
			ssize_t r = ssl_result(w, ret, "TLS", got ? NULL : e);

			w->more = got && r != -EAGAIN;
			return got ? (ssize_t)got : r;
		}
		got += piece;
	}
	w->more = true;
	return (ssize_t)got;
}

static int push_plain(struct wire *w, struct buf *q)
{
	size_t sent = 0;

	while (q->len && sent < WIRE_TURN) {
		ssize_t n = wire_raw_write(w, buf_data(q), q->len);

		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		buf_consume(q, (size_t)n);
		sent += (size_t)n;
	}
	return q->len == 0;
}

static int encrypt(struct wire *w, struct buf *q, struct err *e)
{
	ERR_clear_error();
	while (q->len && w->cipher_out.len < GATHER_MAX) {
		size_t n = q->len < RECORD_MAX ? q->len : RECORD_MAX, put;
		int ret = SSL_write_ex(w->ssl, buf_data(q), n, &put);

		if (ret != 1) {
			int r = ssl_result(w, ret, "TLS", e);

			return r == -EAGAIN || r == 0 ? -EPIPE : r;
		}
		buf_consume(q, put);
	}
	return 0;
}

static int push_tls(struct wire *w, struct buf *q, struct err *e)
{
	uint64_t until = w->bytes_out + WIRE_TURN;
	int r;

	while (q->len || w->cipher_out.len) {
		r = encrypt(w, q, e);
		if (r == 0)
			r = flush(w);
		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		if (w->bytes_out >= until)
			break;
	}
	return !q->len && !w->cipher_out.len;
}

int wire_push(struct wire *w, struct buf *q, struct err *e)
{
	int r = w->ssl ? push_tls(w, q, e) : push_plain(w, q);

	return r < 0 ? err_set(e, -r, "%s", err_words(-r)) : r;
}

void wire_reset(struct wire *w)
{
	struct linger none = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

void wire_farewell(struct wire *w)
{
	if (!w->ssl)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(w->ssl);
	ERR_clear_error();
}

size_t wire_pending(const struct wire *w)
{
	return w->cipher_out.len;
}

void wire_shrink(struct wire *w)
{
	if (!w->cipher_in.len)
		buf_release(&w->cipher_in);
	if (!w->cipher_out.len)
		buf_release(&w->cipher_out);
}
