#include <string.h>

#include "fuzz.h"
#include "syncd/compaction.h"

/* A compaction journal, as bytes. Each target is an identity that a TsFile may have; a
 * journal that is still being written names a beginning of what it will name. */

#define HEARD_MAX 256u

struct heard {
	struct fileid ids[HEARD_MAX];
	size_t n;
};

static void hear(void *arg, const struct fileid *id)
{
	struct heard *h = arg;
	char name[FILEID_PATH_MAX];
	struct fileid again = {0};

	FUZZ_MUST(fileid_parse_name(&again, fileid_name(id, name)) == 0);
	FUZZ_MUST(again.t == id->t && again.v == id->v && again.i == id->i &&
		  again.c == id->c);
	FUZZ_MUST(!id->database[0] && !id->region && !id->partition);
	if (h->n < HEARD_MAX)
		h->ids[h->n] = *id;
	h->n++;
}

static void check_beginning(const uint8_t *p, size_t n, const struct heard *all)
{
	struct heard some = {.n = 0};

	journal_targets(p, n, hear, &some);
	FUZZ_MUST(some.n <= all->n);
	for (size_t i = 0; i < some.n && i < HEARD_MAX; i++)
		FUZZ_MUST(fileid_equal(&some.ids[i], &all->ids[i]));
}

/* What is kept of it in the catalog has a line for each file, and is not longer when the
 * same journal is read again. */
static void check_kept(const uint8_t *p, size_t n)
{
	static const char name[] = "1-1-1-0.inner.inner-compaction.log";
	CLEANUP(compactions_release) struct compactions cs = {0};
	CLEANUP(buf_release) struct buf body = {0};
	size_t lines = 0, before;

	FUZZ_MUST(compaction_read(&cs, name, p, n, true) == 0);
	FUZZ_MUST(cs.n == 1 && cs.v[0].n <= COMPACTION_FILES_MAX);
	before = cs.v[0].n;
	FUZZ_MUST(compaction_read(&cs, name, p, n, true) == 0);
	FUZZ_MUST(cs.n == 1 && cs.v[0].n == before);
	buf_init(&body, COMPACTION_BODY_MAX);
	compaction_print(&cs.v[0], &body);
	FUZZ_MUST(buf_end(&body) == 0);
	for (const char *s = buf_str(&body); *s; s++)
		lines += *s == '\n';
	FUZZ_MUST(lines >= before);
	(void)compaction_is_whole(&cs.v[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard all = {.n = 0};
	size_t step = size < 64 ? 1 : size / 16;
	char *name = xcalloc(1, size + 1);

	journal_targets(data, size, hear, &all);
	for (size_t k = 0; k < size; k += step)
		check_beginning(data, k, &all);
	check_kept(data, size);
	if (size)
		memcpy(name, data, size);
	(void)journal_is_output(name);
	if (journal_is_one(name))
		FUZZ_MUST(strlen(name) > strlen("-compaction.log"));
	free(name);
	return 0;
}
