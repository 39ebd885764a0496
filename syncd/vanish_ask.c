/* The loop's side of asking. */
#include "vanish_ask.h"

#include <inttypes.h>
#include <string.h>

#include "ask.h"
#include "restate.h"
#include "scan_inside.h"

#define TRY_AGAIN_MS 1000u /* doubled with each try */
#define LIMIT_MS 10000u
#define LIMIT_DEVICE_MS 50u

struct vanish_asking {
	struct vanish_asking *next;
	struct scan *scan;
	struct ask_request rq;
	struct loop_timer again;
	struct vanish_wanted *what; /* owned */
	char *database; /* owned; with the next two: which partition */
	uint32_t region;
	int64_t partition;
	unsigned n_tries;
};

static void submit(struct vanish_asking *g);

static void free_asking(struct vanish_asking *g)
{
	struct vanish_asking **at = &g->scan->askings;

	while (*at && *at != g)
		at = &(*at)->next;
	if (*at)
		*at = g->next;
	loop_timer_stop(g->scan->edge->loop, &g->again);
	ask_cancel(g->scan->edge->ask, &g->rq);
	vanish_free_wanted(g->what);
	free(g->database);
	free(g);
}

void vanish_end(struct scan *s)
{
	while (s->askings)
		free_asking(s->askings);
}

static void answered(struct vanish_asking *g, int answer)
{
	struct scan *s = g->scan;
	struct partition *p = partition_find(&s->partitions, g->database,
					     g->region, g->partition);

	for (size_t i = 0; p && p->book && i < p->book->n; i++)
		if (digest_equal(&p->book->v[i].key, &g->what->key))
			p->book->v[i].answer = answer;
	free_asking(g);
	if (!p)
		return;
	p->n_questions--;
	scan_mark_dirty(s, p);
	scan_pump(s);
}

static int meaning(const char *word)
{
	if (strcmp(word, "gone") == 0 || strcmp(word, "none") == 0)
		return VANISH_DELETED;
	if (strcmp(word, "there") == 0 || strcmp(word, "expired") == 0 ||
	    strcmp(word, "some") == 0)
		return VANISH_EXPLAINED;
	return VANISH_UNKNOWN;
}

static void time_to_try(struct loop_timer *t)
{
	submit(CONTAINER_OF(t, struct vanish_asking, again));
}

static void done(struct ask_request *rq, const struct ask_answer *a)
{
	struct vanish_asking *g = CONTAINER_OF(rq, struct vanish_asking, rq);

	if (a->result == ASK_OK) {
		answered(g, meaning(a->field[0]));
	} else if (a->result == ASK_NO || ++g->n_tries == VANISH_TRIES) {
		answered(g, VANISH_UNKNOWN);
	} else {
		g->again.fn = time_to_try;
		loop_timer_set(g->scan->edge->loop, &g->again,
			       TRY_AGAIN_MS << (g->n_tries - 1));
	}
}

static void print_rows(const struct vanish_wanted *w, struct buf *line)
{
	buf_addf(line, "rows\t%" PRId64 "\t%" PRId64 "\t%u\n%s", w->first,
		 w->last, w->n_devices, w->devices);
	if (w->devices[strlen(w->devices) - 1] != '\n')
		buf_adds(line, "\n");
}

static void submit(struct vanish_asking *g)
{
	const struct vanish_wanted *w = g->what;

	buf_init(&g->rq.line, RESTATE_LINES_MAX + 256);
	if (w->is_ttl)
		buf_addf(&g->rq.line, "ttl\t%s\t%" PRId64 "\n", g->database,
			 w->first);
	else
		print_rows(w, &g->rq.line);
	g->rq.done = done;
	ask_submit_lines(g->scan->edge->ask, &g->rq,
			 LIMIT_MS + LIMIT_DEVICE_MS * w->n_devices);
}

static void begin(struct scan *s, struct partition *p, struct vanish_wanted *w)
{
	struct vanish_asking *g = xcalloc(1, sizeof(*g));

	g->scan = s;
	g->what = w;
	g->database = xstrdup(p->database);
	g->region = p->region;
	g->partition = p->partition;
	g->next = s->askings;
	s->askings = g;
	p->n_questions++;
	submit(g);
}

void vanish_give(const struct partition *p, struct listing *l)
{
	if (!p->book)
		return;
	l->book = xcalloc(1, sizeof(*l->book));
	*l->book = *p->book;
}

/* What the listing was told has served. */
static void forget_told(struct partition *p, const struct vanish_book *told)
{
	size_t n = 0;

	for (size_t i = 0; i < p->book->n; i++) {
		bool is_told = false;

		for (size_t j = 0; told && j < told->n; j++)
			is_told |= told->v[j].answer != VANISH_LATER &&
				   digest_equal(&told->v[j].key,
						&p->book->v[i].key);
		if (!is_told)
			p->book->v[n++] = p->book->v[i];
	}
	p->book->n = n;
}

void vanish_take(struct scan *s, struct partition *p, struct listing *l)
{
	if (p->book)
		forget_told(p, l->book);
	while (l->wanted && !s->edge->is_ending) {
		struct vanish_wanted *w = l->wanted;

		l->wanted = w->next;
		if (!p->book)
			p->book = xcalloc(1, sizeof(*p->book));
		if (p->book->n == VANISH_BOOK_MAX) {
			vanish_free_wanted(w);
			continue;
		}
		vanish_note(p->book, &w->key, VANISH_LATER);
		begin(s, p, w);
	}
	if (p->book && !p->book->n) {
		free(p->book);
		p->book = NULL;
	}
}
