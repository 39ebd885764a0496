/* Which times a TTL may have removed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "ground/clock.h"

#define TTLS_MAX 4096u

/* A path and what is below it, and the first time that lives. */
struct asker_ttl {
	char *path; /* owned, without what matches anything */
	int64_t cutoff;
};

struct reading {
	struct asker_ttls *to;
	int64_t now, per_ms;
};

static int take_ttl(void *arg, const struct rpc_row *row)
{
	struct reading *k = arg;
	struct asker_ttls *to = k->to;
	const char *path = row->n > 1 ? row->cells[0] : NULL;
	const char *text = row->n > 1 ? row->cells[1] : NULL;
	int64_t ms;
	char *end, *star;

	if (!path || !text)
		return 0;
	errno = 0;
	ms = strtoll(text, &end, 10);
	if (errno || end == text || *end || ms <= 0 ||
	    ms > INT64_MAX / k->per_ms)
		return 0; /* INF, null */
	if (to->n == TTLS_MAX)
		return -E2BIG;
	to->v[to->n].path = xstrdup(path);
	star = strstr(to->v[to->n].path, ".*");
	if (star)
		*star = '\0';
	to->v[to->n++].cutoff = k->now - ms * k->per_ms;
	return 0;
}

int asker_ttls_read(struct asker *a, struct asker_ttls *out,
		    struct rpc_reply *reply, struct err *e)
{
	const char *precision = rpc_precision(a->rpc);
	struct reading k = {.to = out};
	const struct rpc_visit visit = {.row = take_ttl, .arg = &k};

	k.per_ms = strcmp(precision, "us") == 0	  ? 1000
		   : strcmp(precision, "ns") == 0 ? 1000000
						  : 1;
	k.now = clock_wall_ms() * k.per_ms;
	out->v = xcalloc(TTLS_MAX, sizeof *out->v);
	out->n = 0;
	return rpc_query(a->rpc, "SHOW ALL TTL", &visit, reply, e);
}

void asker_ttls_release(struct asker_ttls *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].path);
	free(t->v);
	*t = (struct asker_ttls){.v = NULL};
}

static bool covers(const char *above, const char *path)
{
	size_t n = strlen(above);

	return strncmp(above, path, n) == 0 && (!path[n] || path[n] == '.');
}

bool asker_ttls_longest(const struct asker_ttls *t, const char *device,
			int64_t *cutoff)
{
	bool is_covered = false;

	for (size_t i = 0; i < t->n; i++) {
		if (!covers(t->v[i].path, device))
			continue;
		if (!is_covered || t->v[i].cutoff < *cutoff)
			*cutoff = t->v[i].cutoff;
		is_covered = true;
	}
	return is_covered;
}

/* Of a path above the database, or of one below it. */
static bool touches(const struct asker_ttl *t, const char *database)
{
	return covers(t->path, database) || covers(database, t->path);
}

int asker_ttl(struct asker *a, const char *database, int64_t first,
	      struct buf *out, struct rpc_reply *reply, struct err *e)
{
	struct asker_ttls ttls = {.v = NULL};
	bool may_be = !asker_sees_all(a);
	int r = asker_ttls_read(a, &ttls, reply, e);

	for (size_t i = 0; i < ttls.n; i++)
		may_be |= touches(&ttls.v[i], database) &&
			  ttls.v[i].cutoff > first;
	asker_ttls_release(&ttls);
	if (r >= 0)
		buf_adds(out, may_be ? "\tsome" : "\tnone");
	return r;
}
