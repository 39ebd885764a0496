/* Short forms become whole statements before anything is parsed, so that there is one
 * grammar. */
#include "ctl_text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "domain/sql.h"
#include "ground/clock.h"

enum ctl_scope ctl_scope_of(const char *dir)
{
	if (strcmp(dir, "/") == 0)
		return CTL_ROOT;
	return strcmp(dir, "/server") == 0 ? CTL_SERVER : CTL_PIPE;
}

int ctl_check_bytes(const void *p, size_t n, struct err *e)
{
	const unsigned char *s = p;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\t' || s[i] == '\n' || s[i] == '\r')
			continue;
		if (s[i] < 0x20 || s[i] == 0x7f)
			return err_say(e, ERR_SYNTAX, EINVAL,
				       "Error occurred while parsing SQL to "
				       "physical plan: line 1:%zu expected "
				       "text, came the control byte 0x%02x",
				       i, s[i]);
	}
	return 0;
}

#define WORDS_MAX 3

/* The first words of a statement, and how many there are in all (at most one more
 * than are kept). */
struct words {
	const char *at[WORDS_MAX];
	size_t len[WORDS_MAX];
	size_t n;
};

static struct words words_of(const char *p)
{
	struct words w = {.n = 0};

	while (w.n <= WORDS_MAX) {
		p += strspn(p, " \t");
		if (!*p)
			break;
		if (w.n < WORDS_MAX) {
			w.at[w.n] = p;
			w.len[w.n] = strcspn(p, " \t");
		}
		p += strcspn(p, " \t");
		w.n++;
	}
	return w;
}

static bool is_word(const struct words *w, size_t i, const char *word)
{
	return i < w->n && w->len[i] == strlen(word) &&
	       strncasecmp(w->at[i], word, w->len[i]) == 0;
}

static bool is_number(const struct words *w, size_t i)
{
	if (i >= w->n)
		return false;
	for (size_t k = 0; k < w->len[i]; k++) {
		if (w->at[i][k] < '0' || w->at[i][k] > '9')
			return false;
	}
	return true;
}

/* START, STOP, DROP; RESYNC [FROM ...]; WAIT [seconds]: whether a name is missing. */
static bool lacks_pipe(const struct words *w)
{
	static const char *const verbs[] = {"START", "STOP", "DROP"};

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (is_word(w, 0, verbs[i]))
			return w->n == 1;
	}
	if (is_word(w, 0, "RESYNC"))
		return w->n == 1 || is_word(w, 1, "FROM");
	if (is_word(w, 0, "WAIT"))
		return w->n == 1 || (w->n == 2 && is_number(w, 1));
	return false;
}

static void add_name(struct buf *out, const char *name)
{
	buf_adds(out, "`");
	for (; *name; name++) {
		if (*name == '`')
			buf_adds(out, "`");
		buf_add(out, name, 1);
	}
	buf_adds(out, "`");
}

static void complete_pipe(struct buf *out, const char *pipe, const char *text)
{
	struct words w = words_of(text);

	if (!lacks_pipe(&w)) {
		buf_adds(out, text);
		return;
	}
	buf_add(out, w.at[0], w.len[0]);
	buf_adds(out, " PIPE ");
	add_name(out, pipe);
	buf_adds(out, w.at[0] + w.len[0]);
}

static void complete_server(struct buf *out, const char *text)
{
	struct words w = words_of(text);
	bool is_full = w.n > 2 && is_word(&w, 1, "SENDER");

	if (w.n == 1 && (is_word(&w, 0, "START") || is_word(&w, 0, "STOP"))) {
		buf_add(out, w.at[0], w.len[0]);
		buf_adds(out, " PIPESERVER");
	} else if (w.n > 1 && !is_full &&
		   (is_word(&w, 0, "ADMIT") || is_word(&w, 0, "FORGET"))) {
		buf_add(out, w.at[0], w.len[0]);
		buf_adds(out, " SENDER ");
		buf_adds(out, w.at[1]);
	} else {
		buf_adds(out, text);
	}
}

/* Takes blanks and `;` off the end. */
static void trim_end(char *s)
{
	size_t n = strlen(s);

	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == ';'))
		n--;
	s[n] = '\0';
}

void ctl_complete(struct buf *out, const char *dir, const char *text, size_t n)
{
	struct buf flat CLEANUP(buf_release) = {0};
	char *copy CLEANUP_FREE = NULL;
	const char *p;

	if (sql_is_blank(text, n))
		return;
	buf_init(&flat, SQL_STATEMENT_MAX + 1);
	sql_flatten(&flat, text, n);
	copy = xstrdup(buf_str(&flat));
	trim_end(copy);
	p = copy + strspn(copy, " \t");
	switch (ctl_scope_of(dir)) {
	case CTL_ROOT:
		buf_adds(out, p);
		break;
	case CTL_PIPE:
		complete_pipe(out, dir + 1, p);
		break;
	case CTL_SERVER:
		complete_server(out, p);
		break;
	}
}

int ctl_check_lines(const char *dir, const char *text, size_t n, struct err *e)
{
	struct sql_setting set = {.now_ms = clock_wall_ms()};
	struct stmt *st CLEANUP_FREE = NULL;
	struct buf copy CLEANUP(buf_release);
	const char *nl = memchr(text, '\n', n);

	buf_init(&copy, SQL_STATEMENT_MAX + 1);
	if (ctl_scope_of(dir) != CTL_ROOT || !nl || nl + 1 == text + n)
		return 0;
	st = xcalloc(1, sizeof *st);
	buf_add(&copy, text, n);
	return sql_parse(st, buf_str(&copy), &set, e);
}
