#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "ground/keys.h"
#include "test.h"

/* Each test has a directory of its own. */
static int fresh_dir(void)
{
	static int n;
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/%d", test_dir(), n++);
	if (mkdir(path, 0700) < 0)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int load(int dir, char *text, struct err *e)
{
	struct keys k;
	int r = keys_load(&k, dir, e);

	if (text)
		(void)snprintf(text, KEY_TEXT_LEN, "%s", k.text);
	if (r < 0 && (k.client || k.server))
		abort();
	keys_release(&k);
	keys_release(&k);
	return r;
}

static int read_pem(int dir, struct buf *b)
{
	buf_init(b, 65536);
	return file_read_all(dir, "key.pem", b);
}

static void made_once(void)
{
	CLEANUP_CLOSE int dir = fresh_dir(), other = fresh_dir();
	char first[KEY_TEXT_LEN], again[KEY_TEXT_LEN];
	struct err e = {0};
	struct stat st;
	struct buf a, b;

	CHECK(dir >= 0 && other >= 0);
	CHECK(load(dir, first, &e) == 0);
	CHECK(e.sys == 0);
	CHECK(strlen(first) == 64 && strspn(first, "0123456789abcdef") == 64);
	CHECK(fstatat(dir, "key.pem", &st, 0) == 0);
	CHECK((st.st_mode & 07777) == 0600 && S_ISREG(st.st_mode));
	CHECK(read_pem(dir, &a) == 0);
	CHECK(load(dir, again, NULL) == 0);
	CHECK_STR(again, first);
	CHECK(read_pem(dir, &b) == 0);
	CHECK_STR(buf_str(&b), buf_str(&a));
	CHECK(load(other, again, NULL) == 0);
	CHECK(strcmp(again, first) != 0);
	buf_release(&a);
	buf_release(&b);
}

/* The name is the SHA-256 of the SubjectPublicKeyInfo, which an operator can
 * compute: openssl pkey -in key.pem -pubout -outform der | sha256sum */
static void name_is_the_spki(void)
{
	CLEANUP_CLOSE int dir = fresh_dir();
	char have[KEY_TEXT_LEN], want[KEY_TEXT_LEN] = "", command[4096];
	FILE *p;

	CHECK(dir >= 0 && load(dir, have, NULL) == 0);
	(void)snprintf(command, sizeof command,
		       "openssl pkey -in /proc/self/fd/%d/key.pem -pubout "
		       "-outform der | sha256sum",
		       dir);
	CHECK(fcntl(dir, F_SETFD, 0) == 0);
	p = popen(command, "r");
	CHECK(p);
	CHECK(fgets(want, sizeof want, p));
	CHECK(pclose(p) == 0);
	CHECK_STR(have, want);
}

static void others_can_read(void)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0666, 0601};
	CLEANUP_CLOSE int dir = fresh_dir();
	struct err e = {0};

	CHECK(dir >= 0 && load(dir, NULL, NULL) == 0);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		CHECK(fchmodat(dir, "key.pem", modes[i], 0) == 0);
		CHECK(load(dir, NULL, &e) == -EPERM);
	}
	CHECK(fchmodat(dir, "key.pem", 0644, 0) == 0);
	CHECK(load(dir, NULL, &e) == -EPERM);
	CHECK_STR(e.text, "key.pem has mode 0644, others may read or change "
			  "it; expected 0600 (chmod 600 it; remove it to get a "
			  "new key if it may have been copied)");
	CHECK(fchmodat(dir, "key.pem", 0400, 0) == 0);
	CHECK(load(dir, NULL, NULL) == 0);
}

static bool put(int dir, const char *p, size_t n)
{
	return file_replace(dir, "key.pem", p, n, 0600) == 0;
}

#define CURE                                                                \
	"; restore it from a backup, or remove it to get a new key, which " \
	"every peer then has to admit anew"

