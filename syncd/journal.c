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

static bool parse_target(struct fileid *id, const char *line, size_t n)
{
	const char *end = line + n, *name;

	if (!has_word(&line, end, "target"))
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

void journal_targets(const void *p, size_t n,
		     void (*fn)(void *arg, const struct fileid *id), void *arg)
{
	const char *line = p, *end = line + n, *newline;

	for (; line < end; line = newline + 1) {
		struct fileid id = {0};
		size_t len;

		newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			return;
		len = (size_t)(newline - line);
		if (len && line[len - 1] == '\r')
			len--;
		if (parse_target(&id, line, len))
			fn(arg, &id);
	}
}
