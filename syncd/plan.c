#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void plan_init(struct plan *p)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->news, PLAN_NEWS_MAX);
	buf_init(&p->devices, PLAN_DEVICES_MAX);
}

void plan_release(struct plan *p)
{
	size_t i;

	deletions_release(&p->deletions);
	known_release(&p->learned);
	known_release(&p->products);
	living_release(&p->gone);
	for (i = 0; i < p->n_journals; i++)
		free(p->journals[i].body);
	free(p->journals);
	known_release(&p->stale);
	for (i = 0; i < p->n_restates; i++)
		free(p->restates[i].devices);
	free(p->restates);
	living_release(&p->owed);
	buf_release(&p->news);
	buf_release(&p->devices);
	plan_init(p);
}

int plan_journal(struct plan *p, const char *name, const char *body)
{
	struct plan_journal *at;

	if (array_room(&p->journals, p->n_journals, &p->cap_journals,
		       sizeof(*p->journals)))
		return -ENOMEM;
	at = &p->journals[p->n_journals++];
	(void)snprintf(at->name, sizeof(at->name), "%s", name);
	at->body = body ? xstrdup(body) : NULL;
	return 0;
}

int plan_restate(struct plan *p, const char *devices, int64_t time_min,
		 int64_t time_max)
{
	if (array_room(&p->restates, p->n_restates, &p->cap_restates,
		       sizeof(*p->restates)))
		return -ENOMEM;
	p->restates[p->n_restates++] =
		(struct plan_restate){.devices = xstrdup(devices),
				      .time_min = time_min,
				      .time_max = time_max};
	return 0;
}

int plan_owe_product(struct plan *p, const struct known_file *product)
{
	size_t i;
	int r;

	for (i = 0; i < p->products.n; i++) {
		struct known_file *had = &p->products.v[i];

		if (living_compare(&had->f, &product->f) != 0)
			continue;
		if (product->serial > had->serial)
			had->serial = product->serial;
		if (product->serial_low < had->serial_low)
			had->serial_low = product->serial_low;
		return 0;
	}
	r = known_add(&p->products, product);
	if (r)
		return r;
	p->products.v[i].is_derived = p->products.v[i].is_owed = true;
	return living_add(&p->owed, &product->f);
}

bool plan_is_empty(const struct plan *p)
{
	return !p->deletions.n && !p->deletions.n_read && !p->learned.n &&
	       !p->products.n && !p->gone.n && !p->n_journals &&
	       !p->n_restates && !p->owed.n && !p->news.len;
}
