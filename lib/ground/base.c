#include "ground/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t n, size_t size)
{
	(void)fprintf(stderr,
		      "err base: out of memory for %zu x %zu bytes; restart, "
		      "nothing durable is lost\n",
		      n, size);
	abort();
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory(n, size);
	return p;
}

char *xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *p = malloc(size);

	if (!p)
		out_of_memory(1, size);
	return memcpy(p, s, size);
}

int array_room(void *array, size_t n, size_t *cap, size_t size)
{
	void **at = array, *more;
	size_t room = *cap ? *cap * 2 : 16;

	if (n < *cap)
		return 0;
	more = reallocarray(*at, room, size);
	if (!more)
		return -ENOMEM;
	*at = more;
	*cap = room;
	return 0;
}