static void damaged(void)
{
	CLEANUP_CLOSE int dir = fresh_dir();
	struct err e = {0};
	struct buf pem, other;
	const char *cert, *text;

	CHECK(dir >= 0 && load(dir, NULL, NULL) == 0);
	CHECK(read_pem(dir, &pem) == 0);
	text = buf_str(&pem);
	cert = strstr(text, "-----BEGIN CERTIFICATE");
	CHECK(cert);

	CHECK(put(dir, "", 0) && load(dir, NULL, &e) == -EBADMSG);
	CHECK_STR(e.text, "key.pem is empty or too large to be a key" CURE);
	CHECK(put(dir, "garbage\n", 8) && load(dir, NULL, &e) == -EBADMSG);
	CHECK_STR(e.text,
		  "key.pem does not begin with a readable private key" CURE);
	CHECK(put(dir, text, (size_t)(cert - text)));
	CHECK(load(dir, NULL, &e) == -EBADMSG);
	CHECK_STR(e.text, "key.pem holds no readable certificate" CURE);
	CHECK(put(dir, text, pem.len - 40) && load(dir, NULL, &e) == -EBADMSG);

	/* The key of one, the certificate of another. */
	CHECK(unlinkat(dir, "key.pem", 0) == 0 && load(dir, NULL, NULL) == 0);
	CHECK(read_pem(dir, &other) == 0);
	buf_consume(&other, (size_t)(cert - text));
	pem.len = (size_t)(cert - text);
	buf_add(&pem, buf_data(&other), other.len);
	CHECK(put(dir, buf_str(&pem), pem.len));
	CHECK(load(dir, NULL, &e) == -EBADMSG);
	CHECK_STR(e.text,
		  "key.pem holds a key and the certificate of another" CURE);
	buf_release(&pem);
	buf_release(&other);
}

static void other_damage(void)
{
	CLEANUP_CLOSE int dir = fresh_dir();
	static char big[20000];
	char command[4096];
	struct err e = {0};

	CHECK(dir >= 0 && put(dir, big, sizeof big));
	CHECK(load(dir, NULL, &e) == -EBADMSG);
	CHECK(fcntl(dir, F_SETFD, 0) == 0);
	(void)snprintf(command, sizeof command,
		       "cd /proc/self/fd/%d && openssl req -x509 -newkey "
		       "rsa:2048 -nodes -subj /CN=x -keyout k -out c "
		       "2>/dev/null && cat k c > key.pem && chmod 600 key.pem",
		       dir);
	CHECK(system(command) == 0);
	CHECK(load(dir, NULL, &e) == -EBADMSG);
	CHECK_STR(e.text, "key.pem is expected to hold an Ed25519 key" CURE);
	CHECK(unlinkat(dir, "key.pem", 0) == 0);
	CHECK(mkdirat(dir, "key.pem", 0700) == 0);
	CHECK(load(dir, NULL, &e) == -EINVAL);
	CHECK_STR(e.text, "key.pem is expected to be a regular file");
	CHECK(unlinkat(dir, "key.pem", AT_REMOVEDIR) == 0);
	CHECK(symlinkat("k", dir, "key.pem") == 0);
	CHECK(load(dir, NULL, &e) == -ELOOP);
}

static void not_written(void)
{
	CLEANUP_CLOSE int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
	struct err e = {0};

	CHECK(dir >= 0);
	CHECK(load(dir, NULL, &e) < 0);
	CHECK(strncmp(e.text, "cannot make key.pem: ", 21) == 0);
}

static void texts(void)
{
	uint8_t id[KEY_ID_LEN], back[KEY_ID_LEN];
	char text[KEY_TEXT_LEN], other[80];

	for (unsigned i = 0; i < KEY_ID_LEN; i++)
		id[i] = (uint8_t)(i * 9 + 1);
	keys_text(id, text);
	CHECK_STR(text, "010a131c252e374049525b646d767f88"
			"919aa3acb5bec7d0d9e2ebf4fd060f18");
	CHECK(keys_parse(text, back) == 0 && memcmp(id, back, 32) == 0);
	(void)snprintf(other, sizeof other, "%s", text);
	other[3] = 'A';
	memset(back, 0, sizeof back);
	CHECK(keys_parse(other, back) == 0 && memcmp(id, back, 32) == 0);
	other[3] = 'g';
	CHECK(keys_parse(other, back) == -EINVAL);
	other[3] = 'a';
	other[63] = ' ';
	CHECK(keys_parse(other, back) == -EINVAL);
	other[63] = '\0';
	CHECK(keys_parse(other, back) == -EINVAL);
	(void)snprintf(other, sizeof other, "%s0", text);
	CHECK(keys_parse(other, back) == -EINVAL);
	CHECK(keys_parse("", back) == -EINVAL);
	CHECK(memcmp(id, back, 32) == 0);
}

int main(void)
{
	test_run("a key is made once", made_once);
	test_run("its name is the hash of the public key", name_is_the_spki);
	test_run("a key that others can read is refused", others_can_read);
	test_run("a damaged file is refused with the cure", damaged);
	test_run("and so is what is no key file at all", other_damage);
	test_run("a key that cannot be written", not_written);
	test_run("names as text", texts);
	return test_end();
}
