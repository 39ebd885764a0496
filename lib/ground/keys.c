#include "ground/keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/fileio.h"

/* The certificate is only the envelope that TLS wants around a key: it is signed
 * by itself, valid for ever (gateways start with their clock in 1970), and nothing
 * in it but the key is looked at. The file holds the key and its certificate,
 * so that both stay what they are for the life of the state directory. */

#define KEY_FILE "key.pem"
#define KEY_FILE_MAX 16384
#define ALPN "\x09tsferry/1"
#define ALPN_LEN (sizeof ALPN - 1)

static void release_pkey(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

static void release_cert(X509 **p)
{
	X509_free(*p);
}

static void release_bio(BIO **p)
{
	BIO_free_all(*p);
}

static int ssl_failed(struct err *e, const char *what)
{
	unsigned long code = ERR_get_error();
	char text[256] = "unknown reason";

	if (code)
		ERR_error_string_n(code, text, sizeof text);
	ERR_clear_error();
	return err_set(e, EIO, "%s: %s", what, text);
}

/* Making */

static int fill_cert(X509 *cert, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(cert);
	uint32_t serial;

	if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1)
		return -EIO;
	if (!X509_set_version(cert, 2) ||
	    !ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)serial) ||
	    !ASN1_TIME_set_string_X509(X509_getm_notBefore(cert),
				       "19700101000000Z") ||
	    !ASN1_TIME_set_string_X509(X509_getm_notAfter(cert),
				       "99991231235959Z") ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					(const unsigned char *)"tsferry", -1,
					-1, 0) ||
	    !X509_set_issuer_name(cert, name) || !X509_set_pubkey(cert, key) ||
	    !X509_sign(cert, key, NULL))
		return -EIO;
	return 0;
}

static int save(int dir_fd, EVP_PKEY *key, X509 *cert, struct err *e)
{
	CLEANUP(release_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;
	int r;

	if (!bio ||
	    !PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) ||
	    !PEM_write_bio_X509(bio, cert))
		return ssl_failed(e, "cannot write down a new key");
	len = BIO_get_mem_data(bio, &text);
	r = file_replace(dir_fd, KEY_FILE, text, (size_t)len, 0600);
	OPENSSL_cleanse(text, (size_t)len);
	if (r < 0)
		return err_set(e, -r, "cannot make " KEY_FILE ": %s",
			       err_words(-r));
	return 0;
}

static int make(int dir_fd, struct err *e)
{
	CLEANUP(release_pkey)
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	CLEANUP(release_cert) X509 *cert = X509_new();

	if (!key || !cert || fill_cert(cert, key) < 0)
		return ssl_failed(e, "cannot make a key");
	return save(dir_fd, key, cert, e);
}

/* Reading */

static int damaged(struct err *e, const char *why)
{
	ERR_clear_error();
	return err_set(e, EBADMSG,
		       KEY_FILE
		       " %s; restore it from a backup, or remove it to get a "
		       "new key, which every peer then has to admit anew",
		       why);
}

static int check_file(const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return err_set(e, EINVAL,
			       KEY_FILE " is expected to be a regular file");
	if (st->st_mode & 077)
		return err_set(e, EPERM,
			       KEY_FILE
			       " has mode %04o, others may read or change it; "
			       "expected 0600 (chmod 600 it; remove it to get "
			       "a new key if it may have been copied)",
			       (unsigned)(st->st_mode & 07777));
	if (st->st_size <= 0 || st->st_size > KEY_FILE_MAX)
		return damaged(e, "is empty or too large to be a key");
	return 0;
}

/* Reads the file, which may hold secrets, into `to`. Returns its length. */
static int read_file(int dir_fd, char to[KEY_FILE_MAX], struct err *e)
{
	CLEANUP_CLOSE
	int fd = openat(dir_fd, KEY_FILE,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		return err_set(e, -r, "cannot open " KEY_FILE ": %s",
			       err_words(-r));
	}
	r = check_file(&st, e);
	if (r < 0)
		return r;
	r = file_pread(fd, to, (size_t)st.st_size, 0);
	if (r < 0)
		return err_set(e, -r, "cannot read " KEY_FILE ": %s",
			       err_words(-r));
	return (int)st.st_size;
}

