/* The key a daemon makes at its first start, and TLS 1.3 with pins instead of a CA.
 *
 * An Ed25519 key with a self-signed certificate. A key's name everywhere is the
 * SHA-256 of its SubjectPublicKeyInfo in 64 lower-case hexadecimal digits. Both
 * sides present a certificate; whether a key is welcome is decided by whoever
 * owns the connection, after the handshake proved possession. */
#ifndef TSFERRY_KEYS_H
#define TSFERRY_KEYS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "err.h"

#define KEY_ID_LEN 32
#define KEY_TEXT_LEN 65

struct keys {
	SSL_CTX *client, *server; /* owned */
	uint8_t id[KEY_ID_LEN];
	char text[KEY_TEXT_LEN];
	bool is_new; /* made by this keys_load() */
};

/* Reads `key.pem` in dir_fd (mode 0600, refused when others can read it), or makes
 * it durably. */
int keys_load(struct keys *k, int dir_fd, struct err *e) MUST_CHECK;
void keys_release(struct keys *k);

/* The peer's key after the handshake. */
int keys_peer(SSL *ssl, uint8_t id[KEY_ID_LEN]) MUST_CHECK;

void keys_text(const uint8_t id[KEY_ID_LEN], char to[KEY_TEXT_LEN]);
int keys_parse(const char *text, uint8_t id[KEY_ID_LEN]) MUST_CHECK; /* -EINVAL */

#endif
