#include "apply_batch.h"
#include "session.h"

/* What an edge hears of a pause: the loader's own, which concerns everybody, or that of one
 * of its databases. */

static const char *reason(const struct apply *a, const struct incarnation *i)
{
	if (!incarnation_waiting(i))
		return "";
	if (a->text[0])
		return a->text;
	for (const struct domain *dom = i->domains; dom; dom = dom->next)
		if (dom->n_entries && dom->retry_text)
			return dom->retry_text;
	return "";
}

void apply_tell(const struct apply *a, struct session *s)
{
	if (a && s->incarnation)
		session_waits(s, reason(a, s->incarnation));
}

void apply_tell_all(const struct apply *a)
{
	for (struct session *s = a->d->sessions; s; s = s->next)
		apply_tell(a, s);
}
