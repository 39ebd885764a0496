/* The scan's thread's side of asking: what a listing knows, and what it leaves to be asked. */
#include <inttypes.h>
#include <string.h>

#include "restate.h"
#include "vanish_ask.h"

static struct digest key_of(const struct vanish_question *q)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, RESTATE_LINES_MAX + 256);
	if (q->is_ttl)
		buf_addf(&text, "ttl %" PRId64, q->first);
	else
		buf_addf(&text, "%" PRId64 " %" PRId64 "\n%s", q->first,
			 q->last, q->devices);
	return digest_block(buf_data(&text), text.len);
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text += strcspn(text, "\n") + 1) {
		n++;
		if (!text[strcspn(text, "\n")])
			break;
	}
	return n;
}

void vanish_note(struct vanish_book *b, const struct digest *key, int answer)
{
	b->v[b->n].key = *key;
	b->v[b->n++].answer = answer;
}

static void want(struct listing *l, const struct vanish_question *q,
		 const struct digest *key, unsigned n)
{
	struct vanish_wanted *w = xcalloc(1, sizeof(*w));

	w->key = *key;
	w->first = q->first;
	w->last = q->last;
	w->is_ttl = q->is_ttl;
	w->devices = q->is_ttl ? NULL : xstrdup(q->devices);
	w->n_devices = n;
	w->next = l->wanted;
	l->wanted = w;
	vanish_note(l->book, key,
		    VANISH_LATER); /* another pipe may ask the same */
}

int vanish_ask(struct listing *l, const struct vanish_question *q)
{
	struct digest key = key_of(q);
	unsigned n = q->is_ttl ? 0 : count_lines(q->devices);

	if (!q->is_ttl && (!n || n > VANISH_DEVICES_MAX))
		return VANISH_UNKNOWN;
	if (!l->book)
		l->book = xcalloc(1, sizeof(*l->book));
	for (size_t i = 0; i < l->book->n; i++)
		if (digest_equal(&l->book->v[i].key, &key))
			return l->book->v[i].answer;
	if (l->book->n < VANISH_BOOK_MAX)
		want(l, q, &key, n);
	return VANISH_LATER;
}

void vanish_free_wanted(struct vanish_wanted *w)
{
	free(w->devices);
	free(w);
}

void vanish_release(struct listing *l)
{
	while (l->wanted) {
		struct vanish_wanted *w = l->wanted;

		l->wanted = w->next;
		vanish_free_wanted(w);
	}
	free(l->book);
	l->book = NULL;
}
