#include "greeting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Versions of the greeting are one number; what is spoken after it has its own. */

#define NAME "TSFERRY "
#define HEAD NAME "1 "
#define HEAD_LEN (sizeof HEAD - 1)
#define NAME_LEN (sizeof NAME - 1)
#define SHOWN 24 /* bytes of a wrong greeting that a person gets to see */

static const char *const words[] = {
	[GREETING_TLS] = "tls",
	[GREETING_PLAIN] = "plain",
	[GREETING_OK] = "ok",
};

/* What fails here is found by reading, behind the peer's last words. */
void greeting_say(struct wire *w, enum greeting_word word)
{
	char text[GREETING_MAX];
	int n = snprintf(text, sizeof text, HEAD "%s\n", words[word]);

	(void)wire_raw_write(w, text, (size_t)n);
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* The length without a UTF-8 character that was cut at the end. */
static size_t whole_characters(const char *text, size_t len)
{
	size_t tail = 0, need;
	unsigned char lead;

	while (tail < 3 && tail < len &&
	       ((unsigned char)text[len - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail == len)
		return len;
	lead = (unsigned char)text[len - 1 - tail];
	need = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
	return tail < need ? len - tail - 1 : len;
}

static size_t refusal(char text[GREETING_MAX], const char *sentence)
{
	int n = snprintf(text, GREETING_MAX, HEAD "no %s", sentence);
	size_t len = n < 0 ? 0 : (size_t)n;

	if (len >= GREETING_MAX)
		len = whole_characters(text, GREETING_MAX - 1);
	for (size_t i = 0; i < len; i++) {
		if (is_control(text[i]))
			text[i] = ' ';
	}
	text[len] = '\n';
	return len + 1;
}

/* Bytes left unread at close would make the kernel take the sentence back. */
void greeting_refuse(struct wire *w, const char *sentence)
{
	char text[GREETING_MAX];
	size_t n = refusal(text, sentence);

	(void)wire_discard(w);
	(void)wire_raw_write(w, text, n);
	(void)shutdown(w->fd, SHUT_WR);
	(void)wire_discard(w);
}

static int not_ours(const struct greeting *g, struct err *e)
{
	char shown[4 * SHOWN + 1], *to = shown;

	for (size_t i = 0; i < g->len && i < SHOWN; i++) {
		char c = g->text[i];

		if (is_control(c) || (unsigned char)c >= 0x80 || c == '\\')
			to += sprintf(to, "\\x%02x", (unsigned char)c);
		else
			*to++ = c;
	}
	*to = '\0';
	return err_set(e, EPROTO,
		       "the peer is not tsferry: expected '" HEAD
		       "…', got '%s' (check address and port)",
		       shown);
}

static int add(struct greeting *g, const char *p, size_t n, struct err *e)
{
	size_t known;

	if (n > sizeof g->text - g->len)
		n = sizeof g->text - g->len;
	memcpy(g->text + g->len, p, n);
	g->len += n;
	known = g->len < NAME_LEN ? g->len : NAME_LEN;
	if (memcmp(g->text, NAME, known) != 0)
		return not_ours(g, e);
	if (g->len && g->text[g->len - 1] == '\n')
		return 1;
	if (g->len == sizeof g->text)
		return err_set(e, EPROTO,
			       "the peer's greeting has no end within %d bytes",
			       GREETING_MAX);
	return 0;
}

int greeting_hear(struct greeting *g, struct wire *w, struct err *e)
{
	char seen[GREETING_MAX];
	const char *newline;
	ssize_t n = wire_raw_peek(w, seen, sizeof seen);

	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return err_set(e, (int)-n, "%s", err_words((int)-n));
	if (n == 0)
		return err_set(
			e, ECONNRESET,
			"the peer closed the connection without a greeting");
	newline = memchr(seen, '\n', (size_t)n);
	if (newline)
		n = newline + 1 - seen;
	n = wire_raw_read(w, seen, (size_t)n);
	if (n <= 0)
		return err_set(e, EIO, "the greeting could not be read");
	return add(g, seen, (size_t)n, e);
}

static int refused(const char *sentence, struct err *e)
{
	return err_set(e, ECONNREFUSED, "%s",
		       *sentence ? sentence : "refused without a reason");
}

int greeting_word(const struct greeting *g, bool from_accepting, struct err *e)
{
	char line[GREETING_MAX];
	size_t n = g->len - 1;

	for (size_t i = 0; i < n; i++)
		line[i] = is_control(g->text[i]) ? '?' : g->text[i];
	line[n] = '\0';
	if (n < HEAD_LEN || memcmp(line, HEAD, HEAD_LEN) != 0)
		return err_set(
			e, EPROTO,
			"the peer speaks another version: expected '" HEAD
			"…', got '%.40s' (upgrade the older side)",
			line);
	if (from_accepting) {
		if (strcmp(line + HEAD_LEN, "ok") == 0)
			return GREETING_OK;
		if (strncmp(line + HEAD_LEN, "no ", 3) == 0)
			return refused(line + HEAD_LEN + 3, e);
	} else {
		if (strcmp(line + HEAD_LEN, "tls") == 0)
			return GREETING_TLS;
		if (strcmp(line + HEAD_LEN, "plain") == 0)
			return GREETING_PLAIN;
	}
	return err_set(e, EPROTO,
		       "the peer's greeting is not understood: expected %s, "
		       "got '%.40s'",
		       from_accepting ? "'ok' or 'no'" : "'tls' or 'plain'",
		       line + HEAD_LEN);
}
