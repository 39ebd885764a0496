#include <string.h>

#include "fuzz.h"
#include "syncd/journal.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard all = {.n = 0};
	size_t step = size < 64 ? 1 : size / 16;
	char *name = xcalloc(1, size + 1);

	journal_targets(data, size, hear, &all);
	for (size_t k = 0; k < size; k += step)
		check_beginning(data, k, &all);
	if (size)
		memcpy(name, data, size);
	if (journal_is_one(name))
		FUZZ_MUST(strstr(name, "-compaction.log") > name);
	free(name);
	return 0;
}
