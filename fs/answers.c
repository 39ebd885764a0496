#include "answers.h"

/* A short list, youngest first: found by walking it. */

struct item {
	struct answer answer;
	struct item *next;
};

struct answers {
	struct item *first;
	size_t n_users, n_bytes;
};

struct answers *answers_new(void)
{
	return xcalloc(1, sizeof(struct answers));
}

static void remove_at(struct answers *as, struct item **p)
{
	struct item *it = *p;

	*p = it->next;
	as->n_users--;
	as->n_bytes -= it->answer.text.len;
	buf_release(&it->answer.text);
	free(it);
}

void answers_free(struct answers *as)
{
	if (!as)
		return;
	while (as->first)
		remove_at(as, &as->first);
	free(as);
}

static struct item **find(struct answers *as, unsigned uid)
{
	struct item **p = &as->first;

	while (*p && (*p)->answer.uid != uid)
		p = &(*p)->next;
	return p;
}

static void make_room(struct answers *as)
{
	while (as->n_users > ANSWERS_USERS || as->n_bytes > ANSWERS_BYTES) {
		struct item **p = &as->first;

		while ((*p)->next)
			p = &(*p)->next;
		remove_at(as, p);
	}
}

void answers_put(struct answers *as, unsigned uid, uint64_t writer,
		 int64_t wall_ms, const struct buf *text)
{
	struct item **old = find(as, uid), *it;

	if (*old)
		remove_at(as, old);
	it = xcalloc(1, sizeof *it);
	it->answer.uid = uid;
	it->answer.writer = writer;
	it->answer.wall_ms = wall_ms;
	buf_init(&it->answer.text, ANSWERS_BYTES);
	if (text->len)
		buf_add(&it->answer.text, buf_data(text), text->len);
	it->next = as->first;
	as->first = it;
	as->n_users++;
	as->n_bytes += it->answer.text.len;
	make_room(as);
}

struct answer *answers_get(const struct answers *as, unsigned uid)
{
	for (struct item *it = as->first; it; it = it->next) {
		if (it->answer.uid == uid)
			return &it->answer;
	}
	return NULL;
}
