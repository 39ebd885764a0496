#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "ground/base.h"
#include "syncd/schema_line.h"

/* The input is a line of a listing, as an IoTDB that can say anything makes syncd-ask write it. Its
 * parts lie in the line, one behind the other. */

static void check_parts(const struct series *s, const char *line, size_t size)
{
	const char *parts[] = {s->database,   s->path,	s->type, s->encoding,
			       s->compressor, s->alias, s->tags, s->attributes};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!parts[i])
			continue;
		FUZZ_MUST(parts[i] >= line && parts[i] <= line + size);
		FUZZ_MUST(!strchr(parts[i], '\t'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_FREE char *line = xcalloc(1, size + 1);
	struct series s = {0}, t = {0};
	CLEANUP_FREE char *again = NULL;

	memcpy(line, data, size);
	if (memchr(line, 0, size))
		return 0;
	again = xstrdup(line);
	(void)series_is_plain(line);
	if (series_parse(&s, line) < 0)
		return 0;
	FUZZ_MUST(s.database && s.path);
	FUZZ_MUST(series_compare(s.database, s.path, &s) == 0);
	if (series_cut(&s) == 0)
		check_parts(&s, line, size);
	FUZZ_MUST(series_parse(&t, again) == 0);
	FUZZ_MUST(series_compare(s.database, s.path, &t) == 0);
	return 0;
}