static int no_password(char *to, int size, int writing, void *arg)
{
	(void)to;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int parse(const char *text, int len, EVP_PKEY **key, X509 **cert,
		 struct err *e)
{
	CLEANUP(release_bio) BIO *bio = BIO_new_mem_buf(text, len);

	if (!bio)
		return ssl_failed(e, "cannot read " KEY_FILE);
	*key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (!*key)
		return damaged(e, "does not begin with a readable private key");
	*cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	if (!*cert)
		return damaged(e, "holds no readable certificate");
	if (EVP_PKEY_get_id(*key) != EVP_PKEY_ED25519)
		return damaged(e, "is expected to hold an Ed25519 key");
	if (X509_check_private_key(*cert, *key) != 1)
		return damaged(e, "holds a key and the certificate of another");
	return 0;
}

/* Contexts */

static int accept_any(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static int choose_alpn(SSL *ssl, const unsigned char **out,
		       unsigned char *out_len, const unsigned char *in,
		       unsigned in_len, void *arg)
{
	unsigned char *found = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&found, out_len, (const unsigned char *)ALPN,
				  ALPN_LEN, in,
				  in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

/* TLS proves possession of the key; which keys are welcome is not decided here. */
static bool configure(SSL_CTX *ctx, EVP_PKEY *key, X509 *cert)
{
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:"
					   "TLS_CHACHA20_POLY1305_SHA256:"
					   "TLS_AES_256_GCM_SHA384") ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519:P-256") ||
	    !SSL_CTX_set1_sigalgs_list(ctx, "ed25519") ||
	    !SSL_CTX_use_certificate(ctx, cert) ||
	    !SSL_CTX_use_PrivateKey(ctx, key) ||
	    !SSL_CTX_set_num_tickets(ctx, 0) ||
	    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)ALPN, ALPN_LEN))
		return false;
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	SSL_CTX_set_verify(
		ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	(void)SSL_CTX_set_options(ctx,
				  SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(ctx,
			       SSL_MODE_ENABLE_PARTIAL_WRITE |
				       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				       SSL_MODE_RELEASE_BUFFERS);
	return true;
}

static int cert_id(X509 *cert, uint8_t id[KEY_ID_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der), r = -EIO;
	size_t id_len = KEY_ID_LEN;

	if (len > 0 &&
	    EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)len, id, &id_len))
		r = 0;
	OPENSSL_free(der);
	return r;
}

static int set_up(struct keys *k, EVP_PKEY *key, X509 *cert, struct err *e)
{
	k->client = SSL_CTX_new(TLS_client_method());
	k->server = SSL_CTX_new(TLS_server_method());
	if (!k->client || !k->server || !configure(k->client, key, cert) ||
	    !configure(k->server, key, cert) || cert_id(cert, k->id) < 0) {
		keys_release(k);
		return ssl_failed(e, "cannot set up TLS");
	}
	keys_text(k->id, k->text);
	return 0;
}

int keys_load(struct keys *k, int dir_fd, struct err *e)
{
	CLEANUP(release_pkey) EVP_PKEY *key = NULL;
	CLEANUP(release_cert) X509 *cert = NULL;
	char text[KEY_FILE_MAX];
	bool is_new;
	int len;

	*k = (struct keys){0};
	len = read_file(dir_fd, text, e);
	is_new = len == -ENOENT;
	if (is_new) {
		int r = make(dir_fd, e);

		if (r < 0)
			return r;
		err_clear(e);
		len = read_file(dir_fd, text, e);
	}
	if (len >= 0)
		len = parse(text, len, &key, &cert, e);
	OPENSSL_cleanse(text, sizeof text);
	if (len < 0)
		return len;
	k->is_new = is_new;
	return set_up(k, key, cert, e);
}

void keys_release(struct keys *k)
{
	SSL_CTX_free(k->client);
	SSL_CTX_free(k->server);
	*k = (struct keys){0};
}

int keys_peer(SSL *ssl, uint8_t id[KEY_ID_LEN])
{
	CLEANUP(release_cert) X509 *cert = SSL_get1_peer_certificate(ssl);

	return cert ? cert_id(cert, id) : -ENOENT;
}

void keys_text(const uint8_t id[KEY_ID_LEN], char to[KEY_TEXT_LEN])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < KEY_ID_LEN; i++) {
		to[2 * i] = digits[id[i] >> 4];
		to[2 * i + 1] = digits[id[i] & 15];
	}
	to[2 * KEY_ID_LEN] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int keys_parse(const char *text, uint8_t id[KEY_ID_LEN])
{
	uint8_t parsed[KEY_ID_LEN];

	if (strlen(text) != KEY_TEXT_LEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < KEY_ID_LEN; i++) {
		int hi = nibble(text[2 * i]), lo = nibble(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		parsed[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(id, parsed, KEY_ID_LEN);
	return 0;
}
