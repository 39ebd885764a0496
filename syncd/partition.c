#include "partition.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a over what names a partition. */
static size_t bucket_of(const struct partitions *ps, const char *database,
			uint32_t region, int64_t partition)
{
	uint64_t h = 1469598103934665603ull;

	for (; *database; database++)
		h = (h ^ (uint8_t)*database) * 1099511628211ull;
	h = (h ^ region) * 1099511628211ull;
	h = (h ^ (uint64_t)partition) * 1099511628211ull;
	return (size_t)(h >> 20) % ARRAY_LEN(ps->buckets);
}

static bool is_named(const struct partition *p, const char *database,
		     uint32_t region, int64_t partition)
{
	return p->partition == partition && p->region == region &&
	       strcmp(p->database, database) == 0;
}

struct partition *partition_find(const struct partitions *ps,
				 const char *database, uint32_t region,
				 int64_t partition)
{
	struct partition *p =
		ps->buckets[bucket_of(ps, database, region, partition)];

	while (p && !is_named(p, database, region, partition))
		p = p->next_in_bucket;
	return p;
}

struct partition *partition_make(struct partitions *ps, const char *database,
				 uint32_t region, int64_t partition)
{
	struct partition *p = partition_find(ps, database, region, partition);
	size_t b = bucket_of(ps, database, region, partition);

	if (p)
		return p;
	p = xcalloc(1, sizeof(*p));
	p->database = xstrdup(database);
	p->region = region;
	p->partition = partition;
	p->next_in_bucket = ps->buckets[b];
	ps->buckets[b] = p;
	ps->n++;
	return p;
}

static void free_partition(struct partition *p)
{
	held_free(p->held);
	free(p->book);
	free(p->database);
	free(p);
}

void partition_remove(struct partitions *ps, struct partition *p)
{
	struct partition **at = &ps->buckets[bucket_of(
		ps, p->database, p->region, p->partition)];

	while (*at && *at != p)
		at = &(*at)->next_in_bucket;
	if (*at)
		*at = p->next_in_bucket;
	ps->n--;
	free_partition(p);
}

void partitions_release(struct partitions *ps)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(ps->buckets); i++) {
		while (ps->buckets[i]) {
			struct partition *p = ps->buckets[i];

			ps->buckets[i] = p->next_in_bucket;
			free_partition(p);
		}
	}
	ps->n = 0;
}

void partitions_each(struct partitions *ps,
		     void (*fn)(void *arg, struct partition *p), void *arg)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(ps->buckets); i++) {
		struct partition *p = ps->buckets[i], *next;

		for (; p; p = next) {
			next = p->next_in_bucket;
			fn(arg, p);
		}
	}
}

void partition_file(const struct partition *p, const struct living *l,
		    struct fileid *out)
{
	(void)snprintf(out->database, sizeof(out->database), "%s", p->database);
	out->unsequence = l->unsequence;
	out->region = p->region;
	out->partition = p->partition;
	out->t = l->t;
	out->v = l->v;
	out->i = l->i;
	out->c = l->c;
}
