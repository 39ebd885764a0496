#include "turn.h"

#include <string.h>

static bool has_something(const struct domain *dom, bool pass)
{
	return dom->n_entries > dom->n_quarantined && (pass || !dom->is_held);
}

/* What an older incarnation still has of the database goes first. */
static bool is_behind_older(const struct domain *dom, bool pass)
{
	for (const struct incarnation *i = dom->incarnation->older; i;
	     i = i->older)
		for (const struct domain *o = i->domains; o; o = o->next)
			if (strcmp(o->database, dom->database) == 0 &&
			    (pass ? o->n_entries > o->n_quarantined
				  : o->n_entries > 0))
				return true;
	return false;
}

bool turn_has(const struct domain *dom, bool pass)
{
	return has_something(dom, pass) && !is_behind_older(dom, pass);
}

void turn_let_go(struct domain *dom)
{
	dom->is_held = false;
	dom->n_freed++;
}

void turn_hold(struct domain *dom, uint64_t n_freed)
{
	if (dom->n_freed == n_freed)
		dom->is_held = true;
}
