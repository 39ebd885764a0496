#include "journal.h"

#include <stdio.h>
#include <string.h>

#define JOURNAL_SUFFIX "-compaction.log"

bool journal_is_one(const char *name)
{
	size_t n = strlen(name), len = strlen(JOURNAL_SUFFIX);

	return n > len && strcmp(name + n - len, JOURNAL_SUFFIX) == 0;
}

/* The name of a target, with whatever suffix, as the TsFile that it will be. */
static bool parse_target_name(struct fileid *id, const char *name, size_t n)
{
	const char *dot = memchr(name, '.', n);
	char final[128];

	if (!dot || dot - name > 100)
		return false;
	(void)snprintf(final, sizeof(final), "%.*s.tsfile", (int)(dot - name),
		       name);
	return fileid_parse_name(id, final) == 0;
}

static bool has_word(const char **p, const char *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - *p) <= len || memcmp(*p, word, len) != 0 ||
	    (*p)[len] != ' ')
		return false;
	*p += len + 1;
	return true;
}

static bool parse_line(const char *line, size_t n, enum journal_role *role,
		       struct fileid *id)
{
	const char *end = line + n, *name;

	if (has_word(&line, end, "source"))
		*role = JOURNAL_SOURCE;
	else if (has_word(&line, end, "target"))
		*role = JOURNAL_TARGET;
	else if (has_word(&line, end, "empty"))
		*role = JOURNAL_EMPTY;
	else
		return false;
	id->unsequence = has_word(&line, end, "unsequence");
	if (!id->unsequence && !has_word(&line, end, "sequence"))
		return false;
	name = memrchr(line, ' ', (size_t)(end - line));
	if (!name)
		return false;
	name++;
	return parse_target_name(id, name, (size_t)(end - name));
}

void journal_lines(const void *p, size_t n,
		   void (*fn)(void *arg, enum journal_role role,
			      const struct fileid *id),
		   void *arg)
{
	const char *line = p, *end = line + n, *newline;

	for (; line < end; line = newline + 1) {
		struct fileid id = {0};
		enum journal_role role;
		size_t len;

		newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			return;
		len = (size_t)(newline - line);
		if (len && line[len - 1] == '\r')
			len--;
		if (parse_line(line, len, &role, &id))
			fn(arg, role, &id);
	}
}

struct targets_only {
	void (*fn)(void *arg, const struct fileid *id);
	void *arg;
};

static void pass_target(void *arg, enum journal_role role,
			const struct fileid *id)
{
	const struct targets_only *t = arg;

	if (role == JOURNAL_TARGET)
		t->fn(t->arg, id);
}

void journal_targets(const void *p, size_t n,
		     void (*fn)(void *arg, const struct fileid *id), void *arg)
{
	struct targets_only t = {fn, arg};

	journal_lines(p, n, pass_target, &t);
}

bool journal_is_output(const char *name)
{
	static const char *const suffixes[] = {".inner", ".cross", ".settle"};
	const char *dot = strchr(name, '.');
	struct fileid id;
	size_t i;

	for (i = 0; dot && i < ARRAY_LEN(suffixes); i++) {
		if (strcmp(dot, suffixes[i]) == 0)
			return parse_target_name(&id, name, strlen(name));
	}
	return false;
}
