#include "senders.h"

#include <stdio.h>
#include <string.h>

#include "ground/clock.h"

void senders_init(struct senders *s)
{
	memset(s, 0, sizeof *s);
	s->next_seq = s->next_domain = 1;
}

static void incarnation_free(struct incarnation *i)
{
	struct domain *d, *next;

	for (d = i->domains; d; d = next) {
		next = d->next;
		free(d->database);
		free(d->retry_text);
		free(d);
	}
	early_release(&i->early);
	early_release(&i->fills);
	free(i->mirror.state);
	free(i->mirror.message);
	free(i->mirror.progress);
	free(i->mirror.gaps);
	free(i);
}

static void sender_free(struct sender *x)
{
	struct incarnation *i, *older;

	for (i = x->newest; i; i = older) {
		older = i->older;
		incarnation_free(i);
	}
	free(x);
}

void senders_release(struct senders *s)
{
	struct sender *x, *next;

	for (x = s->first; x; x = next) {
		next = x->next;
		sender_free(x);
	}
	s->first = NULL;
}

struct sender *senders_add(struct senders *s, const struct sender_row *row)
{
	struct sender *x = xcalloc(1, sizeof *x), **end = &s->first;

	x->row = *row;
	keys_text(row->id, x->key);
	x->changed_ms = row->last_seen_ms;
	while (*end)
		end = &(*end)->next;
	*end = x;
	return x;
}

void senders_remove(struct senders *s, struct sender *x)
{
	struct sender **at = &s->first;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	sender_free(x);
}

struct sender *senders_by_id(struct senders *s, const uint8_t id[SENDER_ID_LEN])
{
	struct sender *x = s->first;

	while (x && memcmp(x->row.id, id, SENDER_ID_LEN) != 0)
		x = x->next;
	return x;
}

struct sender *senders_by_name(struct senders *s, const char *name)
{
	struct sender *found = NULL;

	for (struct sender *x = s->first; x; x = x->next) {
		if (x->row.state == SENDER_FORGOTTEN ||
		    strcmp(x->row.name, name) != 0)
			continue;
		if (x->row.state == SENDER_ADMITTED)
			return x;
		if (!found)
			found = x;
	}
	return found;
}

struct sender *senders_choose(struct senders *s, const char *name_or_key,
			      unsigned *n)
{
	struct sender *found = NULL;

	*n = 0;
	for (struct sender *x = s->first; x; x = x->next) {
		if (strcmp(x->key, name_or_key) == 0) {
			*n = 1;
			return x;
		}
		if (x->row.state != SENDER_FORGOTTEN &&
		    strcmp(x->row.name, name_or_key) == 0) {
			found = x;
			(*n)++;
		}
	}
	return found;
}

unsigned senders_known(const struct senders *s)
{
	unsigned n = 0;

	for (const struct sender *x = s->first; x; x = x->next)
		n++;
	return n;
}

unsigned senders_count(const struct senders *s, enum sender_state state)
{
	unsigned n = 0;

	for (const struct sender *x = s->first; x; x = x->next)
		n += x->row.state == state;
	return n;
}

const char *sender_message(const struct sender *x, uint64_t mono_ms, char *to,
			   size_t size)
{
	char when[CLOCK_TEXT_LEN];

	to[0] = 0;
	if (x->n_takeovers >= TAKEOVER_WARN &&
	    mono_ms - x->takeover_mono_ms < TAKEOVER_QUIET_MS)
		(void)snprintf(to, size, "[WARN] [%s] %s",
			       clock_text(x->takeover_ms, when),
			       x->takeover_text);
	return to;
}

struct incarnation *incarnation_add(struct senders *s, struct sender *x,
				    const struct incarnation_row *row)
{
	struct incarnation *i = xcalloc(1, sizeof *i);

	i->row = *row;
	if (!i->row.seq)
		i->row.seq = s->next_seq;
	if (i->row.seq >= s->next_seq)
		s->next_seq = i->row.seq + 1;
	i->sender = x;
	i->older = x->newest;
	i->changed_ms = clock_wall_ms();
	x->newest = i;
	(void)stage_dir_name(x->row.id, row->id, i->dir);
	i->mirror = (struct mirror){xstrdup(""), xstrdup(""), xstrdup(""),
				    xstrdup("")};
	return i;
}

struct incarnation *incarnation_find(struct sender *x, const uint8_t id[ID_LEN])
{
	struct incarnation *i = x->newest;

	while (i && memcmp(i->row.id, id, ID_LEN) != 0)
		i = i->older;
	return i;
}

struct incarnation *senders_incarnation(struct senders *s, int64_t seq)
{
	for (struct sender *x = s->first; x; x = x->next)
		for (struct incarnation *i = x->newest; i; i = i->older)
			if (i->row.seq == seq)
				return i;
	return NULL;
}

uint64_t incarnation_waiting(const struct incarnation *i)
{
	uint64_t n = 0;

	for (const struct domain *d = i->domains; d; d = d->next)
		n += d->n_entries;
	return n;
}

static void replace(char **to, const char *text)
{
	if (strcmp(*to, text) == 0)
		return;
	free(*to);
	*to = xstrdup(text);
}

void incarnation_mirror(struct incarnation *i, const struct msg_status *m)
{
	replace(&i->mirror.state, m->state);
	replace(&i->mirror.message, m->message);
	replace(&i->mirror.progress, m->progress);
	replace(&i->mirror.gaps, m->gaps);
	i->heard_ms = i->changed_ms = clock_wall_ms();
}

bool incarnation_is_shown(const struct incarnation *i)
{
	if (i->row.dropped && !incarnation_waiting(i))
		return false;
	for (const struct incarnation *n = i->sender->newest; n != i;
	     n = n->older)
		if (strcmp(n->row.pipe, i->row.pipe) == 0)
			return false;
	return true;
}

struct domain *domain_add(struct senders *s, struct incarnation *i,
			  const struct domain_row *row)
{
	struct domain *d = xcalloc(1, sizeof *d), **end = &i->domains;

	d->incarnation = i;
	d->id = row->id;
	d->database = xstrdup(row->database);
	d->n_entries = row->n_entries;
	d->n_quarantined = row->n_quarantined;
	d->is_delivered = row->delivered;
	i->n_quarantined += (uint32_t)row->n_quarantined;
	if (row->id >= s->next_domain)
		s->next_domain = row->id + 1;
	while (*end)
		end = &(*end)->next;
	*end = d;
	i->n_domains++;
	return d;
}

struct domain *domain_find(struct incarnation *i, const char *database)
{
	struct domain *d = i->domains;

	while (d && strcmp(d->database, database) != 0)
		d = d->next;
	return d;
}

struct domain *domain_get(struct senders *s, struct incarnation *i,
			  const char *database)
{
	struct domain_row row = {.id = s->next_domain};
	struct domain *d = domain_find(i, database);

	if (d)
		return d;
	(void)snprintf(row.database, sizeof row.database, "%s", database);
	return domain_add(s, i, &row);
}
