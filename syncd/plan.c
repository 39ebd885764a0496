#include "plan.h"

#include <errno.h>
#include <string.h>

void plan_init(struct plan *p)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->news, PLAN_NEWS_MAX);
}

void plan_release(struct plan *p)
{
	free(p->learned);
	living_release(&p->owed);
	buf_release(&p->news);
	plan_init(p);
}

bool plan_is_empty(const struct plan *p)
{
	return !p->n_learned && !p->owed.n && !p->news.len;
}

int plan_learn(struct plan *p, const struct known_file *k)
{
	if (p->n_learned == p->cap_learned) {
		size_t cap = p->cap_learned ? p->cap_learned * 2 : 32;
		struct known_file *more =
			reallocarray(p->learned, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->learned = more;
		p->cap_learned = cap;
	}
	p->learned[p->n_learned++] = *k;
	return 0;
}
