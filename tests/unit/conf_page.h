/* The keys of a daemon against its section of tsferry.conf(5): the same ones in the same
 * order, each with its default and, where LOAD CONFIGURATION takes it over, "hot". An item
 * may be of several keys (.It Cm a , b). */
#ifndef TSFERRY_CONF_PAGE_H
#define TSFERRY_CONF_PAGE_H

#include <fcntl.h>

#include "ground/conf.h"
#include "ground/fileio.h"
#include "test.h"

struct conf_page {
	struct buf page;
	const char *at, *end; /* what is left of the section */
	char names[256];      /* keys of the item that are not taken yet */
	const char *item;     /* its text */
	size_t n;
};

static inline void conf_page_next(struct conf_page *p)
{
	const char *eol, *next;

	p->names[0] = '\0';
	p->at = strstr(p->at, "\n.It Cm ");
	if (!p->at || p->at >= p->end)
		return;
	p->at += strlen("\n.It Cm ");
	eol = strchr(p->at, '\n');
	(void)snprintf(p->names, sizeof p->names, "%.*s", (int)(eol - p->at),
		       p->at);
	p->item = eol + 1;
	next = strstr(eol, "\n.It ");
	p->n = (size_t)((next && next < p->end ? next : p->end) - eol);
	p->at = eol;
}

/* The next key of the section; "" at its end. */
static inline const char *conf_page_key(struct conf_page *p, char *to,
					size_t size)
{
	char *rest;

	if (!p->names[0])
		conf_page_next(p);
	rest = strstr(p->names, " , ");
	(void)snprintf(to, size, "%.*s",
		       rest ? (int)(rest - p->names) : (int)strlen(p->names),
		       p->names);
	if (rest)
		memmove(p->names, rest + 3, strlen(rest + 3) + 1);
	else
		p->names[0] = '\0';
	return to;
}

static inline bool conf_page_is(const struct conf_page *p,
				const struct conf_key *key)
{
	const char *value = key->fallback;
	bool is_hot = strncmp(p->item, ".Em hot ;", 9) == 0;

	if (!*value && key->type != CONF_TEXT)
		value = "0";
	if (is_hot == key->hot &&
	    (!*value || memmem(p->item, p->n, value, strlen(value))))
		return true;
	printf("# %s: default %s, hot %d\n", key->name, value, key->hot);
	return false;
}

static inline bool conf_page_agrees(const char *section,
				    const struct conf_key *keys, size_t n)
{
	struct conf_page p = {.n = 0};
	char name[64];
	bool is_good = true;

	buf_init(&p.page, 1u << 20);
	if (file_read_all(AT_FDCWD, test_data("../../man/tsferry.conf.5"),
			  &p.page) < 0 ||
	    !(p.at = strstr(buf_str(&p.page), section)) ||
	    !(p.end = strstr(p.at + 1, "\n.Sh "))) {
		printf("# %s: no such section\n", section);
		buf_release(&p.page);
		return false;
	}
	for (size_t i = 0; i < n && is_good; i++) {
		conf_page_key(&p, name, sizeof name);
		is_good = strcmp(name, keys[i].name) == 0;
		if (!is_good)
			printf("# the page has '%s' where the table has %s\n",
			       name, keys[i].name);
		else
			is_good = conf_page_is(&p, &keys[i]);
	}
	if (is_good && *conf_page_key(&p, name, sizeof name)) {
		printf("# the page has %s, the table has not\n", name);
		is_good = false;
	}
	buf_release(&p.page);
	return is_good;
}

#endif
