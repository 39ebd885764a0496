#include "vanish_drop.h"

#include <string.h>

#include "scan_inside.h"
#include "schema.h"

struct drop_wait {
	struct drop_wait *next;
	struct scan *scan;
	struct schema_waiter waiter;
	char *database; /* owned; with the next two: which partition */
	uint32_t region;
	int64_t partition;
};

static void free_wait(struct drop_wait *w)
{
	struct drop_wait **at = &w->scan->drop_waits;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	free(w->database);
	free(w);
}

void vanish_drop_end(struct scan *s)
{
	while (s->drop_waits)
		free_wait(s->drop_waits);
}

static void look_again(struct scan *s, struct partition *p)
{
	p->schema_look = SCHEMA_TOLD;
	scan_mark_dirty(s, p);
	scan_pump(s);
}

static void told(struct schema_waiter *sw)
{
	struct drop_wait *w = CONTAINER_OF(sw, struct drop_wait, waiter);
	struct scan *s = w->scan;
	struct partition *p = partition_find(&s->partitions, w->database,
					     w->region, w->partition);

	free_wait(w);
	if (p && !s->edge->is_ending)
		look_again(s, p);
}

static void begin(struct scan *s, struct partition *p)
{
	struct drop_wait *w = xcalloc(1, sizeof(*w));

	w->scan = s;
	w->waiter.fn = told;
	w->database = xstrdup(p->database);
	w->region = p->region;
	w->partition = p->partition;
	w->next = s->drop_waits;
	s->drop_waits = w;
	p->schema_look = SCHEMA_AWAITED;
	if (!schema_wait(s->edge->schema, &w->waiter)) {
		free_wait(w);
		look_again(s, p);
	}
}

void vanish_drop_take(struct scan *s, struct partition *p,
		      const struct listing *l)
{
	/* It is judged when the server's answer is there as well. */
	if (l->is_schema_told && !p->n_questions)
		p->schema_look = SCHEMA_UNASKED;
	if (l->wants_schema && p->schema_look == SCHEMA_UNASKED &&
	    s->edge->schema && !s->edge->is_ending)
		begin(s, p);
}
