#include "schema_line.h"

#include <errno.h>
#include <string.h>

int series_parse(struct series *s, char *line)
{
	char *tab = strchr(line, '\t');
	char *second = tab ? strchr(tab + 1, '\t') : NULL;

	if (!second || tab == line)
		return -EBADMSG;
	*tab = *second = '\0';
	*s = (struct series){
		.database = line, .path = tab + 1, .rest = second + 1};
	return 0;
}

int series_cut(struct series *s)
{
	const char **const to[] = {&s->type,  &s->encoding, &s->compressor,
				   &s->alias, &s->tags,	    &s->attributes};
	char *rest = s->rest, *shape = strsep(&rest, "\t");

	if (!*s->path)
		return 0;
	s->is_aligned = strcmp(shape, "A") == 0;
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		*to[i] = strsep(&rest, "\t");
		if (!*to[i])
			return -EBADMSG;
	}
	return rest ? -EBADMSG : 0;
}

int series_compare(const char *database, const char *path,
		   const struct series *b)
{
	int r = strcmp(database, b->database);

	return r ? r : strcmp(path, b->path);
}

bool series_is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}
